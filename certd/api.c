/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of what certd can be asked.  Default deny: a method that is in no
 * table is refused to everyone, and so is a caller whom the method's row does
 * not name.  Methods are added before the ports open and never change after, so
 * reading takes no lock.
 */

#include "certd/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "proto/message.h"

#define METHODS_MAX 160
#define STREAMS_MAX 8
#define ENTRY_PATH_MAX 128
#define N_CODES (STATUS_UNAUTHENTICATED + 1)

struct entry {
	const struct api_method *method;
	void *ctx;
	char path[ENTRY_PATH_MAX]; /* gRPC's */
	struct metric_counter *answers[N_CODES];
};

struct api {
	struct entry entries[METHODS_MAX];
	size_t n;
	struct {
		const char *path;
		unsigned allow;
	} streams[STREAMS_MAX];
	size_t n_streams;
	struct metric_histogram *latency;
};

struct status
api_explain(struct api_call *call, struct status st, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(call->why, sizeof(call->why), format, args);
	va_end(args);
	return st;
}

struct api *
api_new(void)
{
	return calloc(1, sizeof(struct api));
}

void
api_free(struct api *api)
{
	free(api);
}

/* ---- the table ---- */

static struct status
add(struct api *api, const struct api_method *method, void *ctx)
{
	struct entry *entry = &api->entries[api->n];

	if (api->n == METHODS_MAX)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "the table of methods is full");
	if (protobuf_c_service_descriptor_get_method_by_name(
		method->service, method->name) == NULL)
		return status_fail(
		    STATUS_INTERNAL, "a method is not of its service");
	snprintf(entry->path, sizeof(entry->path), "/%s/%s",
	    method->service->name, method->name);
	if (api_find(api, entry->path) != NULL)
		return status_fail(
		    STATUS_ALREADY_EXISTS, "a method is added twice");
	entry->method = method;
	entry->ctx = ctx;
	api->n++;
	return status_ok();
}

STATUS
api_add(struct api *api, const struct api_method *methods, size_t n, void *ctx)
{
	struct status st = status_ok();

	for (size_t i = 0; i < n && !failed(st); i++)
		st = add(api, &methods[i], ctx);
	return st;
}

STATUS
api_add_stream(struct api *api, const char *path, unsigned allow)
{
	if (api->n_streams == STREAMS_MAX)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "the table of streams is full");
	api->streams[api->n_streams].path = path;
	api->streams[api->n_streams++].allow = allow;
	return status_ok();
}

size_t
api_count(const struct api *api)
{
	return api->n;
}

const struct api_method *
api_at(const struct api *api, size_t i)
{
	return api->entries[i].method;
}

const struct api_method *
api_find(const struct api *api, const char *path)
{
	for (size_t i = 0; i < api->n; i++)
		if (strcmp(api->entries[i].path, path) == 0)
			return api->entries[i].method;
	return NULL;
}

static const struct entry *
entry_of(const struct api *api, const struct api_method *method)
{
	for (size_t i = 0; i < api->n; i++)
		if (api->entries[i].method == method)
			return &api->entries[i];
	return NULL;
}

void
api_measure(struct api *api, struct metrics *metrics)
{
	for (size_t i = 0; i < api->n; i++)
		for (unsigned code = 0; code < N_CODES; code++) {
			char labels[ENTRY_PATH_MAX + 64];

			snprintf(labels, sizeof(labels),
			    "method=\"%s\",code=\"%s\"", api->entries[i].path,
			    status_name((enum status_code)code));
			api->entries[i].answers[code] = metrics_counter(metrics,
			    "certd_requests_total",
			    "Requests answered, by gRPC and by REST.", labels);
		}
	api->latency = metrics_histogram(metrics, "certd_request_seconds",
	    "Time from a request's decoding to its answer.", "");
}

/* ---- who may ---- */

static const struct {
	unsigned allow;
	const char *why;
} roles[] = {
	{ ALLOW_READ,
	    "this takes an operator, an auditor, or an API token; edges may "
	    "not" },
	{ ALLOW_CHANGE,
	    "this takes an operator, or a token of role administrator or "
	    "engineer" },
	{ ALLOW_MANAGE,
	    "this takes an operator, or a token of role administrator" },
	{ ALLOW_MANAGE_READ,
	    "this takes an operator or auditor, or a token of role "
	    "administrator or auditor" },
	{ ALLOW_MANAGE_READ | ALLOW_ENGINEER,
	    "this takes an operator or auditor, or a token of role "
	    "administrator, engineer or auditor" },
	{ ALLOW_OPERATOR, "this takes an operator's client certificate" },
	{ ALLOW_OPERATOR | ALLOW_AUDITOR,
	    "this takes an operator's or an auditor's client certificate" },
	{ ALLOW_EDGE, "edges alone call this, by their client certificates" },
};

static const struct {
	unsigned scope;
	const char *why;
} scopes[] = {
	{ SCOPE_CERTIFICATES_READ,
	    "this takes a token with the scope certificates:read" },
	{ SCOPE_CERTIFICATES_WRITE,
	    "this takes a token with the scope certificates:write" },
	{ SCOPE_CERTIFICATES_READ | SCOPE_RESOURCES_READ,
	    "this takes a token with the scope certificates:read or "
	    "resources:read" },
	{ SCOPE_RESOURCES_READ,
	    "this takes a token with the scope resources:read" },
	{ SCOPE_RESOURCES_WRITE,
	    "this takes a token with the scope resources:write" },
	{ SCOPE_ACCOUNT_READ,
	    "this takes a token with the scope account:read" },
	{ SCOPE_ACCOUNT_WRITE,
	    "this takes a token with the scope account:write" },
};

static struct status
check_role(unsigned allow, unsigned who)
{
	const char *why = "the caller's role may not do this; ask an operator";

	if ((allow & who) != 0)
		return status_ok();
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (roles[i].allow == allow)
			why = roles[i].why;
	return status_fail(STATUS_PERMISSION_DENIED, why);
}

static struct status
check_scope(unsigned scope, unsigned has)
{
	const char *why = "the token's scopes do not reach to this";

	if (has == 0 || (has & scope) != 0)
		return status_ok();
	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++)
		if (scopes[i].scope == scope)
			why = scopes[i].why;
	return status_fail(STATUS_PERMISSION_DENIED, why);
}

STATUS
api_admits(const struct api *api, const char *path, unsigned who)
{
	const struct api_method *method = api_find(api, path);

	if (method != NULL)
		return check_role(method->allow, who);
	for (size_t i = 0; i < api->n_streams; i++)
		if (strcmp(api->streams[i].path, path) == 0)
			return check_role(api->streams[i].allow, who);
	return status_fail(
	    STATUS_PERMISSION_DENIED, "certd offers this method to nobody");
}

STATUS
api_allows(const struct api_method *method, const struct caller *caller)
{
	struct status st = check_role(method->allow, caller->is);

	return failed(st) ? st : check_scope(method->scope, caller->scopes);
}

/* ---- asking ---- */

/* Who may, by the way it came. */
static struct status
check_way(const struct api_method *method, const struct api_call *call)
{
	const struct api_web *web = call->web;

	if (method->open)
		return web != NULL ? status_ok()
				   : status_fail(STATUS_PERMISSION_DENIED,
					 "this is for browsers, over REST");
	if (method->session_only && (web == NULL || web->session == 0))
		return status_fail(STATUS_PERMISSION_DENIED,
		    "this takes somebody who has logged in to the console");
	return api_allows(method, call->caller);
}

static struct status
run(const struct entry *entry, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	ProtobufCMessage *reply = NULL;
	struct status st = check_way(entry->method, call);

	if (!failed(st))
		st = entry->method->fn(entry->ctx, call, request, &reply);
	if (!failed(st) && reply == NULL)
		st = status_fail(STATUS_INTERNAL, "the method gave no reply");
	if (failed(st))
		message_free(reply);
	else
		*ret_reply = reply;
	return st;
}

static void
count(const struct api *api, const struct entry *entry, struct status st,
    int64_t began_ns)
{
	if (st.code == STATUS_INTERNAL || st.code == STATUS_DATA_LOSS)
		log_error("a request failed", LOG_STR("method", entry->path),
		    LOG_STATUS(st));
	if (api->latency == NULL)
		return;
	metric_counter_add(entry->answers[st.code], 1);
	metric_histogram_observe_ns(api->latency, clock_mono_ns() - began_ns);
}

STATUS
api_ask(struct api *api, const struct api_method *method, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const struct entry *entry = entry_of(api, method);
	int64_t began_ns = clock_mono_ns();
	struct status st;

	call->why[0] = 0;
	if (entry == NULL)
		return status_fail(
		    STATUS_UNIMPLEMENTED, "there is no such method");
	st = run(entry, call, request, ret_reply);
	count(api, entry, st, began_ns);
	return st;
}
