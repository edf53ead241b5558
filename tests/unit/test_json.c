/* SPDX-License-Identifier: Apache-2.0 */

/* certd's messages as JSON, both ways, and what is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "proto/holdfast/certd/v1/plans.pb-c.h"
#include "proto/holdfast/certd/v1/resources.pb-c.h"
#include "proto/json.h"
#include "proto/message.h"

#define CERTIFICATE (&holdfast__certd__v1__certificate__descriptor)
#define UPLOAD (&holdfast__certd__v1__upload_certificate_request__descriptor)
#define LIST (&holdfast__certd__v1__list_certificates_request__descriptor)
#define UPDATE (&holdfast__certd__v1__update_resource_request__descriptor)

/* Read it; NULL with the sentence in why when it is refused. */
static void *
take(const ProtobufCMessageDescriptor *descriptor, const char *text, char *why)
{
	ProtobufCMessage *message = NULL;
	struct status st = json_read(descriptor, bytes_of(text), &message, why);

	if (!failed(st))
		return message;
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	assert_null(message);
	return NULL;
}

static void
refuses(const ProtobufCMessageDescriptor *descriptor, const char *text,
    const char *sentence)
{
	char why[JSON_WHY_MAX] = "";

	assert_null(take(descriptor, text, why));
	assert_string_equal(why, sentence);
}

static void
every_field_is_written_also_at_its_default(void **state)
{
	Holdfast__Certd__V1__BoundCertificate bound;
	Holdfast__Certd__V1__CreateResourceResponse created;
	Holdfast__Certd__V1__ExportCertificateResponse export;
	char *text = NULL;

	holdfast__certd__v1__bound_certificate__init(&bound);
	holdfast__certd__v1__create_resource_response__init(&created);
	holdfast__certd__v1__export_certificate_response__init(&export);
	(void)state;
	assert_int_equal(json_print(&bound.base, &text).code, STATUS_OK);
	assert_string_equal(text,
	    "{\"id\":0,\"name\":\"\",\"kind\":\"unspecified\","
	    "\"fingerprint\":\"\",\"not_after_s\":0,\"since_s\":0,"
	    "\"key_algorithm\":\"\"}");
	free(text);
	assert_int_equal(json_print(&created.base, &text).code, STATUS_OK);
	assert_string_equal(text, "{\"resource\":null,\"notes\":[]}");
	free(text);
	assert_int_equal(json_print(&export.base, &text).code, STATUS_OK);
	assert_string_equal(
	    text, "{\"content\":\"\",\"media_type\":\"\",\"file_name\":\"\"}");
	free(text);
}

static void
a_message_comes_back_as_it_was(void **state)
{
	static const char TEXT[] =
	    "{\"id\":9007199254740991,\"account\":\"acme\",\"name\":\"Gr\xc3"
	    "\xbc\xc3\x9f "
	    "Gott\",\"kind\":\"personal\",\"subject\":\"\",\"issuer\":\"\","
	    "\"serial\":\"\",\"fingerprint\":\"\",\"not_before_s\":-1,"
	    "\"not_after_s\":1,\"hostnames\":[\"a.example\",\"b.example\"],"
	    "\"key\":{\"id\":\"\",\"algorithm\":\"ec_p256\",\"pool\":\"\","
	    "\"network\":\"\",\"origin\":\"unspecified\",\"exposed\":true},"
	    "\"resources\":[{\"id\":4,\"name\":\"shop\"},{\"id\":5,\"name\":"
	    "\"www\"}],\"bound\":4294967295,\"scope\":[],\"chain_pem\":"
	    "\"x\\ny\",\"created_s\":0,\"created_by\":\"\",\"waiting_edges\":"
	    "0,\"etag\":\"r7\",\"expires_in_days\":-2147483648}";
	char why[JSON_WHY_MAX] = "", *text = NULL;
	Holdfast__Certd__V1__Certificate *certificate =
	    take(CERTIFICATE, TEXT, why);

	(void)state;
	assert_non_null(certificate);
	assert_int_equal(certificate->id, 9007199254740991);
	assert_int_equal(certificate->kind,
	    HOLDFAST__CERTD__V1__CERTIFICATE_KIND__CERTIFICATE_KIND_PERSONAL);
	assert_int_equal(certificate->n_hostnames, 2);
	assert_string_equal(certificate->hostnames[1], "b.example");
	assert_true(certificate->key->exposed);
	assert_int_equal(certificate->resources[1]->id, 5);
	assert_int_equal(json_print(&certificate->base, &text).code, STATUS_OK);
	assert_string_equal(text, TEXT);
	free(text);
	message_free(&certificate->base);
}

static void
octets_are_base64_and_have_one_spelling(void **state)
{
	static const char *const BAD[] = { "AA=", "AAA", "AA==\\n",
		" AA==", "AB==", "====", "A===", "AAA*", "AA_-", "AAAA====" };
	Holdfast__Certd__V1__CertificateParts *parts;
	char why[JSON_WHY_MAX] = "", text[64];

	(void)state;
	parts = take(&holdfast__certd__v1__certificate_parts__descriptor,
	    "{\"data\":\"AP+/\"}", why);
	assert_non_null(parts);
	assert_int_equal(parts->data.len, 3);
	assert_memory_equal(parts->data.data, "\x00\xff\xbf", 3);
	message_free(&parts->base);
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		snprintf(text, sizeof(text), "{\"parts\":{\"data\":\"%s\"}}",
		    BAD[i]);
		refuses(UPLOAD, text,
		    "parts.data: must be base64, with padding and without line "
		    "breaks");
	}
	refuses(UPLOAD, "{\"parts\":{\"data\":1}}",
	    "parts.data: must be a text in base64");
}

static void
words_are_read_in_either_form(void **state)
{
	char why[JSON_WHY_MAX] = "";
	Holdfast__Certd__V1__ListCertificatesRequest *list = take(
	    LIST, "{\"kinds\":[\"acme\",\"CERTIFICATE_KIND_SHARED\"]}", why);

	(void)state;
	assert_non_null(list);
	assert_int_equal(list->n_kinds, 2);
	assert_int_equal(list->kinds[0], 2);
	assert_int_equal(list->kinds[1], 3);
	message_free(&list->base);
	refuses(LIST, "{\"kinds\":[\"acme\",\"personel\"]}",
	    "kinds[1]: there is no \"personel\"; did you mean \"personal\"?");
	refuses(LIST, "{\"kinds\":[\"\\u009bx\"]}",
	    "kinds[0]: there is no \"\\u009bx\"; \"personal\" is one");
	refuses(LIST, "{\"kinds\":[2]}", "kinds[0]: must be a word");
}

static void
numbers_are_whole_and_in_range_and_may_be_texts(void **state)
{
	char why[JSON_WHY_MAX] = "";
	Holdfast__Certd__V1__Certificate *certificate = take(CERTIFICATE,
	    "{\"id\":\"9223372036854775807\",\"not_after_s\":"
	    "-9223372036854775808,\"bound\":\"7\",\"expires_in_days\":"
	    "\"-14\"}",
	    why);

	(void)state;
	assert_non_null(certificate);
	assert_true(certificate->id == INT64_MAX);
	assert_true(certificate->not_after_s == INT64_MIN);
	assert_int_equal(certificate->bound, 7);
	assert_int_equal(certificate->expires_in_days, -14);
	message_free(&certificate->base);
	refuses(CERTIFICATE, "{\"id\":1.0}", "id: must be a whole number");
	refuses(CERTIFICATE, "{\"id\":\"0x1\"}", "id: must be a whole number");
	refuses(CERTIFICATE, "{\"id\":\"007\"}", "id: must be a whole number");
	refuses(CERTIFICATE, "{\"id\":\"\"}", "id: must be a whole number");
	refuses(CERTIFICATE, "{\"id\":\" 1\"}", "id: must be a whole number");
	refuses(CERTIFICATE, "{\"id\":\"9223372036854775808\"}",
	    "id: is out of range");
	refuses(
	    CERTIFICATE, "{\"bound\":4294967296}", "bound: is out of range");
	refuses(CERTIFICATE, "{\"bound\":-1}",
	    "bound: must be a whole number, 0 or more");
	refuses(CERTIFICATE, "{\"expires_in_days\":2147483648}",
	    "expires_in_days: is out of range");
	refuses(CERTIFICATE, "{\"expires_in_days\":-2147483649}",
	    "expires_in_days: is out of range");
}

static void
a_wrong_type_is_named_with_its_place(void **state)
{
	(void)state;
	refuses(UPLOAD, "{\"parts\":{\"certificate\":[]}}",
	    "parts.certificate: must be a text");
	refuses(UPLOAD, "{\"parts\":\"x\"}", "parts: must be an object");
	refuses(UPLOAD, "{\"parts\":[]}", "parts: must be an object");
	refuses(UPLOAD, "{\"name\":null}", "name: must be a text");
	refuses(UPLOAD, "{\"validate_only\":\"true\"}",
	    "validate_only: must be true or false");
	refuses(UPLOAD, "{\"validate_only\":1}",
	    "validate_only: must be true or false");
	refuses(UPLOAD, "{\"scope\":7}", "scope: must be a list");
	refuses(
	    UPLOAD, "{\"scope\":[1,2,{}]}", "scope[2]: must be a whole number");
	refuses(CERTIFICATE, "{\"resources\":[{\"id\":1},{\"id\":[]}]}",
	    "resources[1].id: must be a whole number");
	refuses(CERTIFICATE, "{\"resources\":[null]}",
	    "resources[0]: must be an object");
	refuses(CERTIFICATE, "{\"hostnames\":[\"a\",null]}",
	    "hostnames[1]: must be a text");
}

static void
an_unknown_field_is_refused_with_what_was_meant(void **state)
{
	(void)state;
	refuses(UPLOAD, "{\"nmae\":\"x\"}",
	    "nmae: there is no such field; did you mean \"name\"?");
	refuses(UPLOAD, "{\"parts\":{\"cabundle\":\"\"}}",
	    "parts.cabundle: there is no such field; did you mean "
	    "\"ca_bundle\"?");
	refuses(
	    UPLOAD, "{\"zzzzzzzzz\":1}", "zzzzzzzzz: there is no such field");
	/* The name is shown, and cannot pose as anything else. */
	refuses(UPLOAD, "{\"\\u202ename\":1}",
	    "\\u202ename: there is no such field");
}

static void
a_missing_message_is_null_and_null_is_missing(void **state)
{
	char why[JSON_WHY_MAX] = "";
	Holdfast__Certd__V1__UploadCertificateRequest *upload =
	    take(UPLOAD, "{\"parts\":null,\"wrapped_key\":{}}", why);

	(void)state;
	assert_non_null(upload);
	assert_null(upload->parts);
	assert_non_null(upload->wrapped_key);
	message_free(&upload->base);
}

static void
only_one_strict_object_is_read(void **state)
{
	static const char *const BAD[] = { "", "{", "{}x", "{} {}", "[]",
		"null", "7", "\"x\"", "{\"name\":\"\xff\"}",
		"{\"name\":\"\\ud800\"}", "{\"name\":\"\\u0000\"}",
		"{\"name\":\"a\",}", "{name:\"a\"}", "{'name':'a'}",
		"{\"id\":01}", "{\"scope\":[1,]}", "{\"id\":NaN}",
		"{\"name\":\"a\nb\"}", "{\"id\":99999999999999999999}",
		"\xef\xbb\xbf{}" };
	char why[JSON_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		why[0] = 0;
		assert_null(take(UPLOAD, BAD[i], why));
		assert_true(why[0] != 0);
	}
	refuses(UPLOAD, "[]", "the request must be an object");
}

static void
a_name_given_twice_is_refused(void **state)
{
	char why[JSON_WHY_MAX] = "";

	(void)state;
	assert_null(take(UPLOAD, "{\"name\":\"a\",\"name\":\"b\"}", why));
	assert_non_null(strstr(why, "duplicate"));
	assert_null(take(UPLOAD, "{\"n\\u0061me\":\"a\",\"name\":\"b\"}", why));
}

static void
depth_is_bounded_before_anything_is_built(void **state)
{
	char text[200000];

	(void)state;
	memset(text, '[', sizeof(text));
	text[sizeof(text) - 1] = 0;
	refuses(UPLOAD, text, "the request is nested more than 16 deep");
	/* Brackets in a text are no depth. */
	snprintf(text, sizeof(text),
	    "{\"scope\":\"[[[[[[[[[[[[[[[[[[[[[[\\\"["
	    "[[[[[[[[[[[[[[[[[[[\"}");
	refuses(UPLOAD, text, "scope: must be a list");
}

static void
change_is_what_stands_in_the_body(void **state)
{
	char why[JSON_WHY_MAX] = "", *text = NULL;
	Holdfast__Certd__V1__UpdateResourceRequest *update = take(UPDATE,
	    "{\"id\":4,\"https\":false,\"origin\":null,\"etag\":\"r1\"}", why);
	Holdfast__Certd__V1__UpdateResourceRequest *again;

	(void)state;
	assert_non_null(update);
	assert_int_equal(update->n_change, 2);
	assert_int_equal(update->change[0],
	    HOLDFAST__CERTD__V1__UPDATE_RESOURCE_REQUEST__FIELD__FIELD_ORIGIN);
	assert_int_equal(update->change[1],
	    HOLDFAST__CERTD__V1__UPDATE_RESOURCE_REQUEST__FIELD__FIELD_HTTPS);
	/* What is written out says so, and is believed. */
	assert_int_equal(json_print(&update->base, &text).code, STATUS_OK);
	again = take(UPDATE, text, why);
	assert_non_null(again);
	assert_int_equal(again->n_change, 2);
	free(text);
	message_free(&update->base);
	message_free(&again->base);
	update = take(UPDATE, "{\"id\":4}", why);
	assert_int_equal(update->n_change, 0);
	message_free(&update->base);
}

static void
texts_of_an_address_fill_fields(void **state)
{
	ProtobufCMessage *message = message_new(LIST);
	Holdfast__Certd__V1__ListCertificatesRequest *at = (void *)message;
	char why[JSON_WHY_MAX] = "";

	(void)state;
	assert_int_equal(json_set(message, "account", "acme", why).code, 0);
	assert_int_equal(json_set(message, "page_size", "10", why).code, 0);
	assert_int_equal(json_set(message, "unused", "true", why).code, 0);
	assert_int_equal(json_set(message, "kinds", "acme", why).code, 0);
	assert_int_equal(json_set(message, "kinds", "shared", why).code, 0);
	assert_string_equal(at->account, "acme");
	assert_int_equal(at->page_size, 10);
	assert_true(at->unused);
	assert_int_equal(at->n_kinds, 2);
	assert_int_equal(at->kinds[1], 3);
	assert_int_equal(json_set(message, "unused", "yes", why).code,
	    STATUS_INVALID_ARGUMENT);
	assert_string_equal(why, "unused: must be true or false");
	assert_int_equal(json_set(message, "page_size", "ten", why).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(json_set(message, "page_sise", "1", why).code,
	    STATUS_INVALID_ARGUMENT);
	assert_string_equal(why,
	    "page_sise: there is no such field; did you mean \"page_size\"?");
	message_free(message);
	message = message_new(UPLOAD);
	assert_int_equal(
	    json_set(message, "parts", "x", why).code, STATUS_INVALID_ARGUMENT);
	message_free(message);
}

static void
a_rate_may_be_a_fraction(void **state)
{
	static const ProtobufCMessageDescriptor *const plan =
	    &holdfast__certd__v1__plan__descriptor;
	char why[JSON_WHY_MAX] = "", *text = NULL;
	Holdfast__Certd__V1__Plan *message =
	    take(plan, "{\"keys_per_s\": 0.25, \"orders_per_s\": 3}", why);

	(void)state;
	assert_non_null(message);
	assert_true(message->keys_per_s * 4 == 1);
	assert_true(message->orders_per_s - 3 == 0);
	assert_int_equal(json_print(&message->base, &text).code, STATUS_OK);
	assert_non_null(
	    strstr(text, "\"orders_per_s\":3.0,\"keys_per_s\":0.25,"));
	free(text);
	message_free(&message->base);
	refuses(
	    plan, "{\"keys_per_s\": \"fast\"}", "keys_per_s: must be a number");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_written_also_at_its_default),
		cmocka_unit_test(a_message_comes_back_as_it_was),
		cmocka_unit_test(octets_are_base64_and_have_one_spelling),
		cmocka_unit_test(words_are_read_in_either_form),
		cmocka_unit_test(
		    numbers_are_whole_and_in_range_and_may_be_texts),
		cmocka_unit_test(a_wrong_type_is_named_with_its_place),
		cmocka_unit_test(
		    an_unknown_field_is_refused_with_what_was_meant),
		cmocka_unit_test(a_missing_message_is_null_and_null_is_missing),
		cmocka_unit_test(only_one_strict_object_is_read),
		cmocka_unit_test(a_name_given_twice_is_refused),
		cmocka_unit_test(depth_is_bounded_before_anything_is_built),
		cmocka_unit_test(change_is_what_stands_in_the_body),
		cmocka_unit_test(texts_of_an_address_fill_fields),
		cmocka_unit_test(a_rate_may_be_a_fraction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
