/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The seam to libmicrohttpd.  Its threads only move octets: a request is handed
 * to a thread of work.h, its connection suspended meanwhile, so neither a slow
 * client nor a slow answer holds anybody up.  A body is read only of callers
 * that are known and for methods they may call.
 *
 * libmicrohttpd calls on_request for the head, for each part of the body, and
 * once at the end; after a suspension it calls again what it called before.  An
 * answer in the head's call closes the connection, so a request without a body
 * is answered at its end.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/rest_client.h"
#include "certd/rest_int.h"
#include "certd/rest_live.h"
#include "certd/rest_peers.h"
#include "certd/rest_web.h"

#define THREADS 2
#define CONNECTION_MEMORY 32768
#define SWALLOW_MAX (8 * REST_BODY_MAX)

/* ---- the head ---- */

/* The first that is heard of a request; NULL: no memory. */
static void *
on_target(void *cls, const char *target, struct MHD_Connection *of)
{
	struct rest *rest = cls;
	struct rest_request *request = calloc(1, sizeof(*request));
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(of, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	if (request == NULL)
		return NULL;
	request->rest = rest;
	request->connection = of;
	request->from = info == NULL ? NULL : info->socket_context;
	request->began_ns = clock_mono_ns();
	request->path = strdup(target);
	if (request->path == NULL || request->from == NULL) {
		free(request->path);
		free(request);
		return NULL;
	}
	request->query = strchr(request->path, '?');
	if (request->query != NULL)
		*request->query++ = 0;
	atomic_fetch_add(&rest->n_requests, 1);
	rest_peers_turn(request, true);
	return request;
}

static enum MHD_Result
take_header(
    void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct rest_headers *headers = cls;
	struct {
		const char *name;
		const char **to;
	} const known[] = {
		{ "Authorization", &headers->authorization },
		{ "Content-Type", &headers->content_type },
		{ "Content-Length", &headers->content_length },
		{ "Content-Encoding", &headers->content_encoding },
		{ "Transfer-Encoding", &headers->transfer_encoding },
		{ "Accept", &headers->accept },
		{ "Accept-Encoding", &headers->accept_encoding },
		{ "If-Match", &headers->if_match },
		{ "If-None-Match", &headers->if_none_match },
		{ "Idempotency-Key", &headers->idempotency_key },
		{ "X-Request-Id", &headers->request_id },
		{ "Host", &headers->host },
		{ "Origin", &headers->origin },
		{ "Sec-Fetch-Site", &headers->sec_fetch_site },
		{ "Cookie", &headers->cookie },
		{ "X-CSRF-Token", &headers->csrf_token },
		{ "User-Agent", &headers->user_agent },
		{ "X-Left-Alone", &headers->left_alone },
	};

	(void)kind;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcasecmp(name, known[i].name) != 0)
			continue;
		/* Lists may come in parts; ours are short. */
		if (*known[i].to != NULL && known[i].to != &headers->accept &&
		    known[i].to != &headers->accept_encoding)
			headers->twice = true;
		*known[i].to = value == NULL ? "" : value;
	}
	return MHD_YES;
}

/* ---- the answer ---- */

static void
add(struct MHD_Response *response, const char *name, const char *value)
{
	if (value[0] != 0)
		MHD_add_response_header(response, name, value);
}

static void
add_number(struct MHD_Response *response, const char *name, unsigned value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	if (value > 0)
		MHD_add_response_header(response, name, text);
}

static void
count(struct rest_request *request)
{
	const struct rest_reply *reply = &request->reply;
	uint64_t took_ms =
	    (uint64_t)((clock_mono_ns() - request->began_ns) / NS_PER_MS);
	enum log_level level = LOG_DEBUG;
	struct metric_counter *counter =
	    reply->http < REST_HTTP_MAX ? request->rest->answers[reply->http]
					: NULL;

	if (reply->http >= 500)
		level = LOG_WARN;
	else if (request->what == REST_METHOD && request->is_known &&
		 request->verb != API_GET)
		level = LOG_INFO;
	log_write(level, "REST request",
	    (const struct log_field[]){ LOG_STR("request", request->id),
		LOG_STR("verb", request->verb_name),
		LOG_STR("path", request->path), LOG_UINT("http", reply->http),
		LOG_STR(
		    "caller", request->is_known ? request->caller.actor : ""),
		LOG_UINT("ms", took_ms), { .key = NULL } });
	if (counter != NULL)
		metric_counter_add(counter, 1);
}

static enum MHD_Result
answer(struct rest_request *request)
{
	struct rest_reply *reply = &request->reply;
	struct MHD_Response *response;
	enum MHD_Result result;

	response =
	    request->stream != NULL
		? rest_live_response(request)
		: MHD_create_response_from_buffer(reply->len, reply->body,
		      reply->is_borrowed ? MHD_RESPMEM_PERSISTENT
					 : MHD_RESPMEM_MUST_FREE);
	if (response == NULL)
		return MHD_NO;
	reply->body = NULL;
	add(response, "Content-Type", reply->type);
	add(response, "ETag", reply->etag);
	add(response, "Location", reply->location);
	add(response, "Link", reply->link);
	add(response, "Allow", reply->allow);
	add(response, "Content-Disposition", reply->disposition);
	add(response, "Set-Cookie", reply->cookie);
	explicit_bzero(reply->cookie, sizeof(reply->cookie));
	add(response, "X-Request-Id", request->id);
	add(response, "X-Content-Type-Options", "nosniff");
	add(response, "Cache-Control",
	    reply->cache != NULL ? reply->cache
	    : reply->may_be_kept ? "no-cache"
				 : "no-store");
	rest_web_headers(request, response);
	add(response, "Idempotency-Replayed", reply->replayed ? "true" : "");
	add(response, "WWW-Authenticate",
	    reply->http == 401 ? "Bearer realm=\"holdfast\"" : "");
	add(response, "Connection",
	    atomic_load(&request->rest->stopping) ? "close" : "");
	add_number(response, "Retry-After", reply->retry_after_s);
	count(request);
	rest_peers_turn(request, request->stream == NULL);
	result = MHD_queue_response(request->connection, reply->http, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- handing over ---- */

static void
do_authenticate(void *arg)
{
	struct rest_request *request = arg;

	log_set_request(request->id);
	rest_call_authenticate(request);
	log_set_request("");
	MHD_resume_connection(request->connection);
}

static void
do_run(void *arg)
{
	struct rest_request *request = arg;

	log_set_request(request->id);
	if (!request->is_known)
		rest_call_authenticate(request);
	if (request->reply.http == 0)
		rest_call_run(request);
	log_set_request("");
	MHD_resume_connection(request->connection);
}

static enum MHD_Result
hand_over(struct rest_request *request, struct work *work,
    void (*fn)(void *arg), enum rest_phase phase)
{
	request->phase = phase;
	rest_peers_turn(request, false);
	MHD_suspend_connection(request->connection);
	if (work_submit(work, fn, request))
		return MHD_YES;
	rest_reply_problem(request, 503, STATUS_UNAVAILABLE,
	    "certd has more to do than it can; try again in a moment");
	request->reply.retry_after_s = 1;
	MHD_resume_connection(request->connection);
	return MHD_YES;
}

/* ---- the body ---- */

/* There may be a key in it. */
static void
free_body(struct rest_request *request)
{
	if (request->body != NULL)
		explicit_bzero(request->body, request->body_max);
	free(request->body);
}

/* Room for len more, as far as was promised. */
static bool
make_room(struct rest_request *request, size_t len)
{
	size_t max = request->body_max == 0 ? 4096 : request->body_max;
	uint8_t *grown;

	while (max < request->body_len + len)
		max *= 2;
	if (max > request->body_promised)
		max = request->body_promised;
	if (max == request->body_max)
		return true;
	grown = malloc(max);
	if (grown == NULL)
		return false;
	if (request->body != NULL)
		memcpy(grown, request->body, request->body_len);
	free_body(request);
	request->body = grown;
	request->body_max = max;
	return true;
}

static enum MHD_Result
take_body(struct rest_request *request, const char *data, size_t *len)
{
	if (request->body_too_large ||
	    request->body_len + *len > request->body_promised) {
		/* Only at its end can it be told so. */
		request->body_too_large = true;
		request->body_len += *len;
		if (request->body_len > SWALLOW_MAX)
			return MHD_NO;
		*len = 0;
		return MHD_YES;
	}
	if (!make_room(request, *len))
		return MHD_NO;
	memcpy(request->body + request->body_len, data, *len);
	request->body_len += *len;
	*len = 0;
	return MHD_YES;
}

/* It reads the database, and waits for nobody else. */
static bool
is_quick(const struct rest_request *request)
{
	const struct api_method *method = request->route.method;

	return request->what != REST_METHOD ||
	       (request->verb == API_GET && !method->waits &&
		   strchr(method->path, ':') == NULL);
}

/* Logging in takes long, and anybody may: not where others are waiting. */
static struct work *
work_for(const struct rest_request *request)
{
	struct rest *rest = request->rest;

	if (request->what == REST_METHOD && request->route.method->open)
		return rest->opens;
	return is_quick(request) ? rest->reads : rest->acts;
}

static enum MHD_Result
take_end(struct rest_request *request)
{
	if (request->body_too_large)
		rest_call_too_large(request);
	if (request->what == REST_WEB && request->reply.http == 0)
		rest_call_run(request);
	if (request->reply.http != 0)
		return answer(request);
	return hand_over(request, work_for(request), do_run, REST_RUN);
}

static bool
has_body(const struct rest_headers *headers)
{
	return headers->transfer_encoding != NULL ||
	       (headers->content_length != NULL &&
		   strcmp(headers->content_length, "0") != 0);
}

static enum MHD_Result
take_head(struct rest_request *request, const char *verb)
{
	request->verb_name = verb;
	MHD_get_connection_values(request->connection, MHD_HEADER_KIND,
	    take_header, &request->headers);
	rest_client_find(request);
	rest_call_head(request);
	request->phase = REST_BODY;
	if (!has_body(&request->headers))
		return MHD_YES;
	if (request->reply.http != 0)
		return answer(request);
	return hand_over(
	    request, request->rest->reads, do_authenticate, REST_ASKED);
}

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *of, const char *url,
    const char *verb, const char *version, const char *data, size_t *len,
    void **context)
{
	struct rest_request *request = *context;

	(void)cls;
	(void)of;
	(void)url;
	(void)version;
	if (request == NULL)
		return MHD_NO;
	switch (request->phase) {
	case REST_HEAD:
		return take_head(request, verb);
	case REST_ASKED:
		rest_peers_turn(request, true);
		if (request->reply.http != 0)
			return answer(request);
		request->phase = REST_BODY;
		return MHD_YES;
	case REST_BODY:
		return *len > 0 ? take_body(request, data, len)
				: take_end(request);
	case REST_RUN:
		return answer(request);
	}
	return MHD_NO;
}

static void
on_completed(void *cls, struct MHD_Connection *of, void **context,
    enum MHD_RequestTerminationCode code)
{
	struct rest *rest = cls;
	struct rest_request *request = *context;

	(void)of;
	(void)code;
	if (request == NULL)
		return;
	rest_peers_turn(request, true);
	atomic_fetch_sub(&rest->bodies, request->body_promised);
	rest_live_end(request);
	if (!request->reply.is_borrowed)
		free(request->reply.body);
	free_body(request);
	free(request->path);
	free(request);
	*context = NULL;
	atomic_fetch_sub(&rest->n_requests, 1);
}

/* ---- start and stop ---- */

/* Addresses are decoded by query.h, not before. */
static size_t
unescape_nothing(void *cls, struct MHD_Connection *of, char *text)
{
	(void)cls;
	(void)of;
	return strlen(text);
}

STATUS
rest_http_start(
    struct rest *rest, const struct sockaddr *address, char *ret_why)
{
	unsigned flags =
	    MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_END, 0, NULL },
		{ MHD_OPTION_END, 0, NULL },
		{ MHD_OPTION_END, 0, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	union {
		const char *in;
		void *out; /* only read */
	} certificate, key, priorities;

	if (address->sa_family == AF_INET6)
		flags |= MHD_USE_DUAL_STACK;
	if (rest->tls != NULL) {
		flags |= MHD_USE_TLS;
		certificate.in = rest_tls_certificate(rest->tls);
		key.in = rest_tls_key(rest->tls);
		priorities.in = rest_tls_priorities();
		tls[0] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0,
			certificate.out };
		tls[1] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0,
			key.out };
		tls[2] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES,
			0, priorities.out };
	}
	errno = 0;
	rest->daemon = MHD_start_daemon(flags, 0, rest_peers_accept, rest,
	    on_request, rest, MHD_OPTION_SOCK_ADDR, address,
	    MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
	    MHD_OPTION_CONNECTION_LIMIT, rest->config.connections_max,
	    MHD_OPTION_CONNECTION_TIMEOUT, rest->config.idle_s,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
	    on_target, rest, MHD_OPTION_UNESCAPE_CALLBACK, unescape_nothing,
	    NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, rest,
	    MHD_OPTION_NOTIFY_CONNECTION, rest_peers_notify, rest,
	    MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
	if (rest->daemon != NULL)
		return status_ok();
	snprintf(ret_why, REST_WHY_MAX,
	    "%.100s cannot be listened on: is another process using the port?",
	    rest->config.listen);
	return status_fail_detail(STATUS_UNAVAILABLE,
	    "the address for REST cannot be listened on", (uint32_t)errno);
}

uint16_t
rest_http_port(const struct rest *rest)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(rest->daemon, MHD_DAEMON_INFO_BIND_PORT);

	return info == NULL ? 0 : info->port;
}

void
rest_http_stop(struct rest *rest)
{
	if (rest->daemon != NULL)
		MHD_stop_daemon(rest->daemon);
	rest->daemon = NULL;
}
