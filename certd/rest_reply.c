/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a request is answered: a message as JSON with what HTTP has headers for
 * (ETag, Location, Link), content as it is when it is asked for, or a problem.
 * Answers are built here and sent in rest_http.c.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "certd/problem.h"
#include "certd/query.h"
#include "certd/rest_int.h"
#include "proto/json.h"

#define JSON_MEDIA_TYPE "application/json"

static void
set_body(struct rest_reply *reply, unsigned http, const char *type, char *text)
{
	free(reply->body);
	reply->http = http;
	reply->type = type;
	reply->body = (uint8_t *)text;
	reply->len = text == NULL ? 0 : strlen(text);
}

void
rest_reply_problem(struct rest_request *request, unsigned http,
    enum status_code code, const char *detail)
{
	const struct problem problem = { .http = http,
		.code = code,
		.detail = detail,
		.reason =
		    request->web.reason[0] == 0 ? NULL : request->web.reason,
		.request_id = request->id };

	/* Without memory for words, the code alone. */
	set_body(
	    &request->reply, http, PROBLEM_MEDIA_TYPE, problem_print(&problem));
}

void
rest_reply_status(
    struct rest_request *request, struct status st, const char *why)
{
	rest_reply_problem(request, problem_http(st.code), st.code,
	    why[0] == 0 ? st.why : why);
	if (request->reply.http == 429 || request->reply.http == 503)
		request->reply.retry_after_s = 2;
}

/* ---- fields of a reply ---- */

static const ProtobufCFieldDescriptor *
field_of(
    const ProtobufCMessageDescriptor *of, const char *name, ProtobufCType type)
{
	const ProtobufCFieldDescriptor *field =
	    protobuf_c_message_descriptor_get_field_by_name(of, name);

	if (field == NULL || field->type != type ||
	    field->label == PROTOBUF_C_LABEL_REPEATED)
		return NULL;
	return field;
}

static const void *
at(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return (const uint8_t *)message + field->offset;
}

/* "" when there is no such text. */
static const char *
text_of(const ProtobufCMessage *message, const char *name)
{
	const ProtobufCFieldDescriptor *field =
	    field_of(message->descriptor, name, PROTOBUF_C_TYPE_STRING);
	const char *text =
	    field == NULL ? NULL : *(char *const *)at(message, field);

	return text == NULL ? "" : text;
}

/* A name or an id; "" when there is none. */
static void
print_key(const ProtobufCMessage *message, const char *name, char *ret_key,
    size_t max)
{
	const ProtobufCFieldDescriptor *id =
	    field_of(message->descriptor, name, PROTOBUF_C_TYPE_INT64);
	int64_t number = id == NULL ? 0 : *(const int64_t *)at(message, id);

	ret_key[0] = 0;
	if (number != 0)
		snprintf(ret_key, max, "%lld", (long long)number);
	else if (!query_encode(text_of(message, name), ret_key, max))
		ret_key[0] = 0;
}

/* What a reply is about: itself, or the one message in it that has that
 * field. */
static const ProtobufCMessage *
object_of(const ProtobufCMessage *reply, const char *name)
{
	const ProtobufCMessageDescriptor *of = reply->descriptor;

	if (protobuf_c_message_descriptor_get_field_by_name(of, name) != NULL)
		return reply;
	for (unsigned i = 0; i < of->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &of->fields[i];
		const ProtobufCMessage *child;

		if (field->type != PROTOBUF_C_TYPE_MESSAGE ||
		    field->label == PROTOBUF_C_LABEL_REPEATED)
			continue;
		child = *(ProtobufCMessage *const *)at(reply, field);
		if (child != NULL &&
		    protobuf_c_message_descriptor_get_field_by_name(
			child->descriptor, name) != NULL)
			return child;
	}
	return NULL;
}

/* ---- headers ---- */

static void
put_etag(struct rest_reply *reply, const ProtobufCMessage *message)
{
	const ProtobufCMessage *object = object_of(message, "etag");
	const char *etag = object == NULL ? "" : text_of(object, "etag");

	if (etag[0] != 0 && strlen(etag) + 3 <= sizeof(reply->etag))
		snprintf(reply->etag, sizeof(reply->etag), "\"%s\"", etag);
}

/* Where what was made is, if it was made: 201. */
static void
put_location(struct rest_request *request, const ProtobufCMessage *message)
{
	const struct api_method *method = request->route.method;
	struct rest_reply *reply = &request->reply;
	char name[ROUTE_NAME_MAX], key[256] = "";
	bool has_place = route_child(request->rest->routes, method, name);
	const ProtobufCMessage *object =
	    object_of(message, has_place ? name : "id");

	if (!method->creates)
		return;
	if (object != NULL)
		print_key(object, has_place ? name : "id", key, sizeof(key));
	if (key[0] == 0)
		return;
	reply->http = 201;
	if (has_place &&
	    strlen(request->path) + strlen(key) + 2 <= sizeof(reply->location))
		snprintf(reply->location, sizeof(reply->location), "%s/%s",
		    request->path, key);
}

struct link {
	char *to;
	size_t len, max;
	bool is_full;
};

static struct status
put_parameter(void *ctx, const char *name, const char *value)
{
	struct link *link = ctx;
	char left[3 * QUERY_NAME_MAX], right[3 * QUERY_VALUE_MAX];
	int n;

	if (strcmp(name, "page_token") == 0)
		return status_ok();
	if (!query_encode(name, left, sizeof(left)) ||
	    !query_encode(value, right, sizeof(right))) {
		link->is_full = true;
		return status_ok();
	}
	n = snprintf(
	    link->to + link->len, link->max - link->len, "%s=%s&", left, right);
	link->len += (size_t)n;
	if (link->len >= link->max) {
		link->is_full = true;
		link->len = link->max - 1;
	}
	return status_ok();
}

/* RFC 8288: the next page, asked as this one was. */
static void
put_link(struct rest_request *request, const ProtobufCMessage *message)
{
	const char *token = text_of(message, "next_page_token");
	char target[sizeof(request->reply.link) - 32], encoded[1024];
	char why[QUERY_WHY_MAX];
	struct link link = { .to = target, .max = sizeof(target) };

	if (token[0] == 0 || request->verb != API_GET ||
	    strlen(request->path) >= 512)
		return;
	link.len =
	    (size_t)snprintf(target, sizeof(target), "%s?", request->path);
	if (request->query != NULL &&
	    failed(query_each(request->query, put_parameter, &link, why)))
		return;
	if (!query_encode(token, encoded, sizeof(encoded)) || link.is_full ||
	    link.len + strlen(encoded) + 16 > sizeof(target))
		return;
	snprintf(target + link.len, sizeof(target) - link.len, "page_token=%s",
	    encoded);
	snprintf(request->reply.link, sizeof(request->reply.link),
	    "<%s>; rel=\"next\"", target);
}

/* ---- content as it is ---- */

bool
rest_reply_has_content(const ProtobufCMessageDescriptor *reply)
{
	return field_of(reply, "content", PROTOBUF_C_TYPE_BYTES) != NULL &&
	       field_of(reply, "media_type", PROTOBUF_C_TYPE_STRING) != NULL;
}

/* Does this one ask for something that JSON is not? */
static bool
prefers_content(const struct rest_request *request)
{
	const char *accept = request->headers.accept;

	if (request->download)
		return true;
	return accept != NULL && accept[0] != 0 &&
	       strstr(accept, "*/*") == NULL &&
	       strcasestr(accept, "application/*") == NULL &&
	       strcasestr(accept, "json") == NULL;
}

static bool
is_plain(const char *text)
{
	for (; *text != 0; text++)
		if (*text < 0x21 || *text > 0x7e || *text == '"' ||
		    *text == '\\')
			return false;
	return true;
}

static void
put_content(struct rest_reply *reply, const ProtobufCMessage *message)
{
	const ProtobufCBinaryData *content = at(message,
	    field_of(message->descriptor, "content", PROTOBUF_C_TYPE_BYTES));
	const char *type = text_of(message, "media_type");
	const char *name = text_of(message, "file_name");
	uint8_t *copy = malloc(content->len + 1);

	reply->http = copy == NULL ? 503 : 200;
	reply->body = copy;
	if (copy == NULL)
		return;
	if (content->len > 0)
		memcpy(copy, content->data, content->len);
	reply->len = content->len;
	snprintf(reply->media_type, sizeof(reply->media_type), "%s",
	    is_plain(type) && type[0] != 0 ? type : "application/octet-stream");
	reply->type = reply->media_type;
	if (name[0] != 0 && is_plain(name))
		snprintf(reply->disposition, sizeof(reply->disposition),
		    "attachment; filename=\"%s\"", name);
}

/* ---- all of it ---- */

void
rest_reply_message(
    struct rest_request *request, const ProtobufCMessage *message)
{
	struct rest_reply *reply = &request->reply;
	char *text = NULL;
	struct status st;

	if (rest_reply_has_content(message->descriptor) &&
	    prefers_content(request)) {
		put_content(reply, message);
		return;
	}
	st = json_print(message, &text);
	if (failed(st)) {
		rest_reply_status(request, st, "");
		return;
	}
	set_body(reply, 200, JSON_MEDIA_TYPE, text);
	put_etag(reply, message);
	put_location(request, message);
	put_link(request, message);
}

void
rest_reply_openapi(struct rest_request *request)
{
	const struct openapi *openapi = request->rest->openapi;
	struct rest_reply *reply = &request->reply;
	const char *known = request->headers.if_none_match;

	snprintf(reply->etag, sizeof(reply->etag), "%s", openapi_etag(openapi));
	reply->may_be_kept = true;
	if (known != NULL && strstr(known, reply->etag) != NULL) {
		set_body(reply, 304, JSON_MEDIA_TYPE, NULL);
		return;
	}
	set_body(reply, 200, JSON_MEDIA_TYPE, strdup(openapi_text(openapi)));
	if (reply->body == NULL)
		rest_reply_problem(request, 503, STATUS_RESOURCE_EXHAUSTED,
		    "certd has no memory for this now");
}

/* Its database answers, so it can. */
void
rest_reply_health(struct rest_request *request)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(request->rest->config.store, &tx);
	uint8_t tag[STORE_TAG_LEN];
	int64_t version;

	if (!failed(st))
		st = store_current_version(tx, &version, tag);
	if (failed(st))
		rest_reply_problem(request, 503, STATUS_UNAVAILABLE, st.why);
	else
		set_body(&request->reply, 200, JSON_MEDIA_TYPE,
		    strdup("{\"status\":\"ok\"}"));
}
