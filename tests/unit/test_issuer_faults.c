/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What goes wrong when certificates are obtained, over a real store with CAs,
 * token and solver in memory: what a CA gives is refused unless it is what was
 * asked for, what may pass is waited for, and nothing is left behind.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/issuer_desk.h"

#define DAY_S 86400

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

static struct change_row
issue_one(struct desk *desk, int64_t enrollment, int kind)
{
	return desk_wait(
	    desk, desk_change(desk, enrollment, kind), CHANGE_DONE);
}

static struct change_row
fail_one(struct desk *desk, const char *why)
{
	int64_t resource = desk_resource(desk, "shop", "a.example b.example");
	int64_t enrollment = desk_enrollment(
	    desk, (struct desk_enrollment){ .resource = resource });
	struct change_row row;

	desk_start(desk);
	row = issue_one(desk, enrollment, CHANGE_KIND_ISSUE);
	assert_int_equal(row.state, CHANGE_FAILED);
	if (strstr(row.problem, why) == NULL)
		fail_msg("%s", row.problem);
	expect_number(desk, "SELECT count(*) FROM certificate", 0);
	expect_number(desk, "SELECT count(*) FROM binding", 0);
	expect_number(desk, "SELECT count(*) FROM key", 0);
	/* Nothing is bound, so nothing is served by TLS. */
	expect_number(desk, "SELECT https FROM resource", 0);
	expect_number(desk, "SELECT state FROM enrollment", ENROLLMENT_FAILED);
	expect_number(
	    desk, "SELECT count(*) FROM event WHERE act = 'acme.failed'", 1);
	assert_int_equal(solver_fake_tokens(desk->solver), 0);
	assert_int_equal(desk_renewal(desk, enrollment, 0).failures, 1);
	assert_true(
	    desk_renewal(desk, enrollment, 0).renew_s > store_now_s() + 50);
	return row;
}

static void
a_certificate_for_another_key_is_refused(void **state)
{
	struct desk *desk = *state;

	acme_fake_script(
	    first(desk), &(struct acme_fake_script){ .wrong_key = true });
	(void)fail_one(desk, "was refused");
	expect_number(desk, "SELECT count(*) FROM key_doomed", 1);
}

static void
a_certificate_that_has_expired_is_refused(void **state)
{
	struct desk *desk = *state;

	acme_fake_script(first(desk),
	    &(struct acme_fake_script){ .from_s = -DAY_S, .to_s = -60 });
	(void)fail_one(desk, "expired");
}

static void
a_certificate_without_one_of_the_names_is_refused(void **state)
{
	struct desk *desk = *state;

	acme_fake_script(
	    first(desk), &(struct acme_fake_script){ .lacks_name = true });
	(void)fail_one(desk, "it is not for b.example");
}

static void
a_chain_that_is_none_is_refused(void **state)
{
	struct desk *desk = *state;

	acme_fake_script(
	    first(desk), &(struct acme_fake_script){ .not_acme = true });
	(void)fail_one(desk, "was refused");
}

static void
an_invalid_order_ends_it_in_the_words_of_the_ca(void **state)
{
	struct desk *desk = *state;

	acme_fake_script(
	    first(desk), &(struct acme_fake_script){ .is_invalid = true });
	(void)fail_one(desk, "a.example: what was there is something else");
}

static void
what_the_ca_refuses_ends_it(void **state)
{
	struct desk *desk = *state;
	const struct acme_problem problem = {
		.type = ACME_PROBLEM_REJECTED_IDENTIFIER,
		.http_status = 400,
		.retry_after_ms = -1,
		.why = "b.example is on a list",
	};

	acme_fake_fail(first(desk), "order_new", &problem, 1);
	(void)fail_one(desk, "CA first: b.example is on a list");
}

static void
a_ca_that_fails_for_a_while_is_asked_again(void **state)
{
	struct desk *desk = *state;
	static const char *const calls[] = { "order_get", "authorization_get",
		"challenge_answer", "order_finalize", "certificate_get" };
	const struct acme_problem problem = {
		.type = ACME_PROBLEM_SERVER_INTERNAL,
		.http_status = 500,
		.is_temporary = true,
		.retry_after_ms = -1,
		.why = "it is on fire",
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		acme_fake_fail(first(desk), calls[i], &problem, 1);
	desk_start(desk);
	assert_int_equal(issue_one(desk,
			     desk_enrollment(desk,
				 (struct desk_enrollment){ .names = NULL }),
			     CHANGE_KIND_ISSUE)
			     .state,
	    CHANGE_DONE);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).orders, 1);
}

static void
a_ca_that_is_down_is_passed_over_for_the_next(void **state)
{
	struct desk *desk = *state;
	struct change_row row;

	acme_fake_down(first(desk), true);
	desk_start(desk);
	row = issue_one(desk,
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL }),
	    CHANGE_KIND_ISSUE);
	assert_int_equal(row.state, CHANGE_DONE);
	assert_string_equal(row.authority, "second");
}

static void
a_ca_that_goes_down_before_the_order_is_left_for_the_next(void **state)
{
	struct desk *desk = *state;
	const struct acme_problem problem = {
		.type = ACME_PROBLEM_UNREACHABLE,
		.is_temporary = true,
		.retry_after_ms = -1,
		.why = "it does not answer",
	};
	int64_t change;

	acme_fake_fail(first(desk), "order_new", &problem, 100);
	acme_fake_fail(first(desk), "order_find", &problem, 100);
	change = desk_change(desk,
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL }),
	    CHANGE_KIND_ISSUE);
	desk_start(desk);
	desk_wait_number(
	    desk, "SELECT count(*) FROM change WHERE attempts > 0", 1);
	acme_fake_down(first(desk), true);
	assert_string_equal(
	    desk_wait(desk, change, CHANGE_DONE).authority, "second");
}

static void
an_order_whose_answer_was_lost_is_found_again(void **state)
{
	struct desk *desk = *state;

	acme_fake_lose(first(desk), "order_new");
	acme_fake_lose(first(desk), "order_finalize");
	acme_fake_lose(first(desk), "certificate_get");
	token_fake_lose(desk->custody);
	desk_start(desk);
	assert_int_equal(issue_one(desk,
			     desk_enrollment(desk,
				 (struct desk_enrollment){ .names = NULL }),
			     CHANGE_KIND_ISSUE)
			     .state,
	    CHANGE_DONE);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).orders, 1);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).finalizations, 1);
	assert_int_equal(token_fake_keys(desk->custody), 1);
}

/* The renewal is ordered again, without what the CA refused. */
static void
expect_without(struct desk *desk, const struct acme_problem *problem)
{
	int64_t enrollment =
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL });

	acme_fake_script(
	    first(desk), &(struct acme_fake_script){ .info.window_end_s = 1 });
	desk_start(desk);
	(void)issue_one(desk, enrollment, CHANGE_KIND_ISSUE);
	desk_stop(desk);
	acme_fake_fail(first(desk), "order_new", problem, 1);
	desk_run(desk, "UPDATE renewal SET due_s = 0, renew_s = 0, ask_s = 0");
	desk_start(desk);
	assert_int_equal(issue_one(desk, enrollment, CHANGE_KIND_RENEWAL).state,
	    CHANGE_DONE);
	assert_string_equal(desk_counts(desk, FAKE_FIRST).replaces, "");
}

static void
a_replacement_that_the_ca_has_already_is_ordered_without_it(void **state)
{
	expect_without(*state,
	    &(struct acme_problem){ .type = ACME_PROBLEM_ALREADY_REPLACED,
		.http_status = 409,
		.retry_after_ms = -1,
		.why = "replaced already" });
}

static void
a_replacement_of_what_the_ca_does_not_know_is_ordered_without_it(void **state)
{
	expect_without(
	    *state, &(struct acme_problem){ .type = ACME_PROBLEM_MALFORMED,
			.http_status = 400,
			.retry_after_ms = -1,
			.why = "there is no such certificate" });
}

static void
a_replacement_of_what_another_account_has_is_ordered_without_it(void **state)
{
	expect_without(
	    *state, &(struct acme_problem){ .type = ACME_PROBLEM_UNAUTHORIZED,
			.http_status = 403,
			.retry_after_ms = -1,
			.why = "another account asked for that one" });
}

static void
a_page_in_place_of_an_answer_is_no_reason_to_give_up(void **state)
{
	struct desk *desk = *state;
	const struct acme_problem problem = {
		.type = ACME_PROBLEM_NOT_ACME,
		.http_status = 200,
		.retry_after_ms = -1,
		.why = "it is HTML",
	};

	acme_fake_fail(first(desk), "order_new", &problem, 2);
	desk_start(desk);
	assert_int_equal(issue_one(desk,
			     desk_enrollment(desk,
				 (struct desk_enrollment){ .names = NULL }),
			     CHANGE_KIND_ISSUE)
			     .state,
	    CHANGE_DONE);
}

static void
a_preferred_chain_that_never_comes_does_not_cost_the_certificate(void **state)
{
	struct desk *desk = *state;
	int64_t enrollment =
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL });

	acme_fake_script(first(desk),
	    &(struct acme_fake_script){ .keeps_alternates = true });
	desk_run(desk, "UPDATE enrollment SET preferred_chain = 'A Root'");
	desk_start(desk);
	assert_int_equal(
	    issue_one(desk, enrollment, CHANGE_KIND_ISSUE).state, CHANGE_DONE);
	expect_number(desk,
	    "SELECT count(*) FROM change_event WHERE"
	    " text LIKE '%does not give its chain to A Root%'",
	    1);
	/* It gave its own: others may go on asking it. */
	assert_int_equal(desk_counts(desk, FAKE_FIRST).troubles, 0);
}

static void
a_preferred_chain_that_is_put_off_for_hours_is_not_waited_for(void **state)
{
	struct desk *desk = *state;
	int64_t enrollment =
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL });

	acme_fake_script(
	    first(desk), &(struct acme_fake_script){ .keeps_alternates = true,
			     .alternates_after_ms = 3600000 });
	desk_run(desk, "UPDATE enrollment SET preferred_chain = 'A Root'");
	desk_start(desk);
	assert_int_equal(
	    issue_one(desk, enrollment, CHANGE_KIND_ISSUE).state, CHANGE_DONE);
}

static const struct acme_problem new_terms = {
	.type = ACME_PROBLEM_USER_ACTION_REQUIRED,
	.http_status = 403,
	.retry_after_ms = -1,
	.why = "there are new terms",
};

static void
new_terms_of_a_ca_are_left_for_another_one(void **state)
{
	struct desk *desk = *state;
	struct change_row row;

	acme_fake_fail(first(desk), "order_new", &new_terms, 100);
	desk_start(desk);
	row = issue_one(desk,
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL }),
	    CHANGE_KIND_ISSUE);
	assert_int_equal(row.state, CHANGE_DONE);
	assert_string_equal(row.authority, "second");
}

/* They would be asked in turn for ever, and nobody told. */
static void
new_terms_of_all_cas_end_it(void **state)
{
	struct desk *desk = *state;

	acme_fake_fail(first(desk), "order_new", &new_terms, 100);
	acme_fake_fail(acme_fake_at(desk->authorities, FAKE_SECOND),
	    "order_new", &new_terms, 100);
	(void)fail_one(desk, "CA second: there are new terms");
}

static void
a_keyd_that_is_away_is_waited_for(void **state)
{
	struct desk *desk = *state;
	int64_t change = desk_change(desk,
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL }),
	    CHANGE_KIND_ISSUE);

	token_fake_away(desk->custody, true);
	desk_start(desk);
	desk_wait_number(
	    desk, "SELECT count(*) FROM change WHERE problem LIKE '%keyd%'", 1);
	token_fake_away(desk->custody, false);
	assert_int_equal(
	    desk_wait(desk, change, CHANGE_DONE).state, CHANGE_DONE);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).orders, 1);
}

static void
a_failed_renewal_leaves_the_old_certificate_serving(void **state)
{
	struct desk *desk = *state;
	int64_t resource = desk_resource(desk, "shop", "a.example b.example");
	int64_t enrollment = desk_enrollment(
	    desk, (struct desk_enrollment){ .resource = resource });
	struct change_row row;

	desk_start(desk);
	(void)issue_one(desk, enrollment, CHANGE_KIND_ISSUE);
	acme_fake_script(
	    first(desk), &(struct acme_fake_script){ .is_invalid = true });
	row = issue_one(desk, enrollment, CHANGE_KIND_RENEWAL);
	assert_int_equal(row.state, CHANGE_FAILED);
	expect_number(desk, "SELECT https FROM resource", 1);
	expect_number(desk, "SELECT count(*) FROM binding", 1);
	expect_number(desk, "SELECT state FROM enrollment", ENROLLMENT_ACTIVE);
	assert_int_equal(desk_renewal(desk, enrollment, 0).failures, 1);
	/* Of the name that was not to blame. */
	assert_int_equal(desk_counts(desk, FAKE_FIRST).deactivations, 1);
}

static void
what_preflight_forbids_is_not_asked_of_a_ca(void **state)
{
	struct desk *desk = *state;

	desk->config.acme.preflight = true;
	checks_fake_forbid(
	    desk->checks, "www.example has no CNAME to shop.edge.example");
	assert_int_equal(fail_one(desk, "has no CNAME").diagnosis, 77);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).orders, 0);
}

static void
a_renewal_that_preflight_forbids_looks_again_later(void **state)
{
	struct desk *desk = *state;
	int64_t change = desk_change(desk,
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL }),
	    CHANGE_KIND_RENEWAL);

	desk->config.acme.preflight = true;
	checks_fake_forbid(desk->checks, "www.example is not here");
	desk_start(desk);
	desk_wait_number(desk,
	    "SELECT count(*) FROM change WHERE state = 2"
	    " AND problem LIKE '%is not here%'",
	    1);
	checks_fake_forbid(desk->checks, NULL);
	desk_give(desk, change, CHANGE_INPUT_RETRY);
	assert_int_equal(
	    desk_wait(desk, change, CHANGE_DONE).state, CHANGE_DONE);
	assert_int_equal(checks_fake_runs(desk->checks), 2);
}

static void
two_changes_of_the_same_names_order_one_after_the_other(void **state)
{
	struct desk *desk = *state;
	int64_t changes[2];

	acme_fake_script(
	    first(desk), &(struct acme_fake_script){ .processing = 2 });
	for (size_t i = 0; i < 2; i++)
		changes[i] = desk_change(desk,
		    desk_enrollment(
			desk, (struct desk_enrollment){ .names = NULL }),
		    CHANGE_KIND_ISSUE);
	desk_start(desk);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(desk_wait(desk, changes[i], CHANGE_DONE).state,
		    CHANGE_DONE);
	/* The second one's order is younger than the first one's end. */
	expect_number(desk,
	    "SELECT count(*) FROM change_event a, change_event b"
	    " WHERE a.state = 4 AND b.state = 9 AND a.change <> b.change"
	    " AND a.id < b.id AND b.id < (SELECT max(id) FROM change_event"
	    "  WHERE change = a.change AND state = 9)",
	    0);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_certificate_for_another_key_is_refused),
		TEST(a_certificate_that_has_expired_is_refused),
		TEST(a_certificate_without_one_of_the_names_is_refused),
		TEST(a_chain_that_is_none_is_refused),
		TEST(an_invalid_order_ends_it_in_the_words_of_the_ca),
		TEST(what_the_ca_refuses_ends_it),
		TEST(a_ca_that_fails_for_a_while_is_asked_again),
		TEST(a_ca_that_is_down_is_passed_over_for_the_next),
		TEST(a_ca_that_goes_down_before_the_order_is_left_for_the_next),
		TEST(an_order_whose_answer_was_lost_is_found_again),
		TEST(
		    a_replacement_that_the_ca_has_already_is_ordered_without_it),
		TEST(
		    a_replacement_of_what_the_ca_does_not_know_is_ordered_without_it),
		TEST(
		    a_replacement_of_what_another_account_has_is_ordered_without_it),
		TEST(a_page_in_place_of_an_answer_is_no_reason_to_give_up),
		TEST(
		    a_preferred_chain_that_never_comes_does_not_cost_the_certificate),
		TEST(
		    a_preferred_chain_that_is_put_off_for_hours_is_not_waited_for),
		TEST(new_terms_of_a_ca_are_left_for_another_one),
		TEST(new_terms_of_all_cas_end_it),
		TEST(a_keyd_that_is_away_is_waited_for),
		TEST(a_failed_renewal_leaves_the_old_certificate_serving),
		TEST(what_preflight_forbids_is_not_asked_of_a_ca),
		TEST(a_renewal_that_preflight_forbids_looks_again_later),
		TEST(two_changes_of_the_same_names_order_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
