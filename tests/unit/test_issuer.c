/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates are obtained over a real store, with CAs, token and solver in
 * memory: the straight way, each way that it fails, what people ask for in
 * between, and a process that is killed between any two steps.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "certd/issue.h"
#include "certd/renewals.h"
#include "certd/store_bindings.h"
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

/* ---- the straight way ---- */

static void
a_resource_gets_its_certificate_bound_and_its_renewal_set(void **state)
{
	struct desk *desk = *state;
	int64_t resource = desk_resource(desk, "shop", "a.example b.example");
	int64_t enrollment = desk_enrollment(
	    desk, (struct desk_enrollment){ .resource = resource });
	struct renewal_row renewal;
	struct change_row row;

	desk_start(desk);
	row = issue_one(desk, enrollment, CHANGE_KIND_ISSUE);
	assert_string_equal(row.problem, "");
	assert_int_equal(row.state, CHANGE_DONE);
	assert_int_equal(row.percent, 100);
	expect_number(desk,
	    "SELECT count(*) FROM binding b JOIN certificate c"
	    " ON c.id = b.certificate JOIN change h ON h.certificate = c.id"
	    " WHERE c.kind = 2 AND b.edge_group = 'web'",
	    1);
	expect_number(desk, "SELECT state FROM enrollment", ENROLLMENT_ACTIVE);
	renewal = desk_renewal(desk, enrollment, PURPOSE_MAIN);
	assert_int_equal(renewal.certificate, row.certificate);
	assert_string_equal(renewal.authority, "first");
	assert_in_range(renewal.renew_s, store_now_s() + 57 * DAY_S,
	    store_now_s() + 63 * DAY_S);
	assert_int_equal(solver_fake_tokens(desk->solver), 0);
	expect_number(
	    desk, "SELECT count(*) FROM challenge WHERE presented = 1", 0);
	expect_number(desk, "SELECT count(*) FROM key_intent", 0);
	expect_number(
	    desk, "SELECT count(*) FROM event WHERE act = 'acme.issued'", 1);
}

static void
a_plain_certificate_costs_few_transactions(void **state)
{
	struct desk *desk = *state;
	int64_t enrollment =
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL });
	int64_t change = desk_change(desk, enrollment, CHANGE_KIND_ISSUE);
	static const char line[] = "\ncertd_store_commits_total ";
	struct metrics *metrics = metrics_new();
	scoped(free) char *page = NULL;
	size_t len = 0;

	store_measure(desk->store, metrics);
	desk->config.acme.workers = 1;
	desk_start(desk);
	assert_int_equal(
	    desk_wait(desk, change, CHANGE_DONE).state, CHANGE_DONE);
	desk_stop(desk);
	page = metrics_render(metrics, &len);
	assert_non_null(strstr(page, line));
	/* The CA is chosen, the order, the key, the certificate; and one look
	 * at the clock at the start. */
	assert_int_equal(
	    strtoul(strstr(page, line) + sizeof(line) - 1, NULL, 10), 5);
	desk_close(desk);
	metrics_free(metrics);
	desk_open(desk);
}

/* ---- other accounts ---- */

static void
names_that_another_accounts_resource_has_taken_since_are_not_asked_for(
    void **state)
{
	struct desk *desk = *state;
	int64_t rival = desk_account(desk, "rival");
	int64_t theirs = desk_enrollment(
	    desk, (struct desk_enrollment){
		      .names = "a.example c.example", .account = rival });
	int64_t wild = desk_enrollment(
	    desk, (struct desk_enrollment){
		      .names = "x.wild.example", .account = rival });
	struct change_row row;

	desk_resource(desk, "shop", "a.example *.wild.example");
	desk_start(desk);
	row = issue_one(desk, theirs, CHANGE_KIND_ISSUE);
	assert_int_equal(row.state, CHANGE_FAILED);
	assert_non_null(strstr(
	    row.problem, "a.example is served by another resource already"));
	row = issue_one(desk, wild, CHANGE_KIND_RENEWAL);
	assert_int_equal(row.state, CHANGE_FAILED);
	assert_non_null(strstr(row.problem, "x.wild.example is served by"));
	assert_int_equal(desk_counts(desk, FAKE_FIRST).orders, 0);
}

static void
what_one_account_has_proven_is_proven_anew_for_another(void **state)
{
	struct desk *desk = *state;
	int64_t rival = desk_account(desk, "rival");
	int64_t mine =
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL });
	int64_t theirs =
	    desk_enrollment(desk, (struct desk_enrollment){ .account = rival });

	acme_fake_script(
	    first(desk), &(struct acme_fake_script){ .reuses_proofs = true });
	desk_start(desk);
	assert_int_equal(
	    issue_one(desk, mine, CHANGE_KIND_ISSUE).state, CHANGE_DONE);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).answers, 2);
	/* For whom has proven them they are. */
	assert_int_equal(
	    issue_one(desk, mine, CHANGE_KIND_RENEWAL).state, CHANGE_DONE);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).answers, 2);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).deactivations, 0);
	assert_int_equal(
	    issue_one(desk, theirs, CHANGE_KIND_ISSUE).state, CHANGE_DONE);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).deactivations, 2);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).answers, 4);
	expect_number(desk,
	    "SELECT count(*) FROM change_event"
	    " WHERE text LIKE '%others have proven; ordered again%'",
	    1);
}

static void
a_ca_that_does_not_let_go_of_anothers_proof_gives_no_certificate(void **state)
{
	struct desk *desk = *state;
	int64_t rival = desk_account(desk, "rival");
	int64_t mine =
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL });
	int64_t theirs =
	    desk_enrollment(desk, (struct desk_enrollment){ .account = rival });
	int64_t given = desk_enrollment(desk,
	    (struct desk_enrollment){ .account = rival, .by_operator = true });
	struct change_row row;

	acme_fake_script(
	    first(desk), &(struct acme_fake_script){
			     .reuses_proofs = true, .keeps_proofs = true });
	desk_start(desk);
	assert_int_equal(
	    issue_one(desk, mine, CHANGE_KIND_ISSUE).state, CHANGE_DONE);
	row = issue_one(desk, theirs, CHANGE_KIND_ISSUE);
	assert_int_equal(row.state, CHANGE_FAILED);
	assert_non_null(
	    strstr(row.problem, "that this account has not proven"));
	assert_int_equal(desk_counts(desk, FAKE_FIRST).certificates, 1);
	/* An operator's word will do. */
	assert_int_equal(
	    issue_one(desk, given, CHANGE_KIND_ISSUE).state, CHANGE_DONE);
}

static void
anothers_proof_that_is_in_use_is_waited_for(void **state)
{
	struct desk *desk = *state;
	int64_t rival = desk_account(desk, "rival");
	int64_t mine =
	    desk_enrollment(desk, (struct desk_enrollment){ .stepwise = true });
	int64_t theirs =
	    desk_enrollment(desk, (struct desk_enrollment){ .account = rival });
	enum challenge_use use = CHALLENGE_USE_NONE;
	struct db_tx *tx;
	int64_t change;

	desk_start(desk);
	change = desk_change(desk, mine, CHANGE_KIND_ISSUE);
	desk_wait(desk, change, CHANGE_AWAITING_VERIFY);
	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_challenges_use(
			     tx, "https://first.test/authz/0/0", rival, &use)
			     .code,
	    STATUS_OK);
	assert_int_equal(use, CHALLENGE_USE_OTHERS_NOW);
	assert_int_equal(
	    store_challenges_use(
		tx, "https://first.test/authz/0/0", desk->account, &use)
		.code,
	    STATUS_OK);
	assert_int_equal(use, CHALLENGE_USE_NONE);
	db_end(tx);
	desk_give(desk, change, CHANGE_INPUT_CANCEL);
	desk_wait(desk, change, CHANGE_CANCELLED);
	assert_int_equal(
	    issue_one(desk, theirs, CHANGE_KIND_ISSUE).state, CHANGE_DONE);
}

static void
an_enrollment_without_a_resource_gives_a_personal_certificate(void **state)
{
	struct desk *desk = *state;
	int64_t enrollment = desk_enrollment(
	    desk, (struct desk_enrollment){ .names = "*.c.example",
		      .validation = VALIDATION_DNS_01 });

	desk_start(desk);
	assert_int_equal(
	    issue_one(desk, enrollment, CHANGE_KIND_ISSUE).state, CHANGE_DONE);
	expect_number(desk, "SELECT kind FROM certificate", 1);
	expect_number(desk, "SELECT count(*) FROM binding", 0);
}

static void
a_renewal_takes_the_place_of_the_old_one_whose_key_goes(void **state)
{
	struct desk *desk = *state;
	int64_t resource = desk_resource(desk, "shop", "a.example b.example");
	int64_t enrollment = desk_enrollment(
	    desk, (struct desk_enrollment){ .resource = resource });
	struct change_row old, new;
	struct acme_fake_script script = { .info.window_end_s = 1 };

	acme_fake_script(first(desk), &script);
	desk_start(desk);
	old = issue_one(desk, enrollment, CHANGE_KIND_ISSUE);
	assert_int_equal(old.state, CHANGE_DONE);
	/* What the CA said makes it due at once, or this does. */
	desk_run(desk,
	    "UPDATE renewal SET renew_s = 1, due_s = 1 WHERE purpose = 0"
	    " AND renew_s > 0");
	desk_wait_number(desk,
	    "SELECT count(*) FROM change WHERE kind = 2 AND state = 11", 1);
	expect_number(desk, "SELECT count(*) FROM certificate", 1);
	expect_number(desk, "SELECT count(*) FROM key", 1);
	expect_number(desk, "SELECT count(*) FROM key_doomed", 1);
	assert_true(desk_counts(desk, FAKE_FIRST).replaces[0] != 0);
	new.certificate = desk_renewal(desk, enrollment, 0).certificate;
	assert_int_not_equal(new.certificate, old.certificate);
	assert_int_equal(desk_number(desk, "SELECT certificate FROM binding"),
	    new.certificate);
}

static void
the_old_one_stays_until_an_edge_has_shown_the_new_one(void **state)
{
	struct desk *desk = *state;
	int64_t resource = desk_resource(desk, "shop", "a.example b.example");
	int64_t enrollment = desk_enrollment(
	    desk, (struct desk_enrollment){ .resource = resource });
	int64_t change;

	desk_start(desk);
	assert_int_equal(
	    issue_one(desk, enrollment, CHANGE_KIND_ISSUE).state, CHANGE_DONE);
	desk_run(desk,
	    "INSERT INTO edge (name, edge_group, first_s, last_seen_s)"
	    " VALUES ('e1', 'web', 1, unixepoch())");
	change = desk_change(desk, enrollment, CHANGE_KIND_RENEWAL);
	assert_int_equal(
	    desk_wait(desk, change, CHANGE_PROVING).state, CHANGE_PROVING);
	expect_number(desk, "SELECT count(*) FROM certificate", 2);
	expect_number(desk, "SELECT count(*) FROM retirement", 1);
	/* The edge is seen to serve it. */
	desk_run(desk,
	    "INSERT INTO edge_site (edge, resource, applied_version,"
	    " served_version, at_s) SELECT e.id, r.id, r.version, r.version, 1"
	    " FROM edge e, resource r");
	assert_int_equal(
	    desk_wait(desk, change, CHANGE_DONE).state, CHANGE_DONE);
	expect_number(desk, "SELECT count(*) FROM certificate", 1);
	expect_number(desk, "SELECT count(*) FROM retirement", 0);
}

static void
a_standby_certificate_comes_from_its_own_ca_and_is_not_bound(void **state)
{
	struct desk *desk = *state;
	int64_t resource = desk_resource(desk, "shop", "a.example b.example");

	snprintf(desk->standby, sizeof(desk->standby), "spare");
	(void)desk_change(desk,
	    desk_enrollment(
		desk, (struct desk_enrollment){ .resource = resource,
			  .standby = true }),
	    CHANGE_KIND_ISSUE);
	desk_start(desk);
	desk_wait_number(desk,
	    "SELECT count(*) FROM change WHERE state = 11 AND purpose = 1", 1);
	expect_number(desk, "SELECT count(*) FROM certificate", 2);
	expect_number(desk, "SELECT count(*) FROM binding", 1);
	assert_int_equal(desk_counts(desk, FAKE_SPARE).certificates, 1);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).certificates, 1);
	expect_number(desk,
	    "SELECT count(*) FROM renewal WHERE purpose = 1"
	    " AND authority = 'spare' AND renew_s > 0",
	    1);
}

/* As enrollments_reissue queues it. */
static int64_t
change_standby(struct desk *desk, int64_t enrollment, int kind)
{
	struct change_row row = { .enrollment = enrollment,
		.account = desk->account,
		.purpose = PURPOSE_STANDBY,
		.kind = kind,
		.replaces = desk_renewal(desk, enrollment, 1).certificate,
		.created_by = "operator/admin" };
	int64_t other = 0;
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     store_changes_insert(tx, &row, &other))
			     .code,
	    STATUS_OK);
	return row.id;
}

static int64_t
have_standby(struct desk *desk)
{
	int64_t enrollment =
	    desk_enrollment(desk, (struct desk_enrollment){ .standby = true });

	snprintf(desk->standby, sizeof(desk->standby), "spare");
	desk_start(desk);
	assert_int_equal(
	    issue_one(desk, enrollment, CHANGE_KIND_ISSUE).state, CHANGE_DONE);
	desk_wait_number(desk,
	    "SELECT count(*) FROM change WHERE state = 11 AND purpose = 1", 1);
	return enrollment;
}

static void
a_standby_that_was_issued_anew_is_not_issued_once_more(void **state)
{
	struct desk *desk = *state;
	int64_t enrollment = have_standby(desk);

	(void)desk_wait(desk,
	    change_standby(desk, enrollment, CHANGE_KIND_REISSUE), CHANGE_DONE);
	(void)issue_one(desk, enrollment, CHANGE_KIND_REISSUE);
	assert_true(desk_renewal(desk, enrollment, PURPOSE_STANDBY).renew_s >
		    store_now_s() + DAY_S);
}

static void
a_standby_that_was_given_up_is_begun_with_the_next_one_in_use(void **state)
{
	struct desk *desk = *state;
	int64_t enrollment = have_standby(desk);

	desk_run(desk, "UPDATE renewal SET renew_s = 0, ask_s = 0, due_s = 0"
		       " WHERE purpose = 1");
	(void)issue_one(desk, enrollment, CHANGE_KIND_RENEWAL);
	desk_wait_number(desk,
	    "SELECT count(*) FROM change WHERE state = 11 AND purpose = 1", 2);
}

static void
a_standby_that_is_bound_is_renewed_where_it_is_bound(void **state)
{
	struct desk *desk = *state;
	static const struct caller certd = { .is = ALLOW_OPERATOR,
		.actor = "operator/admin" };
	struct api_call call = { .caller = &certd };
	int64_t resource = desk_resource(desk, "shop", "a.example b.example");
	int64_t enrollment = have_standby(desk);
	int64_t old = desk_renewal(desk, enrollment, 1).certificate;
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     bindings_set(tx, &call, resource, &old, 1))
			     .code,
	    STATUS_OK);
	/* It is the one in use from then on. */
	assert_int_equal(desk_renewal(desk, enrollment, 0).certificate, old);
	(void)issue_one(desk, enrollment, CHANGE_KIND_RENEWAL);
	assert_int_not_equal(
	    desk_renewal(desk, enrollment, 0).certificate, old);
	assert_int_equal(desk_number(desk, "SELECT certificate FROM binding"),
	    desk_renewal(desk, enrollment, 0).certificate);
}

/* A CA that does not answer keeps a renewal waiting, until the standby
 * certificate takes over: then it is given up, and none begins in its place. */
static void
a_standby_that_takes_over_ends_the_renewal_of_what_was_in_use(void **state)
{
	struct desk *desk = *state;
	static const struct caller admin = { .is = ALLOW_OPERATOR,
		.actor = "operator/admin" };
	struct api_call call = { .caller = &admin };
	int64_t resource = desk_resource(desk, "shop", "a.example b.example");
	int64_t enrollment = desk_enrollment(desk,
	    (struct desk_enrollment){ .resource = resource, .standby = true });
	int64_t standby, change, renew_s;
	struct db_tx *tx;

	snprintf(desk->standby, sizeof(desk->standby), "spare");
	desk_start(desk);
	(void)issue_one(desk, enrollment, CHANGE_KIND_ISSUE);
	desk_wait_number(desk,
	    "SELECT count(*) FROM change WHERE state = 11 AND purpose = 1", 1);
	standby = desk_renewal(desk, enrollment, 1).certificate;
	renew_s = desk_renewal(desk, enrollment, 1).renew_s;
	acme_fake_down(first(desk), true);
	acme_fake_down(acme_fake_at(desk->authorities, FAKE_SECOND), true);
	change = desk_change(desk, enrollment, CHANGE_KIND_RENEWAL);
	desk_wait_number(
	    desk, "SELECT count(*) FROM change WHERE problem <> ''", 1);
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     bindings_set(tx, &call, resource, &standby, 1))
			     .code,
	    STATUS_OK);
	assert_int_equal(
	    desk_wait(desk, change, CHANGE_CANCELLED).state, CHANGE_CANCELLED);
	assert_int_equal(
	    desk_renewal(desk, enrollment, 0).certificate, standby);
	assert_int_equal(desk_renewal(desk, enrollment, 0).renew_s, renew_s);
	expect_number(desk, "SELECT count(*) FROM change WHERE ended_s = 0", 0);
}

/* As plans want it. */
static void
a_change_comes_from_the_ca_that_it_names(void **state)
{
	struct desk *desk = *state;
	int64_t enrollment = desk_enrollment(
	    desk, (struct desk_enrollment){ .authority = "first" });
	struct change_row row = { .enrollment = enrollment,
		.account = desk->account,
		.kind = CHANGE_KIND_REPLACEMENT,
		.plan = 7,
		.wanted_authority = "second",
		.created_by = "operator/admin" };
	int64_t other = 0;
	struct db_tx *tx;

	desk_run(desk, "UPDATE enrollment SET profile = 'of first'");
	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(store_commit(desk->store, tx,
			     store_changes_insert(tx, &row, &other))
			     .code,
	    STATUS_OK);
	desk_start(desk);
	assert_string_equal(
	    desk_wait(desk, row.id, CHANGE_DONE).authority, "second");
	assert_int_equal(desk_counts(desk, FAKE_FIRST).orders, 0);
	assert_string_equal(desk_counts(desk, FAKE_SECOND).profile, "");
}

/* ---- what people ask for ---- */

static void
step_by_step_waits_for_verify_and_for_issue(void **state)
{
	struct desk *desk = *state;
	int64_t change = desk_change(desk,
	    desk_enrollment(desk,
		(struct desk_enrollment){
		    .validation = VALIDATION_DNS_01_BY_HAND,
		    .stepwise = true }),
	    CHANGE_KIND_ISSUE);
	struct change_row row;

	solver_fake_hide(desk->solver, true);
	desk_start(desk);
	row = desk_wait(desk, change, CHANGE_AWAITING_VERIFY);
	assert_int_equal(row.state, CHANGE_AWAITING_VERIFY);
	expect_number(desk,
	    "SELECT count(*) FROM challenge WHERE dns_value LIKE 'value%'", 2);
	desk_give(desk, change, CHANGE_INPUT_VERIFY);
	desk_wait_number(desk,
	    "SELECT count(*) FROM change WHERE state = 5 AND input = 0"
	    " AND problem LIKE 'ns1.test has no%verify again in%'",
	    1);
	solver_fake_hide(desk->solver, false);
	desk_give(desk, change, CHANGE_INPUT_VERIFY);
	assert_int_equal(desk_wait(desk, change, CHANGE_AWAITING_ISSUE).state,
	    CHANGE_AWAITING_ISSUE);
	assert_int_equal(token_fake_keys(desk->custody), 0);
	desk_give(desk, change, CHANGE_INPUT_ISSUE);
	assert_int_equal(
	    desk_wait(desk, change, CHANGE_DONE).state, CHANGE_DONE);
}

static void
an_order_that_nobody_verifies_expires(void **state)
{
	struct desk *desk = *state;
	int64_t enrollment = desk_enrollment(
	    desk, (struct desk_enrollment){
		      .validation = VALIDATION_DNS_01_BY_HAND });

	acme_fake_script(
	    first(desk), &(struct acme_fake_script){ .expires_s = 2 });
	desk_start(desk);
	assert_int_equal(issue_one(desk, enrollment, CHANGE_KIND_ISSUE).state,
	    CHANGE_EXPIRED);
	expect_number(
	    desk, "SELECT count(*) FROM event WHERE act = 'acme.expired'", 1);
	assert_int_equal(desk_renewal(desk, enrollment, 0).renew_s, 0);
	/* And it can be ordered again. */
	acme_fake_script(first(desk), &(struct acme_fake_script){ 0 });
	assert_int_equal(
	    desk_wait(desk, desk_change(desk, enrollment, CHANGE_KIND_ISSUE),
		CHANGE_AWAITING_VERIFY)
		.state,
	    CHANGE_AWAITING_VERIFY);
}

static void
a_cancelled_change_leaves_nothing_behind(void **state)
{
	struct desk *desk = *state;
	int64_t change = desk_change(desk,
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL }),
	    CHANGE_KIND_ISSUE);

	solver_fake_hide(desk->solver, true);
	desk_start(desk);
	desk_wait_number(desk,
	    "SELECT count(*) FROM change WHERE state = 4"
	    " AND order_url <> ''",
	    1);
	desk_give(desk, change, CHANGE_INPUT_CANCEL);
	assert_int_equal(
	    desk_wait(desk, change, CHANGE_CANCELLED).state, CHANGE_CANCELLED);
	assert_int_equal(solver_fake_tokens(desk->solver), 0);
	assert_int_equal(desk_counts(desk, FAKE_FIRST).deactivations, 2);
	expect_number(desk, "SELECT count(*) FROM key", 0);
}

/* One that has its certificate, and another change that waits; gives that. */
static int64_t
have_waiting(struct desk *desk, int64_t *ret_enrollment)
{
	int64_t enrollment =
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL });
	int64_t change;

	desk_start(desk);
	(void)issue_one(desk, enrollment, CHANGE_KIND_ISSUE);
	solver_fake_hide(desk->solver, true);
	change = desk_change(desk, enrollment, CHANGE_KIND_RENEWAL);
	(void)desk_wait(desk, change, CHANGE_PRESENTING);
	*ret_enrollment = enrollment;
	return change;
}

static void
a_cancelled_change_is_not_begun_again_before_its_time(void **state)
{
	struct desk *desk = *state;
	int64_t enrollment = 0, change = have_waiting(desk, &enrollment);
	int64_t renew_s = desk_renewal(desk, enrollment, 0).renew_s;

	desk_give(desk, change, CHANGE_INPUT_CANCEL);
	(void)desk_wait(desk, change, CHANGE_CANCELLED);
	assert_int_equal(desk_renewal(desk, enrollment, 0).renew_s, renew_s);
	expect_number(desk, "SELECT state FROM enrollment", ENROLLMENT_ACTIVE);
}

static void
a_cancelled_renewal_that_is_due_is_begun_again(void **state)
{
	struct desk *desk = *state;
	int64_t enrollment = 0, change = have_waiting(desk, &enrollment);

	/* As the machine begins it. */
	desk_run(desk, "UPDATE renewal SET renew_s = 0 WHERE purpose = 0");
	desk_give(desk, change, CHANGE_INPUT_CANCEL);
	(void)desk_wait(desk, change, CHANGE_CANCELLED);
	assert_true(
	    desk_renewal(desk, enrollment, 0).renew_s > store_now_s() + 50);
}

static void
a_revoked_certificate_is_none_when_another_fails(void **state)
{
	struct desk *desk = *state;
	int64_t enrollment = 0, change = have_waiting(desk, &enrollment);

	desk_run(desk,
	    "INSERT INTO revocation (certificate, enrollment, account,"
	    " authority, reason, leaf, due_s, asked_s, asked_by, done_s)"
	    " VALUES (1, 1, 1, 'first', 0, x'00', 0, 1, 'test', 1)");
	desk_give(desk, change, CHANGE_INPUT_CANCEL);
	(void)desk_wait(desk, change, CHANGE_CANCELLED);
	expect_number(desk, "SELECT state FROM enrollment", ENROLLMENT_FAILED);
}

static void
answers_are_given_again_after_a_restart(void **state)
{
	struct desk *desk = *state;
	int64_t change = desk_change(desk,
	    desk_enrollment(desk, (struct desk_enrollment){ .stepwise = true }),
	    CHANGE_KIND_ISSUE);

	desk_start(desk);
	(void)desk_wait(desk, change, CHANGE_AWAITING_VERIFY);
	assert_int_equal(solver_fake_tokens(desk->solver), 2);
	desk_stop(desk);
	solver_fake_forget(desk->solver);
	desk_start(desk);
	assert_int_equal(solver_fake_tokens(desk->solver), 2);
	desk_give(desk, change, CHANGE_INPUT_VERIFY);
	assert_int_equal(desk_wait(desk, change, CHANGE_AWAITING_ISSUE).state,
	    CHANGE_AWAITING_ISSUE);
}

/* ---- kill -9 ---- */

static unsigned boundaries, stop_at;

static void
die_there(void)
{
	if (++boundaries == stop_at)
		kill(getpid(), SIGKILL);
}

/* In a process of its own: until it is done, or dies at boundary n (0: not). */
static bool
run_child(struct desk *desk, int64_t change, unsigned n)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		boundaries = 0;
		stop_at = n;
		issue_boundary = die_there;
		desk->config.acme.workers = 1;
		desk_open(desk);
		desk_start(desk);
		(void)desk_wait(desk, change, CHANGE_DONE);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Killed at boundary n, and taken up; false: there is no such boundary. */
static bool
survives(struct desk *desk, unsigned n)
{
	struct acme_fake_counts before = desk_counts(desk, FAKE_FIRST), after;
	size_t keys = token_fake_keys(desk->custody);
	int64_t enrollment =
	    desk_enrollment(desk, (struct desk_enrollment){ .names = NULL });
	int64_t change = desk_change(desk, enrollment, CHANGE_KIND_ISSUE);
	bool was_done;

	desk_close(desk);
	was_done = run_child(desk, change, n);
	if (!was_done)
		assert_true(run_child(desk, change, 0));
	desk_open(desk);
	after = desk_counts(desk, FAKE_FIRST);
	if (after.orders != before.orders + 1 ||
	    after.certificates != before.certificates + 1 ||
	    token_fake_keys(desk->custody) != keys + 1)
		fail_msg("killed at %u: %u orders, %u certificates", n,
		    after.orders - before.orders,
		    after.certificates - before.certificates);
	assert_int_equal(
	    desk_wait(desk, change, CHANGE_DONE).state, CHANGE_DONE);
	assert_int_equal(solver_fake_tokens(desk->solver), 0);
	expect_number(desk, "SELECT count(*) FROM key_intent", 0);
	expect_number(desk, "SELECT count(*) FROM key_doomed", 0);
	return !was_done;
}

static void
killed_between_any_two_steps_nothing_is_lost_or_done_twice(void **state)
{
	struct desk *desk = *state;
	unsigned n = 1;

	acme_fake_script(
	    first(desk), &(struct acme_fake_script){ .processing = 1 });
	while (survives(desk, n))
		n++;
	/* Steps, saves and answers of two names. */
	assert_in_range(n, 20, 80);
	expect_number(desk,
	    "SELECT count(*) - (SELECT count(*) FROM key) FROM certificate", 0);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_resource_gets_its_certificate_bound_and_its_renewal_set),
		TEST(a_plain_certificate_costs_few_transactions),
		TEST(
		    names_that_another_accounts_resource_has_taken_since_are_not_asked_for),
		TEST(what_one_account_has_proven_is_proven_anew_for_another),
		TEST(
		    a_ca_that_does_not_let_go_of_anothers_proof_gives_no_certificate),
		TEST(anothers_proof_that_is_in_use_is_waited_for),
		TEST(
		    an_enrollment_without_a_resource_gives_a_personal_certificate),
		TEST(a_renewal_takes_the_place_of_the_old_one_whose_key_goes),
		TEST(the_old_one_stays_until_an_edge_has_shown_the_new_one),
		TEST(
		    a_standby_certificate_comes_from_its_own_ca_and_is_not_bound),
		TEST(a_standby_that_was_issued_anew_is_not_issued_once_more),
		TEST(
		    a_standby_that_was_given_up_is_begun_with_the_next_one_in_use),
		TEST(a_standby_that_is_bound_is_renewed_where_it_is_bound),
		TEST(
		    a_standby_that_takes_over_ends_the_renewal_of_what_was_in_use),
		TEST(a_change_comes_from_the_ca_that_it_names),
		TEST(step_by_step_waits_for_verify_and_for_issue),
		TEST(an_order_that_nobody_verifies_expires),
		TEST(a_cancelled_change_leaves_nothing_behind),
		TEST(a_cancelled_change_is_not_begun_again_before_its_time),
		TEST(a_cancelled_renewal_that_is_due_is_begun_again),
		TEST(a_revoked_certificate_is_none_when_another_fails),
		TEST(answers_are_given_again_after_a_restart),
		TEST(
		    killed_between_any_two_steps_nothing_is_lost_or_done_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
