/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How long what does not go on is waited for, and what waits for whom, over a
 * real store with CAs, token and solver in memory: nothing is waited for for
 * ever while a certificate is to be had, and who waits holds up nobody else.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "certd/delays.h"
#include "certd/issue.h"
#include "tests/unit/issuer_desk.h"

#define DAY_S 86400

static const struct acme_problem on_fire = {
	.type = ACME_PROBLEM_SERVER_INTERNAL,
	.http_status = 500,
	.is_temporary = true,
	.retry_after_ms = -1,
	.why = "it is on fire",
};

static struct acme *
first(struct desk *desk)
{
	return acme_fake_at(desk->authorities, FAKE_FIRST);
}

static void
expect_number(struct desk *desk, const char *sql, int64_t number)
{
	int64_t is = desk_number(desk, sql);

	if (is != number)
		fail_msg("%s: %lld, not %lld", sql, (long long)is,
		    (long long)number);
}

/* One that an edge is waited for; as it was put away. */
static int64_t
have_proving(struct desk *desk)
{
	int64_t resource = desk_resource(desk, "shop", "a.example b.example");
	int64_t change = desk_change(desk,
	    desk_enrollment(
		desk, (struct desk_enrollment){ .resource = resource }),
	    CHANGE_KIND_ISSUE);

	desk_run(desk,
	    "INSERT INTO edge (name, edge_group, first_s, last_seen_s)"
	    " VALUES ('e1', 'web', 1, unixepoch())");
	desk_start(desk);
	(void)desk_wait(desk, change, CHANGE_PROVING);
	desk_stop(desk);
	return change;
}

static void
what_was_put_away_for_its_polls_is_put_away_after_one_more(void **state)
{
	struct desk *desk = *state;

	(void)have_proving(desk);
	desk_run(desk, "UPDATE change SET attempts = 5, due_s = 1");
	desk_start(desk);
	desk_wait_number(desk,
	    "SELECT count(*) FROM change WHERE attempts = 6"
	    " AND due_s > unixepoch() + 30",
	    1);
}

/* A change that has its order, with the CA's script and the row as they are
 * given from then on. */
static struct change_row
go_on(struct desk *desk, const char *sql)
{
	int64_t change = desk_change(desk,
	    desk_enrollment(desk, (struct desk_enrollment){ .stepwise = true }),
	    CHANGE_KIND_ISSUE);

	desk_start(desk);
	(void)desk_wait(desk, change, CHANGE_AWAITING_VERIFY);
	desk_stop(desk);
	desk_run(desk, "UPDATE enrollment SET stepwise = 0");
	desk_run(desk, sql);
	desk_start(desk);
	return desk_wait(desk, change, CHANGE_DONE);
}

static void
a_ca_that_is_at_it_for_half_a_day_is_given_up(void **state)
{
	struct desk *desk = *state;
	int64_t change = desk_change(desk,
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL }),
	    CHANGE_KIND_ISSUE);
	struct change_row row;

	acme_fake_script(
	    first(desk), &(struct acme_fake_script){ .processing = 1000000 });
	desk_start(desk);
	(void)desk_wait(desk, change, CHANGE_FINALIZING);
	desk_wait_number(
	    desk, "SELECT count(*) FROM change WHERE key IS NOT NULL", 1);
	desk_stop(desk);
	desk_run(desk, "UPDATE change SET attempts = 720, due_s = 1");
	desk_start(desk);
	row = desk_wait(desk, change, CHANGE_DONE);
	assert_int_equal(row.state, CHANGE_FAILED);
	assert_non_null(strstr(row.problem, "in half a day"));
}

static void
a_ca_that_says_at_once_is_not_asked_without_a_pause(void **state)
{
	scoped(delays_free) struct delays *delays = NULL;
	struct issue issue = { .row.state = CHANGE_VALIDATING,
		.saved_state = CHANGE_VALIDATING,
		.since_ns = clock_mono_ns() };
	struct pace pace = { .how = PACE_ON };

	(void)state;
	assert_false(failed(delays_new(&delays)));
	issue.delays = delays;
	for (int i = 0; i < 16; i++) {
		pace = issue_poll(&issue, 0);
		assert_int_equal(pace.how, PACE_WAIT);
		assert_true(pace.wait_ms > 0);
	}
	assert_true(pace.wait_ms >= 1000);
}

static void
an_order_that_a_ca_does_not_go_on_with_is_given_up(void **state)
{
	struct desk *desk = *state;
	struct change_row row;

	acme_fake_fail(first(desk), "order_get", &on_fire, 1000000);
	row =
	    go_on(desk, "UPDATE change SET state = 6, attempts = 30, due_s = 1,"
			" problem = 'CA first: it is on fire'");
	assert_int_equal(row.state, CHANGE_FAILED);
	assert_non_null(strstr(row.problem, "it is on fire"));
}

static void
what_cannot_be_seen_from_here_for_half_a_day_the_ca_looks_at(void **state)
{
	struct desk *desk = *state;

	solver_fake_hide(desk->solver, true);
	assert_int_equal(
	    go_on(
		desk, "UPDATE change SET state = 4, attempts = 720, due_s = 1")
		.state,
	    CHANGE_DONE);
	expect_number(desk,
	    "SELECT count(*) FROM change_event WHERE text LIKE"
	    " '%not seen in place%'",
	    1);
}

static void
a_renewal_that_checks_forbid_for_a_day_is_asked_for_all_the_same(void **state)
{
	struct desk *desk = *state;
	int64_t enrollment =
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL });
	int64_t change;

	desk_start(desk);
	(void)desk_wait(desk, desk_change(desk, enrollment, CHANGE_KIND_ISSUE),
	    CHANGE_DONE);
	desk_stop(desk);
	desk->config.acme.preflight = true;
	checks_fake_forbid(desk->checks, "www.example is not here");
	change = desk_change(desk, enrollment, CHANGE_KIND_RENEWAL);
	desk_run(desk,
	    "UPDATE change SET state = 2, attempts = 30 WHERE ended_s = 0");
	desk_start(desk);
	assert_int_equal(
	    desk_wait(desk, change, CHANGE_DONE).state, CHANGE_DONE);
	expect_number(desk,
	    "SELECT count(*) FROM change_event WHERE text LIKE"
	    " 'The CA is asked all the same: www.example is not here'",
	    1);
}

static void
an_order_that_has_ended_when_it_comes_is_gone_on_with(void **state)
{
	struct desk *desk = *state;
	int64_t change = desk_change(desk,
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL }),
	    CHANGE_KIND_ISSUE);

	acme_fake_script(
	    first(desk), &(struct acme_fake_script){ .expires_s = -DAY_S });
	desk_start(desk);
	assert_int_equal(
	    desk_wait(desk, change, CHANGE_DONE).state, CHANGE_DONE);
}

static void
an_order_that_never_ends_is_not_waited_for_so_long(void **state)
{
	struct desk *desk = *state;
	int64_t change = desk_change(desk,
	    desk_enrollment(desk, (struct desk_enrollment){ .stepwise = true }),
	    CHANGE_KIND_ISSUE);

	acme_fake_script(first(desk),
	    &(struct acme_fake_script){ .expires_s = INT64_C(99999999999) });
	desk_start(desk);
	assert_in_range(desk_wait(desk, change, CHANGE_AWAITING_VERIFY).due_s,
	    store_now_s() + DAY_S, store_now_s() + 8 * DAY_S);
}

static void
a_key_that_goes_again_is_not_used(void **state)
{
	struct desk *desk = *state;
	int64_t change = desk_change(desk,
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL }),
	    CHANGE_KIND_ISSUE);

	token_fake_lose_for_good(desk->custody);
	desk_start(desk);
	assert_int_equal(
	    desk_wait(desk, change, CHANGE_DONE).state, CHANGE_DONE);
	assert_int_equal(token_fake_keys(desk->custody), 2);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).orders, 1);
	/* The janitor ends it. */
	expect_number(desk, "SELECT count(*) FROM key_intent", 1);
}

static void
a_ca_that_does_not_answer_leaves_workers_for_another(void **state)
{
	struct desk *desk = *state;
	int64_t change;

	acme_fake_hold(first(desk), true);
	for (int i = 0; i < 6; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%d.example", i);
		(void)desk_change(desk,
		    desk_enrollment(
			desk, (struct desk_enrollment){ .names = name,
				  .authority = "first" }),
		    CHANGE_KIND_ISSUE);
	}
	change = desk_change(desk,
	    desk_enrollment(
		desk, (struct desk_enrollment){ .authority = "second" }),
	    CHANGE_KIND_ISSUE);
	desk_start(desk);
	assert_int_equal(
	    desk_wait(desk, change, CHANGE_DONE).state, CHANGE_DONE);
	expect_number(desk, "SELECT count(*) FROM change WHERE ended_s = 0", 6);
	acme_fake_hold(first(desk), false);
	desk_wait_number(
	    desk, "SELECT count(*) FROM change WHERE state = 11", 7);
}

/* Each request that waits for the CA's limits gets what it has waited for. */
static void
anothers_proof_is_given_up_however_little_a_ca_may_be_asked(void **state)
{
	struct desk *desk = *state;
	int64_t mine =
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL });
	int64_t theirs = desk_enrollment(desk,
	    (struct desk_enrollment){ .account = desk_account(desk, "rival") });

	acme_fake_script(
	    first(desk), &(struct acme_fake_script){
			     .reuses_proofs = true, .is_limited = true });
	desk_start(desk);
	assert_int_equal(
	    desk_wait(
		desk, desk_change(desk, mine, CHANGE_KIND_ISSUE), CHANGE_DONE)
		.state,
	    CHANGE_DONE);
	assert_int_equal(
	    desk_wait(
		desk, desk_change(desk, theirs, CHANGE_KIND_ISSUE), CHANGE_DONE)
		.state,
	    CHANGE_DONE);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).deactivations, 2);
}

static void
what_is_wrong_is_asked_however_little_a_ca_may_be_asked(void **state)
{
	struct desk *desk = *state;
	struct change_row row;

	acme_fake_script(
	    first(desk), &(struct acme_fake_script){
			     .is_invalid = true, .is_limited = true });
	desk_start(desk);
	row = desk_wait(desk,
	    desk_change(desk,
		desk_enrollment(
		    desk, (struct desk_enrollment){ .names = NULL }),
		CHANGE_KIND_ISSUE),
	    CHANGE_DONE);
	assert_int_equal(row.state, CHANGE_FAILED);
	assert_non_null(
	    strstr(row.problem, "a.example: what was there is something else"));
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(
		    what_was_put_away_for_its_polls_is_put_away_after_one_more),
		TEST(a_ca_that_is_at_it_for_half_a_day_is_given_up),
		cmocka_unit_test(
		    a_ca_that_says_at_once_is_not_asked_without_a_pause),
		TEST(an_order_that_a_ca_does_not_go_on_with_is_given_up),
		TEST(
		    what_cannot_be_seen_from_here_for_half_a_day_the_ca_looks_at),
		TEST(
		    a_renewal_that_checks_forbid_for_a_day_is_asked_for_all_the_same),
		TEST(an_order_that_has_ended_when_it_comes_is_gone_on_with),
		TEST(an_order_that_never_ends_is_not_waited_for_so_long),
		TEST(a_key_that_goes_again_is_not_used),
		TEST(a_ca_that_does_not_answer_leaves_workers_for_another),
		TEST(
		    anothers_proof_is_given_up_however_little_a_ca_may_be_asked),
		TEST(what_is_wrong_is_asked_however_little_a_ca_may_be_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
