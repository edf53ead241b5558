/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Occasions over the real store: who is told of what, and that it is told once.
 * Time is what the rows say, and what a look is told that it is now.  Every
 * statement of notices is explained first: none looks at a whole table.
 */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/notices/notice_expiry.h"
#include "certd/notices/notice_history.h"
#include "certd/notices/notice_source.h"
#include "certd/notices/notice_stands.h"
#include "certd/notices/store_history.h"
#include "certd/store_bindings.h"
#include "certd/store_schema.h"
#include "proto/message.h"
#include "tests/unit/notices_desk.h"
#include "tests/unit/scratch.h"

#define HOUR_S INT64_C(3600)

/* ---- every statement is explained (linked with --wrap) ---- */

STATUS __real_db_query(struct db_tx *tx, struct db_rows **ret_rows,
    const char *sql, const struct db_value *values, size_t n_values);
STATUS __wrap_db_query(struct db_tx *tx, struct db_rows **ret_rows,
    const char *sql, const struct db_value *values, size_t n_values);
STATUS __real_db_number(struct db_tx *tx, int64_t *ret_number, const char *sql,
    const struct db_value *values, size_t n_values);
STATUS __wrap_db_number(struct db_tx *tx, int64_t *ret_number, const char *sql,
    const struct db_value *values, size_t n_values);
STATUS __real_db_run(struct db_tx *tx, int64_t *ret_changed, const char *sql,
    const struct db_value *values, size_t n_values);
STATUS __wrap_db_run(struct db_tx *tx, int64_t *ret_changed, const char *sql,
    const struct db_value *values, size_t n_values);

/* Of this thread alone: others look after what is not of notices. */
static _Thread_local bool explains;
static atomic_uint n_explained;

/* "SCAN r": a table; constant rows, and what was made of some, are none. */
static bool
is_bad(const char *step)
{
	if (strstr(step, "TEMP B-TREE") != NULL)
		return true;
	return strncmp(step, "SCAN ", 5) == 0 &&
	       strstr(step, "CONSTANT ROW") == NULL;
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
		if (is_bad(step))
			fail_msg("%s: %s", sql, step);
	}
	atomic_fetch_add(&n_explained, 1);
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

STATUS
__wrap_db_run(struct db_tx *tx, int64_t *ret_changed, const char *sql,
    const struct db_value *values, size_t n_values)
{
	if (explains)
		explain(tx, sql, values, n_values);
	return __real_db_run(tx, ret_changed, sql, values, n_values);
}

static int
tear_down(void **state)
{
	explains = false;
	return notices_desk_tear_down(state);
}

/* ---- looks ---- */

static const atomic_bool goes_on;

static void
look_at_expiry(struct notices_desk *nd, int64_t now_s)
{
	explains = true;
	OK(notice_expiry_look(nd->desk->store, &nd->teller, now_s, &goes_on));
	explains = false;
}

/* From so many days before now on, as if it had been looked at then. */
static void
looked_at(struct notices_desk *nd, int64_t at_s)
{
	char sql[200];

	snprintf(sql, sizeof(sql),
	    "INSERT INTO meta (name, value) VALUES ('notices.expiry', '%lld')"
	    " ON CONFLICT (name) DO UPDATE SET value = '%lld'",
	    (long long)at_s, (long long)at_s);
	notices_desk_run(nd, sql);
}

static void
look_at_history(struct notices_desk *nd)
{
	bool more = true;

	explains = true;
	while (more)
		OK(notice_history_look(nd->desk->store, &nd->teller, &more));
	explains = false;
}

static void
put_act(struct notices_desk *nd, const char *act, const char *object,
    const char *detail)
{
	struct db_tx *tx = notices_desk_write(nd);

	notices_desk_commit(nd, tx,
	    store_event(tx, nd->desk->acme, "certd", act, object, detail));
}

static void
put_act_on(struct notices_desk *nd, const char *act, const char *kind,
    int64_t id, const char *detail)
{
	char object[64];

	snprintf(object, sizeof(object), "%s %lld", kind, (long long)id);
	put_act(nd, act, object, detail);
}

static int64_t
count(struct notices_desk *nd)
{
	return notices_desk_number(nd, "SELECT count(*) FROM notice");
}

#define ADMINS "ada@acme.example eve@acme.example"
#define EVERYBODY                                                              \
	"ada@acme.example adm@acme.example eve@acme.example tec@acme.example"

/* ---- thresholds ---- */

static void
a_threshold_is_crossed_days_before_and_that_of_zero_on_the_day(void **state)
{
	const int64_t noon_s = 20000 * (int64_t)DAY_S + 12 * HOUR_S;

	(void)state;
	assert_int_equal(
	    notice_expiry_crossed_at(noon_s, 14), noon_s - 14 * (int64_t)DAY_S);
	/* At the begin of the day, and twelve hours before at the least. */
	assert_int_equal(notice_expiry_crossed_at(noon_s + 6 * HOUR_S, 0),
	    20000 * (int64_t)DAY_S);
	assert_int_equal(notice_expiry_crossed_at(noon_s - 11 * HOUR_S, 0),
	    noon_s - 23 * HOUR_S);
}

static void
look_all(struct notices_desk *nd)
{
	const struct notice_source_config config = { .store = nd->desk->store,
		.teller = &nd->teller,
		.edge_grace_s = 600 };
	struct notice_source *source = NULL;

	OK(notice_source_new(&config, &source));
	OK(notice_source_look(source));
	notice_source_free(source);
}

/* A certificate that a resource serves. */
static int64_t
served(struct notices_desk *nd, const char *name, const char *hostname,
    int64_t left_s)
{
	int64_t resource = desk_resource(
	    nd->desk, nd->desk->acme, name, hostname, MODE_PERSONAL);
	int64_t id = notices_desk_certificate(nd, name, hostname, DAY_S);
	char sql[160];

	OK(desk_bind_one(nd->desk, &desk_alice, resource, id));
	snprintf(sql, sizeof(sql),
	    "UPDATE certificate SET not_after_s = %lld WHERE id = %lld",
	    (long long)(store_now_s() + left_s), (long long)id);
	notices_desk_run(nd, sql);
	return id;
}

static void
that_one_has_expired_which_nobody_uses_is_no_news(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s();

	looked_at(nd, now_s - DAY_S);
	notices_desk_certificate(nd, "spare", "spare.example.com", -HOUR_S);
	look_at_expiry(nd, now_s);
	assert_int_equal(count(nd), 0);
	served(nd, "shop", "shop.example.com", -HOUR_S);
	looked_at(nd, now_s - DAY_S);
	look_at_expiry(nd, now_s);
	assert_int_equal(count(nd), 2);
	/* It is taken out of use before the mail goes. */
	notices_desk_run(nd, "DELETE FROM binding");
	look_all(nd);
	assert_int_equal(notices_desk_number(
			     nd, "SELECT count(*) FROM notice WHERE state = 4"),
	    2);
}

static void
each_threshold_is_told_once_to_each_whom_the_rule_tells(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s(), end_s = now_s + 20 * DAY_S;

	served(nd, "shop", "shop.example.com", end_s - now_s);
	looked_at(nd, now_s);
	look_at_expiry(nd, now_s + 5 * DAY_S);
	assert_int_equal(count(nd), 0);
	for (int i = 0; i < 3; i++)
		look_at_expiry(nd, end_s - 14 * DAY_S + i * HOUR_S);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_EXPIRING, "14 days"), ADMINS);
	assert_int_equal(count(nd), 2);
	look_at_expiry(nd, end_s - 7 * DAY_S);
	look_at_expiry(nd, end_s - 7 * DAY_S + 61);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_EXPIRING, "7 days"), ADMINS);
	look_at_expiry(nd, end_s - HOUR_S);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_EXPIRING, "0 days"), ADMINS);
	assert_int_equal(count(nd), 6);
	look_at_expiry(nd, end_s + 61);
	look_at_expiry(nd, end_s + DAY_S);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_EXPIRED, "expired"), ADMINS);
	assert_int_equal(count(nd), 8);
	assert_int_equal(notices_desk_newest(nd).account, nd->desk->acme);
	assert_true(n_explained > 50);
}

static void
of_thresholds_crossed_at_once_the_nearest_alone_is_told(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s();

	notices_desk_certificate(nd, "shop", "shop.example.com", 3 * DAY_S);
	served(nd, "gone", "gone.example.com", -HOUR_S);
	/* Nobody looked for a month. */
	looked_at(nd, now_s - 30 * DAY_S);
	look_at_expiry(nd, now_s);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_EXPIRING, "14 days"), "");
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_EXPIRING, "7 days"), ADMINS);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_EXPIRED, "expired"), ADMINS);
	assert_int_equal(count(nd), 4);
}

static void
the_first_look_ever_tells_what_is_near_and_not_what_is_over(void **state)
{
	struct notices_desk *nd = *state;

	notices_desk_certificate(nd, "shop", "shop.example.com", 10 * DAY_S);
	notices_desk_certificate(nd, "gone", "gone.example.com", -HOUR_S);
	look_at_expiry(nd, store_now_s());
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_EXPIRING, "14 days"), ADMINS);
	assert_int_equal(count(nd), 2);
}

static void
a_clock_that_was_ahead_and_went_back_loses_and_doubles_nothing(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s(), end_s = now_s + 20 * DAY_S;

	notices_desk_certificate(nd, "shop", "shop.example.com", end_s - now_s);
	looked_at(nd, now_s);
	look_at_expiry(nd, end_s - 13 * DAY_S);
	assert_int_equal(count(nd), 2);
	look_at_expiry(nd, now_s);
	look_at_expiry(nd, end_s - 13 * DAY_S);
	assert_int_equal(count(nd), 2);
	look_at_expiry(nd, end_s - 6 * DAY_S);
	assert_int_equal(count(nd), 4);
}

static void
an_upload_with_five_days_left_gets_the_notice_of_seven(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s();
	int64_t id =
	    notices_desk_certificate(nd, "late", "late.example.com", 5 * DAY_S);

	looked_at(nd, now_s);
	put_act_on(nd, "certificate uploaded", "certificate", id, "late");
	put_act_on(nd, "certificate uploaded", "certificate",
	    notices_desk_certificate(
		nd, "young", "young.example.com", 50 * DAY_S),
	    "young");
	put_act_on(nd, "certificate uploaded", "certificate",
	    notices_desk_certificate(nd, "old", "old.example.com", -HOUR_S),
	    "old");
	look_at_history(nd);
	look_at_expiry(nd, now_s + 61);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_EXPIRING, "7 days"), ADMINS);
	assert_int_equal(count(nd), 2);
	assert_non_null(strstr(notices_desk_newest(nd).subject, "in 5 days"));
}

static void
a_mail_gathers_no_longer_than_half_of_what_is_left(void **state)
{
	struct notices_desk *nd = *state;

	nd->teller.gather_s = HOUR_S;
	put_act_on(nd, "certificate uploaded", "certificate",
	    notices_desk_certificate(nd, "late", "late.example.com", 600),
	    "late");
	look_at_history(nd);
	assert_in_range(notices_desk_number(
			    nd, "SELECT max(next_s - created_s) FROM notice"),
	    200, 300);
	put_act_on(nd, "certificate uploaded", "certificate",
	    notices_desk_certificate(nd, "soon", "soon.example.com", DAY_S),
	    "soon");
	look_at_history(nd);
	assert_int_equal(notices_desk_number(
			     nd, "SELECT max(next_s - created_s) FROM notice"),
	    HOUR_S);
}

static void
rules_say_the_days_and_each_rule_counts_for_itself(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s(), end_s = now_s + 40 * DAY_S;

	notices_desk_certificate(nd, "shop", "shop.example.com", end_s - now_s);
	notices_desk_run(nd,
	    "INSERT INTO notice_rule (account, event, days, told, emails)"
	    " SELECT account, 1, '30 2', 0, 'list@example.org' FROM user_"
	    " WHERE email = 'eve@acme.example'");
	looked_at(nd, now_s);
	look_at_expiry(nd, end_s - 29 * DAY_S);
	assert_string_equal(notices_desk_told(nd, NOTICE_EXPIRING, "30 days"),
	    "list@example.org");
	look_at_expiry(nd, end_s - 13 * DAY_S);
	assert_int_equal(count(nd), 3);
	look_at_expiry(nd, end_s - DAY_S);
	assert_string_equal(notices_desk_told(nd, NOTICE_EXPIRING, "2 days"),
	    "list@example.org");
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_EXPIRING, "7 days"), ADMINS);
}

static void
users_who_are_disabled_muted_or_of_another_account_are_not_told(void **state)
{
	struct notices_desk *nd = *state;
	struct db_tx *tx;

	notices_desk_certificate(nd, "shop", "shop.example.com", 10 * DAY_S);
	notices_desk_run(nd,
	    "UPDATE user_ SET disabled = 1 WHERE email = 'eve@acme.example'");
	tx = notices_desk_write(nd);
	notices_desk_commit(nd, tx,
	    store_notices_mute(
		tx, nd->desk->other, "ada@acme.example", NOTICE_EXPIRING));
	look_at_expiry(nd, store_now_s());
	assert_string_equal(notices_desk_told(nd, NOTICE_EXPIRING, "14 days"),
	    "ada@acme.example");
	tx = notices_desk_write(nd);
	notices_desk_commit(nd, tx,
	    store_notices_mute(
		tx, nd->desk->acme, "ada@acme.example", NOTICE_EXPIRING));
	notices_desk_certificate(nd, "two", "two.example.com", 10 * DAY_S);
	looked_at(nd, store_now_s() - 20 * DAY_S);
	look_at_expiry(nd, store_now_s());
	assert_int_equal(count(nd), 1);
}

/* ---- who needs no notice ---- */

static void
certificates_that_acme_renews_get_no_notice_of_their_end(void **state)
{
	struct notices_desk *nd = *state;
	Holdfast__Certd__V1__EnrollmentChange *made =
	    enroll_desk_create(nd->desk, "www.example.com");
	int64_t id = enroll_desk_done(nd->desk, made->change->id);
	char sql[160];

	message_free(&made->base);
	desk_certificate(nd->desk, (struct desk_certificate){ .kind = KIND_ACME,
				       .hostnames = "alone.example.com",
				       .from_days = -80,
				       .to_days = 3 });
	snprintf(sql, sizeof(sql),
	    "UPDATE certificate SET not_after_s = %lld WHERE id = %lld",
	    (long long)(store_now_s() + 3 * DAY_S), (long long)id);
	notices_desk_run(nd, sql);
	look_at_expiry(nd, store_now_s());
	looked_at(nd, store_now_s());
	look_at_expiry(nd, store_now_s() + 4 * DAY_S);
	assert_int_equal(count(nd), 0);
}

static void
one_that_nobody_uses_is_quiet_when_another_for_its_names_ends_later(
    void **state)
{
	struct notices_desk *nd = *state;

	notices_desk_certificate(
	    nd, "old", "a.example.com b.example.com", 10 * DAY_S);
	notices_desk_certificate(nd, "half", "a.example.com", 300 * DAY_S);
	look_at_expiry(nd, store_now_s());
	assert_int_equal(count(nd), 2);
	notices_desk_run(nd, "DELETE FROM notice");
	notices_desk_certificate(nd, "new",
	    "a.example.com b.example.com c.example.com", 300 * DAY_S);
	looked_at(nd, store_now_s() - 30 * DAY_S);
	look_at_expiry(nd, store_now_s());
	assert_int_equal(count(nd), 0);
}

struct bound {
	int64_t old, new;
};

/* In use, told of, and with a successor for the same names. */
static struct bound
tell_of_one_in_use(struct notices_desk *nd)
{
	struct bound ids = { .old = notices_desk_certificate(
				 nd, "old", "shop.example.com", 10 * DAY_S) };
	int64_t resource = desk_resource(nd->desk, nd->desk->acme, "shop",
	    "shop.example.com", MODE_PERSONAL);

	OK(desk_bind_one(nd->desk, &desk_alice, resource, ids.old));
	ids.new = notices_desk_certificate(
	    nd, "new", "shop.example.com", 300 * DAY_S);
	look_at_expiry(nd, store_now_s());
	/* The other one is there, but this one is served. */
	assert_int_equal(count(nd), 2);
	return ids;
}

static void
what_a_clock_that_was_ahead_put_off_is_due_again(void **state)
{
	struct notices_desk *nd = *state;

	notices_desk_queue(nd, "ada@acme.example", 0);
	notices_desk_queue(nd, "webhook 7", 7);
	notices_desk_run(nd, "UPDATE notice SET next_s = next_s + 31536000");
	look_all(nd);
	assert_int_equal(
	    notices_desk_number(nd,
		"SELECT count(*) FROM notice WHERE next_s <= created_s + 60"),
	    2);
}

static void
past_so_many_a_day_what_is_joined_keeps_no_text_of_its_own(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s();

	notices_desk_run(nd,
	    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
	    " WHERE i < 499) INSERT INTO notice (account, event, object,"
	    " occasion, recipient, subject, text, html, state, created_s,"
	    " give_up_s) SELECT a.id, 1, 'certificate x' || i, '14 days',"
	    " 'ada@acme.example', 's', 't', 'h', 2, unixepoch(), 0"
	    " FROM n, account a WHERE a.name = 'acme'");
	looked_at(nd, now_s - HOUR_S);
	notices_desk_certificate(
	    nd, "one", "one.example.com", 14 * DAY_S - 100);
	look_at_expiry(nd, now_s);
	assert_int_equal(notices_desk_number(
			     nd, "SELECT count(*) FROM notice WHERE state = 1"),
	    2);
	looked_at(nd, now_s - HOUR_S);
	notices_desk_certificate(
	    nd, "two", "two.example.com", 14 * DAY_S - 100);
	look_at_expiry(nd, now_s);
	/* Ada's waits too: it is told as a line of a list, of which no text of
	 * its own is kept. */
	assert_int_equal(notices_desk_number(
			     nd, "SELECT count(*) FROM notice WHERE state = 1"),
	    4);
	assert_int_equal(
	    notices_desk_number(nd,
		"SELECT count(*) FROM notice WHERE state = 1 AND text = ''"
		" AND recipient = 'ada@acme.example'"),
	    1);
}

static void
what_is_sent_is_found_by_when_it_is_due_and_for_whom(void **state)
{
	struct notices_desk *nd = *state;
	const int64_t now_s = store_now_s();
	struct notice_row row, with[4];
	struct db_tx *tx = notices_desk_write(nd);
	bool is = false, is_due = false;
	size_t n = 9;

	explains = true;
	OK(store_notices_is_due(tx, true, now_s, &is_due));
	assert_int_equal(
	    store_notices_claim_mail(tx, now_s, now_s + 600, 0, &row).code,
	    STATUS_NOT_FOUND);
	row = (struct notice_row){ .account = nd->desk->acme,
		.event = NOTICE_EXPIRING,
		.recipient = "ada@acme.example" };
	OK(store_notices_claim_with(tx, &row, now_s, 4, with, &n));
	OK(store_notices_is_often(tx, &row, now_s, &is));
	OK(store_notices_is_flood(tx, &row, now_s, &is));
	OK(store_notices_save(tx, &row));
	explains = false;
	assert_int_equal(n, 0);
	assert_false(is || is_due);
	notices_desk_commit(nd, tx, status_ok());
}

static void
what_waits_is_cancelled_once_the_successor_is_proven(void **state)
{
	struct notices_desk *nd = *state;
	struct bound ids = tell_of_one_in_use(nd);

	look_all(nd);
	assert_int_equal(notices_desk_newest(nd).state, NOTICE_QUEUED);
	OK(desk_bind_one(nd->desk, &desk_alice,
	    notices_desk_number(nd, "SELECT id FROM resource"), ids.new));
	/* Edges are still to be seen serving the new one. */
	assert_int_equal(
	    notices_desk_number(nd, "SELECT count(*) FROM retirement"), 1);
	look_all(nd);
	assert_int_equal(notices_desk_newest(nd).state, NOTICE_QUEUED);
	notices_desk_run(nd, "DELETE FROM retirement");
	look_all(nd);
	assert_int_equal(notices_desk_newest(nd).state, NOTICE_CANCELLED);
	assert_int_equal(notices_desk_newest(nd).next_s, 0);
	assert_int_equal(notices_desk_number(
			     nd, "SELECT count(*) FROM notice WHERE state = 4"),
	    2);
	/* And no more come. */
	looked_at(nd, store_now_s());
	look_at_expiry(nd, store_now_s() + 4 * DAY_S);
	assert_int_equal(count(nd), 2);
}

static void
one_that_was_deleted_or_has_expired_is_not_told_as_expiring(void **state)
{
	struct notices_desk *nd = *state;
	const char *why = NULL;
	struct notice_row row;
	struct db_tx *tx;

	tell_of_one_in_use(nd);
	row = notices_desk_newest(nd);
	OK(store_read(nd->desk->store, &tx));
	OK(notice_stands(tx, &row, store_now_s(), &why));
	assert_null(why);
	OK(notice_stands(tx, &row, store_now_s() + 11 * DAY_S, &why));
	assert_non_null(strstr(why, "had expired"));
	snprintf(row.object, sizeof(row.object), "certificate 99999");
	OK(notice_stands(tx, &row, store_now_s(), &why));
	assert_non_null(strstr(why, "deleted"));
	db_end(tx);
}

/* ---- what was there before ---- */

static void
accounts_of_an_older_schema_get_the_rules_and_no_old_news(void **state)
{
	char folder[SCRATCH_PATH_MAX], path[64];
	struct db_config old = {
		.path = path, .migrations = store_migrations, .n_migrations = 2
	};
	struct store_config config = { .state_dir = folder };
	struct store *store = NULL;
	struct db *db = NULL;
	struct db_tx *tx;
	int64_t n = 0;
	bool has = true;

	(void)state;
	assert_true(scratch_new(folder, sizeof(folder)));
	snprintf(path, sizeof(path), "%s/certd.db", folder);
	OK(db_open(&old, &db));
	OK(db_write(db, &tx));
	OK(db_run(tx, NULL,
	    "INSERT INTO account (name, title, created_s)"
	    " VALUES ('a', '', 1), ('b', '', 1)",
	    DB_NONE));
	OK(db_run(tx, NULL,
	    "INSERT INTO event (at_s, account, actor, act, object, detail)"
	    " VALUES (1, 1, 'certd', 'acme.failed', 'change 1', '')",
	    DB_NONE));
	OK(db_commit(tx, status_ok()));
	db_close(db);
	OK(store_open(&config, &store));
	OK(store_read(store, &tx));
	OK(db_number(tx, &n, "SELECT count(*) FROM notice_rule", DB_NONE));
	assert_int_equal(n, 18);
	OK(db_number(tx, &n,
	    "SELECT told FROM notice_rule WHERE account = 2 AND event = 3",
	    DB_NONE));
	assert_int_equal(
	    n, TOLD_ADMINISTRATORS | TOLD_ADMINISTRATIVE | TOLD_TECHNICAL);
	OK(store_history_has_more(tx, &has));
	assert_false(has);
	db_end(tx);
	store_close(store);
	assert_int_equal(scratch_remove(folder), 0);
}

/* ---- two at once ---- */

struct racer {
	char folder[64];
	struct notice_teller teller;
	int64_t now_s;
};

static void *
race(void *arg)
{
	struct racer *racer = arg;
	struct store_config config = { .state_dir = racer->folder };
	struct store *store = NULL;
	bool more = true;

	assert_int_equal(store_open(&config, &store).code, STATUS_OK);
	assert_int_equal(
	    notice_expiry_look(store, &racer->teller, racer->now_s, &goes_on)
		.code,
	    STATUS_OK);
	while (more)
		assert_int_equal(
		    notice_history_look(store, &racer->teller, &more).code,
		    STATUS_OK);
	store_close(store);
	return NULL;
}

static void
two_certds_on_one_database_tell_once(void **state)
{
	struct notices_desk *nd = *state;
	struct racer racer[2];
	pthread_t threads[2];
	char name[32], host[64];

	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		snprintf(host, sizeof(host), "c%d.example.com", i);
		put_act_on(nd, "certificate uploaded", "certificate",
		    notices_desk_certificate(nd, name, host, 5 * DAY_S), name);
	}
	for (int i = 0; i < 2; i++) {
		racer[i] = (struct racer){ .now_s = store_now_s() };
		memcpy(
		    racer[i].folder, nd->desk->folder, sizeof(racer[i].folder));
		racer[i].teller.console_url = DESK_CONSOLE;
		racer[i].teller.operators = &nd->operators;
		assert_int_equal(
		    pthread_create(&threads[i], NULL, race, &racer[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count(nd), 60);
	assert_int_equal(racer[0].teller.n_told + racer[1].teller.n_told, 60);
}

/* ---- the history ---- */

static int64_t
begin_change(struct notices_desk *nd, const char *names)
{
	Holdfast__Certd__V1__EnrollmentChange *made =
	    enroll_desk_create(nd->desk, names);
	int64_t id = made->change->id;

	message_free(&made->base);
	return id;
}

static void
what_happened_is_told_once_whatever_is_restarted(void **state)
{
	struct notices_desk *nd = *state;
	int64_t change = begin_change(nd, "www.example.com");
	int64_t id = enroll_desk_done(nd->desk, change);
	char detail[80];

	snprintf(detail, sizeof(detail), "www.example.com, by ca, change %lld",
	    (long long)change);
	look_at_history(nd);
	put_act_on(nd, "acme.issued", "certificate", id, detail);
	put_act_on(nd, "acme.unknown", "certificate", id, detail);
	look_at_history(nd);
	look_at_history(nd);
	assert_string_equal(notices_desk_told(nd, NOTICE_ISSUED, "issued"),
	    "ada@acme.example adm@acme.example tec@acme.example");
	assert_int_equal(count(nd), 3);
	/* The cursor was lost, as a restored backup would have it. */
	notices_desk_run(
	    nd, "UPDATE meta SET value = '0' WHERE name = 'notices.event'");
	look_at_history(nd);
	assert_int_equal(count(nd), 3);
}

static void
a_renewal_that_went_well_is_told_only_where_that_is_wanted(void **state)
{
	struct notices_desk *nd = *state;
	int64_t change = begin_change(nd, "www.example.com");
	int64_t id = enroll_desk_done(nd->desk, change);
	char detail[80], sql[120];

	snprintf(sql, sizeof(sql), "UPDATE change SET kind = 2 WHERE id = %lld",
	    (long long)change);
	notices_desk_run(nd, sql);
	snprintf(detail, sizeof(detail), "www, by ca, change %lld",
	    (long long)change);
	put_act_on(nd, "acme.issued", "certificate", id, detail);
	look_at_history(nd);
	assert_int_equal(count(nd), 0);
	notices_desk_run(
	    nd, "UPDATE notice_rule SET disabled = 0 WHERE event = 5");
	put_act_on(nd, "acme.issued", "certificate", id, detail);
	look_at_history(nd);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_RENEWED, "renewed"), ADMINS);
}

static void
a_failure_is_told_and_those_that_follow_by_themselves_are_not(void **state)
{
	struct notices_desk *nd = *state;
	int64_t change = begin_change(nd, "www.example.com");
	char sql[200];

	enroll_desk_put(nd->desk, change, CHANGE_FAILED,
	    "the CA said: <b>no</b>\nBcc: all@example.org", 0);
	put_act_on(nd, "acme.failed", "change", change, "no");
	look_at_history(nd);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_ISSUE_FAILED, "failed"), EVERYBODY);
	assert_int_equal(count(nd), 4);
	/* The next ones are certd's own. */
	snprintf(sql, sizeof(sql),
	    "UPDATE change SET created_by = 'certd' WHERE id = %lld",
	    (long long)change);
	notices_desk_run(nd, sql);
	notices_desk_run(nd, "DELETE FROM notice");
	notices_desk_run(nd, "UPDATE renewal SET failures = 5");
	put_act_on(nd, "acme.failed", "change", change, "no");
	look_at_history(nd);
	assert_int_equal(count(nd), 0);
	/* But the last one is told. */
	notices_desk_run(nd, "UPDATE renewal SET failures = 12");
	put_act_on(nd, "acme.failed", "change", change, "no");
	look_at_history(nd);
	assert_int_equal(count(nd), 4);
}

/* A renewal of a certificate with so many days left has failed so often. */
static int64_t
fail_renewal(struct notices_desk *nd, int64_t left_s, int failures)
{
	int64_t id = notices_desk_number(
	    nd, "SELECT certificate FROM renewal WHERE purpose = 0");
	char sql[256];

	snprintf(sql, sizeof(sql),
	    "UPDATE certificate SET not_after_s = %lld WHERE id = %lld",
	    (long long)(store_now_s() + left_s), (long long)id);
	notices_desk_run(nd, sql);
	snprintf(sql, sizeof(sql),
	    "UPDATE renewal SET failures = %d WHERE purpose = 0", failures);
	notices_desk_run(nd, sql);
	return id;
}

static void
a_failing_renewal_is_told_first_and_as_the_end_nears(void **state)
{
	struct notices_desk *nd = *state;
	int64_t change = begin_change(nd, "www.example.com");
	int64_t id = enroll_desk_done(nd->desk, change), now_s = store_now_s();
	char sql[200];

	fail_renewal(nd, 25 * DAY_S, 1);
	snprintf(sql, sizeof(sql),
	    "UPDATE change SET created_by = 'certd', kind = 2, state = 12,"
	    " replaces = %lld WHERE id = %lld",
	    (long long)id, (long long)change);
	notices_desk_run(nd, sql);
	for (int i = 0; i < 3; i++) {
		put_act_on(nd, "acme.failed", "change", change, "no");
		look_at_history(nd);
	}
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_RENEWAL_FAILED, "first"), EVERYBODY);
	assert_int_equal(count(nd), 4);
	looked_at(nd, now_s);
	look_at_expiry(nd, now_s + 11 * DAY_S);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_RENEWAL_FAILED, "14 days"), EVERYBODY);
	look_at_expiry(nd, now_s + 19 * DAY_S);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_RENEWAL_FAILED, "7 days"), EVERYBODY);
	look_at_expiry(nd, now_s + 26 * DAY_S);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_RENEWAL_FAILED, "expired"), EVERYBODY);
	assert_int_equal(count(nd), 16);
	/* Renewed: what waits is cancelled, and nothing more is told. */
	notices_desk_run(nd, "UPDATE renewal SET failures = 0");
	look_all(nd);
	assert_int_equal(notices_desk_number(
			     nd, "SELECT count(*) FROM notice WHERE state = 4"),
	    16);
}

static void
an_order_that_was_not_verified_in_time_is_told(void **state)
{
	struct notices_desk *nd = *state;
	int64_t change = begin_change(nd, "www.example.com");

	enroll_desk_put(nd->desk, change, CHANGE_EXPIRED, "in time", 0);
	put_act_on(nd, "acme.expired", "change", change, "in time");
	look_at_history(nd);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_CHANGE_EXPIRED, "expired"), EVERYBODY);
	assert_non_null(
	    strstr(notices_desk_newest(nd).subject, "not verified in time"));
}

static void
put_challenge(struct notices_desk *nd, int64_t change)
{
	struct challenge_row row = { .change = change,
		.state = CHALLENGE_PENDING };
	struct db_tx *tx = notices_desk_write(nd);

	snprintf(row.hostname, sizeof(row.hostname), "www.example.com");
	snprintf(row.type, sizeof(row.type), "dns-01");
	snprintf(row.dns_name, sizeof(row.dns_name),
	    "_acme-challenge.www.example.com");
	snprintf(row.dns_value, sizeof(row.dns_value), "VALUE-of-the-day_123");
	notices_desk_commit(nd, tx, store_challenges_put(tx, &row));
}

static void
a_change_that_waits_is_told_with_the_records_to_add(void **state)
{
	struct notices_desk *nd = *state;
	scoped(notice_body_done) struct notice_body body = { 0 };
	int64_t change = begin_change(nd, "www.example.com"), id;
	struct db_tx *tx;

	notices_desk_run(nd, "UPDATE enrollment SET validation = 3");
	put_challenge(nd, change);
	enroll_desk_put(nd->desk, change, CHANGE_AWAITING_VERIFY, "", 0);
	put_act_on(nd, "acme.awaits", "change", change, "");
	look_at_history(nd);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_CHANGE_NEEDS_YOU, "verify"),
	    EVERYBODY);
	id = notices_desk_newest(nd).id;
	OK(store_read(nd->desk->store, &tx));
	OK(store_notices_body(tx, id, &body));
	db_end(tx);
	assert_non_null(
	    strstr(body.text, "    _acme-challenge.www.example.com. IN TXT "
			      "\"VALUE-of-the-day_123\"\n"));
	assert_non_null(strstr(body.text, DESK_CONSOLE "/console/changes/"));
	assert_non_null(strstr(body.html, "&quot;VALUE-of-the-day_123&quot;"));
	/* It went on before it was sent. */
	enroll_desk_put(nd->desk, change, CHANGE_VALIDATING, "", 0);
	look_all(nd);
	assert_int_equal(notices_desk_newest(nd).state, NOTICE_CANCELLED);
	/* And one that has gone on already is told to nobody. */
	put_act_on(nd, "acme.awaits", "change", change, "");
	look_at_history(nd);
	assert_int_equal(count(nd), 4);
}

static void
an_enrollment_that_names_contacts_tells_those_of_them(void **state)
{
	struct notices_desk *nd = *state;
	int64_t change = begin_change(nd, "www.example.com");
	char sql[120];

	snprintf(sql, sizeof(sql), "UPDATE enrollment SET contacts = '%lld'",
	    (long long)nd->technical);
	notices_desk_run(nd, sql);
	enroll_desk_put(nd->desk, change, CHANGE_FAILED, "no", 0);
	put_act_on(nd, "acme.failed", "change", change, "no");
	look_at_history(nd);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_ISSUE_FAILED, "failed"),
	    "ada@acme.example eve@acme.example tec@acme.example");
}

static void
a_revocation_is_told_whoever_wanted_it(void **state)
{
	struct notices_desk *nd = *state;
	int64_t a =
	    notices_desk_certificate(nd, "a", "a.example.com", 90 * DAY_S);
	int64_t b =
	    notices_desk_certificate(nd, "b", "b.example.com", 90 * DAY_S);

	put_act_on(nd, "acme.revoked", "certificate", a, "ca");
	look_at_history(nd);
	assert_string_equal(
	    notices_desk_told(nd, NOTICE_REVOKED, "revoked"), EVERYBODY);
	put_act_on(nd, "acme.found_revoked", "certificate", b,
	    "since 2026-01-01, key compromise; CRL http://ca.example/crl");
	put_act(nd, "acme.revoked", "certificate 99999", "gone");
	put_act(nd, "acme.revoked", "certificate x", "none");
	look_at_history(nd);
	assert_int_equal(count(nd), 8);
}

static void
webhooks_of_the_account_are_told_and_no_others(void **state)
{
	struct notices_desk *nd = *state;
	scoped(notice_body_done) struct notice_body body = { 0 };
	int64_t mine = notices_desk_webhook(nd, "a", "https://a.example/");
	int64_t off = notices_desk_webhook(nd, "b", "https://b.example/");
	int64_t theirs = notices_desk_webhook(nd, "c", "https://c.example/");
	struct db_tx *tx;
	char sql[256];
	struct notice_row row;

	snprintf(sql, sizeof(sql),
	    "UPDATE notice_rule SET told = 0, webhooks = '%lld %lld %lld'"
	    " WHERE event = 1",
	    (long long)mine, (long long)off, (long long)theirs);
	notices_desk_run(nd, sql);
	snprintf(sql, sizeof(sql),
	    "UPDATE webhook SET disabled = id = %lld, account = account + (id"
	    " = %lld)",
	    (long long)off, (long long)theirs);
	notices_desk_run(nd, sql);
	notices_desk_certificate(
	    nd, "\"shop\" </b>", "shop.example.com", 10 * DAY_S);
	look_at_expiry(nd, store_now_s());
	assert_int_equal(count(nd), 1);
	row = notices_desk_newest(nd);
	assert_int_equal(row.webhook, mine);
	OK(store_read(nd->desk->store, &tx));
	OK(store_notices_body(tx, row.id, &body));
	db_end(tx);
	assert_int_equal(
	    strncmp(body.payload, "{\"event\":\"expiring\",", 20), 0);
	assert_non_null(strstr(body.payload, "\"hostnames\":[\"shop."));
	assert_string_equal(body.text, "");
}

/* ---- the end ---- */

static void
old_notices_go_some_at_a_time_and_the_cursor_stays(void **state)
{
	struct notices_desk *nd = *state;
	char cursor[24] = "", before[24] = "";
	struct db_tx *tx;

	put_act(nd, "acme.revoked", "certificate 99999", "gone");
	look_at_history(nd);
	OK(store_read(nd->desk->store, &tx));
	OK(store_meta_get(tx, "notices.event", before, sizeof(before)));
	db_end(tx);
	for (int i = 0; i < 4; i++)
		notices_desk_queue(nd, "ada@acme.example", 0);
	notices_desk_run(nd,
	    "UPDATE notice SET created_s = created_s - 401 * 86400"
	    " WHERE id % 2 = 0");
	look_all(nd);
	assert_int_equal(count(nd), 2);
	OK(store_read(nd->desk->store, &tx));
	OK(store_meta_get(tx, "notices.event", cursor, sizeof(cursor)));
	db_end(tx);
	assert_string_equal(cursor, before);
}

int
main(void)
{
#define T(test)                                                                \
	cmocka_unit_test_setup_teardown(test, notices_desk_set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_threshold_is_crossed_days_before_and_that_of_zero_on_the_day),
		T(that_one_has_expired_which_nobody_uses_is_no_news),
		T(each_threshold_is_told_once_to_each_whom_the_rule_tells),
		T(of_thresholds_crossed_at_once_the_nearest_alone_is_told),
		T(the_first_look_ever_tells_what_is_near_and_not_what_is_over),
		T(a_clock_that_was_ahead_and_went_back_loses_and_doubles_nothing),
		T(an_upload_with_five_days_left_gets_the_notice_of_seven),
		T(a_mail_gathers_no_longer_than_half_of_what_is_left),
		T(rules_say_the_days_and_each_rule_counts_for_itself),
		T(users_who_are_disabled_muted_or_of_another_account_are_not_told),
		T(certificates_that_acme_renews_get_no_notice_of_their_end),
		T(one_that_nobody_uses_is_quiet_when_another_for_its_names_ends_later),
		T(what_a_clock_that_was_ahead_put_off_is_due_again),
		T(past_so_many_a_day_what_is_joined_keeps_no_text_of_its_own),
		T(what_is_sent_is_found_by_when_it_is_due_and_for_whom),
		T(what_waits_is_cancelled_once_the_successor_is_proven),
		T(one_that_was_deleted_or_has_expired_is_not_told_as_expiring),
		cmocka_unit_test(
		    accounts_of_an_older_schema_get_the_rules_and_no_old_news),
		T(two_certds_on_one_database_tell_once),
		T(what_happened_is_told_once_whatever_is_restarted),
		T(a_renewal_that_went_well_is_told_only_where_that_is_wanted),
		T(a_failure_is_told_and_those_that_follow_by_themselves_are_not),
		T(a_failing_renewal_is_told_first_and_as_the_end_nears),
		T(an_order_that_was_not_verified_in_time_is_told),
		T(a_change_that_waits_is_told_with_the_records_to_add),
		T(an_enrollment_that_names_contacts_tells_those_of_them),
		T(a_revocation_is_told_whoever_wanted_it),
		T(webhooks_of_the_account_are_told_and_no_others),
		T(old_notices_go_some_at_a_time_and_the_cursor_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
