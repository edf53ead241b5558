/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What one request means, in order: its head is looked at, the caller is found
 * out and asked of the table, and only then is its body read; body, query and
 * path become one message; a key of idempotency is looked up; the method is
 * asked.  Whatever ends it leaves a reply.  No libmicrohttpd here.
 */

#include <ctype.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/nearest.h"
#include "certd/authenticate.h"
#include "certd/idempotency.h"
#include "certd/problem.h"
#include "certd/query.h"
#include "certd/rest_int.h"
#include "certd/rest_live.h"
#include "certd/rest_message.h"
#include "certd/rest_one_click.h"
#include "certd/rest_session.h"
#include "certd/rest_web.h"
#include "proto/json.h"
#include "proto/message.h"

static void
refuse(struct rest_request *request, unsigned http, enum status_code code,
    const char *detail)
{
	rest_reply_problem(request, http, code, detail);
}

static bool
is_over(const struct rest_request *request)
{
	return request->reply.http != 0;
}

/* ---- the head ---- */

/* The caller's own id, if it is fit for a log, else a new one. */
static void
take_id(struct rest_request *request)
{
	const char *id = request->headers.request_id;
	uint8_t octets[16];
	size_t len = id == NULL ? 0 : strlen(id);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)id[i]) &&
		    strchr("-._~:/+=", id[i]) == NULL)
			len = 0;
	if (len > 0 && len < sizeof(request->id)) {
		memcpy(request->id, id, len + 1);
		return;
	}
	if (RAND_bytes(octets, sizeof(octets)) != 1)
		memset(octets, 0, sizeof(octets));
	bytes_to_hex((struct bytes){ octets, sizeof(octets) }, request->id);
}

/* "application/json", with any parameters. */
static bool
is_media_type(const char *value, const char *type)
{
	size_t len = strlen(type);

	return value != NULL && strncasecmp(value, type, len) == 0 &&
	       (value[len] == 0 || value[len] == ';' || value[len] == ' ');
}

static bool
has_body(const struct rest_request *request)
{
	const char *length = request->headers.content_length;

	return request->headers.transfer_encoding != NULL ||
	       (length != NULL && strspn(length, "0") != strlen(length));
}

static size_t
body_max(const struct rest_request *request)
{
	bool is_open =
	    request->what == REST_METHOD && request->route.method->open;

	return is_open ? REST_OPEN_BODY_MAX : REST_BODY_MAX;
}

void
rest_call_too_large(struct rest_request *request)
{
	refuse(request, 413, STATUS_INVALID_ARGUMENT,
	    body_max(request) == REST_BODY_MAX
		? "the body is larger than 1 MiB"
		: "the body is larger than 8 KiB");
}

static void
check_body(struct rest_request *request)
{
	const struct rest_headers *headers = &request->headers;
	unsigned long long len = body_max(request);

	if (request->verb != API_POST && request->verb != API_PATCH) {
		refuse(request, 400, STATUS_INVALID_ARGUMENT,
		    "a request of this kind has no body; its fields stand in "
		    "the query");
		return;
	}
	if (!is_media_type(headers->content_type, "application/json") &&
	    !rest_one_click_takes_body(request) &&
	    !(request->verb == API_PATCH &&
		is_media_type(
		    headers->content_type, "application/merge-patch+json"))) {
		refuse(request, 415, STATUS_INVALID_ARGUMENT,
		    "send the body as JSON, with \"Content-Type: "
		    "application/json\"");
		return;
	}
	if (headers->content_encoding != NULL &&
	    strcasecmp(headers->content_encoding, "identity") != 0) {
		refuse(request, 415, STATUS_INVALID_ARGUMENT,
		    "send the body as it is, without Content-Encoding");
		return;
	}
	if (headers->content_length != NULL)
		len = strtoull(headers->content_length, NULL, 10);
	if (len > body_max(request))
		rest_call_too_large(request);
	else
		request->body_promised = (size_t)len;
}

/* What one server takes for two requests, another takes for one. */
static bool
is_framed_well(const struct rest_headers *headers)
{
	if (headers->twice)
		return false;
	if (headers->transfer_encoding == NULL)
		return true;
	return headers->content_length == NULL &&
	       strcasecmp(headers->transfer_encoding, "chunked") == 0;
}

static void
print_allow(struct rest_request *request)
{
	char *to = request->reply.allow;
	size_t max = sizeof(request->reply.allow), n = 0;

	for (unsigned verb = API_GET; verb <= API_DELETE; verb++)
		if ((request->route.verbs & 1u << verb) != 0 && n < max)
			n += (size_t)snprintf(to + n, max - n, "%s%s",
			    n == 0 ? "" : ", ",
			    verb == API_GET
				? "GET, HEAD"
				: route_verb_name((enum api_verb)verb));
}

static void
find_route(struct rest_request *request)
{
	bool is_verb = route_verb(request->verb_name, &request->verb);

	if (strcmp(request->verb_name, "HEAD") == 0) {
		is_verb = true;
		request->verb = API_GET;
	}
	if (strcmp(request->path, "/openapi.json") == 0)
		request->what = REST_OPENAPI;
	else if (strcmp(request->path, "/healthz") == 0)
		request->what = REST_HEALTH;
	else if (rest_one_click_takes(request))
		request->what = REST_METHOD;
	else if (rest_web_takes(request))
		request->what = REST_WEB;
	else if (rest_live_takes(request)) {
		request->what = REST_LIVE;
		request->route.method = &rest_live_method;
	} else
		route_find(request->rest->routes, request->verb, request->path,
		    &request->route);
	if (request->what != REST_METHOD)
		request->route.verbs = 1u << API_GET;
	if (request->what == REST_METHOD && request->route.verbs == 0)
		refuse(request, 404, STATUS_NOT_FOUND,
		    "there is nothing at this path; /openapi.json lists what "
		    "there is");
	else if (!is_verb || (request->route.verbs & 1u << request->verb) == 0)
		refuse(request, 405, STATUS_UNIMPLEMENTED,
		    "this path is there for other verbs; see Allow");
	if (request->reply.http == 405)
		print_allow(request);
}

/* Room for all bodies that come in at once is limited, too. */
static void
promise(struct rest_request *request)
{
	struct rest *rest = request->rest;
	size_t before = atomic_fetch_add(&rest->bodies, request->body_promised);

	if (before + request->body_promised <= REST_BODIES_MAX)
		return;
	refuse(request, 503, STATUS_UNAVAILABLE,
	    "too many large requests come in at once; try again in a moment");
	request->reply.retry_after_s = 1;
}

void
rest_call_head(struct rest_request *request)
{
	take_id(request);
	if (!is_framed_well(&request->headers)) {
		refuse(request, 400, STATUS_INVALID_ARGUMENT,
		    "a header is there twice, or Transfer-Encoding is not "
		    "\"chunked\" alone");
		return;
	}
	if (strlen(request->path) > REST_TARGET_MAX ||
	    (request->query != NULL &&
		strlen(request->query) > REST_TARGET_MAX)) {
		refuse(request, 414, STATUS_INVALID_ARGUMENT,
		    "the address is longer than 8 KiB");
		return;
	}
	find_route(request);
	if (is_over(request) || !has_body(request))
		return;
	check_body(request);
	if (!is_over(request))
		promise(request);
}

/* ---- who asks ---- */

/* A wrong secret; who keeps guessing is told to wait.  A right one is heard
 * even then: others may share the address. */
static void
refuse_stranger(struct rest_request *request, struct status st)
{
	unsigned wait_s = request->headers.authorization == NULL
			      ? 0
			      : guard_wrong(request->rest->guard,
				    &request->client.any, clock_mono_ns());

	if (wait_s == 0) {
		rest_reply_status(request, st, "");
		return;
	}
	refuse(request, 429, STATUS_RESOURCE_EXHAUSTED,
	    "too many wrong secrets came from this address; wait before you "
	    "try another");
	request->reply.retry_after_s = wait_s;
}

void
rest_call_authenticate(struct rest_request *request)
{
	struct status st;

	if (request->route.method == NULL || is_over(request))
		return;
	if (request->route.method->open) {
		rest_session_admit_open(request);
		return;
	}
	if (rest_session_is_there(request)) {
		rest_session_authenticate(request);
		return;
	}
	st = authenticate_bearer(request->rest->config.store,
	    request->headers.authorization, &request->caller);
	if (st.code == STATUS_UNAUTHENTICATED) {
		refuse_stranger(request, st);
		return;
	}
	request->is_known = !failed(st);
	if (!failed(st) && request->route.method->session_only)
		st = status_fail(STATUS_PERMISSION_DENIED,
		    "this takes somebody who has logged in to the console; "
		    "tokens may not");
	if (!failed(st))
		st = api_allows(request->route.method, &request->caller);
	if (failed(st))
		rest_reply_status(request, st, "");
}

/* ---- the act ---- */

static void
ask(struct rest_request *request, const ProtobufCMessage *message,
    const struct idempotency *idempotency)
{
	struct rest_config *config = &request->rest->config;
	const struct api_method *method = request->route.method;
	struct api_call call = { .caller = &request->caller,
		.web = &request->web };
	scoped(message_free) ProtobufCMessage *reply = NULL;
	struct status st, ended;

	rest_session_prepare(request);
	st = api_ask(config->api, method, &call, message, &reply);
	if (idempotency != NULL) {
		ended = idempotency_end(idempotency, config->store, method,
		    failed(st) ? NULL : reply);
		if (failed(ended))
			log_warn(
			    "an idempotency key stays open", LOG_STATUS(ended));
	}
	if (!failed(st))
		rest_reply_message(request, reply);
	else if (st.code == STATUS_ABORTED && request->headers.if_match != NULL)
		refuse(request, 412, st.code,
		    call.why[0] == 0 ? st.why : call.why);
	else
		rest_reply_status(request, st, call.why);
	rest_session_finish(request);
}

static void
ask_once(struct rest_request *request, const ProtobufCMessage *message,
    const char *owner)
{
	struct rest_config *config = &request->rest->config;
	const struct api_method *method = request->route.method;
	scoped(message_free) ProtobufCMessage *reply = NULL;
	enum idempotency_outcome outcome = IDEMPOTENCY_NEW;
	struct idempotency idempotency;
	struct status st = idempotency_init(&idempotency,
	    request->headers.idempotency_key, owner, method, message);

	if (!failed(st))
		st = idempotency_begin(&idempotency, config->store,
		    store_now_s(), method, &outcome, &reply);
	if (failed(st)) {
		rest_reply_status(request, st, "");
		return;
	}
	switch (outcome) {
	case IDEMPOTENCY_NEW:
		ask(request, message, &idempotency);
		return;
	case IDEMPOTENCY_AGAIN:
		rest_reply_message(request, reply);
		request->reply.replayed = true;
		return;
	case IDEMPOTENCY_GONE:
		refuse(request, 409, STATUS_ALREADY_EXISTS,
		    "this was done already, and its answer held a secret, "
		    "which is not kept; undo what it made and ask with another "
		    "Idempotency-Key");
		return;
	case IDEMPOTENCY_BUSY:
		refuse(request, 409, STATUS_ABORTED,
		    "the first request with this Idempotency-Key is under way; "
		    "try again in a moment");
		request->reply.retry_after_s = 1;
		return;
	case IDEMPOTENCY_OTHER:
		refuse(request, 422, STATUS_INVALID_ARGUMENT,
		    "this Idempotency-Key came with another request before; "
		    "use a new one for each thing to be done");
		return;
	}
}

/* Passwords and codes in a request's texts. */
static void
wipe(ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *of = message->descriptor;

	for (unsigned i = 0; i < of->n_fields; i++) {
		char *text;

		if (of->fields[i].type != PROTOBUF_C_TYPE_STRING ||
		    of->fields[i].label == PROTOBUF_C_LABEL_REPEATED)
			continue;
		memcpy(&text, (uint8_t *)message + of->fields[i].offset,
		    sizeof(text));
		if (text != NULL && text != protobuf_c_empty_string &&
		    text != of->fields[i].default_value)
			explicit_bzero(text, strlen(text));
	}
}

static void
run_method(struct rest_request *request)
{
	scoped(message_free) ProtobufCMessage *message = NULL;
	char why[JSON_WHY_MAX] = "", text[64];
	const char *owner = rest_session_key_owner(request, text);
	struct status st;

	_Static_assert(
	    ROUTE_WHY_MAX == JSON_WHY_MAX && QUERY_WHY_MAX == JSON_WHY_MAX,
	    "one buffer is right for all of them");
	st = rest_message_make(request, &message, why);
	if (failed(st)) {
		rest_reply_status(request, st, why);
		return;
	}
	if (request->verb == API_POST && owner != NULL &&
	    request->headers.idempotency_key != NULL)
		ask_once(request, message, owner);
	else
		ask(request, message, NULL);
	if (request->route.method->secret)
		wipe(message);
}

void
rest_call_run(struct rest_request *request)
{
	switch (request->what) {
	case REST_OPENAPI:
		rest_reply_openapi(request);
		return;
	case REST_HEALTH:
		rest_reply_health(request);
		return;
	case REST_WEB:
		rest_web_reply(request);
		return;
	case REST_LIVE:
		rest_live_begin(request);
		return;
	case REST_METHOD:
		run_method(request);
		return;
	}
}
