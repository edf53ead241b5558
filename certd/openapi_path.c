/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One method as an operation: its parameters from the path and, of GET and
 * DELETE, from the query; its body; what it answers, and the headers with it.
 */

#include <stdio.h>
#include <string.h>

#include "certd/openapi_int.h"
#include "certd/rest_int.h"
#include "certd/route.h"

const ProtobufCMethodDescriptor *
openapi_method(const struct api_method *method)
{
	return protobuf_c_service_descriptor_get_method_by_name(
	    method->service, method->name);
}

bool
openapi_is_in_path(const struct api_method *method, const char *field)
{
	char names[ROUTE_VARIABLES_MAX][ROUTE_NAME_MAX];
	size_t n = route_variables(method->path, names);

	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], field) == 0)
			return true;
	return false;
}

static bool
has_field(const ProtobufCMessageDescriptor *message, const char *name)
{
	return protobuf_c_message_descriptor_get_field_by_name(message, name) !=
	       NULL;
}

/* ---- parameters ---- */

static void
add_parameter(struct openapi_maker *maker, json_t *list, const char *in,
    const ProtobufCMessageDescriptor *message,
    const ProtobufCFieldDescriptor *field)
{
	json_t *parameter =
	    json_pack("{s:s, s:s}", "name", field->name, "in", in);

	if (strcmp(in, "path") == 0)
		openapi_put(maker, parameter, "required", json_true());
	openapi_put_text(maker, parameter, "description",
	    comments_of(maker->comments, message->name, field->name));
	openapi_put(maker, parameter, "schema", openapi_field(maker, field));
	openapi_append(maker, list, parameter);
}

static json_t *
parameters(struct openapi_maker *maker, const struct api_method *method)
{
	const ProtobufCMessageDescriptor *input = openapi_method(method)->input;
	bool by_query = method->verb == API_GET || method->verb == API_DELETE;
	json_t *list = json_array();

	for (unsigned i = 0; i < input->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &input->fields[i];

		if (openapi_is_in_path(method, field->name))
			add_parameter(maker, list, "path", input, field);
		else if (by_query && strcmp(field->name, "etag") != 0)
			add_parameter(maker, list, "query", input, field);
	}
	if (rest_reply_has_content(openapi_method(method)->output))
		openapi_append(
		    maker, list, openapi_ref("parameters", "download"));
	if (method->verb != API_GET && !method->open)
		openapi_append(
		    maker, list, openapi_ref("parameters", "CsrfToken"));
	if (has_field(input, "etag") && method->verb != API_GET)
		openapi_append(
		    maker, list, openapi_ref("parameters", "IfMatch"));
	if (method->verb == API_POST && !method->open &&
	    !(method->session_only && method->secret))
		openapi_append(
		    maker, list, openapi_ref("parameters", "IdempotencyKey"));
	openapi_append(maker, list, openapi_ref("parameters", "RequestId"));
	return list;
}

/* ---- answers ---- */

static json_t *
reply_headers(struct openapi_maker *maker, const struct api_method *method)
{
	const ProtobufCMessageDescriptor *output =
	    openapi_method(method)->output;
	json_t *headers = json_object();

	openapi_put(maker, headers, "X-Request-Id",
	    openapi_ref("headers", "RequestId"));
	if (has_field(output, "etag"))
		openapi_put(
		    maker, headers, "ETag", openapi_ref("headers", "ETag"));
	if (method->creates)
		openapi_put(maker, headers, "Location",
		    openapi_ref("headers", "Location"));
	if (has_field(output, "next_page_token"))
		openapi_put(
		    maker, headers, "Link", openapi_ref("headers", "Link"));
	return headers;
}

static json_t *
good_reply(struct openapi_maker *maker, const struct api_method *method)
{
	const ProtobufCMessageDescriptor *output =
	    openapi_method(method)->output;
	json_t *content = json_object();

	openapi_put(maker, content, "application/json",
	    json_pack("{s:o}", "schema", openapi_schema(maker, output)));
	if (rest_reply_has_content(output))
		openapi_put(
		    maker, content, "application/octet-stream", json_object());
	return json_pack("{s:s, s:o, s:o}", "description",
	    method->creates ? "Made." : "Done.", "headers",
	    reply_headers(maker, method), "content", content);
}

static void
add_problems(struct openapi_maker *maker, const struct api_method *method,
    json_t *responses)
{
	static const char *const ALWAYS[] = { "400", "401", "403", "429",
		"503" };
	bool names_one = strchr(method->path, '{') != NULL;
	bool changes = method->verb != API_GET;

	for (size_t i = 0; i < sizeof(ALWAYS) / sizeof(ALWAYS[0]); i++)
		openapi_put(maker, responses, ALWAYS[i],
		    openapi_ref("responses", "Problem"));
	if (names_one)
		openapi_put(maker, responses, "404",
		    openapi_ref("responses", "Problem"));
	if (changes)
		openapi_put(maker, responses, "409",
		    openapi_ref("responses", "Problem"));
	if (changes && has_field(openapi_method(method)->input, "etag"))
		openapi_put(maker, responses, "412",
		    openapi_ref("responses", "Problem"));
	if (method->verb == API_POST)
		openapi_put(maker, responses, "422",
		    openapi_ref("responses", "Problem"));
	openapi_put(
	    maker, responses, "default", openapi_ref("responses", "Problem"));
}

static json_t *
responses(struct openapi_maker *maker, const struct api_method *method)
{
	json_t *all = json_object();

	openapi_put(maker, all, method->creates ? "201" : "200",
	    good_reply(maker, method));
	add_problems(maker, method, all);
	return all;
}

/* ---- the operation ---- */

static json_t *
request_body(struct openapi_maker *maker, const struct api_method *method)
{
	json_t *schema;

	if (method->verb != API_POST && method->verb != API_PATCH)
		return NULL;
	schema = openapi_body(maker, method);
	if (schema == NULL)
		return NULL;
	return json_pack(
	    "{s:{s:{s:o}}}", "content", "application/json", "schema", schema);
}

/* "holdfast.certd.v1.Certificates" is "Certificates". */
static const char *
tag_of(const struct api_method *method)
{
	return method->service->short_name;
}

static void
add_tag(struct openapi_maker *maker, const struct api_method *method)
{
	json_t *tag;
	size_t i;

	json_array_foreach(maker->tags, i,
	    tag) if (strcmp(json_string_value(json_object_get(tag, "name")),
			 tag_of(method)) == 0) return;
	tag = json_pack("{s:s}", "name", tag_of(method));
	openapi_put_text(maker, tag, "description",
	    comments_of(maker->comments, method->service->name, NULL));
	openapi_append(maker, maker->tags, tag);
}

/* Who may, in words. */
static void
describe(struct openapi_maker *maker, const struct api_method *method,
    json_t *operation)
{
	static const struct {
		unsigned allow;
		const char *word;
	} ROLES[] = {
		{ ALLOW_ADMINISTRATOR, "administrator" },
		{ ALLOW_ENGINEER, "engineer" },
		{ ALLOW_VIEWER, "viewer" },
		{ ALLOW_ACCOUNT_AUDITOR, "auditor" },
	};
	const char *comment =
	    comments_of(maker->comments, method->service->name, method->name);
	char text[1536];
	size_t n = (size_t)snprintf(
	    text, sizeof(text), "%s%s", comment, comment[0] == 0 ? "" : "\n\n");
	bool any = false;

	if (method->open || method->session_only) {
		snprintf(text + n, sizeof(text) - n, "%s",
		    method->open ? "Anybody, without a token."
				 : "Who has logged in; no token.");
		openapi_put_text(maker, operation, "description", text);
		return;
	}
	for (size_t i = 0; i < sizeof(ROLES) / sizeof(ROLES[0]); i++) {
		if ((method->allow & ROLES[i].allow) == 0 || n >= sizeof(text))
			continue;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
		    any ? ", " : "Tokens of role ", ROLES[i].word);
		any = true;
	}
	if (n < sizeof(text))
		snprintf(text + n, sizeof(text) - n,
		    any ? "."
			: "No token: in the console or by gRPC, for "
			  "operators.");
	openapi_put_text(maker, operation, "description", text);
}

void
openapi_path(struct openapi_maker *maker, const struct api *api,
    const struct api_method *method)
{
	static const char *const VERBS[] = { [API_GET] = "get",
		[API_POST] = "post",
		[API_PATCH] = "patch",
		[API_DELETE] = "delete" };
	json_t *path = json_object_get(maker->paths, method->path), *body;
	json_t *operation;
	char id[128];

	(void)api;
	snprintf(id, sizeof(id), "%s.%s", tag_of(method), method->name);
	operation = json_pack(
	    "{s:[s], s:s}", "tags", tag_of(method), "operationId", id);
	openapi_put_text(maker, operation, "summary",
	    method->summary == NULL ? "" : method->summary);
	describe(maker, method, operation);
	if (method->open)
		openapi_put(maker, operation, "security", json_array());
	else if (method->session_only)
		openapi_put(maker, operation, "security",
		    json_pack("[{s:[]}]", "session"));
	openapi_put(maker, operation, "parameters", parameters(maker, method));
	body = request_body(maker, method);
	if (body != NULL)
		openapi_put(maker, operation, "requestBody", body);
	openapi_put(maker, operation, "responses", responses(maker, method));
	add_tag(maker, method);
	if (path == NULL) {
		path = json_object();
		openapi_put(maker, maker->paths, method->path, path);
	}
	if (path != NULL)
		openapi_put(maker, path, VERBS[method->verb], operation);
}
