/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/status.h"
#include "tests/unit/ledger_maker.h"
#include "tools/audit.h"
#include "tools/audit_proof.h"
#include "tools/audit_report.h"

#define NOW (INT64_C(1795269600) * NS_PER_S) /* 2026-11-21T14:00:00Z */

/* ---- moments ---- */

static int64_t
when(const char *text)
{
	int64_t ns = -1;

	assert_true(audit_when(text, NOW, &ns));
	return ns;
}

static void
moments_are_read_as_people_write_them(void **state)
{
	(void)state;
	assert_int_equal(when("2026-11-21T14:00:00Z"), NOW);
	assert_int_equal(when("2026-11-21t15:00:00+01:00"), NOW);
	assert_int_equal(when("2026-11-21 08:30:00-05:30"), NOW);
	assert_int_equal(when("2026-11-21T14:00:00.25Z"), NOW + NS_PER_S / 4);
	assert_int_equal(when("now"), NOW);
	assert_int_equal(when("90s"), NOW - 90 * NS_PER_S);
	assert_int_equal(when("15m"), NOW - 900 * NS_PER_S);
	assert_int_equal(when("2h"), NOW - 7200 * NS_PER_S);
	assert_int_equal(when("3d"), NOW - 3 * 86400 * NS_PER_S);
	assert_int_equal(when("1w"), NOW - 7 * 86400 * NS_PER_S);
}

static void
a_time_without_a_zone_is_local(void **state)
{
	(void)state;
	setenv("TZ", "CET-1CEST", 1);
	tzset();
	assert_int_equal(when("2026-11-21 15:00"), NOW);
	assert_int_equal(when("2026-11-21"), NOW - 15 * 3600 * NS_PER_S);
	/* Summer time is two hours ahead. */
	assert_int_equal(
	    when("2026-07-01 02:00"), when("2026-07-01T00:00:00Z"));
	setenv("TZ", "UTC", 1);
	tzset();
}

static void
what_is_no_moment_is_refused(void **state)
{
	static const char *const BAD[] = { "", "yesterday", "15", "m", "15x",
		"-15m", "9999999999s", "100000000w", "2026-02-29", "2026-04-31",
		"2026-13-01", "2026-11-21T", "2026-11-21T25:00Z",
		"2026-11-21T14:60Z", "2026-11-21T14:00:00.Z",
		"2026-11-21T14:00Zx", "2026-11-21T14:00+1", "1969-12-31",
		"2026-11-21 ", "15m ", "999999999999999999999d" };
	int64_t ns = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		if (audit_when(BAD[i], NOW, &ns))
			fail_msg("%s was taken", BAD[i]);
		assert_int_equal(ns, 7);
	}
	assert_int_equal(when("2028-02-29"), when("2028-02-29T00:00:00Z"));
}

/* ---- filters ---- */

/* "" between words; at most 15 of them. */
static bool
take(const char *line, struct audit_filter *ret_filter)
{
	static char words[256];
	char *argv[16];
	int argc = 0;

	snprintf(words, sizeof(words), "%s", line);
	for (char *at = words; *at != '\0';) {
		argv[argc++] = at;
		at += strcspn(at, " ");
		if (*at == ' ')
			*at++ = '\0';
	}
	return audit_filter_take(&argc, argv, NOW, ret_filter) && argc == 0;
}

static void
a_filter_says_all_that_keyd_is_asked(void **state)
{
	Holdfast__Keyd__V1__EntriesRequest request;
	struct audit_filter filter;

	(void)state;
	assert_true(take("--edge fra-1 --key www --since 2h --until 1h "
			 "--refused --kind sign --limit 7",
	    &filter));
	assert_string_equal(filter.key, "www");
	filter.entry.has_key = true;
	audit_filter_request(&filter, &request);
	assert_string_equal(request.identity, "edge/fra-1");
	assert_int_equal(request.key_id.len, KEY_ID_LEN);
	assert_int_equal(request.since_ns, NOW - 7200 * NS_PER_S);
	assert_int_equal(request.until_ns, NOW - 3600 * NS_PER_S);
	assert_int_equal(request.decision,
	    HOLDFAST__KEYD__V1__ENTRIES_REQUEST__DECISION__DECISION_REFUSED);
	assert_int_equal(
	    request.kind, HOLDFAST__KEYD__V1__AUDIT_ENTRY__KIND__KIND_SIGN);
	assert_int_equal(request.limit, 7);
	assert_int_equal(request.last, 0);
	assert_true(take("--identity operator/* --allowed --kind custody "
			 "--last 3",
	    &filter));
	audit_filter_request(&filter, &request);
	assert_string_equal(request.identity, "operator/*");
	assert_int_equal(request.key_id.len, 0);
	assert_int_equal(request.decision,
	    HOLDFAST__KEYD__V1__ENTRIES_REQUEST__DECISION__DECISION_ALLOWED);
	assert_int_equal(request.last, 3);
}

static void
a_filter_that_contradicts_itself_is_refused(void **state)
{
	static const char *const BAD[] = { "--edge a --identity edge/b",
		"--refused --allowed", "--last 3 --limit 3", "--last 0",
		"--last -1", "--limit 1x", "--kind all", "--since yesterday",
		"--since 1h --until 2h", "--edge a/b", "--identity nobody",
		"--identity king/a", "--bogus" };
	struct audit_filter filter;

	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
		if (take(BAD[i], &filter))
			fail_msg("%s was taken", BAD[i]);
}

/* ---- an entry as text ---- */

static struct entry
signed_by(const char *peer, int64_t at_s)
{
	struct entry entry = {
		.kind = ENTRY_SIGN,
		.time_ns = at_s * NS_PER_S,
		.keyd = bytes_of("keyd"),
		.peer = bytes_of(peer),
		.has_key = true,
		.context = CONTEXT_TLS13_SERVER,
		.scheme = SCHEME_ECDSA_SECP256R1_SHA256,
		.has_content_hash = true,
		.latency_us = 42,
	};

	memset(entry.key.at, 0xab, KEY_ID_LEN);
	return entry;
}

static struct bytes
names_of(const char *names, size_t len)
{
	return (struct bytes){ (const uint8_t *)names, len };
}

static void
an_entry_reads_as_what_happened(void **state)
{
	struct entry entry = signed_by("spiffe://a.test/edge/fra-1", 1);
	char text[AUDIT_TEXT_MAX_];

	(void)state;
	audit_who(entry.peer, "a.test", text, sizeof(text));
	assert_string_equal(text, "edge/fra-1");
	audit_who(entry.peer, "b.test", text, sizeof(text));
	assert_string_equal(text, "spiffe://a.test/edge/fra-1");
	audit_what(&entry, text, sizeof(text));
	assert_string_equal(text, "tls13_server ecdsa_secp256r1_sha256");
	audit_outcome(&entry, text, sizeof(text));
	assert_string_equal(text, "signed");
	entry.code = STATUS_PERMISSION_DENIED;
	entry.reason = bytes_of("no grant");
	audit_outcome(&entry, text, sizeof(text));
	assert_string_equal(text, "REFUSED: no grant");
	entry.kind = ENTRY_CUSTODY;
	entry.act = bytes_of("grant edge/fra-1 tls13_server");
	entry.stage = ENTRY_FAILED;
	audit_what(&entry, text, sizeof(text));
	assert_string_equal(text, "grant edge/fra-1 tls13_server");
	audit_outcome(&entry, text, sizeof(text));
	assert_string_equal(text, "FAILED: no grant");
	entry.code = STATUS_OK;
	entry.stage = ENTRY_ASKED;
	audit_outcome(&entry, text, sizeof(text));
	assert_string_equal(text, "asked");
	entry.context = 99;
	entry.kind = ENTRY_SIGN;
	entry.scheme = 0xfefe;
	audit_what(&entry, text, sizeof(text));
	assert_string_equal(text, "context-99 0xfefe");
}

static void
peers_texts_never_reach_the_terminal_raw(void **state)
{
	struct entry entry = signed_by("spiffe://a\x1b[2J/x", 1);
	struct audit_row row = {
		.number = 1, .entry = &entry, .label = "a\x9b"
	};
	static const char NAMES[] = "evil\x1b]0;x\x07.test\0b.test";
	char text[AUDIT_TEXT_MAX_];
	json_t *object;
	char *json;

	(void)state;
	entry.names = names_of(NAMES, sizeof(NAMES));
	entry.reason = bytes_of("\xc2\x9b"
				"31m");
	entry.code = 7;
	audit_who(entry.peer, "a", text, sizeof(text));
	assert_string_equal(text, "spiffe://a\\u001b[2J/x");
	audit_names(&entry, text, sizeof(text));
	assert_string_equal(text, "evil\\u001b]0;x\\u0007.test b.test");
	audit_outcome(&entry, text, sizeof(text));
	assert_string_equal(text, "REFUSED: \\u009b31m");
	audit_key_text(&row, text, sizeof(text));
	assert_string_equal(text, "a\\x9b");
	object = audit_row_json(&row);
	json = json_dumps(object, JSON_ENSURE_ASCII);
	json_decref(object);
	for (const char *c = json; *c != '\0'; c++)
		assert_true(*c >= ' ' && *c < 0x7f);
	free(json);
}

static void
an_entry_is_one_json_object(void **state)
{
	struct entry entry = signed_by("spiffe://a.test/edge/fra-1", 1);
	struct audit_row row = {
		.number = 12, .entry = &entry, .label = "www"
	};
	static const char NAMES[] = "a.test\0b.test";
	json_t *json;

	(void)state;
	entry.names = names_of(NAMES, sizeof(NAMES));
	json = audit_row_json(&row);
	assert_int_equal(
	    json_integer_value(json_object_get(json, "number")), 12);
	assert_string_equal(
	    json_string_value(json_object_get(json, "key")), "www");
	assert_string_equal(json_string_value(json_object_get(json, "time")),
	    "1970-01-01T00:00:01.000Z");
	assert_string_equal(json_string_value(json_object_get(json, "context")),
	    "tls13_server");
	assert_string_equal(
	    json_string_value(json_object_get(json, "code")), "OK");
	assert_int_equal(json_array_size(json_object_get(json, "names")), 2);
	json_decref(json);
}

/* ---- CSV ---- */

static char *
csv(const char *text)
{
	static char out[512];
	FILE *file = fmemopen(out, sizeof(out), "w");

	audit_csv_text(file, text);
	fclose(file);
	return out;
}

static void
csv_text_is_quoted_and_never_a_formula(void **state)
{
	(void)state;
	assert_string_equal(csv("www"), "\"www\"");
	assert_string_equal(csv("say \"hi\", x"), "\"say \"\"hi\"\", x\"");
	assert_string_equal(csv("=cmd|'/c calc'!A1"), "\"'=cmd|'/c calc'!A1\"");
	assert_string_equal(csv("+1"), "\"'+1\"");
	assert_string_equal(csv("-1"), "\"'-1\"");
	assert_string_equal(csv("@SUM(A1)"), "\"'@SUM(A1)\"");
	assert_string_equal(csv("\t=1"), "\"'\t=1\"");
	assert_string_equal(csv("  =1"), "\"'  =1\"");
	assert_string_equal(csv("a=1"), "\"a=1\"");
	assert_string_equal(csv(""), "\"\"");
	assert_string_equal(csv("  "), "\"  \"");
}

static size_t
fields_of(const char *line)
{
	bool is_quoted = false;
	size_t n = 1;

	for (; *line != '\0' && *line != '\r'; line++) {
		if (*line == '"')
			is_quoted = !is_quoted;
		n += *line == ',' && !is_quoted;
	}
	return n;
}

static void
a_csv_row_has_the_headers_fields_whatever_a_name_says(void **state)
{
	struct entry entry = signed_by("spiffe://a.test/edge/fra-1", 1);
	struct audit_row row = { .number = 1, .entry = &entry };
	static const char NAMES[] = "=HYPERLINK(\"http://x\",\"y\")\r\n\0,,,";
	char header[512] = "", line[4096] = "";
	FILE *file = fmemopen(header, sizeof(header), "w");

	(void)state;
	audit_csv_header(file);
	fclose(file);
	entry.names = names_of(NAMES, sizeof(NAMES));
	entry.reason = bytes_of("a\nb");
	file = fmemopen(line, sizeof(line), "w");
	audit_csv_row(file, &row);
	fclose(file);
	assert_int_equal(fields_of(line), fields_of(header));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_non_null(strstr(line, "\"'=HYPERLINK"));
}

/* ---- report ---- */

static void
add(struct report *report, const char *peer, int64_t at_s, unsigned code,
    const char *reason)
{
	struct entry entry = signed_by(peer, at_s);
	struct audit_row row = { .entry = &entry, .label = "www" };

	entry.code = code;
	entry.reason = bytes_of(reason);
	report_add(report, &row, "a.test");
}

static void
a_report_counts_signatures_and_refusals_by_reason(void **state)
{
	scoped(report_free) struct report *report = report_new();
	const struct report_tally *tally;

	(void)state;
	for (int i = 0; i < 10; i++)
		add(report, "spiffe://a.test/edge/b", 100 + i, 0, "");
	for (int i = 0; i < 3; i++)
		add(report, "spiffe://a.test/edge/a", 200 + i, 7, "no grant");
	add(report, "spiffe://a.test/edge/a", 204, 8, "budget");
	add(report, "spiffe://a.test/edge/a", 90, 0, "");
	report_sort(report);
	assert_int_equal(report->all.signatures, 11);
	assert_int_equal(report->all.refusals, 4);
	assert_int_equal(report->peers.n, 2);
	assert_string_equal(report->peers.at[0].name, "edge/b");
	tally = &report->peers.at[1];
	assert_int_equal(tally->n_reasons, 2);
	assert_string_equal(tally->reasons[0].text, "no grant");
	assert_int_equal(tally->reasons[0].n, 3);
	assert_int_equal(tally->first_ns, 90 * NS_PER_S);
	assert_int_equal(tally->last_ns, 204 * NS_PER_S);
	assert_int_equal(report->keys.n, 1);
	assert_string_equal(report->keys.at[0].name, "www");
}

static uint64_t
plotted(const struct report_plot *plot)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < REPORT_BUCKETS; i++)
		sum += plot->signatures[i];
	return sum;
}

static void
the_plot_widens_with_time_and_loses_nothing(void **state)
{
	scoped(report_free) struct report *report = report_new();

	(void)state;
	for (int64_t i = 0; i < 5000; i++)
		add(report, "spiffe://a.test/edge/b", 1000000 + i * 977, 0, "");
	/* One that comes late. */
	add(report, "spiffe://a.test/edge/b", 999990, 0, "");
	assert_int_equal(plotted(&report->plot), 5001);
	assert_true(report->plot.n > REPORT_BUCKETS / 2 &&
		    report->plot.n <= REPORT_BUCKETS);
	assert_int_equal(report->plot.start_s, 1000000);
	assert_true(
	    report->plot.width_s * (int64_t)report->plot.n >= 4999 * 977);
}

static void
many_names_and_reasons_stay_within_bounds(void **state)
{
	scoped(report_free) struct report *report = report_new();
	char name[64], reason[64];

	(void)state;
	for (unsigned i = 0; i < REPORT_TALLIES_MAX + 500; i++) {
		snprintf(name, sizeof(name), "spiffe://a.test/edge/e%u", i);
		snprintf(reason, sizeof(reason), "reason %u", i);
		add(report, name, 100, 7, reason);
	}
	report_sort(report);
	assert_int_equal(report->peers.n, REPORT_TALLIES_MAX);
	assert_int_equal(report->all.n_reasons, REPORT_REASONS_MAX);
	assert_int_equal(report->all.refusals, REPORT_TALLIES_MAX + 500);
	assert_string_equal(report->peers.at[0].name, "(others)");
	assert_string_equal(report->all.reasons[0].text, "(others)");
}

static void
the_plot_fits_the_terminal(void **state)
{
	scoped(report_free) struct report *report = report_new();
	static const unsigned WIDTHS[] = { 1, 20, 40, 80, 200, 500 };
	char *text = NULL;
	size_t len = 0;

	(void)state;
	for (int64_t i = 0; i < 300; i++)
		add(report, "spiffe://a.test/edge/b", 1000 + i, 0, "");
	for (size_t w = 0; w < sizeof(WIDTHS) / sizeof(WIDTHS[0]); w++) {
		unsigned limit = WIDTHS[w] < 30 ? 40 : WIDTHS[w];
		FILE *file = open_memstream(&text, &len);

		report_plot_print(&report->plot, WIDTHS[w], false, file);
		fclose(file);
		assert_true(len > 0);
		for (char *at = text; *at != '\0';) {
			size_t width = strcspn(at, "\n");

			assert_true(width <= limit);
			at += width + (at[width] == '\n');
		}
		free(text);
	}
}

static void
a_report_without_entries_is_still_one(void **state)
{
	scoped(report_free) struct report *report = report_new();
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	json_t *json = report_json(report);

	(void)state;
	report_sort(report);
	report_print(report, 80, file);
	report_html(report, "t", NOW, file);
	fclose(file);
	assert_non_null(strstr(text, "0 signatures"));
	assert_non_null(strstr(text, "</html>"));
	assert_true(json_is_null(json_object_get(json, "first")));
	json_decref(json);
	free(text);
}

static void
no_name_becomes_markup_in_the_page(void **state)
{
	scoped(report_free) struct report *report = report_new();
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);

	(void)state;
	add(report, "<script>alert('x')</script>", 100, 7,
	    "\"><img src=x onerror=y>&");
	report_sort(report);
	report_html(report, "</title><script>", NOW, file);
	fclose(file);
	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "<img"));
	assert_non_null(strstr(text, "&lt;script&gt;alert(&#39;x&#39;)"));
	assert_non_null(strstr(text, "default-src 'none'"));
	assert_non_null(strstr(text, "<desc id=\"plot-text\">0 signatures"));
	free(text);
}

/* ---- proofs ---- */

#define TREE_MAX 70

static struct merkle_hash leaves[TREE_MAX];

static struct status
node(void *ctx, unsigned height, uint64_t index, struct merkle_hash *ret_hash)
{
	(void)ctx;
	merkle_fold(leaves + (index << height), (size_t)1 << height, ret_hash);
	return status_ok();
}

static void
a_proof_shows_the_tree_that_ended_with_its_entry(void **state)
{
	const struct merkle_source source = { .node = node };
	struct merkle_hash proof[MERKLE_PROOF_MAX], root, before;
	size_t n;

	(void)state;
	for (uint8_t i = 0; i < TREE_MAX; i++)
		merkle_leaf((struct bytes){ &i, 1 }, &leaves[i]);
	for (uint64_t size = 1; size <= TREE_MAX; size++) {
		for (uint64_t i = 0; i < size; i++) {
			assert_false(failed(merkle_prove_inclusion(
			    &source, i, size, proof, &n)));
			assert_true(audit_old_root(
			    &leaves[i], i, size, proof, n, &root));
			assert_false(
			    failed(merkle_root(&source, i + 1, &before)));
			assert_true(merkle_equal(&root, &before));
			/* A hash too few or too many is no proof. */
			assert_true(n == 0 || !audit_old_root(&leaves[i], i,
						  size, proof, n - 1, &root));
			assert_false(audit_old_root(
			    &leaves[i], i, size, proof, n + 1, &root));
		}
	}
	assert_false(audit_old_root(&leaves[0], 3, 3, proof, 0, &root));
}

static void
a_proof_is_taken_apart_strictly(void **state)
{
	static const char GOOD[] =
	    "c2sp.org/tlog-proof@v1\nindex 3\n"
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\nnote\n";
	struct merkle_hash hashes[MERKLE_PROOF_MAX];
	struct bytes note;
	size_t n = 9;

	(void)state;
	assert_true(audit_proof_parts(bytes_of(GOOD), hashes, &n, &note));
	assert_int_equal(n, 1);
	assert_true(bytes_equal(note, bytes_of("note\n")));
	for (size_t cut = 0; cut < sizeof(GOOD) - 1 - 5; cut++)
		assert_false(audit_proof_parts(
		    (struct bytes){ (const uint8_t *)GOOD, cut }, hashes, &n,
		    &note));
	assert_false(audit_proof_parts(
	    bytes_of("x\nindex 3\nAAAA\n\n"), hashes, &n, &note));
}

/* ---- memory ---- */

static void
an_origin_is_a_harmless_file_name(void **state)
{
	char name[200], text[400];

	(void)state;
	audit_origin_name("a.test/keyd/one", name, sizeof(name));
	assert_string_equal(name, "a.test%2Fkeyd%2Fone");
	audit_origin_name("../../etc/passwd", name, sizeof(name));
	assert_null(strchr(name, '/'));
	assert_true(name[0] != '.');
	memset(text, '/', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	audit_origin_name(text, name, sizeof(name));
	assert_true(strlen(name) < sizeof(name));
}

static struct note_key
key_named(const char *name, uint8_t fill)
{
	uint8_t octets[NOTE_KEY_LEN];
	struct note_key key;

	memset(octets, fill, sizeof(octets));
	assert_false(failed(note_key_make(name, NOTE_ED25519, octets, &key)));
	return key;
}

static void
keys_are_remembered_for_each_origin(void **state)
{
	char folder[] = "/tmp/hf-unit-XXXXXX", path[64];
	struct audit_keys keys = { .n = 2 }, back;
	struct cli cli = { .state_dir = folder };
	char *note;
	size_t len;

	(void)state;
	assert_non_null(mkdtemp(folder));
	keys.at[0] = key_named("a.test/keyd/one", 1);
	keys.at[1] = key_named("a.test/keyd/one", 2);
	assert_true(audit_memory_keys(&cli, "a.test/keyd/one", &back));
	assert_int_equal(back.n, 0);
	assert_true(audit_memory_put_keys(&cli, "a.test/keyd/one", &keys));
	assert_true(audit_memory_keys(&cli, "a.test/keyd/one", &back));
	assert_int_equal(back.n, 2);
	assert_memory_equal(
	    back.at[1].public_key, keys.at[1].public_key, NOTE_KEY_LEN);
	assert_true(audit_memory_keys(&cli, "a.test/keyd/two", &back));
	assert_int_equal(back.n, 0);
	assert_true(
	    audit_memory_checkpoint(&cli, "a.test/keyd/one", &note, &len));
	assert_null(note);
	assert_true(audit_memory_put_checkpoint(
	    &cli, "a.test/keyd/one", bytes_of("a note")));
	assert_true(
	    audit_memory_checkpoint(&cli, "a.test/keyd/one", &note, &len));
	assert_string_equal(note, "a note");
	free(note);
	snprintf(
	    path, sizeof(path), "%s/audit/a.test%%2Fkeyd%%2Fone.keys", folder);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path),
	    "%s/audit/a.test%%2Fkeyd%%2Fone.checkpoint", folder);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/audit", folder);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void
keys_are_read_from_lines_and_bad_ones_refused(void **state)
{
	struct note_key key = key_named("a.test/keyd/one", 1);
	struct audit_keys keys = { .n = 0 };
	char vkey[NOTE_VKEY_MAX], text[NOTE_VKEY_MAX + 32];

	(void)state;
	note_key_print(&key, vkey);
	snprintf(text, sizeof(text), "# a comment\n\n%s\n", vkey);
	assert_true(audit_keys_parse(text, "x", &keys));
	assert_int_equal(keys.n, 1);
	assert_true(audit_keys_add(vkey, &keys));
	assert_int_equal(keys.n, 2);
	vkey[strlen(vkey) - 3] ^= 1;
	assert_false(audit_keys_add(vkey, &keys));
	assert_false(audit_keys_add("", &keys));
	assert_false(audit_keys_add("@/nowhere/at/all", &keys));
}

/* ---- a running keyd ---- */

static Holdfast__Keyd__V1__DescribeAuditResponse keyd_says;

int
audit_describe(
    struct cli *cli, Holdfast__Keyd__V1__DescribeAuditResponse **ret_described)
{
	size_t len =
	    holdfast__keyd__v1__describe_audit_response__get_packed_size(
		&keyd_says);
	uint8_t *octets = malloc(len);

	(void)cli;
	assert_non_null(octets);
	holdfast__keyd__v1__describe_audit_response__pack(&keyd_says, octets);
	*ret_described = holdfast__keyd__v1__describe_audit_response__unpack(
	    NULL, len, octets);
	free(octets);
	assert_non_null(*ret_described);
	return 0;
}

/* A checkpoint of so many entries, signed by the ledger's key. */
static size_t
checkpoint_of(uint64_t size, char ret_note[NOTE_MAX])
{
	struct checkpoint checkpoint = { .origin = LEDGER_MAKER_ORIGIN,
		.size = size };
	char text[CHECKPOINT_TEXT_MAX];
	size_t len;

	memset(checkpoint.root.at, (int)size, sizeof(checkpoint.root.at));
	len = checkpoint_print(&checkpoint, text);
	return ledger_maker_sign(
	    1, (struct bytes){ (const uint8_t *)text, len }, ret_note);
}

static void
what_is_remembered_goes_by_the_origin_that_is_signed(void **state)
{
	static const char *const origins[] = { LEDGER_MAKER_ORIGIN,
		"another.test/ledger" };
	char folder[] = "/tmp/hf-unit-XXXXXX", path[128], note[NOTE_MAX];
	struct cli cli = { .state_dir = folder };
	struct audit_verify verify = { .keys = { .n = 1 } };
	char *kept;
	size_t len;

	(void)state;
	assert_non_null(mkdtemp(folder));
	verify.keys.at[0] = ledger_maker_key(1);
	holdfast__keyd__v1__describe_audit_response__init(&keyd_says);
	/* Twenty entries are remembered, and keyd has ten; whatever it calls
	 * itself. */
	len = checkpoint_of(20, note);
	assert_true(audit_memory_put_checkpoint(&cli, LEDGER_MAKER_ORIGIN,
	    (struct bytes){ (const uint8_t *)note, len }));
	len = checkpoint_of(10, note);
	keyd_says.checkpoint = (ProtobufCBinaryData){ len, (uint8_t *)note };
	for (size_t i = 0; i < 2; i++) {
		char origin[64];

		snprintf(origin, sizeof(origin), "%s", origins[i]);
		keyd_says.origin = origin;
		assert_int_equal(
		    audit_verify_online(&cli, &verify), EXIT_REFUSED);
	}
	assert_true(
	    audit_memory_checkpoint(&cli, LEDGER_MAKER_ORIGIN, &kept, &len));
	assert_non_null(strstr(kept, "\n20\n"));
	free(kept);
	snprintf(path, sizeof(path),
	    "%s/audit/holdfast.test%%2Fledger.checkpoint", folder);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/audit", folder);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments_are_read_as_people_write_them),
		cmocka_unit_test(a_time_without_a_zone_is_local),
		cmocka_unit_test(what_is_no_moment_is_refused),
		cmocka_unit_test(a_filter_says_all_that_keyd_is_asked),
		cmocka_unit_test(a_filter_that_contradicts_itself_is_refused),
		cmocka_unit_test(an_entry_reads_as_what_happened),
		cmocka_unit_test(peers_texts_never_reach_the_terminal_raw),
		cmocka_unit_test(an_entry_is_one_json_object),
		cmocka_unit_test(csv_text_is_quoted_and_never_a_formula),
		cmocka_unit_test(
		    a_csv_row_has_the_headers_fields_whatever_a_name_says),
		cmocka_unit_test(
		    a_report_counts_signatures_and_refusals_by_reason),
		cmocka_unit_test(the_plot_widens_with_time_and_loses_nothing),
		cmocka_unit_test(many_names_and_reasons_stay_within_bounds),
		cmocka_unit_test(the_plot_fits_the_terminal),
		cmocka_unit_test(a_report_without_entries_is_still_one),
		cmocka_unit_test(no_name_becomes_markup_in_the_page),
		cmocka_unit_test(
		    a_proof_shows_the_tree_that_ended_with_its_entry),
		cmocka_unit_test(a_proof_is_taken_apart_strictly),
		cmocka_unit_test(an_origin_is_a_harmless_file_name),
		cmocka_unit_test(keys_are_remembered_for_each_origin),
		cmocka_unit_test(keys_are_read_from_lines_and_bad_ones_refused),
		cmocka_unit_test(
		    what_is_remembered_goes_by_the_origin_that_is_signed),
	};

	/* cmocka has no way to say it: a zone of our own for the process. */
	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
