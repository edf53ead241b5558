/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "keyd/dossier_int.h"
#include "ledger/entry.h"
#include "ledger/reader.h"
#include "ledger/verify.h"
#include "tests/unit/ledger_maker.h"
#include "tools/audit_proof.h"

#define OTHERS 300 /* entries that have nothing to do with the key */
#define FOREVER (INT64_MAX)

/* A ledger with one key's life in it. */
struct rig {
	char folder[64];
	struct ledger_maker *maker;
	struct registry_key key;
};

static struct entry
entry_of(const struct rig *rig, enum entry_kind kind, int64_t at_s)
{
	return (struct entry){
		.kind = kind,
		.time_ns = at_s * NS_PER_S,
		.keyd = bytes_of("keyd"),
		.peer = bytes_of("spiffe://a.test/operator/admin"),
		.has_key = true,
		.key = rig->key.id,
	};
}

static void
append(struct rig *rig, const struct entry *entry)
{
	uint8_t octets[ENTRY_MAX];
	size_t len = entry_encode(entry, octets);

	ledger_maker_append(rig->maker, (struct bytes){ octets, len });
}

static void
append_act(struct rig *rig, const char *act, enum entry_stage stage)
{
	struct entry entry = entry_of(rig, ENTRY_CUSTODY, 100);

	entry.act = bytes_of(act);
	entry.stage = stage;
	append(rig, &entry);
}

static void
append_sign(struct rig *rig, const char *peer, uint32_t context, uint32_t code,
    int64_t at_s)
{
	static const char NAMES[] = "CN=www.a.test\0www.a.test";
	struct entry entry = entry_of(rig, ENTRY_SIGN, at_s);

	entry.peer = bytes_of(peer);
	entry.context = context;
	entry.scheme = SCHEME_ECDSA_SECP256R1_SHA256;
	entry.code = code;
	if (context == CONTEXT_CSR)
		entry.names =
		    (struct bytes){ (const uint8_t *)NAMES, sizeof(NAMES) };
	append(rig, &entry);
}

static int
set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	char folder[] = "/tmp/hf-unit-XXXXXX";

	assert_non_null(rig);
	assert_non_null(mkdtemp(folder));
	snprintf(rig->folder, sizeof(rig->folder), "%s/ledger", folder);
	rig->maker = ledger_maker_new(rig->folder);
	rig->key.alg = KEY_ALG_EC_P256;
	rig->key.spki_len = 91;
	memset(rig->key.spki, 0x30, rig->key.spki_len);
	assert_true(key_id_of_spki(
	    (struct bytes){ rig->key.spki, rig->key.spki_len }, &rig->key.id));
	snprintf(rig->key.label, sizeof(rig->key.label), "www");
	snprintf(rig->key.pool, sizeof(rig->key.pool), "standard");
	snprintf(rig->key.notes, sizeof(rig->key.notes), "a \x1b[31m note\xff");
	rig->key.created_s = 100;
	rig->key.state = KEY_ACTIVE;
	rig->key.origin = ORIGIN_GENERATED;
	rig->key.attributes = ATTRIBUTE_SENSITIVE | ATTRIBUTE_LOCAL;
	append_act(rig, "generate ec-p256 label=www", ENTRY_DONE);
	ledger_maker_grow(rig->maker, OTHERS);
	append_act(rig, "grant edge/fra-1 tls13_server", ENTRY_ASKED);
	append_act(rig, "grant edge/fra-1 tls13_server", ENTRY_DONE);
	append_sign(rig, "spiffe://a.test/operator/admin", CONTEXT_CSR, 0, 200);
	for (int64_t i = 0; i < 5; i++)
		append_sign(rig, "spiffe://a.test/edge/fra-1",
		    CONTEXT_TLS13_SERVER, 0, 300 + i);
	append_sign(
	    rig, "spiffe://a.test/edge/fra-2", CONTEXT_TLS13_SERVER, 7, 400);
	ledger_maker_grow(rig->maker, ledger_maker_size(rig->maker) + OTHERS);
	ledger_maker_publish(rig->maker);
	*state = rig;
	return 0;
}

static void
remove_tree(const char *path)
{
	const char *argv[] = { "rm", "-rf", path, NULL };
	pid_t pid = fork();

	if (pid == 0) {
		execv("/bin/rm", (char *const *)(uintptr_t)argv);
		_exit(1);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int
tear_down(void **state)
{
	struct rig *rig = *state;

	ledger_maker_free(rig->maker);
	*strrchr(rig->folder, '/') = '\0';
	remove_tree(rig->folder);
	free(rig);
	return 0;
}

/* The document and its signature, malloc'd; what keyd sends. */
static char *
make_dossier(struct rig *rig, char signature[NOTE_MAX], size_t *ret_sig_len)
{
	scoped(reader_close) struct reader *reader = NULL;
	scoped(free) uint8_t *note = NULL;
	struct dossier_facts facts = { .origin = LEDGER_MAKER_ORIGIN,
		.made_for = "spiffe://a.test/auditor/eve",
		.made_ns = 500 * NS_PER_S,
		.key = &rig->key,
		.not_asked = "no token here",
		.folder = rig->folder };
	struct registry_grant grant = { .pattern = "edge/fra-1",
		.contexts = 1u << CONTEXT_TLS13_SERVER };
	char text[DOSSIER_TEXT_MAX];
	struct checkpoint tree;
	struct dossier_scan scan;
	struct note parsed;
	char *json = NULL;
	size_t len;

	facts.grants = &grant;
	facts.n_grants = 1;
	assert_false(failed(reader_open(rig->folder, &reader)));
	assert_false(
	    failed(reader_file(reader, "checkpoint", NOTE_MAX, &note, &len)));
	assert_false(failed(note_parse((struct bytes){ note, len }, &parsed)));
	assert_false(failed(checkpoint_parse(parsed.text, &tree)));
	assert_false(failed(dossier_scan(
	    rig->folder, tree.size, &rig->key.id, FOREVER, &scan)));
	facts.checkpoint = (struct bytes){ note, len };
	facts.tree = &tree;
	facts.scan = &scan;
	assert_false(failed(dossier_write(&facts, &json)));
	dossier_scan_done(&scan);
	len = dossier_text(LEDGER_MAKER_ORIGIN, bytes_of(json), text);
	*ret_sig_len = ledger_maker_sign(
	    1, (struct bytes){ (const uint8_t *)text, len }, signature);
	return json;
}

static bool
check(const char *json, const char *signature, size_t signature_len,
    struct dossier_result *ret_result)
{
	struct audit_keys keys = { .n = 1 };
	json_t *dossier = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	bool ok;

	assert_non_null(dossier);
	keys.at[0] = ledger_maker_key(1);
	ok = dossier_check(bytes_of(json), dossier,
	    (struct bytes){ (const uint8_t *)signature, signature_len }, &keys,
	    ret_result);
	json_decref(dossier);
	return ok;
}

static void
a_dossier_holds_and_its_acts_are_proven(void **state)
{
	char signature[NOTE_MAX], origin[NOTE_NAME_MAX];
	struct dossier_result result;
	size_t len;
	char *json = make_dossier(*state, signature, &len);
	json_t *dossier = json_loads(json, 0, NULL);

	if (!check(json, signature, len, &result))
		fail_msg("%s", result.what);
	assert_int_equal(result.custody, 3);
	assert_true(dossier_origin(dossier, origin));
	assert_string_equal(origin, LEDGER_MAKER_ORIGIN);
	json_decref(dossier);
	free(json);
}

static void
a_dossier_counts_who_used_the_key_for_what(void **state)
{
	char signature[NOTE_MAX];
	size_t len;
	char *text = make_dossier(*state, signature, &len);
	json_t *json = json_loads(text, 0, NULL);
	json_t *use = json_object_get(json, "use");
	json_t *edges = json_object_get(json, "edges");
	json_t *names = json_object_get(json, "certificate_names");
	json_t *edge = json_array_get(use, 1);

	assert_int_equal(json_array_size(use), 3);
	assert_string_equal(json_string_value(json_object_get(edge, "peer")),
	    "spiffe://a.test/edge/fra-1");
	assert_int_equal(
	    json_integer_value(json_object_get(edge, "signatures")), 5);
	assert_string_equal(json_string_value(json_object_get(edge, "first")),
	    "1970-01-01T00:05:00.000Z");
	assert_string_equal(json_string_value(json_object_get(edge, "last")),
	    "1970-01-01T00:05:04.000Z");
	/* Who was refused has not used it. */
	assert_int_equal(json_array_size(edges), 1);
	assert_int_equal(json_array_size(names), 2);
	assert_non_null(strstr(text, "a \\\\u001b[31m note\\\\xff"));
	json_decref(json);
	free(text);
}

/* Each octet of it counts: the signature is over all. */
static void
an_altered_dossier_does_not_hold(void **state)
{
	char signature[NOTE_MAX];
	struct dossier_result result;
	size_t len;
	char *json = make_dossier(*state, signature, &len);
	char *at = strstr(json, "\"signatures\": 5");

	assert_non_null(at);
	at[14] = '4';
	assert_false(check(json, signature, len, &result));
	assert_true(result.what[0] != '\0');
	free(json);
}

/* Signed all the same, as an intruder in keyd might have it done. */
static bool
check_signed_anew(const char *json, struct dossier_result *ret_result)
{
	char text[DOSSIER_TEXT_MAX], signature[NOTE_MAX];
	size_t len = dossier_text(LEDGER_MAKER_ORIGIN, bytes_of(json), text);

	len = ledger_maker_sign(
	    1, (struct bytes){ (const uint8_t *)text, len }, signature);
	return check(json, signature, len, ret_result);
}

static void
an_act_that_the_ledger_does_not_have_is_refused(void **state)
{
	char signature[NOTE_MAX];
	struct dossier_result result;
	size_t len;
	char *text = make_dossier(*state, signature, &len);
	json_t *json = json_loads(text, 0, NULL);
	json_t *act = json_array_get(json_object_get(json, "custody"), 1);
	char *changed;

	json_object_set_new(act, "number",
	    json_integer(
		json_integer_value(json_object_get(act, "number")) + 1));
	changed = json_dumps(json, 0);
	assert_false(check_signed_anew(changed, &result));
	assert_non_null(strstr(result.what, "entry 301"));
	free(changed);
	json_decref(json);
	free(text);
}

static void
a_key_that_is_not_the_one_it_names_is_refused(void **state)
{
	struct rig *rig = *state;
	struct key_id id = rig->key.id;
	char signature[NOTE_MAX];
	struct dossier_result result;
	size_t len;
	char *json;

	rig->key.spki[40] ^= 1;
	json = make_dossier(rig, signature, &len);
	rig->key.spki[40] ^= 1;
	assert_true(key_id_equal(&id, &rig->key.id));
	assert_false(check(json, signature, len, &result));
	assert_non_null(strstr(result.what, "public key"));
	free(json);
}

static void
a_checkpoints_note_is_no_dossiers_signature(void **state)
{
	struct rig *rig = *state;
	char signature[NOTE_MAX];
	struct dossier_result result;
	scoped(reader_close) struct reader *reader = NULL;
	scoped(free) uint8_t *note = NULL;
	size_t len;
	char *json = make_dossier(rig, signature, &len);

	assert_false(failed(reader_open(rig->folder, &reader)));
	assert_false(
	    failed(reader_file(reader, "checkpoint", NOTE_MAX, &note, &len)));
	assert_false(check(json, (const char *)note, len, &result));
	free(json);
}

static void
a_foreign_key_proves_nothing(void **state)
{
	char signature[NOTE_MAX];
	struct dossier_result result;
	struct audit_keys keys = { .n = 1 };
	size_t len;
	char *text = make_dossier(*state, signature, &len);
	json_t *json = json_loads(text, 0, NULL);

	keys.at[0] = ledger_maker_key(2);
	assert_false(dossier_check(bytes_of(text), json,
	    (struct bytes){ (const uint8_t *)signature, len }, &keys, &result));
	keys.n = 0;
	assert_false(dossier_check(bytes_of(text), json,
	    (struct bytes){ (const uint8_t *)signature, len }, &keys, &result));
	json_decref(json);
	free(text);
}

static void
time_that_has_run_out_ends_the_reading(void **state)
{
	struct rig *rig = *state;
	struct dossier_scan scan;
	struct status st = dossier_scan(
	    rig->folder, OTHERS, &rig->key.id, clock_mono_ns() - 1, &scan);

	assert_int_equal(st.code, STATUS_DEADLINE_EXCEEDED);
	dossier_scan_done(&scan);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dossier_holds_and_its_acts_are_proven),
		cmocka_unit_test(a_dossier_counts_who_used_the_key_for_what),
		cmocka_unit_test(an_altered_dossier_does_not_hold),
		cmocka_unit_test(
		    an_act_that_the_ledger_does_not_have_is_refused),
		cmocka_unit_test(a_key_that_is_not_the_one_it_names_is_refused),
		cmocka_unit_test(a_checkpoints_note_is_no_dossiers_signature),
		cmocka_unit_test(a_foreign_key_proves_nothing),
		cmocka_unit_test(time_that_has_run_out_ends_the_reading),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
