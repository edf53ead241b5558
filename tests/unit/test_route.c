/* SPDX-License-Identifier: Apache-2.0 */

/* From verb, path and query to a method and its request. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "certd/query.h"
#include "certd/route.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "proto/holdfast/certd/v1/resources.pb-c.h"
#include "proto/message.h"

#define CERTIFICATES &holdfast__certd__v1__certificates__descriptor
#define REQUESTS &holdfast__certd__v1__certificate_requests__descriptor
#define GET_REQUEST (&holdfast__certd__v1__get_certificate_request__descriptor)

#define METHOD(of, called, by, at)                                             \
	{                                                                      \
		.service = of, .name = called, .verb = by, .path = at          \
	}

static const struct api_method METHODS[] = {
	METHOD(CERTIFICATES, "List", API_GET, "/v1/certificates"),
	METHOD(CERTIFICATES, "Upload", API_POST, "/v1/certificates"),
	METHOD(CERTIFICATES, "Get", API_GET, "/v1/certificates/{id}"),
	METHOD(CERTIFICATES, "Update", API_PATCH, "/v1/certificates/{id}"),
	METHOD(CERTIFICATES, "Delete", API_DELETE, "/v1/certificates/{id}"),
	METHOD(CERTIFICATES, "Replace", API_POST,
	    "/v1/certificates/{old_id}:replace"),
	METHOD(CERTIFICATES, "ImportParameters", API_GET,
	    "/v1/certificates:importParameters"),
	METHOD(CERTIFICATES, "Export", API_GET, "/v1/certificates/pem"),
	METHOD(REQUESTS, "List", API_GET, NULL),
};

static int
setup(void **state)
{
	static struct api *api;
	struct route_table *table;

	api = api_new();
	assert_non_null(api);
	assert_int_equal(
	    api_add(api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), NULL)
		.code,
	    STATUS_OK);
	assert_int_equal(route_table_new(api, &table).code, STATUS_OK);
	api_free(api); /* the table has the methods, not the api */
	*state = table;
	return 0;
}

static int
teardown(void **state)
{
	route_table_free(*state);
	return 0;
}

static const char *
found(void **state, enum api_verb verb, const char *path, unsigned *ret_verbs)
{
	struct route route;

	route_find(*state, verb, path, &route);
	*ret_verbs = route.verbs;
	return route.method == NULL ? "nothing" : route.method->name;
}

static void
verb_and_path_name_one_method(void **state)
{
	unsigned verbs;

	assert_string_equal(
	    found(state, API_GET, "/v1/certificates", &verbs), "List");
	assert_int_equal(verbs, 1 << API_GET | 1 << API_POST);
	assert_string_equal(
	    found(state, API_POST, "/v1/certificates", &verbs), "Upload");
	assert_string_equal(
	    found(state, API_GET, "/v1/certificates/17", &verbs), "Get");
	assert_string_equal(
	    found(state, API_DELETE, "/v1/certificates/17", &verbs), "Delete");
	assert_string_equal(
	    found(state, API_POST, "/v1/certificates/17:replace", &verbs),
	    "Replace");
	assert_string_equal(
	    found(state, API_GET, "/v1/certificates:importParameters", &verbs),
	    "ImportParameters");
}

static void
a_literal_goes_before_a_variable(void **state)
{
	unsigned verbs;

	assert_string_equal(
	    found(state, API_GET, "/v1/certificates/pem", &verbs), "Export");
	/* So this is no certificate of that name to be deleted. */
	assert_string_equal(
	    found(state, API_DELETE, "/v1/certificates/pem", &verbs),
	    "nothing");
	assert_int_equal(verbs, 1 << API_GET);
}

static void
another_verb_is_told_from_nothing(void **state)
{
	unsigned verbs;

	assert_string_equal(
	    found(state, API_DELETE, "/v1/certificates", &verbs), "nothing");
	assert_int_equal(verbs, 1 << API_GET | 1 << API_POST);
	assert_string_equal(
	    found(state, API_GET, "/v1/certificates/17:replace", &verbs),
	    "nothing");
	assert_int_equal(verbs, 1 << API_POST);
}

static void
what_is_not_quite_a_path_is_nothing(void **state)
{
	static const char *const BAD[] = { "", "/", "v1/certificates", "//",
		"/v1/certificates/", "/v1//certificates", "/v1/certificate",
		"/v1/certificates/17/x",
		"/v1/certificates/17:", "/v1/certificates/17:Replace",
		"/v1/certificates/:replace",
		"/v1/certificates/17:replace:replace", "/V1/certificates",
		"/v1/certificates/%", "/v1/certificates/%4",
		"/v1/certificates/%zz", "/v1/certificates/%00",
		"/v1/certificates/a%00b", "/v1/certificates/%ff",
		"/v1/cert%69ficates", "/1/2/3/4/5/6/7/8/9",
		"/v1/certificates/{id}:x" };
	unsigned verbs;

	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		assert_string_equal(
		    found(state, API_GET, BAD[i], &verbs), "nothing");
		assert_int_equal(verbs, 0);
	}
}

static void
variables_are_decoded_after_the_path_is_taken_apart(void **state)
{
	struct route route;

	route_find(
	    *state, API_GET, "/v1/certificates/a%2Fb%3areplace+%C3%BC", &route);
	assert_non_null(route.method);
	assert_int_equal(route.n_variables, 1);
	assert_string_equal(route.variables[0].name, "id");
	assert_string_equal(route.variables[0].value, "a/b:replace+\xc3\xbc");
}

static void
variables_fill_the_request(void **state)
{
	Holdfast__Certd__V1__GetCertificateRequest *get;
	ProtobufCMessage *request = message_new(GET_REQUEST);
	char why[ROUTE_WHY_MAX] = "";
	struct route route;

	get = (void *)request;
	route_find(*state, API_GET, "/v1/certificates/17", &route);
	assert_int_equal(route_fill(&route, request, why).code, STATUS_OK);
	assert_int_equal(get->id, 17);
	/* A body that says the same is no contradiction. */
	assert_int_equal(route_fill(&route, request, why).code, STATUS_OK);
	get->id = 18;
	assert_int_equal(
	    route_fill(&route, request, why).code, STATUS_INVALID_ARGUMENT);
	assert_string_equal(why, "id: the body says another one than the path");
	message_free(request);
	request = message_new(GET_REQUEST);
	route_find(*state, API_GET, "/v1/certificates/seven", &route);
	assert_int_equal(
	    route_fill(&route, request, why).code, STATUS_INVALID_ARGUMENT);
	assert_string_equal(why, "id: must be a whole number");
	message_free(request);
}

static void
two_methods_at_one_path_are_refused(void **state)
{
	static const struct api_method TWICE[] = {
		METHOD(CERTIFICATES, "Get", API_GET, "/v1/x/{id}"),
		METHOD(CERTIFICATES, "List", API_GET, "/v1/x/{name}"),
	};
	static const struct api_method BAD[] = {
		METHOD(CERTIFICATES, "Get", API_GET, "v1"),
	};
	struct route_table *table = NULL;
	struct api *api = api_new();

	(void)state;
	assert_int_equal(api_add(api, TWICE, 2, NULL).code, STATUS_OK);
	assert_int_equal(
	    route_table_new(api, &table).code, STATUS_FAILED_PRECONDITION);
	api_free(api);
	api = api_new();
	assert_int_equal(api_add(api, BAD, 1, NULL).code, STATUS_OK);
	assert_int_equal(
	    route_table_new(api, &table).code, STATUS_FAILED_PRECONDITION);
	assert_null(table);
	api_free(api);
}

static void
what_is_made_has_a_place(void **state)
{
	char name[ROUTE_NAME_MAX] = "";
	char names[ROUTE_VARIABLES_MAX][ROUTE_NAME_MAX];

	assert_true(route_child(*state, &METHODS[1], name));
	assert_string_equal(name, "id");
	assert_false(route_child(*state, &METHODS[5], name));
	assert_int_equal(
	    route_variables("/v1/a/{account}/b/{id}:do", names), 2);
	assert_string_equal(names[0], "account");
	assert_string_equal(names[1], "id");
	assert_int_equal(route_variables("/v1/a", names), 0);
}

/* ---- queries ---- */

static struct status
gather(void *ctx, const char *name, const char *value)
{
	char *list = ctx;
	size_t len = strlen(list);

	snprintf(list + len, 256 - len, "[%s|%s]", name, value);
	return strcmp(name, "stop") == 0
		   ? status_fail(STATUS_ABORTED, "stopped")
		   : status_ok();
}

static void
a_query_is_read_in_order_and_decoded(void **state)
{
	char list[256] = "", why[QUERY_WHY_MAX] = "";

	(void)state;
	assert_int_equal(
	    query_each("a=1&&b=x%20y+z&c&d=&e=1=2&a=%C3%BC", gather, list, why)
		.code,
	    STATUS_OK);
	assert_string_equal(list, "[a|1][b|x y z][c|][d|][e|1=2][a|\xc3\xbc]");
	list[0] = 0;
	assert_int_equal(
	    query_each("stop=1&b=2", gather, list, why).code, STATUS_ABORTED);
	assert_string_equal(list, "[stop|1]");
	assert_int_equal(query_each("", gather, list, why).code, STATUS_OK);
}

static void
a_query_that_is_not_well_formed_is_refused(void **state)
{
	static const char *const BAD[] = { "=1", "a=%", "a=%4", "a=%4g",
		"a=%00", "%00=1", "a=%ff", "a=%c3", "a=%ed%a0%80" };
	char list[256] = "", why[QUERY_WHY_MAX] = "", text[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
		assert_int_equal(query_each(BAD[i], gather, list, why).code,
		    STATUS_INVALID_ARGUMENT);
	assert_string_equal(list, "");
	memset(text, 'a', sizeof(text));
	text[1] = '=';
	text[sizeof(text) - 1] = 0;
	assert_int_equal(
	    query_each(text, gather, list, why).code, STATUS_INVALID_ARGUMENT);
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "a&", 2);
	assert_int_equal(
	    query_each(text, gather, list, why).code, STATUS_INVALID_ARGUMENT);
	assert_string_equal(why, "the query has more than 64 parameters");
}

static void
what_is_encoded_decodes_to_the_same(void **state)
{
	static const char TEXT[] = "a b+c/\xc3\xbc?&=%~-._";
	char encoded[128], decoded[128];

	(void)state;
	assert_true(query_encode(TEXT, encoded, sizeof(encoded)));
	assert_string_equal(encoded, "a%20b%2Bc%2F%C3%BC%3F%26%3D%25~-._");
	assert_true(query_decode(
	    encoded, strlen(encoded), true, decoded, sizeof(decoded)));
	assert_string_equal(decoded, TEXT);
	assert_false(query_encode(TEXT, encoded, 20));
	assert_false(query_decode(TEXT, 5, true, decoded, 5));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verb_and_path_name_one_method),
		cmocka_unit_test(a_literal_goes_before_a_variable),
		cmocka_unit_test(another_verb_is_told_from_nothing),
		cmocka_unit_test(what_is_not_quite_a_path_is_nothing),
		cmocka_unit_test(
		    variables_are_decoded_after_the_path_is_taken_apart),
		cmocka_unit_test(variables_fill_the_request),
		cmocka_unit_test(two_methods_at_one_path_are_refused),
		cmocka_unit_test(what_is_made_has_a_place),
		cmocka_unit_test(a_query_is_read_in_order_and_decoded),
		cmocka_unit_test(a_query_that_is_not_well_formed_is_refused),
		cmocka_unit_test(what_is_encoded_decodes_to_the_same),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
