/* SPDX-License-Identifier: Apache-2.0 */

/* The service Diagnoses: who may ask about what, and how many at once. */

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "certd/diagnoses.h"
#include "proto/message.h"
#include "tests/fake/dns_fake.h"
#include "tests/unit/checks_desk.h"

DESK_MESSAGE(run_diagnosis_request, RunDiagnosisRequest)
DESK_MESSAGE(get_diagnosis_request, GetDiagnosisRequest)
DESK_MESSAGE(list_diagnoses_request, ListDiagnosesRequest)

typedef Holdfast__Certd__V1__Diagnosis diagnosis_msg;
typedef Holdfast__Certd__V1__ListDiagnosesResponse list_msg;

/* ---- every statement can be explained (linked with --wrap) ---- */

STATUS __real_db_query(struct db_tx *tx, struct db_rows **ret_rows,
    const char *sql, const struct db_value *values, size_t n_values);
STATUS __wrap_db_query(struct db_tx *tx, struct db_rows **ret_rows,
    const char *sql, const struct db_value *values, size_t n_values);
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
		if ((strncmp(step, "SCAN ", 5) == 0 &&
			strcmp(step, "SCAN CONSTANT ROW") != 0) ||
		    strstr(step, "TEMP B-TREE") != NULL)
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
__wrap_db_run(struct db_tx *tx, int64_t *ret_changed, const char *sql,
    const struct db_value *values, size_t n_values)
{
	if (explains)
		explain(tx, sql, values, n_values);
	return __real_db_run(tx, ret_changed, sql, values, n_values);
}

/* ---- asking ---- */

static struct checks_desk at;
static struct diagnoses *diagnoses;

static int
set_up(void **state)
{
	struct diagnoses_config config;

	(void)state;
	checks_desk_set_up(&at, "");
	config = (struct diagnoses_config){ .store = at.desk->store,
		.checks = at.checks };
	assert_int_equal(diagnoses_new(&config, &diagnoses).code, STATUS_OK);
	at.desk->api = api_new();
	assert_non_null(at.desk->api);
	assert_int_equal(
	    diagnoses_register(diagnoses, at.desk->api).code, STATUS_OK);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	checks_desk_tear_down(&at);
	diagnoses_free(diagnoses);
	return 0;
}

static struct status
run(struct caller *caller, const char *hostname, int64_t resource,
    diagnosis_msg **ret_report)
{
	Holdfast__Certd__V1__RunDiagnosisRequest asked =
	    desk_run_diagnosis_request();
	char name[256];

	snprintf(name, sizeof(name), "%s", hostname);
	asked.hostname = name;
	asked.resource = resource;
	return desk_ask(at.desk, caller, "Diagnoses/Run", &asked, ret_report);
}

static int64_t
run_id(struct caller *caller, const char *hostname, int64_t resource)
{
	diagnosis_msg *report = NULL;
	int64_t id;

	assert_int_equal(
	    run(caller, hostname, resource, &report).code, STATUS_OK);
	id = report->id;
	message_free(&report->base);
	return id;
}

static struct status
get(struct caller *caller, int64_t id)
{
	Holdfast__Certd__V1__GetDiagnosisRequest asked =
	    desk_get_diagnosis_request();

	asked.id = id;
	return desk_ask(at.desk, caller, "Diagnoses/Get", &asked, NULL);
}

static void
a_name_is_looked_at_as_its_resources(void **state)
{
	diagnosis_msg *report = NULL;

	(void)state;
	assert_int_equal(
	    run(&desk_alice, "WWW.Example.com.", 0, &report).code, STATUS_OK);
	assert_string_equal(report->hostname, "www.example.com");
	assert_int_equal(report->resource, at.shop);
	assert_string_equal(report->account, "acme");
	assert_true(report->n_findings > 8);
	message_free(&report->base);
}

static void
a_name_of_another_accounts_resource_is_refused(void **state)
{
	(void)state;
	assert_int_equal(run(&desk_bob, "www.example.com", 0, NULL).code,
	    STATUS_PERMISSION_DENIED);
	assert_null(strstr(at.desk->call.why, "shop"));
	assert_null(strstr(at.desk->call.why, "acme"));
	assert_int_equal(
	    run(&desk_bob, "", at.shop, NULL).code, STATUS_NOT_FOUND);
	assert_int_equal(
	    desk_number(at.desk, "SELECT count(*) FROM diagnosis"), 0);
	run_id(&desk_operator, "www.example.com", 0);
}

static void
a_name_that_no_resource_has_may_be_asked_about(void **state)
{
	int64_t id = run_id(&desk_bob, "new.example.org", 0);

	(void)state;
	assert_int_equal(get(&desk_bob, id).code, STATUS_OK);
	assert_int_equal(get(&desk_alice, id).code, STATUS_NOT_FOUND);
	assert_int_equal(get(&desk_operator, id).code, STATUS_OK);
	id = run_id(&desk_operator, "new.example.org", 0);
	assert_int_equal(get(&desk_bob, id).code, STATUS_NOT_FOUND);
}

static void
what_is_no_host_name_is_refused_in_words(void **state)
{
	(void)state;
	assert_int_equal(run(&desk_operator, "192.0.2.1", 0, NULL).code,
	    STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(at.desk->call.why, "192.0.2.1"));
	assert_int_equal(
	    run(&desk_operator, "", 0, NULL).code, STATUS_INVALID_ARGUMENT);
	assert_int_equal(run(&desk_operator, "a.example", at.shop, NULL).code,
	    STATUS_INVALID_ARGUMENT);
}

static size_t
list(struct caller *caller, const char *hostname, int64_t resource,
    uint32_t size)
{
	Holdfast__Certd__V1__ListDiagnosesRequest asked =
	    desk_list_diagnoses_request();
	char name[256], token[64] = "";
	size_t n = 0;
	int64_t last = INT64_MAX;

	snprintf(name, sizeof(name), "%s", hostname);
	asked.hostname = name;
	asked.resource = resource;
	asked.page_size = size;
	do {
		list_msg *page = NULL;

		asked.page_token = token;
		assert_int_equal(
		    desk_ask(at.desk, caller, "Diagnoses/List", &asked, &page)
			.code,
		    STATUS_OK);
		for (size_t i = 0; i < page->n_diagnoses; i++) {
			assert_true(page->diagnoses[i]->id < last);
			last = page->diagnoses[i]->id;
			assert_int_equal(page->diagnoses[i]->n_findings, 0);
			assert_true(page->diagnoses[i]->summary[0] != 0);
		}
		n += page->n_diagnoses;
		snprintf(token, sizeof(token), "%s", page->next_page_token);
		message_free(&page->base);
	} while (token[0] != 0);
	return n;
}

static void
lists_show_what_the_caller_sees_newest_first(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		run_id(&desk_alice, "www.example.com", 0);
		run_id(&desk_alice, "new.example.org", 0);
		run_id(&desk_bob, "new.example.org", 0);
	}
	assert_int_equal(list(&desk_operator, "", 0, 2), 9);
	assert_int_equal(list(&desk_alice, "", 0, 2), 6);
	assert_int_equal(list(&desk_alice, "new.example.org", 0, 2), 3);
	assert_int_equal(list(&desk_operator, "new.example.org", 0, 4), 6);
	assert_int_equal(list(&desk_bob, "", at.shop, 2), 0);
	assert_int_equal(list(&desk_operator, "", at.shop, 2), 3);
}

static void
no_statement_looks_at_all_rows_of_a_table(void **state)
{
	(void)state;
	explains = true;
	run_id(&desk_alice, "www.example.com", 0);
	checks_desk_run(&at, "www.example.com", at.shop, 1, 0);
	assert_int_equal(list(&desk_operator, "", 0, 1), 2);
	assert_int_equal(list(&desk_operator, "www.example.com", 0, 1), 2);
	assert_int_equal(list(&desk_operator, "", at.shop, 1), 2);
	assert_int_equal(list(&desk_alice, "", 0, 1), 2);
	explains = false;
	assert_true(n_explained > 20);
}

/* ---- many at once ---- */

static atomic_int refused, done;

static void *
ask_once(void *arg)
{
	Holdfast__Certd__V1__RunDiagnosisRequest asked =
	    desk_run_diagnosis_request();
	struct api_call call = { .caller = arg };
	char name[] = "www.example.com";
	struct status st;

	asked.hostname = name;
	st = desk_ask_with(at.desk, &call, "Diagnoses/Run", &asked, NULL);
	if (st.code == STATUS_RESOURCE_EXHAUSTED)
		atomic_fetch_add(&refused, 1);
	else if (!failed(st))
		atomic_fetch_add(&done, 1);
	return NULL;
}

static void
more_than_may_run_at_once_are_refused(void **state)
{
	pthread_t threads[DIAGNOSES_AT_ONCE + 3];
	size_t n = sizeof(threads) / sizeof(threads[0]);

	(void)state;
	dns_fake_hold();
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, ask_once, &desk_operator),
		    0);
	while (atomic_load(&refused) < 3)
		sched_yield();
	dns_fake_let_go();
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&done), DIAGNOSES_AT_ONCE);
	assert_int_equal(atomic_load(&refused), 3);
	run_id(&desk_operator, "www.example.com", 0);
}

static void
more_than_an_account_may_run_at_once_are_refused(void **state)
{
	pthread_t threads[DIAGNOSES_OF_ACCOUNT + 1];
	size_t n = sizeof(threads) / sizeof(threads[0]);

	(void)state;
	atomic_store(&refused, 0);
	atomic_store(&done, 0);
	dns_fake_hold();
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, ask_once, &desk_alice),
		    0);
	while (atomic_load(&refused) < 1)
		sched_yield();
	dns_fake_let_go();
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&done), DIAGNOSES_OF_ACCOUNT);
	assert_int_equal(atomic_load(&refused), 1);
	run_id(&desk_alice, "www.example.com", 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_name_is_looked_at_as_its_resources),
		TEST(a_name_of_another_accounts_resource_is_refused),
		TEST(a_name_that_no_resource_has_may_be_asked_about),
		TEST(what_is_no_host_name_is_refused_in_words),
		TEST(lists_show_what_the_caller_sees_newest_first),
		TEST(no_statement_looks_at_all_rows_of_a_table),
		TEST(more_than_may_run_at_once_are_refused),
		TEST(more_than_an_account_may_run_at_once_are_refused),
	};

	return cmocka_run_group_tests_name("diagnoses", tests, NULL, NULL);
}
