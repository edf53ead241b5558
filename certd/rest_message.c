/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a request says, as its method's message: the body as JSON, then the
 * query, the path, and If-Match, of which none may speak of what another one
 * has said.
 */

#include "certd/rest_message.h"

#include <stdio.h>
#include <string.h>

#include "certd/query.h"
#include "certd/rest_one_click.h"
#include "proto/json.h"
#include "proto/message.h"

static const ProtobufCMethodDescriptor *
method_of(const struct rest_request *request)
{
	return protobuf_c_service_descriptor_get_method_by_name(
	    request->route.method->service, request->route.method->name);
}

struct filling {
	struct rest_request *request;
	ProtobufCMessage *message;
	char *why;
	uint64_t seen; /* a bit for each field */
};

static STATUS
wrong_parameter(struct filling *filling, const char *name, const char *why)
{
	snprintf(filling->why, JSON_WHY_MAX, "%.60s: %s", name, why);
	return status_fail(STATUS_INVALID_ARGUMENT, "the query cannot be read");
}

static STATUS
take_parameter(void *ctx, const char *name, const char *value)
{
	struct filling *filling = ctx;
	const ProtobufCMessageDescriptor *of = filling->message->descriptor;
	const ProtobufCFieldDescriptor *field =
	    protobuf_c_message_descriptor_get_field_by_name(of, name);
	uint64_t bit;

	if (strcmp(name, "download") == 0 &&
	    rest_reply_has_content(method_of(filling->request)->output)) {
		filling->request->download = strcmp(value, "1") == 0;
		return status_ok();
	}
	if (!filling->request->one_click &&
	    (filling->request->verb == API_POST ||
		filling->request->verb == API_PATCH))
		return wrong_parameter(filling, name,
		    "this request's fields stand in its body, not in the "
		    "query");
	if (field != NULL && field->label != PROTOBUF_C_LABEL_REPEATED) {
		bit = (uint64_t)1 << ((field - of->fields) & 63);
		if ((filling->seen & bit) != 0)
			return wrong_parameter(
			    filling, name, "stands in the query twice");
		filling->seen |= bit;
	}
	return json_set(filling->message, name, value, filling->why);
}

/* If-Match: "r7" goes into the request's etag. */
static STATUS
take_if_match(
    struct rest_request *request, ProtobufCMessage *message, char *ret_why)
{
	const char *value = request->headers.if_match;
	size_t len = value == NULL ? 0 : strlen(value);
	char etag[64];

	if (value == NULL || request->verb == API_GET ||
	    strcmp(value, "*") == 0)
		return status_ok();
	if (protobuf_c_message_descriptor_get_field_by_name(
		message->descriptor, "etag") == NULL) {
		snprintf(ret_why, JSON_WHY_MAX,
		    "If-Match: this request looks at no ETag; leave it out");
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "If-Match has no meaning here");
	}
	if (len < 3 || len >= sizeof(etag) || value[0] != '"' ||
	    value[len - 1] != '"' || strcspn(value + 1, "\"") != len - 2) {
		snprintf(ret_why, JSON_WHY_MAX,
		    "If-Match: give one ETag as it came, with its quotes");
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "If-Match cannot be read");
	}
	snprintf(etag, sizeof(etag), "%.*s", (int)(len - 2), value + 1);
	return json_set(message, "etag", etag, ret_why);
}

STATUS
rest_message_make(
    struct rest_request *request, ProtobufCMessage **ret_message, char *ret_why)
{
	const ProtobufCMessageDescriptor *input = method_of(request)->input;
	struct bytes body = { request->body, request->body_len };
	struct filling filling = { .request = request, .why = ret_why };
	scoped(message_free) ProtobufCMessage *message = NULL;
	struct status st;

	if (body.len == 0 || rest_one_click_takes_body(request))
		body = bytes_of("{}");
	st = json_read(input, body, &message, ret_why);
	filling.message = message;
	if (!failed(st) && request->query != NULL)
		st = query_each(
		    request->query, take_parameter, &filling, ret_why);
	if (!failed(st))
		st = route_fill(&request->route, message, ret_why);
	if (!failed(st))
		st = take_if_match(request, message, ret_why);
	if (failed(st))
		return st;
	*ret_message = message;
	message = NULL;
	return st;
}
