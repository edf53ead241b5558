/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The history of one object: what is found, who sees it, and that no statement
 * looks at more than it shows.  Each is explained before it is run (linked with
 * --wrap).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/report.h"
#include "proto/holdfast/certd/v1/status.pb-c.h"
#include "proto/message.h"
#include "tests/unit/certd_desk.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

typedef Holdfast__Certd__V1__HistoryRequest history_request;
typedef Holdfast__Certd__V1__HistoryResponse history_msg;

/* ---- every statement of the history is explained ---- */

STATUS __real_db_query(struct db_tx *tx, struct db_rows **ret_rows,
    const char *sql, const struct db_value *values, size_t n_values);
STATUS __wrap_db_query(struct db_tx *tx, struct db_rows **ret_rows,
    const char *sql, const struct db_value *values, size_t n_values);

static char plan[1024]; /* of the last statement about the history */

static void
explain(struct db_tx *tx, const char *sql, const struct db_value *values,
    size_t n_values)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	char text[2048], step[256];
	bool row = false;
	size_t len = 0;

	snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", sql);
	assert_int_equal(
	    __real_db_query(tx, &rows, text, values, n_values).code, STATUS_OK);
	while (!failed(db_next(rows, &row)) && row) {
		db_column_text(rows, 3, step, sizeof(step));
		len += (size_t)snprintf(
		    plan + len, sizeof(plan) - len, "%s; ", step);
		if (strncmp(step, "SCAN ", 5) == 0 ||
		    strstr(step, "TEMP B-TREE") != NULL)
			fail_msg("%s: %s", sql, step);
	}
}

STATUS
__wrap_db_query(struct db_tx *tx, struct db_rows **ret_rows, const char *sql,
    const struct db_value *values, size_t n_values)
{
	if (strstr(sql, "FROM event") != NULL)
		explain(tx, sql, values, n_values);
	return __real_db_query(tx, ret_rows, sql, values, n_values);
}

/* ---- asking ---- */

static struct report *report;

static int
set_up(void **state)
{
	struct report_config config = { .identity = "spiffe://x/certd/one" };
	struct desk *desk;

	assert_int_equal(certd_desk_set_up(state), 0);
	desk = *state;
	config.store = desk->store;
	assert_int_equal(report_new(&config, &report).code, STATUS_OK);
	assert_int_equal(report_register(report, desk->api).code, STATUS_OK);
	return 0;
}

static int
tear_down(void **state)
{
	report_free(report);
	report = NULL;
	return certd_desk_tear_down(state);
}

static void
happen(struct desk *desk, int64_t account, const char *act, const char *object)
{
	struct db_tx *tx = NULL;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx,
		store_event(tx, account, "user anna", act, object, ""))
		.code,
	    STATUS_OK);
}

/* Of the request's texts, which are borrowed. */
static struct status
ask(struct desk *desk, const struct caller *who, const char *object,
    const char *token, history_msg **ret_page)
{
	history_request request;
	char object_text[300], token_text[32];

	snprintf(object_text, sizeof(object_text), "%s", object);
	snprintf(token_text, sizeof(token_text), "%s", token);
	holdfast__certd__v1__history_request__init(&request);
	request.object = object_text;
	request.page_token = token_text;
	request.page_size = 2;
	return certd_desk_ask(desk, who, "Status/History", &request, ret_page);
}

/* ---- tests ---- */

static void
an_objects_history_is_found_behind_many_others(void **state)
{
	struct desk *desk = *state;
	const struct caller who =
	    certd_desk_token(desk->acme, ALLOW_ADMINISTRATOR);
	history_msg *page = NULL;
	char token[32];

	happen(desk, desk->acme, "certificate uploaded", "certificate 12");
	happen(desk, desk->acme, "certificate bound", "certificate 12");
	for (int i = 0; i < 50; i++)
		happen(desk, desk->acme, "resource created", "resource 12");
	happen(desk, desk->acme, "certificate exported", "certificate 12");
	happen(desk, desk->acme, "certificate uploaded", "certificate 123");
	assert_int_equal(
	    ask(desk, &who, "certificate 12", "", &page).code, STATUS_OK);
	assert_int_equal(page->n_events, 2);
	assert_string_equal(page->events[0]->act, "certificate exported");
	assert_string_equal(page->events[1]->act, "certificate bound");
	snprintf(token, sizeof(token), "%s", page->next_page_token);
	message_free(&page->base);
	assert_int_equal(
	    ask(desk, &who, "certificate 12", token, &page).code, STATUS_OK);
	assert_int_equal(page->n_events, 1);
	assert_string_equal(page->events[0]->act, "certificate uploaded");
	assert_string_equal(page->next_page_token, "");
	message_free(&page->base);
}

static void
another_accounts_object_has_no_history(void **state)
{
	struct desk *desk = *state;
	const struct caller operator= certd_desk_operator();
	const struct caller who =
	    certd_desk_token(desk->other, ALLOW_ADMINISTRATOR);
	history_msg *page = NULL;

	happen(desk, desk->acme, "certificate uploaded", "certificate 12");
	assert_int_equal(
	    ask(desk, &who, "certificate 12", "", &page).code, STATUS_OK);
	assert_int_equal(page->n_events, 0);
	message_free(&page->base);
	assert_int_equal(
	    ask(desk, &operator, "certificate 12", "", &page).code, STATUS_OK);
	assert_int_equal(page->n_events, 1);
	message_free(&page->base);
}

static void
an_objects_history_is_found_by_its_index(void **state)
{
	struct desk *desk = *state;
	const struct caller whose[] = { certd_desk_operator(),
		certd_desk_token(desk->acme, ALLOW_ADMINISTRATOR) };
	static const char *const BY[] = { "event_by_object (object=? AND",
		"event_by_account_object (account=? AND object=? AND" };

	for (size_t i = 0; i < LEN(whose); i++) {
		history_msg *page = NULL;

		plan[0] = 0;
		assert_int_equal(
		    ask(desk, &whose[i], "certificate 12", "", &page).code,
		    STATUS_OK);
		assert_non_null(strstr(plan, BY[i]));
		message_free(&page->base);
	}
}

static void
what_can_be_no_object_is_refused(void **state)
{
	struct desk *desk = *state;
	const struct caller who = certd_desk_operator();
	history_msg *page = NULL;
	char text[280];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	assert_int_equal(
	    ask(desk, &who, text, "", &page).code, STATUS_INVALID_ARGUMENT);
	assert_int_equal(ask(desk, &who, "certificate\n12", "", &page).code,
	    STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(desk->call.why, "object"));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(an_objects_history_is_found_behind_many_others),
		TEST(another_accounts_object_has_no_history),
		TEST(an_objects_history_is_found_by_its_index),
		TEST(what_can_be_no_object_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
