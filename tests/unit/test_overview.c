/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The overview: what is counted and told, to whom, and what it costs.  keyd is
 * the test itself.
 */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "certd/console/overview.h"
#include "certd/custody_view.h"
#include "certd/store_edges_live.h"
#include "proto/holdfast/certd/v1/custody.pb-c.h"
#include "proto/holdfast/certd/v1/overview.pb-c.h"
#include "proto/message.h"
#include "tests/unit/certd_desk.h"

#define DAY_S 86400
#define LONG_AGO "1000000000"

typedef Holdfast__Certd__V1__GetOverviewResponse overview_msg;
typedef Holdfast__Certd__V1__Need need_msg;

/* ---- keyd ---- */

static struct {
	bool is_away, has_trouble;
	unsigned asked, pending;
	uint64_t size; /* of the ledger */
	/* Each window that was asked for. */
	uint64_t windows[64][2];
	size_t n_windows;
	uint64_t every; /* one of so many entries is let through; 0: none */
	char on_behalf_of[128];
} keyd;

static struct status
away(char *ret_why)
{
	(void)snprintf(ret_why, CUSTODY_WHY_MAX, "keyd at k:1 is away");
	return status_fail(STATUS_UNAVAILABLE, "keyd does not answer");
}

STATUS
custody_view_status(struct custody *custody,
    Holdfast__Keyd__V1__GetStatusResponse **ret_reply, char *ret_why)
{
	Holdfast__Keyd__V1__GetStatusResponse *to;

	(void)custody;
	keyd.asked++;
	if (keyd.is_away)
		return away(ret_why);
	to = (void *)message_new(
	    &holdfast__keyd__v1__get_status_response__descriptor);
	to->pending_approvals = keyd.pending;
	for (int i = 0; i < 2; i++) {
		Holdfast__Keyd__V1__LaneStatus *lane =
		    message_append(&to->n_lanes, &to->lanes,
			&holdfast__keyd__v1__lane_status__descriptor);

		assert_true(message_text(&lane->pool, "standard"));
		assert_true(message_text(&lane->state,
		    keyd.has_trouble && i == 0 ? "probing" : "ready"));
		if (keyd.has_trouble && i == 0)
			assert_true(message_text(&lane->why, "the token left"));
	}
	if (keyd.has_trouble) {
		assert_true(message_text(&to->audit_trouble, "disk is full"));
		assert_true(message_text(&to->ledger_trouble, "no tiles"));
	}
	*ret_reply = to;
	return status_ok();
}

STATUS
custody_view_signing(struct custody *custody, uint32_t window_s,
    Holdfast__Keyd__V1__GetSigningResponse **ret_reply, char *ret_why)
{
	Holdfast__Keyd__V1__GetSigningResponse *to;
	Holdfast__Keyd__V1__SigningSeries *series;

	(void)custody;
	(void)window_s;
	if (keyd.is_away)
		return away(ret_why);
	to = (void *)message_new(
	    &holdfast__keyd__v1__get_signing_response__descriptor);
	to->step_s = 10;
	series = message_append(&to->n_series, &to->series,
	    &holdfast__keyd__v1__signing_series__descriptor);
	assert_true(message_text(&series->identity, "edge/e1"));
	*ret_reply = to;
	return status_ok();
}

STATUS
custody_view_keys(struct custody *custody, uint32_t size,
    const char *page_token, Holdfast__Keyd__V1__ListKeysResponse **ret_reply,
    char *ret_why)
{
	(void)custody;
	(void)size;
	(void)page_token;
	(void)ret_why;
	*ret_reply = (void *)message_new(
	    &holdfast__keyd__v1__list_keys_response__descriptor);
	return status_ok();
}

/* Knows every key, with a grant and notes. */
STATUS
custody_view_key(struct custody *custody, const struct key_id *id,
    Holdfast__Keyd__V1__Key **ret_key, char *ret_why)
{
	Holdfast__Keyd__V1__Key *to;
	Holdfast__Keyd__V1__KeyGrant *grant;

	(void)custody;
	if (keyd.is_away)
		return away(ret_why);
	if (id->at[0] == 0xdd) {
		(void)snprintf(ret_why, CUSTODY_WHY_MAX, "no such key");
		return status_fail(STATUS_NOT_FOUND, "no such key");
	}
	to = (void *)message_new(&holdfast__keyd__v1__key__descriptor);
	assert_true(
	    message_bytes(&to->id, (struct bytes){ id->at, KEY_ID_LEN }));
	assert_true(message_text(&to->notes, "for operators"));
	to->state = HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_ACTIVE;
	grant = message_append(&to->n_grants, &to->grants,
	    &holdfast__keyd__v1__key_grant__descriptor);
	assert_true(message_text(&grant->identity, "edge/fra-1"));
	*ret_key = to;
	return status_ok();
}

STATUS
custody_view_dossier(struct custody *custody, const struct key_id *id,
    Holdfast__Keyd__V1__DossierResponse **ret_reply, char *ret_why)
{
	(void)custody;
	(void)id;
	(void)ret_why;
	*ret_reply = (void *)message_new(
	    &holdfast__keyd__v1__dossier_response__descriptor);
	return status_ok();
}

STATUS
custody_view_ledger(struct custody *custody,
    Holdfast__Keyd__V1__DescribeAuditResponse **ret_reply, char *ret_why)
{
	Holdfast__Keyd__V1__DescribeAuditResponse *to;

	(void)custody;
	if (keyd.is_away)
		return away(ret_why);
	to = (void *)message_new(
	    &holdfast__keyd__v1__describe_audit_response__descriptor);
	to->size = keyd.size;
	*ret_reply = to;
	return status_ok();
}

STATUS
custody_view_entries(struct custody *custody,
    const Holdfast__Keyd__V1__EntriesRequest *request,
    Holdfast__Keyd__V1__EntryBatch **ret_reply, char *ret_why)
{
	Holdfast__Keyd__V1__EntryBatch *to =
	    (void *)message_new(&holdfast__keyd__v1__entry_batch__descriptor);
	uint64_t first = 0;
	size_t n = 0;

	(void)custody;
	(void)ret_why;
	assert_true(keyd.n_windows < 64);
	keyd.windows[keyd.n_windows][0] = request->from_entry;
	keyd.windows[keyd.n_windows++][1] = request->before_entry;
	assert_true(request->last > 0 && request->limit == 0);
	for (uint64_t i = request->before_entry;
	     keyd.every != 0 && i > request->from_entry && n < request->last;
	     i--)
		if ((i - 1) % keyd.every == 0) {
			first = i - 1;
			n++;
		}
	for (size_t i = 0; i < n; i++) {
		Holdfast__Keyd__V1__NumberedEntry *entry =
		    message_append(&to->n_entries, &to->entries,
			&holdfast__keyd__v1__numbered_entry__descriptor);

		entry->number = first + i * keyd.every;
	}
	*ret_reply = to;
	return status_ok();
}

STATUS
custody_view_proof(struct custody *custody, uint64_t number,
    Holdfast__Keyd__V1__ProveResponse **ret_reply, char *ret_why)
{
	(void)custody;
	(void)number;
	(void)ret_why;
	*ret_reply = (void *)message_new(
	    &holdfast__keyd__v1__prove_response__descriptor);
	return status_ok();
}

STATUS
custody_view_quarantine(struct custody *custody, const char *edge,
    const char *reason, const char *for_whom, char *ret_why)
{
	(void)custody;
	(void)edge;
	(void)reason;
	if (keyd.is_away)
		return away(ret_why);
	(void)snprintf(
	    keyd.on_behalf_of, sizeof(keyd.on_behalf_of), "%s", for_whom);
	return status_ok();
}

/* ---- every statement can be explained (linked with --wrap) ---- */

STATUS __real_db_query(struct db_tx *tx, struct db_rows **ret_rows,
    const char *sql, const struct db_value *values, size_t n_values);
STATUS __wrap_db_query(struct db_tx *tx, struct db_rows **ret_rows,
    const char *sql, const struct db_value *values, size_t n_values);
STATUS __real_db_number(struct db_tx *tx, int64_t *ret_number, const char *sql,
    const struct db_value *values, size_t n_values);
STATUS __wrap_db_number(struct db_tx *tx, int64_t *ret_number, const char *sql,
    const struct db_value *values, size_t n_values);

static bool explains;
static unsigned n_explained;

/*
 * What is read from end to end: what was cut before (f), the few rows of edges
 * and CAs, the newest rows to a limit, and indexes to be counted or, partial
 * ones, walked.
 */
static bool
may_scan(const char *sql, const char *step)
{
	static const char *const SMALL[] = { "SCAN f", "SCAN CONSTANT ROW",
		"SCAN edge", "SCAN e", "SCAN acme_account", "SCAN (subquery" };

	for (size_t i = 0; i < sizeof(SMALL) / sizeof(SMALL[0]); i++)
		if (strncmp(step, SMALL[i], strlen(SMALL[i])) == 0)
			return true;
	if (strncmp(sql, "SELECT count(*) FROM ", 21) == 0)
		return strstr(step, "INDEX") != NULL;
	return strstr(sql, " LIMIT 5000") != NULL &&
	       (strstr(step, "USING") != NULL ||
		   strcmp(step, "SCAN resource") == 0);
}

static void
explain(struct db_tx *tx, const char *sql, const struct db_value *values,
    size_t n_values)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	char text[4096], step[256];
	bool row = false;

	snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", sql);
	assert_true(strlen(text) < sizeof(text) - 1);
	assert_int_equal(
	    __real_db_query(tx, &rows, text, values, n_values).code, STATUS_OK);
	while (!failed(db_next(rows, &row)) && row) {
		db_column_text(rows, 3, step, sizeof(step));
		if (strncmp(step, "SCAN ", 5) == 0 && !may_scan(sql, step))
			fail_msg("%s: %s", sql, step);
	}
	n_explained++;
}

STATUS
__wrap_db_query(struct db_tx *tx, struct db_rows **ret_rows, const char *sql,
    const struct db_value *values, size_t n_values)
{
	if (explains)
		explain(tx, sql, values, n_values);
	return __real_db_query(tx, ret_rows, sql, values, n_values);
}

STATUS
__wrap_db_number(struct db_tx *tx, int64_t *ret_number, const char *sql,
    const struct db_value *values, size_t n_values)
{
	if (explains)
		explain(tx, sql, values, n_values);
	return __real_db_number(tx, ret_number, sql, values, n_values);
}

/* ---- the desk ---- */

static struct desk *desk;
static struct overview *overview;
static int64_t now_s;
static char mail[OVERVIEW_TROUBLE_MAX];

static void
mail_trouble(void *ctx, char ret_why[OVERVIEW_TROUBLE_MAX])
{
	(void)ctx;
	(void)snprintf(ret_why, OVERVIEW_TROUBLE_MAX, "%s", mail);
}

static void
start(unsigned keep_factor)
{
	const struct overview_config config = { .store = desk->store,
		.mail_trouble = mail_trouble,
		.keep_factor = keep_factor };

	assert_int_equal(overview_new(&config, &overview).code, STATUS_OK);
	assert_int_equal(
	    overview_register(overview, desk->api).code, STATUS_OK);
}

static int
set_up(void **state)
{
	if (certd_desk_set_up(state) != 0)
		return -1;
	desk = *state;
	memset(&keyd, 0, sizeof(keyd));
	mail[0] = 0;
	now_s = store_now_s();
	edges_live_started(0);
	return 0;
}

static int
tear_down(void **state)
{
	explains = false;
	overview_free(overview);
	overview = NULL;
	return certd_desk_tear_down(state);
}

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void
run(const char *format, ...)
{
	struct db_tx *tx;
	char sql[1024];
	va_list arguments;
	struct status st;

	va_start(arguments, format);
	vsnprintf(sql, sizeof(sql), format, arguments);
	va_end(arguments);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	st = db_run(tx, NULL, sql, DB_NONE);
	if (failed(st))
		fail_msg("%s: %s", sql, st.why);
	assert_int_equal(store_commit(desk->store, tx, st).code, STATUS_OK);
}

/* A key and a certificate of it; resource 0: not bound. */
static void
add(int64_t id, int64_t account, int kind, int64_t left_s, int64_t resource)
{
	run("INSERT INTO key (id, account, alg, spki, pool, network, label,"
	    " origin, exposed, created_s, created_by) VALUES ("
	    "CAST(printf('%%032d', %" PRId64 ") AS BLOB), %" PRId64
	    ", 1, x'00', 'standard',"
	    " 'standard', 'k%" PRId64 "', 1, 0, %" PRId64 ", '')",
	    id, account, id, now_s + id);
	run("INSERT INTO certificate (id, account, name, kind, key,"
	    " fingerprint, subject, issuer, serial, not_before_s, not_after_s,"
	    " created_s, created_by) VALUES (%" PRId64 ", %" PRId64
	    ", 'c%" PRId64 "', %d, CAST(printf('%%032d', %" PRId64
	    ") AS BLOB), randomblob(32), '', '', '', 0, %" PRId64 ", 0, '')",
	    id, account, id, kind, id, now_s + left_s);
	if (resource != 0)
		run("INSERT INTO binding (resource, slot, certificate, since_s,"
		    " edge_group) VALUES (%" PRId64 ", %" PRId64 ", %" PRId64
		    ", 0, 'g')",
		    resource, id, id);
}

static void
add_resource(int64_t id, int64_t account, int https, int mode)
{
	run("INSERT INTO resource (id, account, name, network, edge_group,"
	    " target, origin_host, origin_mode, https, mode, created_s,"
	    " created_by, changed_s, version) VALUES (%" PRId64 ", %" PRId64
	    ", 'r%" PRId64 "', 'n', 'g', 't%" PRId64
	    "', '', 0, %d, %d, " LONG_AGO ", '', 0, 1)",
	    id, account, id, id, https, mode);
}

static overview_msg *
ask(const struct caller *caller, const char *account)
{
	Holdfast__Certd__V1__GetOverviewRequest request;
	ProtobufCMessage *reply = NULL;
	char name[64];
	struct status st;

	holdfast__certd__v1__get_overview_request__init(&request);
	snprintf(name, sizeof(name), "%s", account);
	request.account = name;
	st = certd_desk_ask(desk, caller, "Overview/Get", &request, &reply);
	if (failed(st))
		fail_msg("%s", certd_desk_why(desk, st));
	return (overview_msg *)(void *)reply;
}

static overview_msg *
ask_as_operator(void)
{
	const struct caller caller = certd_desk_operator();

	return ask(&caller, "");
}

static overview_msg *
ask_as(int64_t account)
{
	const struct caller caller = certd_desk_token(account, ALLOW_VIEWER);

	return ask(&caller, "");
}

static const need_msg *
find(const overview_msg *found, const char *title)
{
	for (size_t i = 0; i < found->n_needs; i++)
		if (strcmp(found->needs[i]->title, title) == 0)
			return found->needs[i];
	return NULL;
}

static void
assert_need(const overview_msg *found, const char *title, int severity,
    const char *kind, const char *says)
{
	const need_msg *need = find(found, title);

	if (need == NULL) {
		for (size_t i = 0; i < found->n_needs; i++)
			print_message("%s\n", found->needs[i]->title);
		fail_msg("no need is '%s'", title);
		return;
	}
	assert_int_equal(need->severity, severity);
	assert_string_equal(need->kind, kind);
	if (strstr(need->detail, says) == NULL)
		fail_msg("'%s' does not say '%s'", need->detail, says);
}

#define INFO 1
#define WARNING 2
#define CRITICAL 3

/* ---- what is told ---- */

static void
certificates_are_counted_by_the_day_of_their_end(void **state)
{
	overview_msg *found;

	(void)state;
	start(0);
	add(1, desk->acme, 1, -DAY_S, 0);
	add(2, desk->acme, 1, 5 * DAY_S, 0);
	add(3, desk->acme, 2, 5 * DAY_S, 0);
	add(4, desk->acme, 3, 89 * DAY_S, 0);
	add(5, desk->acme, 1, 91 * DAY_S, 0);
	add(6, desk->other, 1, 5 * DAY_S, 0);
	found = ask_as(desk->acme);
	assert_int_equal(found->certificates, 5);
	assert_int_equal(found->expired, 1);
	assert_int_equal(found->expiring, 2);
	assert_int_equal(found->n_timeline, 2);
	assert_int_equal(
	    found->timeline[0]->day_s, (now_s + 5 * DAY_S) / DAY_S * DAY_S);
	assert_int_equal(found->timeline[0]->personal, 1);
	assert_int_equal(found->timeline[0]->acme, 1);
	assert_int_equal(found->timeline[1]->shared, 1);
	/* Nobody uses them. */
	assert_int_equal(found->n_needs, 0);
	message_free(&found->base);
	found = ask_as_operator();
	assert_int_equal(found->certificates, 6);
	assert_int_equal(found->timeline[0]->personal, 2);
	message_free(&found->base);
}

static void
fill_with_needs(void)
{
	add_resource(1, desk->acme, 1, 1);
	add_resource(2, desk->acme, 0, 1);
	add_resource(3, desk->acme, 1, 3);
	add(1, desk->acme, 1, -DAY_S, 1);
	add(2, desk->acme, 1, 10 * DAY_S + 60, 1);
	add(3, desk->acme, 1, DAY_S + 60, 1);
	/* Renews by itself: no news. */
	add(4, desk->acme, 2, 5 * DAY_S, 1);
	run("INSERT INTO enrollment (id, account, name, common_name, hostnames,"
	    " network, alg, validation, dns_provider, authority, profile,"
	    " preferred_chain, stepwise, standby, contacts, state, problem,"
	    " created_s, created_by) VALUES (7, %" PRId64 ", 'given up', '',"
	    " '', '', 1, 1, '', '', '', '', 0, 0, '', 3, 'CAA forbids it', 0,"
	    " ''), (8, %" PRId64 ", 'failing', '', '', '', 1, 1, '', '', '',"
	    " '', 0, 0, '', 2, '', 0, '')",
	    desk->acme, desk->acme);
	run("INSERT INTO renewal (enrollment, purpose, certificate, "
	    "not_after_s,"
	    " failures, problem) VALUES (8, 0, 4, %" PRId64 ", 3,"
	    " 'the CA is away')",
	    now_s + 5 * DAY_S);
	run("INSERT INTO change (id, enrollment, purpose, account, resource,"
	    " kind, hostnames, state, due_s, created_s, created_by)"
	    " VALUES (5, 7, 0, %" PRId64
	    ", 0, 1, 'a.test b.test c.test d.test',"
	    " 5, 0, 0, '')",
	    desk->acme);
	run("INSERT INTO change (id, enrollment, purpose, account, resource,"
	    " kind, hostnames, state, due_s, problem, created_s, created_by)"
	    " VALUES (6, 8, 0, %" PRId64 ", 0, 1, 'e.test', 3, %" PRId64
	    ", 'no answer', 0, '')",
	    desk->acme, now_s + 600);
	run("INSERT INTO grant_ (key, edge_group, wanted, granted, problem)"
	    " SELECT key, 'g', 1, 0, 'the pool is another' FROM certificate"
	    " WHERE id = 2");
	run("INSERT INTO edge (id, name, edge_group, first_s, last_seen_s,"
	    " applied_version) VALUES (1, 'live', 'g', 0, %" PRId64
	    ", 9), (2, 'gone', 'g', 0, %" PRId64 ", 9)",
	    now_s, now_s - 3600);
	run("INSERT INTO edge (id, name, edge_group, first_s, last_seen_s,"
	    " held_version) VALUES (3, 'held', 'g', 0, %" PRId64 ", 99)",
	    now_s);
	run("INSERT INTO edge (id, name, edge_group, first_s, last_seen_s,"
	    " quarantined) VALUES (4, 'stopped', 'g', 0, %" PRId64 ", 1)",
	    now_s);
	run("INSERT INTO edge (id, name, edge_group, first_s, last_seen_s)"
	    " VALUES (5, 'slow', 'g', 0, %" PRId64 ")",
	    now_s);
	run("UPDATE edge_version SET at_s = " LONG_AGO);
	run("INSERT INTO edge_site (resource, edge, applied_version,"
	    " served_version, problem, at_s) VALUES (1, 1, 0, 0,"
	    " 'the hook failed', 0)");
	run("INSERT INTO notice (account, event, object, occasion, recipient,"
	    " subject, text, html, state, created_s, problem, give_up_s) "
	    "VALUES (%" PRId64
	    ", 1, 'certificate 1', '', 'a@acme.test', '', '', '', 3, %" PRId64
	    ", '550 no such user', 0)",
	    desk->acme, now_s - 60);
}

static void
what_needs_somebody_is_told_in_sentences_the_most_severe_first(void **state)
{
	overview_msg *found;
	char title[128];
	int64_t day_s = now_s - DAY_S;
	struct tm tm;
	time_t at = (time_t)day_s;

	(void)state;
	start(0);
	fill_with_needs();
	found = ask_as(desk->acme);
	gmtime_r(&at, &tm);
	strftime(title, sizeof(title),
	    "c1 expired on %Y-%m-%d and is still in use", &tm);
	assert_need(found, title, CRITICAL, "certificate", "Bind another");
	assert_need(found, "c2 expires in 10 days", WARNING, "certificate",
	    "replace it");
	assert_need(found, "c3 expires in one day", CRITICAL, "certificate",
	    "replace it");
	assert_null(find(found, "c4 expires in 4 days"));
	assert_need(found, "Enrollment given up obtains no certificate",
	    CRITICAL, "enrollment", "CAA forbids it. It is not tried again");
	assert_need(found,
	    "Enrollment failing could not be renewed several times", WARNING,
	    "enrollment", "the CA is away. What it has expires in");
	assert_need(found,
	    "A challenge is to be put in place for a.test b.test c.test ...",
	    WARNING, "change", "Add the records");
	assert_need(found,
	    "The certificate for e.test could not be obtained yet", WARNING,
	    "change", "no answer. It is tried again");
	assert_need(found, "Edges may not sign yet for r1", CRITICAL,
	    "resource", "the pool is another");
	assert_need(found, "r1 is not in place at 1 edge", CRITICAL, "resource",
	    "the hook failed");
	assert_need(
	    found, "r3 has no certificate", WARNING, "resource", "no shared");
	assert_need(found, "r2 is served by plain HTTP only", INFO, "resource",
	    "bind a certificate");
	assert_need(found, "A notice to a@acme.test could not be delivered",
	    WARNING, "notice", "550 no such user");
	for (size_t i = 1; i < found->n_needs; i++)
		assert_true(
		    found->needs[i - 1]->severity >= found->needs[i]->severity);
	assert_int_equal(found->changes, 2);
	message_free(&found->base);
}

static void
operators_are_told_of_edges_keyd_and_mail_too(void **state)
{
	overview_msg *found;

	(void)state;
	start(1);
	fill_with_needs();
	keyd.has_trouble = true;
	keyd.pending = 2;
	(void)snprintf(mail, sizeof(mail), "mail.test refuses the password");
	found = ask_as_operator();
	assert_need(found, "Edge gone is away", WARNING, "edge", "reaches");
	assert_need(
	    found, "Edge held is held back", CRITICAL, "edge", "resync");
	assert_need(
	    found, "Edge stopped is quarantined", INFO, "edge", "release");
	assert_need(found, "Edge slow does not keep up", WARNING, "edge",
	    "what is behind");
	assert_null(find(found, "Edge live does not keep up"));
	assert_need(found, "1 of keyd's 2 lanes to its token is not ready",
	    WARNING, "keyd", "the token left. The others sign.");
	assert_need(found, "keyd does not sign: its journal cannot be written",
	    CRITICAL, "keyd", "disk is full");
	assert_need(found, "The audit ledger is not published", WARNING, "keyd",
	    "no tiles");
	assert_need(found, "Acts on keys wait for approval", INFO, "keyd",
	    "holdfast approval list");
	assert_need(found, "Mail cannot be sent", CRITICAL, "notice",
	    "refuses the password");
	assert_int_equal(found->edges_live, 2);
	assert_int_equal(found->edges_away, 1);
	assert_int_equal(found->edges_held_back, 1);
	assert_int_equal(found->edges_quarantined, 1);
	assert_non_null(found->keyd);
	message_free(&found->base);
	keyd.is_away = true;
	found = ask_as_operator();
	assert_need(found, "keyd cannot be reached", CRITICAL, "keyd",
	    "keyd at k:1 is away");
	assert_string_equal(found->keyd_trouble, "keyd at k:1 is away");
	assert_null(found->keyd);
	message_free(&found->base);
}

static void
an_account_is_told_nothing_of_edges_keyd_and_others(void **state)
{
	const struct caller stranger =
	    certd_desk_token(desk->other, ALLOW_ADMINISTRATOR);
	Holdfast__Certd__V1__GetOverviewRequest request;
	ProtobufCMessage *reply = NULL;
	char acme[] = "acme";
	overview_msg *found;

	(void)state;
	start(0);
	fill_with_needs();
	found = ask_as(desk->other);
	assert_int_equal(found->n_needs, 0);
	assert_int_equal(found->certificates, 0);
	assert_int_equal(found->edges_live, 0);
	assert_null(found->keyd);
	assert_int_equal(keyd.asked, 0);
	message_free(&found->base);
	holdfast__certd__v1__get_overview_request__init(&request);
	request.account = acme;
	assert_int_equal(
	    certd_desk_ask(desk, &stranger, "Overview/Get", &request, &reply)
		.code,
	    STATUS_NOT_FOUND);
	assert_int_equal(certd_desk_ask(desk, &stranger, "Overview/Signing",
			     &(Holdfast__Certd__V1__SigningRequest)
				 HOLDFAST__CERTD__V1__SIGNING_REQUEST__INIT,
			     &reply)
			     .code,
	    STATUS_PERMISSION_DENIED);
}

static void
of_very_many_needs_fifty_are_told(void **state)
{
	overview_msg *found;

	(void)state;
	start(0);
	for (int64_t i = 1; i <= 60; i++)
		add_resource(i, desk->acme, 0, 1);
	add_resource(61, desk->acme, 1, 1);
	add(1, desk->acme, 1, -DAY_S, 61);
	found = ask_as(desk->acme);
	assert_int_equal(found->n_needs, 50);
	assert_true(found->more_needs);
	assert_int_equal(found->needs[0]->severity, CRITICAL);
	message_free(&found->base);
}

static void
a_reply_is_kept_for_a_while(void **state)
{
	overview_msg *found;

	(void)state;
	start(1000000);
	found = ask_as(desk->acme);
	assert_int_equal(found->certificates, 0);
	message_free(&found->base);
	add(1, desk->acme, 1, DAY_S, 0);
	found = ask_as(desk->acme);
	assert_int_equal(found->certificates, 0);
	message_free(&found->base);
	/* Of others nothing was kept; what keyd says never is. */
	found = ask_as_operator();
	assert_int_equal(found->certificates, 1);
	message_free(&found->base);
	found = ask_as_operator();
	assert_int_equal(keyd.asked, 2);
	message_free(&found->base);
}

static void
no_statement_reads_a_table_but_to_count_it(void **state)
{
	overview_msg *found;

	(void)state;
	start(1);
	fill_with_needs();
	explains = true;
	n_explained = 0;
	found = ask_as(desk->acme);
	message_free(&found->base);
	found = ask_as_operator();
	message_free(&found->base);
	explains = false;
	assert_true(n_explained > 2 * 270);
}

static void
people_are_reminded_of_what_does_not_renew_by_itself(void **state)
{
	scoped(db_end) struct db_tx *tx = NULL;
	uint32_t expired = 9, expiring = 9;

	(void)state;
	start(0);
	add(1, desk->acme, 1, -DAY_S, 0);
	add(2, desk->acme, 2, -DAY_S, 0);
	add(3, desk->acme, 1, DAY_S, 0);
	add(4, desk->acme, 2, DAY_S, 0);
	add(5, desk->acme, 1, 15 * DAY_S, 0);
	add(6, desk->other, 3, DAY_S, 0);
	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    overview_reminder(tx, desk->acme, &expired, &expiring).code,
	    STATUS_OK);
	assert_int_equal(expired, 2);
	assert_int_equal(expiring, 1);
	assert_int_equal(
	    overview_reminder(tx, 0, &expired, &expiring).code, STATUS_OK);
	assert_int_equal(expiring, 2);
}

/* ---- keys ---- */

static struct status
ask_key(
    int64_t account, const char *id, Holdfast__Certd__V1__CustodyKey **ret_key)
{
	const struct caller caller =
	    account == 0 ? certd_desk_operator()
			 : certd_desk_token(account, ALLOW_VIEWER);
	Holdfast__Certd__V1__GetCustodyKeyRequest request;
	char text[80];

	holdfast__certd__v1__get_custody_key_request__init(&request);
	snprintf(text, sizeof(text), "%s", id);
	request.id = text;
	return certd_desk_ask(
	    desk, &caller, "CustodyKeys/Get", &request, ret_key);
}

static void
an_account_sees_its_own_keys_and_no_other(void **state)
{
	/* 32 digits, as add writes them. */
	static const char ID[] = "3030303030303030303030303030303030303030"
				 "303030303030303030303031";
	Holdfast__Certd__V1__CustodyKey *key = NULL;
	struct status st;

	(void)state;
	start(0);
	add(1, desk->acme, 1, DAY_S, 0);
	st = ask_key(desk->other, ID, &key);
	assert_int_equal(st.code, STATUS_NOT_FOUND);
	assert_string_equal(certd_desk_why(desk, st), "there is no such key");
	assert_int_equal(
	    ask_key(desk->other, "no id", &key).code, STATUS_NOT_FOUND);
	assert_int_equal(ask_key(desk->acme, ID, &key).code, STATUS_OK);
	assert_int_equal(key->key->n_grants, 0);
	assert_string_equal(key->key->notes, "");
	assert_string_equal(key->account, "acme");
	assert_int_equal(key->n_uses, 1);
	assert_string_equal(key->uses[0]->kind, "certificate");
	assert_string_equal(key->uses[0]->name, "c1");
	message_free(&key->base);
	assert_int_equal(ask_key(0, ID, &key).code, STATUS_OK);
	assert_int_equal(key->key->n_grants, 1);
	message_free(&key->base);
}

static void
an_accounts_keys_are_listed_newest_first_by_pages(void **state)
{
	const struct caller caller = certd_desk_token(desk->acme, ALLOW_VIEWER);
	char token[160] = "";
	int64_t expected = 5;

	(void)state;
	start(0);
	for (int64_t i = 1; i <= 5; i++)
		add(i, desk->acme, 1, DAY_S, 0);
	add(6, desk->other, 1, DAY_S, 0);
	do {
		Holdfast__Certd__V1__ListCustodyKeysRequest request;
		Holdfast__Certd__V1__ListCustodyKeysResponse *page = NULL;

		holdfast__certd__v1__list_custody_keys_request__init(&request);
		request.page_size = 2;
		request.page_token = token;
		assert_int_equal(certd_desk_ask(desk, &caller,
				     "CustodyKeys/List", &request, &page)
				     .code,
		    STATUS_OK);
		for (size_t i = 0; i < page->n_keys; i++) {
			char name[16];

			snprintf(name, sizeof(name), "c%" PRId64, expected--);
			assert_string_equal(page->keys[i]->uses[0]->name, name);
		}
		snprintf(token, sizeof(token), "%s", page->next_page_token);
		message_free(&page->base);
	} while (token[0] != 0);
	assert_int_equal(expected, 0);
}

/* ---- the ledger ---- */

static Holdfast__Certd__V1__ListLedgerResponse *
ask_ledger(uint32_t size, const char *token)
{
	const struct caller caller = certd_desk_operator();
	Holdfast__Certd__V1__ListLedgerRequest request;
	Holdfast__Certd__V1__ListLedgerResponse *page = NULL;
	char text[64];

	holdfast__certd__v1__list_ledger_request__init(&request);
	snprintf(text, sizeof(text), "%s", token);
	request.page_size = size;
	request.page_token = text;
	assert_int_equal(
	    certd_desk_ask(desk, &caller, "Ledger/Entries", &request, &page)
		.code,
	    STATUS_OK);
	return page;
}

static void
the_ledger_is_walked_backwards_in_windows(void **state)
{
	Holdfast__Certd__V1__ListLedgerResponse *page;
	char token[64];

	(void)state;
	start(0);
	keyd.size = 1000000;
	keyd.every = 150000;
	page = ask_ledger(2, "");
	assert_int_equal(page->n_entries, 2);
	assert_int_equal(page->entries[0]->number, 900000);
	assert_int_equal(page->entries[1]->number, 750000);
	assert_string_equal(page->next_page_token, "p750000");
	assert_int_equal(keyd.windows[0][0], 800000);
	assert_int_equal(keyd.windows[0][1], 1000000);
	snprintf(token, sizeof(token), "%s", page->next_page_token);
	message_free(&page->base);
	/* It grows; what comes next does not move. */
	keyd.size = 2000000;
	page = ask_ledger(200, token);
	assert_int_equal(page->n_entries, 5);
	assert_int_equal(page->entries[0]->number, 600000);
	assert_int_equal(page->entries[4]->number, 0);
	assert_string_equal(page->next_page_token, "");
	message_free(&page->base);
	/* An empty ledger, and one where nothing is found. */
	keyd.every = 0;
	page = ask_ledger(10, "");
	assert_int_equal(page->n_entries, 0);
	assert_string_equal(page->next_page_token, "");
	message_free(&page->base);
	keyd.size = 0;
	page = ask_ledger(10, "");
	assert_int_equal(page->n_entries, 0);
	message_free(&page->base);
}

static void
who_stops_an_edge_is_named_to_keyd_and_in_the_history(void **state)
{
	const struct caller caller = certd_desk_operator();
	Holdfast__Certd__V1__QuarantineEdgeRequest request;
	ProtobufCMessage *reply = NULL;
	char name[] = "live", reason[] = "seen elsewhere", none[] = "";

	(void)state;
	start(0);
	fill_with_needs();
	holdfast__certd__v1__quarantine_edge_request__init(&request);
	request.name = name;
	request.reason = none;
	assert_int_equal(certd_desk_ask(desk, &caller, "EdgeCustody/Quarantine",
			     &request, &reply)
			     .code,
	    STATUS_INVALID_ARGUMENT);
	request.reason = reason;
	keyd.is_away = true;
	assert_int_equal(certd_desk_ask(desk, &caller, "EdgeCustody/Quarantine",
			     &request, &reply)
			     .code,
	    STATUS_UNAVAILABLE);
	assert_int_equal(certd_desk_count(desk, "SELECT count(*) FROM event"
						" WHERE act = 'quarantine'"),
	    0);
	keyd.is_away = false;
	assert_int_equal(certd_desk_ask(desk, &caller, "EdgeCustody/Quarantine",
			     &request, &reply)
			     .code,
	    STATUS_OK);
	message_free(reply);
	assert_string_equal(keyd.on_behalf_of, caller.actor);
	assert_int_equal(certd_desk_count(desk, "SELECT count(*) FROM event"
						" WHERE act = 'quarantine'"
						" AND object = 'edge live'"),
	    1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(certificates_are_counted_by_the_day_of_their_end),
		TEST(
		    what_needs_somebody_is_told_in_sentences_the_most_severe_first),
		TEST(operators_are_told_of_edges_keyd_and_mail_too),
		TEST(an_account_is_told_nothing_of_edges_keyd_and_others),
		TEST(of_very_many_needs_fifty_are_told),
		TEST(a_reply_is_kept_for_a_while),
		TEST(no_statement_reads_a_table_but_to_count_it),
		TEST(people_are_reminded_of_what_does_not_renew_by_itself),
		TEST(an_account_sees_its_own_keys_and_no_other),
		TEST(an_accounts_keys_are_listed_newest_first_by_pages),
		TEST(the_ledger_is_walked_backwards_in_windows),
		TEST(who_stops_an_edge_is_named_to_keyd_and_in_the_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
