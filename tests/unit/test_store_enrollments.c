/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Enrollments, renewals, changes, challenges and revocations as they are kept.
 * Every statement that the store runs here is explained first: none looks at a
 * whole table, and none sorts what an index has in order.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/store_changes.h"
#include "certd/store_enrollments.h"
#include "certd/store_leaving.h"
#include "certd/store_revocations.h"
#include "tests/unit/resources_desk.h"

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

static bool explains;
static unsigned n_explained;

static void
explain(struct db_tx *tx, const char *sql, const struct db_value *values,
    size_t n_values)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	char text[2048], step[256];
	bool row = false;

	snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", sql);
	assert_true(strlen(text) < sizeof(text) - 1);
	assert_int_equal(
	    __real_db_query(tx, &rows, text, values, n_values).code, STATUS_OK);
	while (!failed(db_next(rows, &row)) && row) {
		db_column_text(rows, 3, step, sizeof(step));
		if (strncmp(step, "SCAN ", 5) == 0 &&
		    strcmp(step, "SCAN CONSTANT ROW") != 0)
			fail_msg("%s: %s", sql, step);
		if (strstr(step, "TEMP B-TREE") != NULL)
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

STATUS
__wrap_db_run(struct db_tx *tx, int64_t *ret_changed, const char *sql,
    const struct db_value *values, size_t n_values)
{
	if (explains)
		explain(tx, sql, values, n_values);
	return __real_db_run(tx, ret_changed, sql, values, n_values);
}

/* ---- a transaction a test, which is undone ---- */

struct bed {
	struct desk *desk;
	struct db_tx *tx;
};

static int
set_up(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));
	void *desk = NULL;

	assert_non_null(bed);
	desk_set_up(&desk);
	bed->desk = desk;
	assert_int_equal(
	    store_write(bed->desk->store, &bed->tx).code, STATUS_OK);
	explains = true;
	*state = bed;
	return 0;
}

static int
tear_down(void **state)
{
	struct bed *bed = *state;
	void *desk = bed->desk;

	explains = false;
	db_end(bed->tx);
	free(bed);
	return desk_tear_down(&desk);
}

#define OK(call) assert_int_equal((call).code, STATUS_OK)

static struct enrollment_row
enroll(struct bed *bed, int64_t account, const char *name, const char *names)
{
	struct enrollment_row row = { .account = account,
		.alg = KEY_ALG_EC_P256,
		.validation = VALIDATION_HTTP_01,
		.state = ENROLLMENT_PENDING };
	scoped(names_done) struct names list = { 0 };

	snprintf(row.name, sizeof(row.name), "%s", name);
	snprintf(row.network, sizeof(row.network), "standard");
	OK(names_parse(names, &list));
	OK(store_enrollments_insert(bed->tx, &row, &list));
	return row;
}

static struct change_row
begin(struct bed *bed, const struct enrollment_row *of, int kind)
{
	struct change_row row = { .enrollment = of->id,
		.account = of->account,
		.resource = of->resource,
		.kind = kind };
	int64_t other = 0;

	OK(store_changes_insert(bed->tx, &row, &other));
	return row;
}

/* ---- enrollments ---- */

static void
an_enrollment_is_kept_whole_with_its_names_in_order(void **state)
{
	struct bed *bed = *state;
	struct enrollment_row row = enroll(bed, bed->desk->acme, "shop",
	    "www.example.com *.example.com example.com");
	scoped(names_done) struct names names = { 0 };
	struct enrollment_row found;

	row.n_contacts = 2;
	row.contacts[0] = 7;
	row.contacts[1] = 12;
	row.stepwise = row.standby = true;
	snprintf(row.profile, sizeof(row.profile), "shortlived");
	OK(store_enrollments_save(bed->tx, &row));
	assert_int_equal(row.revision, 2);
	OK(store_enrollments_load(bed->tx, row.id, &found));
	assert_string_equal(found.account_name, "acme");
	assert_string_equal(found.profile, "shortlived");
	assert_int_equal(found.n_contacts, 2);
	assert_int_equal(found.contacts[1], 12);
	assert_true(found.stepwise && found.standby);
	assert_int_equal(found.revision, 2);
	OK(store_enrollments_names(bed->tx, row.id, &names));
	assert_int_equal(names.n, 3);
	assert_string_equal(names.at[0], "*.example.com");
	assert_string_equal(names.at[2], "www.example.com");
	/* The machine's words leave an etag as it is. */
	OK(store_enrollments_set_state(
	    bed->tx, row.id, ENROLLMENT_FAILED, "why"));
	OK(store_enrollments_load(bed->tx, row.id, &found));
	assert_int_equal(found.state, ENROLLMENT_FAILED);
	assert_string_equal(found.problem, "why");
	assert_int_equal(found.revision, 2);
}

static void
a_name_is_taken_once_in_an_account_and_a_resource_has_one(void **state)
{
	struct bed *bed = *state;
	struct enrollment_row row =
	    enroll(bed, bed->desk->acme, "shop", "www.example.com");
	scoped(names_done) struct names names = { 0 };
	struct status st;

	OK(names_parse("www.example.com", &names));
	st = store_enrollments_insert(bed->tx, &row, &names);
	assert_int_equal(st.code, STATUS_ALREADY_EXISTS);
	assert_non_null(strstr(st.why, "of that name"));
	row.account = bed->desk->other;
	OK(store_enrollments_insert(bed->tx, &row, &names));
}

static bool
add_id(void *ctx, const struct enrollment_row *row)
{
	size_t len = strlen(ctx);

	snprintf((char *)ctx + len, 256 - len, "%s ", row->name);
	return true;
}

static void
lists_come_in_pages_of_an_account_of_all_and_of_a_state(void **state)
{
	struct bed *bed = *state;
	char token[ENROLLMENTS_TOKEN_MAX] = "", next[ENROLLMENTS_TOKEN_MAX];
	char found[256] = "";
	struct store_enrollments_query query = {
		.account = bed->desk->acme, .size = 2, .page_token = token
	};
	int64_t id = enroll(bed, bed->desk->acme, "a", "a.example.com").id;

	enroll(bed, bed->desk->other, "b", "b.example.com");
	enroll(bed, bed->desk->acme, "c", "c.example.com");
	enroll(bed, bed->desk->acme, "d", "d.example.com");
	OK(store_enrollments_list(bed->tx, &query, add_id, found, next));
	assert_string_equal(found, "d c ");
	memcpy(token, next, sizeof(token));
	OK(store_enrollments_list(bed->tx, &query, add_id, found, next));
	assert_string_equal(found, "d c a ");
	assert_string_equal(next, "");
	token[0] = found[0] = 0;
	query.size = 10;
	OK(store_enrollments_set_state(bed->tx, id, ENROLLMENT_ACTIVE, ""));
	query.state = ENROLLMENT_ACTIVE;
	OK(store_enrollments_list(bed->tx, &query, add_id, found, next));
	query.account = 0;
	OK(store_enrollments_list(bed->tx, &query, add_id, found, next));
	query.state = 0;
	OK(store_enrollments_list(bed->tx, &query, add_id, found, next));
	assert_string_equal(found, "a a d c b a ");
	query.resource = 99;
	OK(store_enrollments_list(bed->tx, &query, add_id, found, next));
	assert_string_equal(found, "a a d c b a ");
	snprintf(token, sizeof(token), "D1");
	assert_int_equal(
	    store_enrollments_list(bed->tx, &query, add_id, found, next).code,
	    STATUS_INVALID_ARGUMENT);
}

/* ---- renewals ---- */

static void
what_is_due_is_found_the_earliest_first_with_the_next_time(void **state)
{
	struct bed *bed = *state;
	struct renewal_row rows[8], row;
	char name[16];
	int64_t next_s = -1, ids[4];
	size_t n = 9;

	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "e%d", i);
		ids[i] = enroll(bed, bed->desk->acme, name, "a.example.com").id;
		OK(store_renewals_load(bed->tx, ids[i], PURPOSE_MAIN, &row));
		assert_int_equal(row.due_s, 0);
		row.renew_s = 1000 - 100 * i;
		row.ask_s = i == 0 ? 50 : 0;
		OK(store_renewals_save(bed->tx, &row));
	}
	OK(store_renewals_due(bed->tx, 850, rows, 8, &n, &next_s));
	assert_int_equal(n, 3);
	assert_int_equal(rows[0].enrollment, ids[0]);
	assert_int_equal(rows[0].due_s, 50);
	assert_int_equal(rows[1].enrollment, ids[3]);
	assert_int_equal(rows[2].enrollment, ids[2]);
	assert_int_equal(next_s, 900);
	OK(store_renewals_due(bed->tx, 850, rows, 1, &n, &next_s));
	assert_int_equal(n, 1);
	assert_int_equal(next_s, 700);
	OK(store_renewals_due(bed->tx, 5000, rows, 8, &n, &next_s));
	assert_int_equal(n, 4);
	assert_int_equal(next_s, 0);
}

static void
a_renewal_is_found_by_its_certificate(void **state)
{
	struct bed *bed = *state;
	struct enrollment_row of =
	    enroll(bed, bed->desk->acme, "shop", "www.example.com");
	struct renewal_row row;

	assert_int_equal(store_renewals_by_certificate(bed->tx, 5, &row).code,
	    STATUS_NOT_FOUND);
	OK(store_renewals_load(bed->tx, of.id, PURPOSE_STANDBY, &row));
	assert_int_equal(row.purpose, PURPOSE_STANDBY);
}

static void
run(struct bed *bed, const char *sql)
{
	OK(__real_db_run(bed->tx, NULL, sql, DB_NONE));
}

static int64_t
number(struct bed *bed, const char *sql)
{
	int64_t is = -1;

	OK(__real_db_number(bed->tx, &is, sql, DB_NONE));
	return is;
}

static void
what_a_clock_that_was_ahead_put_off_is_due_and_found_by_index(void **state)
{
	struct bed *bed = *state;
	const int64_t far_s = 99000000;
	struct renewal_row row;

	for (int i = 0; i < 3; i++) {
		char name[8];

		snprintf(name, sizeof(name), "e%d", i);
		OK(store_renewals_load(bed->tx,
		    enroll(bed, bed->desk->acme, name, "a.example.com").id,
		    PURPOSE_MAIN, &row));
		/* A pause, a question, and what is simply far away. */
		row.failures = i == 0;
		row.renew_s = far_s;
		row.ask_s = i == 1 ? far_s : 0;
		OK(store_renewals_save(bed->tx, &row));
	}
	run(bed, "INSERT INTO revocation (certificate, enrollment, account,"
		 " authority, reason, leaf, due_s, asked_s, asked_by)"
		 " VALUES (7, 1, 1, 'ca', 0, x'00', 99000000, 1, 'test'),"
		 " (8, 1, 1, 'ca', 0, x'00', 2000, 1, 'test')");
	OK(store_renewals_clamp(bed->tx, 1000));
	OK(store_revocations_clamp(bed->tx, 1000));
	OK(store_leaving_clamp(bed->tx, 1000));
	OK(store_changes_clamp(bed->tx, 1000));
	assert_int_equal(
	    number(bed, "SELECT count(*) FROM renewal WHERE due_s = 1000"), 2);
	assert_int_equal(
	    number(bed, "SELECT count(*) FROM renewal WHERE renew_s = 1000"),
	    1);
	assert_int_equal(
	    number(bed, "SELECT count(*) FROM renewal WHERE ask_s = 1000"), 1);
	assert_int_equal(
	    number(bed, "SELECT due_s FROM revocation WHERE certificate = 7"),
	    1000);
	assert_int_equal(
	    number(bed, "SELECT due_s FROM revocation WHERE certificate = 8"),
	    2000);
}

/* ---- changes ---- */

static void
a_pause_that_began_in_the_future_is_over_and_one_of_a_cas_is_not(void **state)
{
	struct bed *bed = *state;
	struct enrollment_row of =
	    enroll(bed, bed->desk->acme, "shop", "www.example.com");
	struct change_row row = begin(bed, &of, CHANGE_KIND_ISSUE);
	const int64_t now_s = store_now_s();

	row.state = CHANGE_ORDERING;
	row.due_s = now_s + 40000;
	OK(store_changes_save(bed->tx, &row, NULL));
	OK(store_changes_clamp(bed->tx, now_s));
	assert_int_equal(
	    number(bed, "SELECT due_s FROM change"), now_s + 40000);
	OK(store_changes_clamp(bed->tx, now_s - 10000));
	assert_int_equal(
	    number(bed, "SELECT due_s FROM change"), now_s - 10000);
}

static void
one_change_is_under_way_for_each_purpose(void **state)
{
	struct bed *bed = *state;
	struct enrollment_row of =
	    enroll(bed, bed->desk->acme, "shop", "www.example.com");
	struct change_row row = begin(bed, &of, CHANGE_KIND_ISSUE), found;
	struct change_row second = { .enrollment = of.id,
		.account = of.account,
		.kind = CHANGE_KIND_RENEWAL };
	scoped(names_done) struct names names = { 0 };
	int64_t other = 0;

	assert_int_equal(store_changes_insert(bed->tx, &second, &other).code,
	    STATUS_ALREADY_EXISTS);
	assert_int_equal(other, row.id);
	second.purpose = PURPOSE_STANDBY;
	OK(store_changes_insert(bed->tx, &second, &other));
	OK(store_changes_alive(bed->tx, of.id, PURPOSE_MAIN, &found));
	assert_int_equal(found.id, row.id);
	assert_int_equal(found.state, CHANGE_QUEUED);
	assert_string_not_equal(found.doing, "");
	OK(store_changes_names(bed->tx, row.id, &names));
	assert_int_equal(names.n, 1);
	row.state = CHANGE_FAILED;
	OK(store_changes_save(bed->tx, &row, "It failed."));
	assert_int_not_equal(row.ended_s, 0);
	assert_int_equal(
	    store_changes_alive(bed->tx, of.id, PURPOSE_MAIN, &found).code,
	    STATUS_NOT_FOUND);
	OK(store_changes_newest(bed->tx, of.id, PURPOSE_MAIN, &found));
	assert_int_equal(found.id, row.id);
	assert_int_equal(found.due_s, 0);
}

static void
percent_goes_by_state_and_never_back(void **state)
{
	struct bed *bed = *state;
	struct enrollment_row of =
	    enroll(bed, bed->desk->acme, "shop", "www.example.com");
	struct change_row row = begin(bed, &of, CHANGE_KIND_ISSUE), found;

	row.state = CHANGE_VALIDATING;
	row.percent = 55;
	OK(store_changes_save(bed->tx, &row, NULL));
	row.state = CHANGE_ORDERING;
	row.percent = 0;
	OK(store_changes_save(bed->tx, &row, NULL));
	OK(store_changes_load(bed->tx, row.id, &found));
	assert_int_equal(found.percent, 55);
	row.state = CHANGE_DONE;
	OK(store_changes_save(bed->tx, &row, NULL));
	OK(store_changes_load(bed->tx, row.id, &found));
	assert_int_equal(found.percent, 100);
}

static void
an_input_that_was_given_meanwhile_is_not_lost(void **state)
{
	struct bed *bed = *state;
	struct enrollment_row of =
	    enroll(bed, bed->desk->acme, "shop", "www.example.com");
	struct change_row row = begin(bed, &of, CHANGE_KIND_ISSUE), found;
	int64_t later_s = store_now_s() + 3600, given[4];
	size_t n = 0;

	/* The machine has the row, as somebody gives an input. */
	OK(store_changes_give_input(bed->tx, row.id, CHANGE_INPUT_RETRY));
	row.due_s = later_s;
	OK(store_changes_save(bed->tx, &row, NULL));
	OK(store_changes_load(bed->tx, row.id, &found));
	assert_int_equal(found.input, CHANGE_INPUT_RETRY);
	assert_true(found.due_s < later_s);
	OK(store_changes_given(bed->tx, given, 4, &n));
	assert_int_equal(n, 1);
	assert_int_equal(given[0], row.id);
	/* Another one comes before that one is taken. */
	OK(store_changes_give_input(bed->tx, row.id, CHANGE_INPUT_CANCEL));
	OK(store_changes_take_input(bed->tx, &found));
	OK(store_changes_load(bed->tx, row.id, &found));
	assert_int_equal(found.input, CHANGE_INPUT_CANCEL);
	/* And stays. */
	OK(store_changes_give_input(bed->tx, row.id, CHANGE_INPUT_VERIFY));
	OK(store_changes_load(bed->tx, row.id, &found));
	assert_int_equal(found.input, CHANGE_INPUT_CANCEL);
	OK(store_changes_take_input(bed->tx, &found));
	found.due_s = later_s;
	OK(store_changes_save(bed->tx, &found, NULL));
	OK(store_changes_load(bed->tx, row.id, &found));
	assert_int_equal(found.input, 0);
	assert_int_equal(found.due_s, later_s);
}

static void
changes_are_due_in_order_but_for_those_worked_on_and_those_that_ended(
    void **state)
{
	struct bed *bed = *state;
	struct change_row rows[5];
	int64_t ids[5], next_s = -1, now_s = store_now_s();
	char name[16];
	size_t n = 9;

	for (int i = 0; i < 5; i++) {
		struct enrollment_row of;

		snprintf(name, sizeof(name), "e%d", i);
		of = enroll(bed, bed->desk->acme, name, "a.example.com");
		rows[i] = begin(bed, &of, CHANGE_KIND_ISSUE);
		rows[i].due_s = now_s - i;
		if (i == 4)
			rows[i].due_s = now_s + 60;
		if (i == 3)
			rows[i].state = CHANGE_CANCELLED;
		OK(store_changes_save(bed->tx, &rows[i], NULL));
	}
	OK(store_changes_due(
	    bed->tx, now_s, &rows[1].id, 1, ids, 5, &n, &next_s));
	assert_int_equal(n, 2);
	assert_int_equal(ids[0], rows[2].id);
	assert_int_equal(ids[1], rows[0].id);
	assert_int_equal(next_s, now_s + 60);
	OK(store_changes_due(bed->tx, now_s, NULL, 0, ids, 1, &n, &next_s));
	assert_int_equal(n, 1);
	assert_int_equal(ids[0], rows[2].id);
	assert_int_equal(next_s, now_s - 1);
}

static void
of_the_same_names_at_the_same_authority_one_is_in_flight(void **state)
{
	struct bed *bed = *state;
	struct enrollment_row a =
	    enroll(bed, bed->desk->acme, "a", "www.example.com example.com");
	struct enrollment_row b =
	    enroll(bed, bed->desk->other, "b", "example.com www.example.com");
	struct change_row first = begin(bed, &a, CHANGE_KIND_ISSUE);
	struct change_row second = begin(bed, &b, CHANGE_KIND_ISSUE);
	int64_t other = -1;

	snprintf(first.authority, sizeof(first.authority), "ca");
	snprintf(second.authority, sizeof(second.authority), "ca");
	OK(store_changes_save(bed->tx, &first, NULL));
	OK(store_changes_same_names(bed->tx, &second, &other));
	assert_int_equal(other, 0);
	first.state = CHANGE_ORDERING;
	OK(store_changes_save(bed->tx, &first, NULL));
	OK(store_changes_same_names(bed->tx, &second, &other));
	assert_int_equal(other, first.id);
	snprintf(second.authority, sizeof(second.authority), "ca2");
	OK(store_changes_same_names(bed->tx, &second, &other));
	assert_int_equal(other, 0);
	snprintf(second.authority, sizeof(second.authority), "ca");
	first.state = CHANGE_DONE;
	OK(store_changes_save(bed->tx, &first, NULL));
	OK(store_changes_same_names(bed->tx, &second, &other));
	assert_int_equal(other, 0);
}

static void
an_outdated_change_is_cancelled_and_another_follows_it(void **state)
{
	struct bed *bed = *state;
	struct enrollment_row of =
	    enroll(bed, bed->desk->acme, "shop", "www.example.com");
	struct change_row row = begin(bed, &of, CHANGE_KIND_ISSUE), next;
	scoped(names_done) struct names names = { 0 }, now = { 0 };

	OK(names_parse("www.example.com shop.example.com", &names));
	OK(store_enrollments_set_names(bed->tx, of.id, &names));
	OK(store_changes_outdate(bed->tx, row.id));
	OK(store_changes_load(bed->tx, row.id, &row));
	assert_int_equal(row.input, CHANGE_INPUT_CANCEL);
	OK(store_changes_take_input(bed->tx, &row));
	row.state = CHANGE_CANCELLED;
	OK(store_changes_save(bed->tx, &row, "Given up."));
	OK(store_changes_alive(bed->tx, of.id, PURPOSE_MAIN, &next));
	assert_int_not_equal(next.id, row.id);
	assert_int_equal(next.kind, CHANGE_KIND_ISSUE);
	OK(store_changes_names(bed->tx, next.id, &now));
	assert_int_equal(now.n, 2);
	/* Saved once more, it does not end twice. */
	OK(store_changes_save(bed->tx, &row, NULL));
}

static void
what_a_person_cancels_is_not_followed(void **state)
{
	struct bed *bed = *state;
	struct enrollment_row of =
	    enroll(bed, bed->desk->acme, "shop", "www.example.com");
	struct change_row row = begin(bed, &of, CHANGE_KIND_ISSUE), next;

	OK(store_changes_outdate(bed->tx, row.id));
	OK(store_changes_give_input(bed->tx, row.id, CHANGE_INPUT_CANCEL));
	row.state = CHANGE_CANCELLED;
	OK(store_changes_save(bed->tx, &row, NULL));
	assert_int_equal(
	    store_changes_alive(bed->tx, of.id, PURPOSE_MAIN, &next).code,
	    STATUS_NOT_FOUND);
}

static void
an_enrollment_leaves_with_its_last_change(void **state)
{
	struct bed *bed = *state;
	struct enrollment_row of = enroll(bed, bed->desk->acme, "shop",
				  "www.example.com"),
			      found;
	struct change_row row = begin(bed, &of, CHANGE_KIND_ISSUE);

	OK(store_enrollments_leave(bed->tx, of.id));
	OK(store_enrollments_load(bed->tx, of.id, &found));
	assert_true(found.leaves);
	assert_int_equal(
	    store_enrollments_find(bed->tx, &desk_operator, of.id, &found).code,
	    STATUS_NOT_FOUND);
	/* Its name is free already. */
	enroll(bed, bed->desk->acme, "shop", "www.example.com");
	row.state = CHANGE_CANCELLED;
	OK(store_changes_save(bed->tx, &row, NULL));
	assert_int_equal(store_enrollments_load(bed->tx, of.id, &found).code,
	    STATUS_NOT_FOUND);
	/* History is still there. */
	OK(store_changes_load(bed->tx, row.id, &row));
}

static bool
count(void *ctx, const struct change_row *row)
{
	int64_t *seen = ctx;

	seen[0]++;
	seen[1] = row->id;
	return true;
}

static void
changes_are_listed_by_account_enrollment_resource_and_whether_they_live(
    void **state)
{
	struct bed *bed = *state;
	struct enrollment_row a =
	    enroll(bed, bed->desk->acme, "a", "a.example.com");
	struct enrollment_row b =
	    enroll(bed, bed->desk->other, "b", "b.example.com");
	struct change_row first = begin(bed, &a, CHANGE_KIND_ISSUE);
	struct change_row second;
	char token[CHANGES_TOKEN_MAX];
	const struct {
		struct store_changes_query query;
		int64_t n;
	} cases[] = {
		{ { .size = 9 }, 3 },
		{ { .size = 9, .under_way = true }, 2 },
		{ { .size = 9, .account = a.account }, 2 },
		{ { .size = 9, .account = a.account, .under_way = true }, 1 },
		{ { .size = 9, .enrollment = a.id }, 2 },
		{ { .size = 9, .enrollment = a.id, .under_way = true }, 1 },
		{ { .size = 9, .enrollment = a.id, .account = b.account }, 0 },
		{ { .size = 9, .resource = 77 }, 1 },
		{ { .size = 9, .resource = 77, .under_way = true }, 1 },
		{ { .size = 1 }, 1 },
	};

	first.state = CHANGE_DONE;
	OK(store_changes_save(bed->tx, &first, NULL));
	second = begin(bed, &a, CHANGE_KIND_RENEWAL);
	b.resource = 77;
	begin(bed, &b, CHANGE_KIND_ISSUE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t seen[2] = { 0 };

		OK(store_changes_list(
		    bed->tx, &cases[i].query, count, seen, token));
		assert_int_equal(seen[0], cases[i].n);
		if (i == 3)
			assert_int_equal(seen[1], second.id);
		assert_int_equal(token[0] != 0, i == 9);
	}
}

static bool
add_text(void *ctx, int64_t at_s, int state, const char *text)
{
	size_t len = strlen(ctx);

	assert_true(at_s > 0);
	snprintf((char *)ctx + len, 512 - len, "%d %s|", state, text);
	return true;
}

static void
history_is_told_from_the_first_line_on(void **state)
{
	struct bed *bed = *state;
	struct enrollment_row of =
	    enroll(bed, bed->desk->acme, "shop", "www.example.com");
	struct change_row row = begin(bed, &of, CHANGE_KIND_ISSUE);
	char found[512] = "";

	row.state = CHANGE_CHECKING;
	OK(store_changes_save(bed->tx, &row, "Looks at DNS."));
	OK(store_changes_save(bed->tx, &row, NULL));
	OK(store_changes_events(bed->tx, row.id, add_text, found));
	assert_string_equal(
	    found, "1 A certificate was asked for.|2 Looks at DNS.|");
}

static void
old_changes_may_go_but_for_the_newest_of_what_is_kept_up(void **state)
{
	struct bed *bed = *state;
	struct enrollment_row of =
	    enroll(bed, bed->desk->acme, "shop", "a.example.com");
	struct enrollment_row gone =
	    enroll(bed, bed->desk->acme, "gone", "b.example.com");
	struct store_changes_walk walk = { 0 };
	struct change_row rows[5];
	int64_t ids[CHANGES_OLD_MAX];
	size_t n = 9;

	for (int i = 0; i < 5; i++) {
		rows[i] = begin(bed, i < 3 ? &of : &gone, CHANGE_KIND_RENEWAL);
		rows[i].state = CHANGE_DONE;
		OK(store_changes_save(bed->tx, &rows[i], "Done."));
	}
	begin(bed, &gone, CHANGE_KIND_RENEWAL);
	run(bed, "UPDATE change SET created_s = id * 10,"
		 " ended_s = CASE WHEN id > 5 THEN 0 ELSE id * 10 + 5 END");
	/* The second one has lasted. */
	run(bed, "UPDATE change SET ended_s = 1000 WHERE id = 2");
	OK(store_changes_old(bed->tx, 500, &walk, ids, &n));
	assert_true(walk.is_done);
	assert_int_equal(n, 3);
	assert_int_equal(ids[0], rows[0].id);
	assert_int_equal(ids[1], rows[3].id);
	assert_int_equal(ids[2], rows[4].id);
	OK(store_changes_delete(bed->tx, rows[0].id));
	assert_int_equal(
	    number(bed, "SELECT count(*) FROM change_event WHERE change = 1"),
	    0);
	walk = (struct store_changes_walk){ 0 };
	OK(store_changes_old(bed->tx, 25, &walk, ids, &n));
	assert_int_equal(n, 0);
	/* Of an enrollment that is gone all may. */
	run(bed, "DELETE FROM renewal WHERE enrollment = 1");
	run(bed, "DELETE FROM enrollment WHERE id = 1");
	OK(store_changes_old(bed->tx, 45, &walk, ids, &n));
	assert_int_equal(n, 1);
	assert_int_equal(ids[0], rows[2].id);
}

/* ---- challenges ---- */

static bool
add_token(void *ctx, const struct challenge_row *row)
{
	size_t len = strlen(ctx);

	snprintf((char *)ctx + len, 64 - len, "%s ", row->token);
	return true;
}

static void
challenges_stay_with_their_change_and_those_in_place_are_found(void **state)
{
	struct bed *bed = *state;
	struct enrollment_row of =
	    enroll(bed, bed->desk->acme, "shop", "a.example.com");
	struct change_row change = begin(bed, &of, CHANGE_KIND_ISSUE);
	struct challenge_row row = { .change = change.id,
		.hostname = "b.example.com",
		.type = "http-01",
		.token = "tb",
		.key_authorization = "tb.x",
		.state = CHALLENGE_PENDING };
	scoped(free) struct challenge_row *rows = NULL;
	char found[64] = "";
	size_t n = 0;

	OK(store_challenges_put(bed->tx, &row));
	row.presented = true;
	row.state = CHALLENGE_PRESENT;
	OK(store_challenges_put(bed->tx, &row));
	snprintf(row.hostname, sizeof(row.hostname), "a.example.com");
	snprintf(row.token, sizeof(row.token), "ta");
	row.presented = false;
	OK(store_challenges_put(bed->tx, &row));
	OK(store_challenges_of(bed->tx, change.id, &rows, &n));
	assert_int_equal(n, 2);
	assert_string_equal(rows[0].token, "ta");
	assert_string_equal(rows[1].key_authorization, "tb.x");
	assert_int_equal(rows[1].state, CHALLENGE_PRESENT);
	OK(store_challenges_presented(bed->tx, "http-01", add_token, found));
	OK(store_challenges_presented(bed->tx, "dns-01", add_token, found));
	assert_string_equal(found, "tb ");
}

/* ---- revocations ---- */

static struct revocation_row
wish(struct bed *bed, int64_t certificate, int64_t enrollment, int64_t due_s)
{
	struct revocation_row row = { .certificate = certificate,
		.enrollment = enrollment,
		.account = bed->desk->acme,
		.reason = 4,
		.due_s = due_s };

	OK(store_revocations_put(bed->tx, &row, bytes_of("DER")));
	return row;
}

static void
a_revocation_waits_for_the_change_that_replaces_what_it_is_of(void **state)
{
	struct bed *bed = *state;
	struct enrollment_row of =
	    enroll(bed, bed->desk->acme, "shop", "www.example.com");
	struct change_row row = begin(bed, &of, CHANGE_KIND_REPLACEMENT);
	scoped(free) uint8_t *der = NULL;
	struct revocation_row found;
	int64_t ids[4], next_s = -1, now_s = store_now_s();
	size_t n = 9, len = 0;

	wish(bed, 11, of.id, 0);
	OK(store_revocations_due(bed->tx, now_s, ids, 4, &n, &next_s));
	assert_int_equal(n, 0);
	assert_int_equal(next_s, 0);
	/* A change that failed obtained nothing. */
	row.state = CHANGE_FAILED;
	OK(store_changes_save(bed->tx, &row, NULL));
	OK(store_revocations_due(bed->tx, now_s + 9, ids, 4, &n, &next_s));
	assert_int_equal(n, 0);
	row = begin(bed, &of, CHANGE_KIND_REPLACEMENT);
	row.state = CHANGE_DONE;
	row.certificate = 12;
	OK(store_changes_save(bed->tx, &row, NULL));
	OK(store_revocations_due(bed->tx, now_s + 9, ids, 4, &n, &next_s));
	assert_int_equal(n, 1);
	assert_int_equal(ids[0], 11);
	OK(store_revocations_leaf(bed->tx, 11, &der, &len));
	assert_int_equal(len, 3);
	OK(store_revocations_load(bed->tx, 11, &found));
	found.done_s = now_s;
	found.due_s = 0;
	OK(store_revocations_save(bed->tx, &found));
	/* Asked for once more it is done all the same. */
	wish(bed, 11, of.id, now_s);
	OK(store_revocations_due(bed->tx, now_s + 9, ids, 4, &n, &next_s));
	assert_int_equal(n, 0);
	assert_int_equal(
	    store_revocations_load(bed->tx, 12, &found).code, STATUS_NOT_FOUND);
}

static void
statements_were_explained(void **state)
{
	(void)state;
	assert_true(n_explained > 50);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_enrollment_is_kept_whole_with_its_names_in_order),
		T(a_name_is_taken_once_in_an_account_and_a_resource_has_one),
		T(lists_come_in_pages_of_an_account_of_all_and_of_a_state),
		T(what_is_due_is_found_the_earliest_first_with_the_next_time),
		T(a_renewal_is_found_by_its_certificate),
		T(what_a_clock_that_was_ahead_put_off_is_due_and_found_by_index),
		T(a_pause_that_began_in_the_future_is_over_and_one_of_a_cas_is_not),
		T(one_change_is_under_way_for_each_purpose),
		T(percent_goes_by_state_and_never_back),
		T(an_input_that_was_given_meanwhile_is_not_lost),
		T(changes_are_due_in_order_but_for_those_worked_on_and_those_that_ended),
		T(of_the_same_names_at_the_same_authority_one_is_in_flight),
		T(an_outdated_change_is_cancelled_and_another_follows_it),
		T(what_a_person_cancels_is_not_followed),
		T(an_enrollment_leaves_with_its_last_change),
		T(changes_are_listed_by_account_enrollment_resource_and_whether_they_live),
		T(history_is_told_from_the_first_line_on),
		T(old_changes_may_go_but_for_the_newest_of_what_is_kept_up),
		T(challenges_stay_with_their_change_and_those_in_place_are_found),
		T(a_revocation_waits_for_the_change_that_replaces_what_it_is_of),
		cmocka_unit_test(statements_were_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
