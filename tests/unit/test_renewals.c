/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When certificates are renewed: the moments themselves, what a tick does with
 * those that are due and that it looks at no others, and what CAs say.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "certd/issue.h"
#include "certd/issuer_history.h"
#include "certd/renewals.h"
#include "certd/store_leaving.h"
#include "certd/store_revocations.h"
#include "tests/unit/issuer_desk.h"

#define HOUR_S 3600
#define DAY_S (24 * HOUR_S)

/* ---- moments ---- */

static void
a_third_of_the_lifetime_is_left_give_or_take_a_twentieth_of_it(void **state)
{
	static const int64_t lives_s[] = { 90 * DAY_S, 45 * DAY_S, 6 * DAY_S,
		HOUR_S, 60 };

	(void)state;
	for (size_t i = 0; i < sizeof(lives_s) / sizeof(lives_s[0]); i++) {
		int64_t end_s = 1000000 + lives_s[i], third = lives_s[i] / 3;
		int64_t least = INT64_MAX, most = 0;

		for (int64_t id = 1; id <= 1000; id++) {
			uint64_t seed = renewals_seed(id, end_s);
			int64_t at_s = renewals_at(1000000, end_s, seed);

			assert_in_range(end_s - at_s, third - third / 20,
			    third + third / 20);
			assert_int_equal(
			    at_s, renewals_at(1000000, end_s, seed));
			least = at_s < least ? at_s : least;
			most = at_s > most ? at_s : most;
		}
		/* They are spread. */
		assert_true(most - least >= third / 20);
	}
}

static void
dates_that_make_no_sense_are_renewed_at_once(void **state)
{
	(void)state;
	assert_int_equal(renewals_at(5000, 4000, 1), 5000);
	assert_int_equal(renewals_at(5000, 5001, 1), 5000);
}

static void
a_window_is_drawn_from_and_a_past_one_is_past(void **state)
{
	int64_t end_s = 100 * DAY_S, least = INT64_MAX, most = 0;

	(void)state;
	for (int64_t id = 1; id <= 1000; id++) {
		uint64_t seed = renewals_seed(id, end_s);
		int64_t at_s =
		    renewals_in_window(60 * DAY_S, 62 * DAY_S, end_s, seed);

		assert_in_range(at_s, 60 * DAY_S, 62 * DAY_S);
		assert_int_equal(at_s,
		    renewals_in_window(60 * DAY_S, 62 * DAY_S, end_s, seed));
		least = at_s < least ? at_s : least;
		most = at_s > most ? at_s : most;
	}
	assert_true(most - least > DAY_S);
	assert_int_equal(renewals_in_window(7, 7, end_s, 3), 7);
	/* Never later than that, nor beyond a window that is the wrong way
	 * round. */
	assert_int_equal(
	    renewals_in_window(200 * DAY_S, 201 * DAY_S, end_s, 3), end_s);
	assert_int_equal(renewals_in_window(9, 8, end_s, 3), 9);
}

static void
a_twelfth_of_the_lifetime_is_left_whatever_the_ca_says(void **state)
{
	(void)state;
	assert_int_equal(renewals_latest(0, 90 * DAY_S), 165 * DAY_S / 2);
	assert_int_equal(renewals_latest(0, HOUR_S), HOUR_S - 300);
	assert_int_equal(renewals_latest(5000, 4000), 5000);
}

static void
a_ca_is_asked_again_within_a_minute_and_a_day(void **state)
{
	(void)state;
	assert_int_equal(renewals_ask_at(1000, 1, 5), 1060);
	assert_int_equal(renewals_ask_at(1000, 21600, 5), 22600);
	assert_int_equal(renewals_ask_at(1000, 864000, 5), 1000 + DAY_S);
	assert_in_range(
	    renewals_ask_at(1000, 0, 5), 1000 + 6 * HOUR_S, 1000 + 7 * HOUR_S);
}

static void
pauses_grow_to_a_day_and_a_fifth(void **state)
{
	int64_t last_s = 0;

	(void)state;
	for (unsigned i = 1; i <= 7; i++) {
		assert_true(renewals_pause_s(i, 1) > last_s);
		last_s = renewals_pause_s(i, 1);
	}
	assert_in_range(renewals_pause_s(1, 9), 60, 72);
	assert_in_range(
	    renewals_pause_s(4000000000u, 9), DAY_S, DAY_S + DAY_S / 5);
}

static void
what_was_there_is_tried_for_on_and_a_first_one_a_few_times(void **state)
{
	struct renewal_row row = { .certificate = 5,
		.not_after_s = 1000 * DAY_S };

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		renewals_failed(&row, "why", 999 * DAY_S);
		assert_true(row.renew_s > 999 * DAY_S);
	}
	/* Expired, it is wanted all the more. */
	renewals_failed(&row, "why", 1001 * DAY_S);
	assert_in_range(
	    row.renew_s, 1001 * DAY_S + 3 * HOUR_S, 1001 * DAY_S + 4 * HOUR_S);
	renewals_failed(&row, "why", 1009 * DAY_S);
	assert_in_range(row.renew_s, 1010 * DAY_S, 1011 * DAY_S);
	row = (struct renewal_row){ .enrollment = 1 };
	for (unsigned i = 1; i < RENEWALS_FIRST_TRIES; i++) {
		renewals_failed(&row, "why", 50);
		assert_true(row.renew_s > 50);
	}
	renewals_failed(&row, "why", 50);
	assert_int_equal(row.renew_s, 0);
}

/* Two days are left, as of one of six days when its time has come. */
static void
the_less_time_is_left_the_sooner_it_is_tried_again(void **state)
{
	const int64_t end_s = 2 * DAY_S;
	struct renewal_row row = { .certificate = 5, .not_after_s = end_s };
	int64_t now_s = 0, last_s = 0;
	unsigned tries = 0, late = 0;

	(void)state;
	for (; now_s < end_s; now_s = row.renew_s, tries++) {
		renewals_failed(&row, "why", now_s);
		assert_true(row.renew_s - now_s >= 60);
		late += now_s >= end_s - 12 * HOUR_S;
		last_s = now_s;
	}
	/* Often in the last half day, the last time shortly before the end, and
	 * never so often that a CA's limits are used up. */
	assert_in_range(late, 5, 12);
	assert_true(last_s >= end_s - 5 * HOUR_S / 4);
	assert_true(tries < 40);
	/* A site without a certificate does not wait a day for the next try,
	 * until it has waited for a week. */
	renewals_failed(&row, "why", end_s + HOUR_S);
	assert_in_range(
	    row.renew_s, end_s + 2 * HOUR_S, end_s + HOUR_S + 5 * HOUR_S / 4);
	renewals_failed(&row, "why", end_s + 8 * DAY_S);
	assert_in_range(
	    row.renew_s, end_s + 9 * DAY_S, end_s + 9 * DAY_S + DAY_S / 5);
	/* With weeks left its pauses are what they were. */
	row = (struct renewal_row){
		.certificate = 5, .not_after_s = 30 * DAY_S, .failures = 20
	};
	renewals_failed(&row, "why", 0);
	assert_in_range(row.renew_s, DAY_S, DAY_S + DAY_S / 5);
}

/* ---- the tick ---- */

static void
expect_number(struct desk *desk, const char *sql, int64_t number)
{
	int64_t is = desk_number(desk, sql);

	if (is != number)
		fail_msg("%s: %lld, not %lld", sql, (long long)is,
		    (long long)number);
}

static struct renewals_ticked
tick(struct desk *desk, int64_t now_s)
{
	struct renewals_ticked ticked;

	assert_int_equal(
	    renewals_tick(desk->store, now_s, &ticked).code, STATUS_OK);
	return ticked;
}

static void
a_tick_begins_what_is_due_a_hundred_at_a_time_and_once(void **state)
{
	struct desk *desk = *state;
	struct renewals_ticked ticked;

	desk_run(desk,
	    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
	    " WHERE i < 250) INSERT INTO enrollment (account, name,"
	    " common_name, hostnames, network, alg, validation, dns_provider,"
	    " authority, profile, preferred_chain, stepwise, standby, contacts,"
	    " state, created_s, created_by) SELECT 1, 'e' || i, '',"
	    " 'n' || i || '.example', 'standard', 1, 1, '', '', '', '', 0, 0,"
	    " '', 2, 1, 'test' FROM n");
	desk_run(desk,
	    "INSERT INTO renewal (enrollment, purpose, due_s, renew_s)"
	    " SELECT id, 0, id, id FROM enrollment");
	ticked = tick(desk, 0);
	assert_int_equal(ticked.n_due, 0);
	assert_int_equal(ticked.next_s, 1);
	ticked = tick(desk, 150);
	assert_int_equal(ticked.n_due, 100);
	assert_int_equal(ticked.n_begun, 100);
	assert_int_equal(ticked.next_s, 101);
	ticked = tick(desk, 150);
	assert_int_equal(ticked.n_begun, 50);
	assert_int_equal(ticked.next_s, 151);
	assert_int_equal(tick(desk, 150).n_due, 0);
	expect_number(desk, "SELECT count(*) FROM change WHERE kind = 1", 150);
	expect_number(
	    desk, "SELECT count(*) FROM renewal WHERE due_s = 0", 150);
}

/* What SQLite says it does for a statement. */
static void
expect_plan(struct desk *desk, const char *sql, const char *index)
{
	char explain[512], plan[512];
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct db_tx *tx;
	bool row = false;

	snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", sql);
	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(db_query(tx, &rows, explain, DB_NONE).code, STATUS_OK);
	assert_int_equal(db_next(rows, &row).code, STATUS_OK);
	assert_true(row);
	db_column_text(rows, 3, plan, sizeof(plan));
	if (strstr(plan, index) == NULL)
		fail_msg("%s: %s", sql, plan);
	/* One step: no sorting behind it. */
	assert_int_equal(db_next(rows, &row).code, STATUS_OK);
	assert_false(row);
	db_rows_free(rows);
	rows = NULL;
	db_end(tx);
}

static void
what_is_due_is_found_by_index_alone(void **state)
{
	struct desk *desk = *state;

	expect_plan(desk,
	    "SELECT enrollment, problem FROM renewal WHERE due_s > 0"
	    " ORDER BY due_s",
	    "USING INDEX renewal_due");
	expect_plan(desk,
	    "SELECT id, due_s FROM change WHERE ended_s = 0 AND due_s > 0"
	    " ORDER BY due_s",
	    "INDEX change_due");
	expect_plan(desk,
	    "SELECT id FROM change WHERE input > 0 AND ended_s = 0"
	    " ORDER BY input, id",
	    "INDEX change_given");
	expect_plan(desk,
	    "SELECT certificate, due_s FROM leaving ORDER BY due_s",
	    "INDEX leaving_due");
}

static void
a_change_under_way_is_not_doubled(void **state)
{
	struct desk *desk = *state;
	int64_t enrollment =
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL });

	(void)desk_change(desk, enrollment, CHANGE_KIND_REISSUE);
	desk_run(desk, "UPDATE renewal SET renew_s = 5, due_s = 5");
	assert_int_equal(tick(desk, 100).n_begun, 0);
	expect_number(desk, "SELECT count(*) FROM change", 1);
	assert_int_equal(
	    desk_renewal(desk, enrollment, 0).renew_s, 100 + HOUR_S);
	/* No standby is wanted. */
	assert_int_equal(desk_renewal(desk, enrollment, 1).renew_s, 0);
}

static void
a_clock_that_was_ahead_puts_nothing_off(void **state)
{
	struct desk *desk = *state;
	int64_t enrollment =
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL });

	(void)desk_change(desk, enrollment, CHANGE_KIND_RENEWAL);
	desk_run(desk,
	    "UPDATE renewal SET failures = 1 - purpose, renew_s = 99000000,"
	    " ask_s = 99000000 * purpose, due_s = 99000000");
	desk_run(desk, "UPDATE change SET due_s = 99000000");
	assert_int_equal(renewals_clamp(desk->store, 1000).code, STATUS_OK);
	assert_int_equal(desk_renewal(desk, enrollment, 0).due_s, 1000);
	assert_int_equal(desk_renewal(desk, enrollment, 0).renew_s, 1000);
	assert_int_equal(desk_renewal(desk, enrollment, 1).renew_s, 99000000);
	assert_int_equal(desk_renewal(desk, enrollment, 1).ask_s, 1000);
	expect_number(desk, "SELECT due_s FROM change", 1000);
}

static void
history_of_more_than_400_days_goes_some_at_a_time_and_once_a_day(void **state)
{
	struct desk *desk = *state;
	struct issuer_history history = { .next_s = 0 };
	const int64_t now_s = 1000 * DAY_S;
	int64_t next_s = 0;

	(void)desk_change(desk,
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL }),
	    CHANGE_KIND_ISSUE);
	desk_run(desk,
	    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
	    " WHERE i < 250) INSERT INTO change (enrollment, purpose, account,"
	    " resource, kind, hostnames, state, due_s, created_s, created_by,"
	    " ended_s) SELECT 1, 0, 1, 0, 2, 'a.example', 11, 0,"
	    " (350 + i) * 86400, 'test', (350 + i) * 86400 + 1 FROM n");
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    issuer_history_look(desk->store, &history, now_s, &next_s)
			.code,
		    STATUS_OK);
	assert_int_equal(next_s, now_s + DAY_S);
	expect_number(desk, "SELECT count(*) FROM change", 2);
	/* A clock that was ahead puts it off no longer. */
	assert_int_equal(
	    issuer_history_look(desk->store, &history, now_s - DAY_S, &next_s)
		.code,
	    STATUS_OK);
	assert_int_equal(next_s, now_s);
}

/* ---- what CAs say ---- */

static int64_t
have_one(struct desk *desk)
{
	int64_t enrollment =
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL });

	desk_start(desk);
	assert_int_equal(
	    desk_wait(desk, desk_change(desk, enrollment, CHANGE_KIND_ISSUE),
		CHANGE_DONE)
		.state,
	    CHANGE_DONE);
	return enrollment;
}

static void
the_window_of_the_ca_says_when(void **state)
{
	struct desk *desk = *state;
	struct acme_fake_script script = {
		.info = { .window_start_s = store_now_s() + 10 * DAY_S,
		    .window_end_s = store_now_s() + 12 * DAY_S,
		    .retry_after_s = 21600,
		    .explanation_url = "https://ca.test/why" }
	};
	int64_t enrollment = have_one(desk);
	struct renewal_row row;

	acme_fake_script(acme_fake_at(desk->authorities, FAKE_FIRST), &script);
	desk_run(desk, "UPDATE renewal SET ask_s = 1, due_s = 1"
		       " WHERE certificate IS NOT NULL");
	desk_wait_number(
	    desk, "SELECT count(*) FROM renewal WHERE window_end_s > 0", 1);
	row = desk_renewal(desk, enrollment, 0);
	assert_in_range(
	    row.renew_s, script.info.window_start_s, script.info.window_end_s);
	assert_string_equal(row.explanation_url, "https://ca.test/why");
	assert_in_range(
	    row.ask_s, store_now_s() + 21000, store_now_s() + 21600);
}

static void
a_window_in_the_past_renews_at_once(void **state)
{
	struct desk *desk = *state;
	struct acme_fake_script script = {
		.info = { .window_start_s = store_now_s() - 10 * DAY_S,
		    .window_end_s = store_now_s() - 9 * DAY_S,
		    .retry_after_s = 21600 }
	};

	(void)have_one(desk);
	acme_fake_script(acme_fake_at(desk->authorities, FAKE_FIRST), &script);
	desk_run(desk, "UPDATE renewal SET ask_s = 1, due_s = 1"
		       " WHERE certificate IS NOT NULL");
	desk_wait_number(desk,
	    "SELECT count(*) FROM change WHERE kind = 2 AND state = 11", 1);
}

static void
a_ca_that_wants_it_renewed_at_once_for_ever_is_followed_three_times(
    void **state)
{
	struct desk *desk = *state;
	struct acme_fake_script script = {
		.info = { .window_start_s = store_now_s() - 10 * DAY_S,
		    .window_end_s = store_now_s() - 9 * DAY_S,
		    .retry_after_s = 21600 }
	};
	const struct config_authority *ca =
	    authorities_at(desk->authorities, FAKE_FIRST);
	struct renewals_ask ask = { .enrollment = have_one(desk) };
	struct writer *writer = NULL;

	acme_fake_script(acme_fake_at(desk->authorities, FAKE_FIRST), &script);
	(void)desk_wait(desk,
	    desk_change(desk, ask.enrollment, CHANGE_KIND_RENEWAL),
	    CHANGE_DONE);
	desk_stop(desk);
	assert_int_equal(writer_new(desk->store, &writer).code, STATUS_OK);
	snprintf(ask.authority, sizeof(ask.authority), "%s", ca->name);
	ask.certificate = desk_renewal(desk, ask.enrollment, 0).certificate;
	renewals_ask(&desk->issuer_config, writer, &ask);
	assert_true(
	    desk_renewal(desk, ask.enrollment, 0).renew_s < store_now_s());
	desk_start(desk);
	desk_wait_number(
	    desk, "SELECT count(*) FROM change WHERE state = 11", 3);
	desk_stop(desk);
	ask.certificate = desk_renewal(desk, ask.enrollment, 0).certificate;
	renewals_ask(&desk->issuer_config, writer, &ask);
	assert_in_range(desk_renewal(desk, ask.enrollment, 0).renew_s,
	    store_now_s() + DAY_S - 600, store_now_s() + DAY_S);
	writer_free(writer);
}

static void
a_revoked_certificate_is_replaced_at_once(void **state)
{
	struct desk *desk = *state;
	int64_t enrollment = have_one(desk);
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     renewals_revoked(tx,
				 desk_renewal(desk, enrollment, 0).certificate))
			     .code,
	    STATUS_OK);
	desk_wait_number(desk,
	    "SELECT count(*) FROM change WHERE kind = 4 AND state = 11", 1);
}

/* Which the CA refuses once, for that problem. */
static void
begin_revocation(
    struct desk *desk, int reason, const struct acme_problem *problem)
{
	struct revocation_row row = { .enrollment = have_one(desk),
		.certificate = 1,
		.account = desk->account,
		.authority = "first",
		.reason = reason,
		.due_s = 1,
		.asked_by = "operator/admin" };
	struct db_tx *tx;

	acme_fake_fail(acme_fake_at(desk->authorities, FAKE_FIRST),
	    "certificate_revoke", problem, 1);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     store_revocations_put(tx, &row, bytes_of("DER")))
			     .code,
	    STATUS_OK);
}

/* Better for none than not at all. */
static void
a_revocation_for_a_reason_that_the_ca_does_not_take_is_for_none(void **state)
{
	struct desk *desk = *state;
	const struct acme_problem problem = {
		.type = ACME_PROBLEM_BAD_REVOCATION_REASON,
		.http_status = 400,
		.retry_after_ms = -1,
		.why = "not that one",
	};

	begin_revocation(desk, 5, &problem);
	desk_wait_number(
	    desk, "SELECT count(*) FROM revocation WHERE attempts = 1", 1);
	expect_number(desk,
	    "SELECT count(*) FROM revocation WHERE done_s > 0 AND problem = ''",
	    1);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).revocations, 1);
}

static void
a_revocation_is_asked_for_until_the_ca_has_done_it(void **state)
{
	struct desk *desk = *state;
	const struct acme_problem problem = {
		.type = ACME_PROBLEM_SERVER_INTERNAL,
		.http_status = 500,
		.is_temporary = true,
		.retry_after_ms = -1,
		.why = "it is on fire",
	};

	begin_revocation(desk, 4, &problem);
	desk_wait_number(desk,
	    "SELECT count(*) FROM revocation WHERE attempts = 1"
	    " AND problem LIKE '%on fire%' AND due_s > 1000",
	    1);
	desk_run(desk, "UPDATE revocation SET due_s = 1");
	desk_wait_number(desk,
	    "SELECT count(*) FROM revocation WHERE done_s > 0 AND due_s = 0",
	    1);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).revocations, 1);
	expect_number(
	    desk, "SELECT count(*) FROM event WHERE act = 'acme.revoked'", 1);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_third_of_the_lifetime_is_left_give_or_take_a_twentieth_of_it),
		cmocka_unit_test(dates_that_make_no_sense_are_renewed_at_once),
		cmocka_unit_test(a_window_is_drawn_from_and_a_past_one_is_past),
		cmocka_unit_test(a_ca_is_asked_again_within_a_minute_and_a_day),
		cmocka_unit_test(pauses_grow_to_a_day_and_a_fifth),
		cmocka_unit_test(
		    the_less_time_is_left_the_sooner_it_is_tried_again),
		cmocka_unit_test(
		    a_twelfth_of_the_lifetime_is_left_whatever_the_ca_says),
		cmocka_unit_test(
		    what_was_there_is_tried_for_on_and_a_first_one_a_few_times),
		TEST(a_tick_begins_what_is_due_a_hundred_at_a_time_and_once),
		TEST(what_is_due_is_found_by_index_alone),
		TEST(a_change_under_way_is_not_doubled),
		TEST(a_clock_that_was_ahead_puts_nothing_off),
		TEST(
		    history_of_more_than_400_days_goes_some_at_a_time_and_once_a_day),
		TEST(the_window_of_the_ca_says_when),
		TEST(a_window_in_the_past_renews_at_once),
		TEST(
		    a_ca_that_wants_it_renewed_at_once_for_ever_is_followed_three_times),
		TEST(a_revoked_certificate_is_replaced_at_once),
		TEST(
		    a_revocation_for_a_reason_that_the_ca_does_not_take_is_for_none),
		TEST(a_revocation_is_asked_for_until_the_ca_has_done_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
