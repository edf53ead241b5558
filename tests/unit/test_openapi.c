/* SPDX-License-Identifier: Apache-2.0 */

/* The description of every method that certd's .proto files have, at paths of
 * this test's own; and the comments that it shows. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "certd/comments.h"
#include "certd/openapi.h"
#include "proto/holdfast/certd/v1/accounts.pb-c.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "proto/holdfast/certd/v1/edges.pb-c.h"
#include "proto/holdfast/certd/v1/resources.pb-c.h"
#include "proto/holdfast/certd/v1/status.pb-c.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define METHODS_MAX 64

static const ProtobufCServiceDescriptor *const SERVICES[] = {
	&holdfast__certd__v1__accounts__descriptor,
	&holdfast__certd__v1__users__descriptor,
	&holdfast__certd__v1__tokens__descriptor,
	&holdfast__certd__v1__contacts__descriptor,
	&holdfast__certd__v1__certificates__descriptor,
	&holdfast__certd__v1__certificate_requests__descriptor,
	&holdfast__certd__v1__resources__descriptor,
	&holdfast__certd__v1__edges__descriptor,
	&holdfast__certd__v1__status__descriptor,
};

struct table {
	struct api_method methods[METHODS_MAX];
	char paths[METHODS_MAX][128];
	size_t n;
	struct api *api;
	struct openapi *openapi;
	json_t *json;
};

static enum api_verb
verb_of(const char *name)
{
	static const struct {
		const char *begin;
		enum api_verb verb;
	} VERBS[] = { { "Get", API_GET }, { "List", API_GET },
		{ "Export", API_GET }, { "Update", API_PATCH },
		{ "Delete", API_DELETE } };

	for (size_t i = 0; i < LEN(VERBS); i++)
		if (strncmp(name, VERBS[i].begin, strlen(VERBS[i].begin)) == 0)
			return VERBS[i].verb;
	return API_POST;
}

static int
setup(void **state)
{
	struct table *table = calloc(1, sizeof(*table));
	json_error_t error;

	assert_non_null(table);
	table->api = api_new();
	for (size_t i = 0; i < LEN(SERVICES); i++)
		for (unsigned j = 0; j < SERVICES[i]->n_methods; j++) {
			const ProtobufCMethodDescriptor *of =
			    &SERVICES[i]->methods[j];
			bool has_id =
			    protobuf_c_message_descriptor_get_field_by_name(
				of->input, "id") != NULL;
			char *path = table->paths[table->n];

			snprintf(path, sizeof(table->paths[0]), "/v1/%s%s:%s",
			    SERVICES[i]->short_name, has_id ? "/{id}" : "",
			    of->name);
			table->methods[table->n++] =
			    (struct api_method){ .service = SERVICES[i],
				    .name = of->name,
				    .allow = ALLOW_READ,
				    .verb = verb_of(of->name),
				    .path = path,
				    .summary = "x" };
			assert_true(table->n < METHODS_MAX);
		}
	assert_int_equal(
	    api_add(table->api, table->methods, table->n, NULL).code,
	    STATUS_OK);
	assert_int_equal(
	    openapi_new(table->api, &table->openapi).code, STATUS_OK);
	table->json = json_loads(
	    openapi_text(table->openapi), JSON_REJECT_DUPLICATES, &error);
	assert_non_null(table->json);
	*state = table;
	return 0;
}

static int
teardown(void **state)
{
	struct table *table = *state;

	json_decref(table->json);
	openapi_free(table->openapi);
	api_free(table->api);
	free(table);
	return 0;
}

static const json_t *
at(const json_t *json, const char *path)
{
	char part[128];

	while (json != NULL && *path != 0) {
		size_t len = strcspn(path, "#");

		snprintf(part, sizeof(part), "%.*s", (int)len, path);
		json = json_object_get(json, part);
		path += len + (path[len] == '#' ? 1 : 0);
	}
	return json;
}

static void
check_references(const json_t *all, json_t *json, unsigned *count)
{
	const char *key, *reference;
	json_t *value;
	size_t i;

	reference = json_string_value(json_object_get(json, "$ref"));
	if (reference != NULL) {
		char path[192];

		assert_memory_equal(reference, "#/components/", 13);
		snprintf(path, sizeof(path), "%s", reference + 2);
		for (char *c = path; *c != 0; c++)
			if (*c == '/')
				*c = '#';
		if (at(all, path) == NULL)
			fail_msg("%s", reference);
		++*count;
	}
	json_object_foreach(json, key, value)
	{
		check_references(all, value, count);
	}
	json_array_foreach(json, i, value)
	{
		check_references(all, value, count);
	}
}

static void
every_method_is_there_and_every_reference_resolves(void **state)
{
	struct table *table = *state;
	unsigned references = 0;

	for (size_t i = 0; i < table->n; i++) {
		static const char *const WORDS[] = { [API_GET] = "get",
			[API_POST] = "post",
			[API_PATCH] = "patch",
			[API_DELETE] = "delete" };
		const json_t *operation = json_object_get(
		    json_object_get(
			json_object_get(table->json, "paths"), table->paths[i]),
		    WORDS[table->methods[i].verb]);
		char id[128];

		snprintf(id, sizeof(id), "%s.%s",
		    table->methods[i].service->short_name,
		    table->methods[i].name);
		assert_non_null(operation);
		assert_string_equal(json_string_value(json_object_get(
					operation, "operationId")),
		    id);
	}
	check_references(table->json, table->json, &references);
	assert_true(references > 200);
}

static void
types_are_described_as_they_are_mapped(void **state)
{
	static const struct {
		const char *path, *want;
	} FIELDS[] = {
		{ "Certificate#properties#not_after_s",
		    "\"format\":\"int64\"" },
		{ "Certificate#properties#bound", "\"minimum\":0" },
		{ "Certificate#properties#kind",
		    "\"$ref\":\"#/components/schemas/CertificateKind\"" },
		{ "Certificate#properties#key", "\"anyOf\":[{\"$ref\":" },
		{ "Certificate#properties#resources",
		    "\"items\":{\"$ref\":\"#/components/schemas/"
		    "ResourceRef\"}" },
		{ "CertificateParts#properties#data",
		    "\"contentEncoding\":\"base64\"" },
		{ "CertificateParts", "\"additionalProperties\":false" },
		{ "ResourceRef", "\"required\":[\"id\",\"name\"]" },
		{ "KeydKeyAlgorithm", "\"ec_p256\"" },
		{ "Certificate#properties#fingerprint",
		    "SHA-256 of the certificate, lower-case hex." },
	};
	struct table *table = *state;
	const json_t *schemas = at(table->json, "components#schemas");

	for (size_t i = 0; i < LEN(FIELDS); i++) {
		char *text =
		    json_dumps(at(schemas, FIELDS[i].path), JSON_COMPACT);

		assert_non_null(text);
		if (strstr(text, FIELDS[i].want) == NULL)
			fail_msg("%s: %s", FIELDS[i].path, text);
		free(text);
	}
}

static void
what_the_path_and_the_patch_say_is_not_in_the_body(void **state)
{
	struct table *table = *state;
	const json_t *body = at(table->json,
	    "components#schemas#UpdateResourceRequestBody#properties");

	assert_non_null(json_object_get(body, "hostnames"));
	assert_null(json_object_get(body, "id"));
	assert_null(json_object_get(body, "change"));
}

static void
its_etag_is_that_of_its_text(void **state)
{
	struct table *table = *state;
	struct openapi *again = NULL;

	assert_int_equal(openapi_new(table->api, &again).code, STATUS_OK);
	assert_string_equal(openapi_etag(again), openapi_etag(table->openapi));
	assert_int_equal(strlen(openapi_etag(again)), 34);
	openapi_free(again);
}

static void
comments_are_found_by_name(void **state)
{
	struct comments *comments = NULL;

	(void)state;
	assert_int_equal(comments_new(&comments).code, STATUS_OK);
	assert_string_equal(
	    comments_of(comments, "holdfast.certd.v1.Account", "name"),
	    "1..40 of a-z 0-9 -, unique.");
	/* Lines are joined. */
	assert_string_equal(
	    comments_of(comments, "holdfast.certd.v1.Accounts", NULL),
	    "Accounts: whose certificates and resources. Operators only, but "
	    "for Get and List, which show a token's holder the one account.");
	assert_string_equal(
	    comments_of(comments, "holdfast.certd.v1.Tokens", "Revoke"),
	    "In force for the next request.");
	assert_string_equal(comments_of(comments, "holdfast.certd.v1.UserRole",
				"USER_ROLE_ENGINEER"),
	    "Certificates and resources.");
	assert_string_equal(
	    comments_of(comments, "holdfast.certd.v1.None", NULL), "");
	comments_free(comments);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_method_is_there_and_every_reference_resolves),
		cmocka_unit_test(types_are_described_as_they_are_mapped),
		cmocka_unit_test(
		    what_the_path_and_the_patch_say_is_not_in_the_body),
		cmocka_unit_test(its_etag_is_that_of_its_text),
		cmocka_unit_test(comments_are_found_by_name),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
