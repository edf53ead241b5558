/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The OpenAPI 3.1 document: what all operations share is written out here, the
 * rest comes from the tables and descriptors (openapi_path.c,
 * openapi_schema.c).  It is made once at start; a making that fails, fails
 * certd's start, for the tables are then at fault.
 */

#include "certd/openapi.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "certd/login/session_cookie.h"
#include "certd/openapi_int.h"
#include "certd/problem.h"
#include "proto/message.h"

struct openapi {
	char *text;
	char etag[36]; /* 32 hex digits in quotes */
};

void
openapi_put(struct openapi_maker *maker, json_t *object, const char *name,
    json_t *value)
{
	if (json_object_set_new(object, name, value) != 0)
		maker->failed = true;
}

void
openapi_append(struct openapi_maker *maker, json_t *list, json_t *value)
{
	if (json_array_append_new(list, value) != 0)
		maker->failed = true;
}

void
openapi_put_text(struct openapi_maker *maker, json_t *object, const char *name,
    const char *text)
{
	if (text[0] != 0)
		openapi_put(maker, object, name, json_string(text));
}

json_t *
openapi_ref(const char *kind, const char *name)
{
	return json_pack(
	    "{s:o}", "$ref", json_sprintf("#/components/%s/%s", kind, name));
}

/* ---- what all share ---- */

static json_t *
problem_schema(struct openapi_maker *maker)
{
	json_t *codes = json_array();

	for (unsigned code = STATUS_CANCELLED; code <= STATUS_UNAUTHENTICATED;
	     code++)
		openapi_append(maker, codes,
		    json_string(status_name((enum status_code)code)));
	return json_pack("{s:s, s:s, s:[s,s,s,s,s], s:{s:{s:s}, s:{s:s}, "
			 "s:{s:s}, s:{s:s, s:s}, s:{s:s, s:s, s:o}, "
			 "s:{s:s, s:s}, s:{s:s, s:s}}}",
	    "type", "object", "description", "Problem details (RFC 9457).",
	    "required", "type", "title", "status", "detail", "code",
	    "properties", "type", "type", "string", "title", "type", "string",
	    "status", "type", "integer", "detail", "type", "string",
	    "description",
	    "For people: what was wrong, and what to do about it.", "code",
	    "type", "string", "description",
	    "What happened, in the words that gRPC has for it.", "enum", codes,
	    "reason", "type", "string", "description",
	    "Finer than code, where a program must know: TOTP_REQUIRED, "
	    "ACCOUNT_REQUIRED, MUST_SET, ...",
	    "instance", "type", "string", "description",
	    "The request's id, as in X-Request-Id.");
}

static json_t *
header(const char *description)
{
	return json_pack("{s:s, s:{s:s}}", "description", description, "schema",
	    "type", "string");
}

static json_t *
headers(void)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "RequestId",
	    header("The caller's own, or a new one; it is in certd's log."),
	    "ETag", header("Changes with each change; give it to If-Match."),
	    "Location", header("Where what was made is."), "Link",
	    header("rel=\"next\" is the next page (RFC 8288)."), "RetryAfter",
	    header("Seconds to wait."));
}

static json_t *
parameter(const char *in, const char *name, const char *description)
{
	return json_pack("{s:s, s:s, s:s, s:{s:s}}", "name", name, "in", in,
	    "description", description, "schema", "type", "string");
}

static json_t *
parameters(void)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:{s:s, s:s, s:s, s:{s:[s]}}}",
	    "CsrfToken",
	    parameter("header", "X-CSRF-Token",
		"The session's csrf_token; needed by cookie alone, not with an "
		"API token."),
	    "IfMatch",
	    parameter("header", "If-Match",
		"Do it only while the object still has this ETag; 412 "
		"otherwise."),
	    "IdempotencyKey",
	    parameter("header", "Idempotency-Key",
		"1 to 128 printable characters. A request that is sent again "
		"with its key is answered again, for 24 hours, and not done "
		"again."),
	    "RequestId",
	    parameter("header", "X-Request-Id",
		"Up to 63 of A-Z a-z 0-9 - . _ ~ : / + =, for the log."),
	    "download", "name", "download", "in", "query", "description",
	    "1: the content as it is, not in JSON.", "schema", "enum", "1");
}

static json_t *
components(struct openapi_maker *maker)
{
	json_t *problem = json_pack("{s:s, s:{s:o, s:o}, s:{s:{s:o}}}",
	    "description", "It was not done.", "headers", "X-Request-Id",
	    openapi_ref("headers", "RequestId"), "Retry-After",
	    openapi_ref("headers", "RetryAfter"), "content", PROBLEM_MEDIA_TYPE,
	    "schema", openapi_ref("schemas", "Problem"));

	openapi_put(maker, maker->schemas, "Problem", problem_schema(maker));
	return json_pack("{s:O, s:{s:o}, s:o, s:o, "
			 "s:{s:{s:s, s:s, s:s}, s:{s:s, s:s, s:s, s:s}}}",
	    "schemas", maker->schemas, "responses", "Problem", problem,
	    "headers", headers(), "parameters", parameters(), "securitySchemes",
	    "token", "type", "http", "scheme", "bearer", "description",
	    "An API token: \"Authorization: Bearer hft_...\".", "session",
	    "type", "apiKey", "in", "cookie", "name", SESSION_COOKIE,
	    "description",
	    "Who has logged in to the console. What changes something takes "
	    "X-CSRF-Token too, and comes from a page of this very site.");
}

static json_t *
document(struct openapi_maker *maker)
{
	return json_pack("{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:s}], "
			 "s:[{s:[]},{s:[]}], s:O, s:O, s:o}",
	    "openapi", "3.1.0", "info", "title", "Holdfast certd", "version",
	    HOLDFAST_VERSION, "description",
	    "Certificates, the resources that serve them, and the edges that "
	    "do. Unknown fields are errors; every field of an answer is there. "
	    "Lists come in pages: give next_page_token back as page_token.",
	    "license", "name", "Apache-2.0", "identifier", "Apache-2.0",
	    "servers", "url", "/", "security", "token", "session", "tags",
	    maker->tags, "paths", maker->paths, "components",
	    components(maker));
}

/* ---- the making ---- */

static json_t *
make(struct openapi_maker *maker, const struct api *api)
{
	for (size_t i = 0; i < api_count(api); i++)
		if (api_at(api, i)->path != NULL)
			openapi_path(maker, api, api_at(api, i));
	openapi_live(maker);
	openapi_schema_finish(maker, api);
	return document(maker);
}

static bool
put_etag(struct openapi *openapi)
{
	uint8_t hash[32];

	if (EVP_Digest(openapi->text, strlen(openapi->text), hash, NULL,
		EVP_sha256(), NULL) != 1)
		return false;
	openapi->etag[0] = '"';
	bytes_to_hex((struct bytes){ hash, 16 }, openapi->etag + 1);
	memcpy(openapi->etag + 33, "\"", 2);
	return true;
}

STATUS
openapi_new(const struct api *api, struct openapi **ret_openapi)
{
	scoped(comments_free) struct comments *comments = NULL;
	scoped(openapi_free) struct openapi *openapi =
	    calloc(1, sizeof(*openapi));
	struct openapi_maker maker = { .schemas = json_object(),
		.names = json_object(),
		.paths = json_object(),
		.tags = json_array() };
	json_t *json = NULL;
	struct status st = comments_new(&comments);

	maker.comments = comments;
	if (!failed(st) && openapi != NULL)
		json = make(&maker, api);
	if (json != NULL && !maker.failed)
		openapi->text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	json_decref(maker.schemas);
	json_decref(maker.names);
	json_decref(maker.paths);
	json_decref(maker.tags);
	if (failed(st))
		return st;
	if (maker.failed)
		return status_fail(STATUS_INTERNAL,
		    "the methods cannot be described: no memory, or two "
		    "types are of one name");
	if (openapi == NULL || openapi->text == NULL || !put_etag(openapi))
		return message_no_memory();
	*ret_openapi = openapi;
	openapi = NULL;
	return st;
}

void
openapi_free(struct openapi *openapi)
{
	if (openapi == NULL)
		return;
	free(openapi->text);
	free(openapi);
}

const char *
openapi_text(const struct openapi *openapi)
{
	return openapi->text;
}

const char *
openapi_etag(const struct openapi *openapi)
{
	return openapi->etag;
}
