/* SPDX-License-Identifier: Apache-2.0 */

/*
 * GET /v1/live: server-sent events (HTML, 9.2) out of certd/console/live.h.  A
 * stream on which nothing is said is a suspended connection, and costs neither
 * a thread nor a look of libmicrohttpd; live wakes it.  Whoever does not read
 * is ended by the port's time for idle connections, for what is said of topics
 * is kept as a few bits until he does.
 *
 * Whether the caller may still look on is asked again and again: an API token
 * that was revoked and a session that ended end their streams, as those whose
 * role or scopes are others do.  A stream alone keeps no session alive.
 */

#include "certd/rest_live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "certd/authenticate.h"
#include "certd/console/live.h"
#include "certd/login/sessions.h"
#include "certd/query.h"

#define BLOCK 1024

struct rest_stream {
	struct rest *rest;
	struct live_viewer *viewer;
	struct caller caller;
	int64_t session; /* 0: it came by a token */
	char *authorization;
	pthread_mutex_t mutex;             /* guards what follows */
	struct MHD_Connection *connection; /* NULL: it is done with */
	bool is_suspended, is_woken;
};

const struct api_method rest_live_method = { .name = "Live",
	.allow = LIVE_ALLOW,
	.scope = LIVE_SCOPES,
	.verb = API_GET,
	.path = REST_LIVE_PATH };

bool
rest_live_takes(const struct rest_request *request)
{
	return request->rest->config.live != NULL &&
	       strcmp(request->path, REST_LIVE_PATH) == 0;
}

/* ---- what live calls ---- */

static void
wake(void *ctx)
{
	struct rest_stream *stream = ctx;

	pthread_mutex_lock(&stream->mutex);
	if (stream->is_suspended && stream->connection != NULL)
		MHD_resume_connection(stream->connection);
	else
		stream->is_woken = true;
	stream->is_suspended = false;
	pthread_mutex_unlock(&stream->mutex);
}

static bool
may_stay(void *ctx)
{
	const struct rest_stream *stream = ctx;
	const struct rest_config *config = &stream->rest->config;
	struct caller caller;
	struct status st =
	    stream->session != 0
		? sessions_still(config->sessions, stream->session, &caller)
		: authenticate_bearer(
		      config->store, stream->authorization, &caller);

	/* What cannot be looked up now is asked again. */
	if (failed(st))
		return st.code != STATUS_UNAUTHENTICATED &&
		       st.code != STATUS_PERMISSION_DENIED;
	return caller.is == stream->caller.is &&
	       caller.account == stream->caller.account &&
	       caller.scopes == stream->caller.scopes;
}

static void
destroy(void *ctx)
{
	struct rest_stream *stream = ctx;

	if (stream == NULL)
		return;
	if (stream->authorization != NULL)
		OPENSSL_cleanse(
		    stream->authorization, strlen(stream->authorization));
	free(stream->authorization);
	pthread_mutex_destroy(&stream->mutex);
	free(stream);
}

static const struct live_ops OPS = {
	.wake = wake,
	.may_stay = may_stay,
	.done = destroy,
};

/* ---- the beginning ---- */

static struct rest_stream *
make(const struct rest_request *request)
{
	struct rest_stream *stream = calloc(1, sizeof(*stream));

	if (stream == NULL)
		return NULL;
	pthread_mutex_init(&stream->mutex, NULL);
	stream->rest = request->rest;
	stream->caller = request->caller;
	stream->connection = request->connection;
	stream->session = request->web.session;
	if (stream->session != 0)
		return stream;
	stream->authorization = strdup(request->headers.authorization);
	if (stream->authorization != NULL)
		return stream;
	destroy(stream);
	return NULL;
}

/* position (LIVE_POSITION_MAX) is what there may be. */
static struct status
take_parameter(void *position, const char *name, const char *value)
{
	if (strcmp(name, "position") != 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "there is no parameter but position");
	(void)!snprintf(position, LIVE_POSITION_MAX, "%s", value);
	return status_ok();
}

void
rest_live_begin(struct rest_request *request)
{
	struct rest_stream *stream = make(request);
	char position[LIVE_POSITION_MAX] = "", why[QUERY_WHY_MAX] = "";
	struct status st = status_ok();

	if (stream == NULL)
		st = status_fail(
		    STATUS_UNAVAILABLE, "certd has no memory for this now");
	else if (request->query != NULL)
		st = query_each(request->query, take_parameter, position, why);
	if (!failed(st))
		st = live_join(request->rest->config.live, &request->caller,
		    request->query == NULL ? NULL : position, &OPS, stream,
		    &stream->viewer);
	if (failed(st)) {
		destroy(stream);
		rest_reply_status(request, st, why);
		return;
	}
	request->stream = stream;
	request->reply.http = 200;
	request->reply.type = "text/event-stream";
}

/* ---- the content ---- */

/* false: there is something to be read now, or it is over. */
static bool
suspend(struct rest_stream *stream)
{
	bool suspends;

	pthread_mutex_lock(&stream->mutex);
	suspends = !stream->is_woken;
	stream->is_woken = false;
	stream->is_suspended = suspends;
	if (suspends)
		MHD_suspend_connection(stream->connection);
	pthread_mutex_unlock(&stream->mutex);
	return suspends;
}

/* By libmicrohttpd, whenever the client takes more. */
static ssize_t
read_more(void *ctx, uint64_t at, char *to, size_t max)
{
	struct rest_stream *stream = ctx;

	(void)at;
	if (max < LIVE_TEXT_MAX)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	for (;;) {
		size_t n = live_read(stream->viewer, to, max);

		if (n > 0)
			return (ssize_t)n;
		if (live_is_over(stream->viewer))
			return MHD_CONTENT_READER_END_OF_STREAM;
		if (suspend(stream))
			return 0;
	}
}

struct MHD_Response *
rest_live_response(struct rest_request *request)
{
	struct MHD_Response *response = MHD_create_response_from_callback(
	    MHD_SIZE_UNKNOWN, BLOCK, read_more, request->stream, NULL);

	/* nginx would keep it back. */
	if (response != NULL)
		MHD_add_response_header(response, "X-Accel-Buffering", "no");
	return response;
}

void
rest_live_end(struct rest_request *request)
{
	struct rest_stream *stream = request->stream;

	if (stream == NULL)
		return;
	request->stream = NULL;
	pthread_mutex_lock(&stream->mutex);
	stream->connection = NULL;
	pthread_mutex_unlock(&stream->mutex);
	live_leave(stream->viewer);
}
