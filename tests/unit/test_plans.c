/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Plans over the real store and the desk of enrollments, whose machine is the
 * test.  What CAs let themselves be asked is what the test says.  Every
 * statement about plans is explained before it is run: none looks at a whole
 * table.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/authorities.h"
#include "certd/plans.h"
#include "certd/store_certificates.h"
#include "certd/store_plans.h"
#include "certd/store_revocations.h"
#include "proto/holdfast/certd/v1/plans.pb-c.h"
#include "proto/message.h"
#include "tests/fake/custody_fake.h"
#include "tests/unit/cert_maker.h"
#include "tests/unit/enroll_desk.h"

typedef Holdfast__Certd__V1__Plan plan_msg;

DESK_MESSAGE(create_plan_request, CreatePlanRequest)
DESK_MESSAGE(get_plan_request, GetPlanRequest)
DESK_MESSAGE(list_plans_request, ListPlansRequest)
DESK_MESSAGE(start_plan_request, StartPlanRequest)
DESK_MESSAGE(pause_plan_request, PausePlanRequest)
DESK_MESSAGE(cancel_plan_request, CancelPlanRequest)

#define OK(call) assert_int_equal((call).code, STATUS_OK)
#define HOUR_S 3600

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

/* Those of the test's thread, but for its own. */
static _Thread_local bool explains;

static void
explain(struct db_tx *tx, const char *sql, const struct db_value *values,
    size_t n_values)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	char text[2048], step[256];
	bool row = false;

	if (!explains || strstr(sql, "plan") == NULL)
		return;
	snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", sql);
	assert_true(strlen(text) < sizeof(text) - 1);
	assert_int_equal(
	    __real_db_query(tx, &rows, text, values, n_values).code, STATUS_OK);
	while (!failed(db_next(rows, &row)) && row) {
		db_column_text(rows, 3, step, sizeof(step));
		if (strncmp(step, "SCAN ", 5) == 0 &&
		    strcmp(step, "SCAN CONSTANT ROW") != 0)
			fail_msg("%s: %s", sql, step);
	}
}

STATUS
__wrap_db_query(struct db_tx *tx, struct db_rows **ret_rows, const char *sql,
    const struct db_value *values, size_t n_values)
{
	explain(tx, sql, values, n_values);
	return __real_db_query(tx, ret_rows, sql, values, n_values);
}

STATUS
__wrap_db_number(struct db_tx *tx, int64_t *ret_number, const char *sql,
    const struct db_value *values, size_t n_values)
{
	explain(tx, sql, values, n_values);
	return __real_db_number(tx, ret_number, sql, values, n_values);
}

STATUS
__wrap_db_run(struct db_tx *tx, int64_t *ret_changed, const char *sql,
    const struct db_value *values, size_t n_values)
{
	explain(tx, sql, values, n_values);
	return __real_db_run(tx, ret_changed, sql, values, n_values);
}

/* ---- CAs ---- */

/* "ca", "ca2", "spare", as certd.yaml of the desk has them. */
static struct authority_pace paces[3];

size_t
authorities_count(const struct authorities *authorities)
{
	(void)authorities;
	return enroll_desk_config()->acme.authorities.len;
}

const struct config_authority *
authorities_at(const struct authorities *authorities, size_t i)
{
	const struct config_authority *at =
	    enroll_desk_config()->acme.authorities.at;

	(void)authorities;
	return &at[i];
}

static size_t
index_of(const char *name)
{
	size_t i = 0;

	while (i < authorities_count(NULL) &&
	       strcmp(authorities_at(NULL, i)->name, name) != 0)
		i++;
	return i;
}

const struct config_authority *
authorities_find(const struct authorities *authorities, const char *name)
{
	size_t i = index_of(name);

	(void)authorities;
	return i < authorities_count(NULL) ? authorities_at(NULL, i) : NULL;
}

bool
authorities_pace(struct authorities *authorities, const char *name,
    struct authority_pace *ret_pace)
{
	size_t i = index_of(name);

	(void)authorities;
	if (i >= authorities_count(NULL))
		return false;
	*ret_pace = paces[i];
	return true;
}

/* ---- a desk with plans ---- */

static struct plans *plans;

static void
make_plans(struct desk *desk)
{
	const struct plans_config config = { .store = desk->store,
		.custody = desk->custody,
		.config = enroll_desk_config() };

	OK(plans_new(&config, &plans));
}

static int
set_up(void **state)
{
	struct desk *desk;

	enroll_desk_set_up(state);
	desk = *state;
	memset(paces, 0, sizeof(paces));
	explains = true;
	make_plans(desk);
	OK(plans_register(plans, desk->api));
	return 0;
}

static int
tear_down(void **state)
{
	plans_free(plans);
	plans = NULL;
	explains = false;
	return enroll_desk_tear_down(state);
}

/* An enrollment of that name with its first certificate, of "ca". */
static int64_t
enroll(struct desk *desk, const char *name)
{
	Holdfast__Certd__V1__EnrollmentChange *made =
	    enroll_desk_create(desk, name);
	int64_t id = made->enrollment->id;

	enroll_desk_done(desk, made->change->id);
	message_free(&made->base);
	return id;
}

static void
enroll_many(struct desk *desk, unsigned n)
{
	char name[64];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "www%u.example.com", i);
		enroll(desk, name);
	}
}

static void
run(struct desk *desk, const char *sql)
{
	struct db_tx *tx;

	OK(store_write(desk->store, &tx));
	explains = false;
	OK(store_commit(desk->store, tx, db_run(tx, NULL, sql, DB_NONE)));
	explains = true;
}

static int64_t
number(struct desk *desk, const char *sql)
{
	int64_t n;

	explains = false;
	n = desk_number(desk, sql);
	explains = true;
	return n;
}

static struct status
ask(struct desk *desk, const char *method, const void *request, plan_msg **to)
{
	message_free(*to == NULL ? NULL : &(*to)->base);
	*to = NULL;
	return desk_ask(desk, &desk_operator, method, request, to);
}

static inline void
scoped_plan_free(plan_msg **plan)
{
	message_free(*plan == NULL ? NULL : &(*plan)->base);
}

static Holdfast__Certd__V1__CreatePlanRequest
of_ca(void)
{
	Holdfast__Certd__V1__CreatePlanRequest asked =
	    desk_create_plan_request();

	asked.authority = enroll_desk_text("ca");
	return asked;
}

static void
create(struct desk *desk, const Holdfast__Certd__V1__CreatePlanRequest *asked,
    plan_msg **plan)
{
	struct status st = ask(desk, "Plans/Create", asked, plan);

	if (failed(st))
		fail_msg("%s: %s", st.why, desk->call.why);
}

static struct status
start(struct desk *desk, int64_t id, bool anyway, plan_msg **plan)
{
	Holdfast__Certd__V1__StartPlanRequest asked = desk_start_plan_request();

	asked.id = id;
	asked.anyway = anyway;
	return ask(desk, "Plans/Start", &asked, plan);
}

static void
get(struct desk *desk, int64_t id, plan_msg **plan)
{
	Holdfast__Certd__V1__GetPlanRequest asked = desk_get_plan_request();

	asked.id = id;
	OK(ask(desk, "Plans/Get", &asked, plan));
}

/* A plan of all that "ca" has issued, started. */
static void
started(struct desk *desk, const Holdfast__Certd__V1__CreatePlanRequest *asked,
    plan_msg **plan)
{
	create(desk, asked, plan);
	OK(start(desk, (*plan)->id, true, plan));
}

static int64_t
step(void)
{
	int64_t next_ms = -2;

	OK(plans_step(plans, &next_ms));
	return next_ms;
}

static int64_t
under_way(struct desk *desk)
{
	return number(desk, "SELECT count(*) FROM change WHERE ended_s = 0");
}

/* The oldest change that is under way. */
static int64_t
first_change(struct desk *desk)
{
	return number(desk, "SELECT min(id) FROM change WHERE ended_s = 0");
}

/* ---- estimates ---- */

static void
an_estimate_is_the_longest_of_ca_limits_and_the_tokens_keys(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();
	size_t keys;

	enroll_many(desk, 30);
	keys = custody_fake_keys(desk->custody);
	paces[0] = (struct authority_pace){
		.orders = 10, .window_s = 3 * HOUR_S, .used = 2
	};
	create(desk, &asked, &plan);
	assert_int_equal(
	    plan->state, HOLDFAST__CERTD__V1__PLAN_STATE__PLAN_STATE_ESTIMATED);
	assert_int_equal(plan->total, 30);
	/* A tenth is left to renewals: 9 in 3 hours, of which 7 at once. */
	assert_int_equal(plan->estimate_s, 23 * 3 * HOUR_S / 9);
	assert_string_equal(plan->bound, "ca's 10 orders in 3 hours");
	assert_true(plan->keys_per_s > 0);
	assert_true(plan->fits);
	assert_string_equal(plan->created_by, "operator/admin");
	assert_string_equal(plan->asked->authority, "ca");
	/* Keys were made for the measure, and are doomed; the second plan
	 * makes none. */
	assert_true(custody_fake_keys(desk->custody) > keys);
	assert_int_equal(number(desk, "SELECT count(*) FROM key_doomed"), 8);
	assert_int_equal(number(desk, "SELECT count(*) FROM key_intent"), 0);
	create(desk, &asked, &plan);
	assert_int_equal(number(desk, "SELECT count(*) FROM key_doomed"), 8);
	/* Nothing was begun. */
	assert_int_equal(under_way(desk), 0);
}

static void
orders_that_replace_a_cas_own_certificates_are_free(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();

	enroll_many(desk, 30);
	for (int i = 0; i < 2; i++)
		paces[i] = (struct authority_pace){ .orders = 10,
			.window_s = 3 * HOUR_S,
			.has_replaces = true };
	create(desk, &asked, &plan);
	assert_true(plan->estimate_s < HOUR_S);
	assert_int_equal((int)plan->orders_per_s, 0);
	/* Not those that another one issued. */
	asked.to_authority = enroll_desk_text("ca2");
	create(desk, &asked, &plan);
	assert_string_equal(plan->bound, "ca2's 10 orders in 3 hours");
}

static void
new_names_at_another_ca_count_by_registered_domain(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();

	enroll_many(desk, 6);
	enroll(desk, "www.example.net");
	paces[0].per_domain = paces[1].per_domain = 4;
	paces[0].per_domain_window_s = paces[1].per_domain_window_s = 7 * DAY_S;
	create(desk, &asked, &plan);
	assert_true(plan->estimate_s < HOUR_S);
	asked.to_authority = enroll_desk_text("ca2");
	create(desk, &asked, &plan);
	assert_int_equal(plan->estimate_s, 2 * 7 * DAY_S / 4);
	assert_string_equal(plan->bound,
	    "ca2's 4 new certificates of a registered domain in 7 days "
	    "(one has 6)");
}

static void
what_does_not_fit_is_not_started_and_says_what_would_help(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();
	int64_t id;

	enroll_many(desk, 30);
	paces[0] =
	    (struct authority_pace){ .orders = 10, .window_s = 3 * HOUR_S };
	asked.within_s = HOUR_S;
	create(desk, &asked, &plan);
	id = plan->id;
	assert_false(plan->fits);
	assert_non_null(strstr(plan->advice, "--to ca2"));
	enroll_desk_refused(desk, start(desk, id, false, &plan),
	    STATUS_FAILED_PRECONDITION, "ca's 10 orders in 3 hours");
	OK(start(desk, id, true, &plan));
	assert_int_equal(
	    plan->state, HOLDFAST__CERTD__V1__PLAN_STATE__PLAN_STATE_RUNNING);
	/* No other CA is any better. */
	paces[1] = paces[0];
	create(desk, &asked, &plan);
	assert_non_null(strstr(plan->advice, "split it over several CAs"));
	/* It is bound by the token. */
	memset(paces, 0, sizeof(paces));
	paces[0].requests_per_s = 1;
	asked.within_s = 1;
	create(desk, &asked, &plan);
	assert_string_equal(plan->bound, "ca's 1 requests a second");
}

static void
keyd_that_makes_no_keys_means_no_plan(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();

	enroll(desk, "www.example.com");
	custody_fake_away(desk->custody, true);
	enroll_desk_refused(desk, ask(desk, "Plans/Create", &asked, &plan),
	    STATUS_UNAVAILABLE, "keyd makes no keys in pool standard");
	assert_int_equal(number(desk, "SELECT count(*) FROM plan"), 0);
	assert_int_equal(number(desk, "SELECT count(*) FROM plan_item"), 0);
}

/* ---- what is selected ---- */

static uint32_t
count(struct desk *desk, Holdfast__Certd__V1__CreatePlanRequest asked)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct status st = ask(desk, "Plans/Create", &asked, &plan);

	if (failed(st)) {
		assert_int_equal(st.code, STATUS_FAILED_PRECONDITION);
		return 0;
	}
	return plan->total;
}

static void
all_that_is_asked_for_must_hold(void **state)
{
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();
	int64_t a = enroll(desk, "a.example.com");
	char sql[512];

	enroll(desk, "b.example.com");
	enroll(desk, "c.example.com");
	snprintf(sql, sizeof(sql),
	    "UPDATE enrollment SET profile = 'short' WHERE id = %lld",
	    (long long)a);
	run(desk, sql);
	snprintf(sql, sizeof(sql),
	    "UPDATE renewal SET authority = 'ca2' WHERE enrollment = %lld"
	    " AND purpose = 0",
	    (long long)a);
	assert_int_equal(count(desk, asked), 3);
	run(desk, sql);
	assert_int_equal(count(desk, asked), 2);
	asked.profile = enroll_desk_text("short");
	assert_int_equal(count(desk, asked), 0);
	asked.authority = enroll_desk_text("ca2");
	assert_int_equal(count(desk, asked), 1);
	asked.account = enroll_desk_text("acme");
	asked.issuer = enroll_desk_text("issuer");
	asked.pool = enroll_desk_text("standard");
	assert_int_equal(count(desk, asked), 1);
	asked.pool = enroll_desk_text("enhanced-pool");
	assert_int_equal(count(desk, asked), 0);
	asked.pool = enroll_desk_text("");
	asked.account = enroll_desk_text("other");
	assert_int_equal(count(desk, asked), 0);
	asked.account = enroll_desk_text("");
	asked.issuer = enroll_desk_text("another");
	assert_int_equal(count(desk, asked), 0);
	/* What nobody wants any more is not replaced. */
	asked = of_ca();
	run(desk, "UPDATE enrollment SET state = 4");
	assert_int_equal(count(desk, asked), 0);
}

static void
a_key_is_found_and_a_standby_certificate_is_one_more(void **state)
{
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();
	int64_t a = enroll(desk, "a.example.com");
	int64_t b = enroll(desk, "b.example.com");
	struct store_certificate found;
	struct renewal_row main;
	char text[KEY_ID_TEXT_MAX], sql[256];
	struct db_tx *tx;

	OK(store_read(desk->store, &tx));
	OK(store_renewals_load(tx, b, PURPOSE_MAIN, &main));
	OK(store_certificates_find(tx, main.certificate, &found));
	db_end(tx);
	key_id_print(&found.key, text);
	asked = desk_create_plan_request();
	asked.key = enroll_desk_text(text);
	assert_int_equal(count(desk, asked), 1);
	snprintf(sql, sizeof(sql),
	    "UPDATE renewal SET certificate = %lld, authority = 'ca'"
	    " WHERE enrollment = %lld AND purpose = 1",
	    (long long)main.certificate, (long long)a);
	run(desk, sql);
	assert_int_equal(count(desk, asked), 1);
	run(desk, "UPDATE enrollment SET standby = 1");
	assert_int_equal(count(desk, asked), 2);
}

static void
a_plan_says_what_it_is_to_replace_and_by_whom(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked =
	    desk_create_plan_request();

	enroll(desk, "a.example.com");
	asked.to_authority = enroll_desk_text("ca2");
	enroll_desk_refused(desk, ask(desk, "Plans/Create", &asked, &plan),
	    STATUS_INVALID_ARGUMENT, "say what is to be replaced");
	asked.authority = enroll_desk_text("ca");
	asked.to_authority = enroll_desk_text("nobody");
	enroll_desk_refused(desk, ask(desk, "Plans/Create", &asked, &plan),
	    STATUS_INVALID_ARGUMENT,
	    "to_authority: there is none named \"nobody\"; there are: ca, ca2");
	asked.to_authority = enroll_desk_text("");
	asked.key = enroll_desk_text("0123");
	enroll_desk_refused(desk, ask(desk, "Plans/Create", &asked, &plan),
	    STATUS_INVALID_ARGUMENT, "64 hex digits");
	asked.key = enroll_desk_text("");
	asked.revoke = 3;
	enroll_desk_refused(desk, ask(desk, "Plans/Create", &asked, &plan),
	    STATUS_INVALID_ARGUMENT, "superseded");
	asked.revoke = 0;
	asked.authority = enroll_desk_text("ca2");
	enroll_desk_refused(desk, ask(desk, "Plans/Create", &asked, &plan),
	    STATUS_FAILED_PRECONDITION, "nothing to replace");
	assert_int_equal(number(desk, "SELECT count(*) FROM plan"), 0);
}

/* ---- running ---- */

static void
a_running_plan_replaces_all_and_is_done(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();
	struct change_row change;

	enroll_many(desk, 3);
	asked.to_authority = enroll_desk_text("ca2");
	started(desk, &asked, &plan);
	step();
	assert_int_equal(under_way(desk), 3);
	change = enroll_desk_change(desk, first_change(desk));
	assert_int_equal(change.kind, CHANGE_KIND_REPLACEMENT);
	assert_int_equal(change.plan, plan->id);
	assert_string_equal(change.wanted_authority, "ca2");
	assert_string_equal(change.created_by, "operator/admin");
	assert_int_not_equal(change.replaces, 0);
	get(desk, plan->id, &plan);
	assert_int_equal(plan->under_way, 3);
	assert_int_equal(plan->expected_end_s, 0);
	/* The test's machine obtains from "ca", so say that it did not. */
	for (int i = 0; i < 3; i++)
		enroll_desk_done(desk, first_change(desk));
	run(desk, "UPDATE renewal SET authority = 'ca2' WHERE purpose = 0");
	step();
	get(desk, plan->id, &plan);
	assert_int_equal(
	    plan->state, HOLDFAST__CERTD__V1__PLAN_STATE__PLAN_STATE_DONE);
	assert_int_equal(plan->done, 3);
	assert_int_not_equal(plan->ended_s, 0);
	assert_int_equal(step(), -1);
	assert_int_equal(under_way(desk), 0);
}

static void
no_more_begin_than_the_ca_allows_but_for_a_tenth(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();

	enroll_many(desk, 20);
	paces[0] = (struct authority_pace){
		.orders = 10, .window_s = 3 * HOUR_S, .used = 4
	};
	started(desk, &asked, &plan);
	step();
	assert_int_equal(under_way(desk), 5);
	/* Those that are not ordered yet have their places. */
	step();
	assert_int_equal(under_way(desk), 5);
	/* Nothing is asked of one that is away. */
	paces[0] = (struct authority_pace){ .wait_ms = 1000 };
	run(desk, "UPDATE plan_item SET due_s = 0");
	step();
	assert_int_equal(under_way(desk), 5);
	paces[0].wait_ms = 0;
	run(desk, "UPDATE plan_item SET due_s = 0");
	step();
	assert_int_equal(under_way(desk), 20);
}

static void
changes_begin_evenly_over_half_of_the_time(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();

	enroll_many(desk, 4);
	asked.within_s = 8 * HOUR_S;
	started(desk, &asked, &plan);
	assert_true(step() > 0);
	assert_int_equal(under_way(desk), 1);
	/* The other three in what is left of four hours. */
	step();
	assert_int_equal(under_way(desk), 1);
	/* The time is short: all of them at once. */
	run(desk, "UPDATE plan SET started_s = started_s - 5 * 3600");
	step();
	assert_int_equal(under_way(desk), 4);
}

static void
one_that_fails_is_put_aside_and_stops_no_other(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();
	int64_t id, first, second;

	enroll_many(desk, 2);
	started(desk, &asked, &plan);
	id = plan->id;
	step();
	first = first_change(desk);
	enroll_desk_put(desk, first, CHANGE_FAILED, "the CA refused it", 0);
	second = first_change(desk);
	/* This one cannot go on for an hour. */
	enroll_desk_put(desk, second, CHANGE_CHECKING, "no A record", HOUR_S);
	step();
	get(desk, id, &plan);
	assert_int_equal(plan->failing, 2);
	assert_int_equal(plan->n_failures, 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(
		    strcmp(plan->failures[i]->problem, "no A record") == 0 ||
		    strcmp(plan->failures[i]->problem, "the CA refused it") ==
			0);
	assert_string_not_equal(plan->failures[0]->name, "");
	/* Not before its pause is over. */
	assert_int_equal(under_way(desk), 1);
	assert_true(step() > 30 * 1000);
	assert_int_equal(under_way(desk), 1);
	run(desk, "UPDATE plan_item SET due_s = 1 WHERE state = 3");
	enroll_desk_put(desk, second, CHANGE_ORDERING, "", 0);
	step();
	get(desk, id, &plan);
	assert_int_equal(plan->under_way, 2);
	assert_int_equal(under_way(desk), 2);
	for (int i = 0; i < 2; i++)
		enroll_desk_done(desk, first_change(desk));
	step();
	get(desk, id, &plan);
	assert_int_equal(
	    plan->state, HOLDFAST__CERTD__V1__PLAN_STATE__PLAN_STATE_DONE);
}

static void
a_renewal_that_comes_by_itself_counts(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();
	int64_t of = enroll(desk, "www.example.com");
	struct enrollment_row row;
	struct renewal_row renewal;
	struct change_row change = { .enrollment = of,
		.account = desk->acme,
		.kind = CHANGE_KIND_RENEWAL };
	int64_t other = 0, id;
	struct db_tx *tx;

	create(desk, &asked, &plan);
	id = plan->id;
	OK(store_write(desk->store, &tx));
	OK(store_enrollments_load(tx, of, &row));
	OK(store_renewals_load(tx, of, PURPOSE_MAIN, &renewal));
	OK(store_commit(
	    desk->store, tx, store_changes_insert(tx, &change, &other)));
	OK(start(desk, id, false, &plan));
	/* It is followed, and no second one begins. */
	step();
	assert_int_equal(under_way(desk), 1);
	get(desk, id, &plan);
	assert_int_equal(plan->under_way, 1);
	enroll_desk_done(desk, change.id);
	step();
	get(desk, id, &plan);
	assert_int_equal(plan->done, 1);
}

static void
a_renewal_from_the_wrong_ca_does_not_count(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();
	struct change_row change;

	enroll(desk, "www.example.com");
	asked.to_authority = enroll_desk_text("ca2");
	started(desk, &asked, &plan);
	step();
	/* The desk's machine gives one of "ca". */
	enroll_desk_done(desk, first_change(desk));
	step();
	step();
	assert_int_equal(under_way(desk), 1);
	change = enroll_desk_change(desk, first_change(desk));
	assert_string_equal(change.wanted_authority, "ca2");
	get(desk, plan->id, &plan);
	assert_int_equal(plan->done, 0);
}

static void
what_nobody_wants_any_more_is_done(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();

	enroll_many(desk, 2);
	create(desk, &asked, &plan);
	run(desk, "UPDATE enrollment SET state = 4");
	OK(start(desk, plan->id, false, &plan));
	step();
	get(desk, plan->id, &plan);
	assert_int_equal(plan->done, 2);
	assert_int_equal(under_way(desk), 0);
}

static void
a_paused_plan_begins_nothing_and_goes_on_when_started(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();
	Holdfast__Certd__V1__PausePlanRequest pause = desk_pause_plan_request();
	Holdfast__Certd__V1__CancelPlanRequest cancel =
	    desk_cancel_plan_request();

	enroll_many(desk, 2);
	create(desk, &asked, &plan);
	pause.id = cancel.id = plan->id;
	enroll_desk_refused(desk, ask(desk, "Plans/Pause", &pause, &plan),
	    STATUS_FAILED_PRECONDITION, "is estimated");
	OK(start(desk, pause.id, false, &plan));
	OK(ask(desk, "Plans/Pause", &pause, &plan));
	OK(ask(desk, "Plans/Pause", &pause, &plan));
	assert_int_equal(step(), -1);
	assert_int_equal(under_way(desk), 0);
	OK(start(desk, pause.id, false, &plan));
	OK(start(desk, pause.id, false, &plan));
	step();
	assert_int_equal(under_way(desk), 2);
	OK(ask(desk, "Plans/Cancel", &cancel, &plan));
	assert_int_equal(
	    plan->state, HOLDFAST__CERTD__V1__PLAN_STATE__PLAN_STATE_CANCELLED);
	assert_int_not_equal(plan->ended_s, 0);
	enroll_desk_refused(desk, start(desk, pause.id, false, &plan),
	    STATUS_FAILED_PRECONDITION, "is cancelled");
	/* What was begun goes on. */
	assert_int_equal(under_way(desk), 2);
}

static void
a_certificate_is_in_one_running_plan(void **state)
{
	scoped(plan_free) plan_msg *first = NULL, *second = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();
	Holdfast__Certd__V1__CancelPlanRequest cancel =
	    desk_cancel_plan_request();

	enroll_many(desk, 2);
	started(desk, &asked, &first);
	create(desk, &asked, &second);
	cancel.id = first->id;
	enroll_desk_refused(desk, start(desk, second->id, false, &first),
	    STATUS_FAILED_PRECONDITION, "is to replace the certificate");
	OK(ask(desk, "Plans/Cancel", &cancel, &first));
	OK(start(desk, second->id, false, &first));
}

static void
a_plan_goes_on_after_a_restart_and_half_a_plan_is_forgotten(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();

	enroll_many(desk, 3);
	paces[0] =
	    (struct authority_pace){ .orders = 1, .window_s = 3 * HOUR_S };
	started(desk, &asked, &plan);
	step();
	assert_int_equal(under_way(desk), 1);
	run(desk,
	    "INSERT INTO plan (state, estimate, total, created_s, created_by)"
	    " VALUES (0, x'', 0, 1, 'x')");
	plans_free(plans);
	make_plans(desk);
	assert_int_equal(number(desk, "SELECT count(*) FROM plan"), 1);
	paces[0].orders = 0;
	run(desk, "UPDATE plan_item SET due_s = 0");
	step();
	assert_int_equal(under_way(desk), 3);
}

static void
the_thread_runs_what_was_started(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();

	enroll_many(desk, 2);
	OK(plans_start(plans));
	started(desk, &asked, &plan);
	for (uint64_t seen = 0; under_way(desk) < 2;)
		seen = store_wait(desk->store, seen, 50);
	for (int i = 0; i < 2; i++)
		enroll_desk_done(desk, first_change(desk));
	for (uint64_t seen = 0;
	     number(desk, "SELECT count(*) FROM plan WHERE state = 4") < 1;)
		seen = store_wait(desk->store, seen, 50);
	plans_stop(plans);
}

/* ---- revocation ---- */

/* Real PEM, for CAs are told of leaves. */
static void
put_chains(struct desk *desk)
{
	const struct maker maker = { .cn = "www.example.com",
		.san = "DNS:www.example.com" };
	struct made *made = made_new(&maker);
	struct db_tx *tx;

	OK(store_write(desk->store, &tx));
	OK(store_commit(desk->store, tx,
	    db_run(tx, NULL, "UPDATE certificate_chain SET pem = ?1",
		DB_VALUES(db_text(made->pem)))));
	made_free(made);
}

static void
what_is_replaced_is_revoked_each_when_its_successor_is_there(void **state)
{
	scoped(plan_free) plan_msg *plan = NULL;
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();
	Holdfast__Certd__V1__CancelPlanRequest cancel =
	    desk_cancel_plan_request();

	enroll_many(desk, 3);
	put_chains(desk);
	paces[0] =
	    (struct authority_pace){ .orders = 1, .window_s = 3 * HOUR_S };
	asked.revoke =
	    HOLDFAST__CERTD__V1__CREATE_PLAN_REQUEST__REVOKE_AFTER__REVOKE_AFTER_KEY_COMPROMISE;
	started(desk, &asked, &plan);
	step();
	/* Of all of them, before one could be renewed by itself. */
	assert_int_equal(
	    number(desk, "SELECT count(*) FROM revocation"
			 " WHERE due_s = 0 AND reason = 1"
			 " AND authority = 'ca' AND asked_by LIKE 'plan%'"),
	    3);
	assert_int_equal(under_way(desk), 1);
	enroll_desk_done(desk, first_change(desk));
	assert_int_equal(
	    number(desk, "SELECT count(*) FROM revocation WHERE due_s > 0"), 1);
	/* A plan that is given up revokes nothing more. */
	cancel.id = plan->id;
	OK(ask(desk, "Plans/Cancel", &cancel, &plan));
	assert_int_equal(number(desk, "SELECT count(*) FROM revocation"), 1);
}

/* ---- who, and lists ---- */

static void
auditors_look_at_plans_and_operators_alone_act(void **state)
{
	static struct caller auditor = { .is = ALLOW_AUDITOR,
		.actor = "auditor/eve" };
	struct desk *desk = *state;
	Holdfast__Certd__V1__CreatePlanRequest asked = of_ca();
	Holdfast__Certd__V1__ListPlansRequest list = desk_list_plans_request();
	Holdfast__Certd__V1__ListPlansResponse *page = NULL;
	scoped(plan_free) plan_msg *plan = NULL;

	enroll(desk, "www.example.com");
	assert_int_equal(
	    desk_ask(desk, &auditor, "Plans/Create", &asked, NULL).code,
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    desk_ask(desk, &desk_alice, "Plans/List", &list, NULL).code,
	    STATUS_PERMISSION_DENIED);
	for (int i = 0; i < 3; i++)
		create(desk, &asked, &plan);
	list.page_size = 2;
	OK(desk_ask(desk, &auditor, "Plans/List", &list, &page));
	assert_int_equal(page->n_plans, 2);
	assert_int_equal(page->plans[0]->id, plan->id);
	assert_string_not_equal(page->next_page_token, "");
	list.page_token = enroll_desk_text(page->next_page_token);
	message_free(&page->base);
	OK(desk_ask(desk, &auditor, "Plans/List", &list, &page));
	assert_int_equal(page->n_plans, 1);
	assert_string_equal(page->next_page_token, "");
	message_free(&page->base);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(
		    an_estimate_is_the_longest_of_ca_limits_and_the_tokens_keys),
		TEST(orders_that_replace_a_cas_own_certificates_are_free),
		TEST(new_names_at_another_ca_count_by_registered_domain),
		TEST(what_does_not_fit_is_not_started_and_says_what_would_help),
		TEST(keyd_that_makes_no_keys_means_no_plan),
		TEST(all_that_is_asked_for_must_hold),
		TEST(a_key_is_found_and_a_standby_certificate_is_one_more),
		TEST(a_plan_says_what_it_is_to_replace_and_by_whom),
		TEST(a_running_plan_replaces_all_and_is_done),
		TEST(no_more_begin_than_the_ca_allows_but_for_a_tenth),
		TEST(changes_begin_evenly_over_half_of_the_time),
		TEST(one_that_fails_is_put_aside_and_stops_no_other),
		TEST(a_renewal_that_comes_by_itself_counts),
		TEST(a_renewal_from_the_wrong_ca_does_not_count),
		TEST(what_nobody_wants_any_more_is_done),
		TEST(a_paused_plan_begins_nothing_and_goes_on_when_started),
		TEST(a_certificate_is_in_one_running_plan),
		TEST(
		    a_plan_goes_on_after_a_restart_and_half_a_plan_is_forgotten),
		TEST(the_thread_runs_what_was_started),
		TEST(
		    what_is_replaced_is_revoked_each_when_its_successor_is_there),
		TEST(auditors_look_at_plans_and_operators_alone_act),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
