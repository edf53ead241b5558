/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc.health.v1: one answer for "" and every service of the server, and
 * NOT_FOUND for others.  Watch sends the answer at once and again when it
 * changes; for a service that is not here it says SERVICE_UNKNOWN and stays
 * open, as the protocol asks.
 */
#include "rpc/rpc_int.h"

#include <stdlib.h>
#include <string.h>

#include "proto/grpc/health/v1/health.pb-c.h"

#define WATCHERS_MAX 256

#define SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING                                                            \
	GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN                                                        \
	GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

struct watcher {
	struct rpc_stream *stream; /* a reference */
	struct rpc_health *health;
	bool asked; /* its one request has come */
	bool known; /* and was for a service of ours */
};

struct rpc_health {
	struct rpc_server *server;
	pthread_mutex_t mu; /* guards the rest, and all watchers' flags */
	bool serving;
	struct watcher *watchers[WATCHERS_MAX];
};

static bool
is_known(const struct rpc_server *server, const char *service)
{
	if (service[0] == '\0')
		return true;
	for (struct rpc_method *m = server->methods; m != NULL; m = m->next)
		if (strcmp(m->service->name, service) == 0)
			return true;
	return false;
}

static Grpc__Health__V1__HealthCheckResponse__ServingStatus
serving_status(bool serving)
{
	return serving ? SERVING : NOT_SERVING;
}

static struct status
check(void *ctx, const struct rpc_call *call, const ProtobufCMessage *message,
    struct rpc_reply *reply)
{
	struct rpc_health *health = ctx;
	const Grpc__Health__V1__HealthCheckRequest *request =
	    (const Grpc__Health__V1__HealthCheckRequest *)message;
	Grpc__Health__V1__HealthCheckResponse response =
	    GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	(void)call;
	if (!is_known(health->server, request->service))
		return status_fail(
		    STATUS_NOT_FOUND, "there is no such service here");
	pthread_mutex_lock(&health->mu);
	response.status = serving_status(health->serving);
	pthread_mutex_unlock(&health->mu);
	rpc_reply_set(reply, &response.base);
	return status_ok();
}

static void
send_status(struct rpc_stream *stream,
    Grpc__Health__V1__HealthCheckResponse__ServingStatus status)
{
	Grpc__Health__V1__HealthCheckResponse response =
	    GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	uint8_t packed[16];

	response.status = status;
	size_t len = protobuf_c_message_pack(&response.base, packed);
	rpc_stream_send(stream, (struct bytes){ packed, len });
}

static STATUS
watch_open(void *ctx, struct rpc_stream *stream, const struct rpc_peer *peer,
    void **ret_state)
{
	struct rpc_health *health = ctx;
	struct watcher *w = calloc(1, sizeof(*w));
	struct watcher **place = NULL;

	(void)peer;
	if (w == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "the server has no memory left for this call");
	pthread_mutex_lock(&health->mu);
	for (size_t i = 0; i < WATCHERS_MAX && place == NULL; i++)
		if (health->watchers[i] == NULL)
			place = &health->watchers[i];
	if (place != NULL)
		*place = w;
	pthread_mutex_unlock(&health->mu);
	if (place == NULL) {
		free(w);
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "too many watch this server's health");
	}
	rpc_stream_ref(stream);
	w->stream = stream;
	w->health = health;
	*ret_state = w;
	return status_ok();
}

static STATUS
watch_message(void *state, struct bytes message)
{
	struct watcher *w = state;
	Grpc__Health__V1__HealthCheckRequest *request =
	    grpc__health__v1__health_check_request__unpack(
		NULL, message.len, message.at);

	if (request == NULL)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the request is not a HealthCheckRequest");
	bool known = is_known(w->health->server, request->service);
	grpc__health__v1__health_check_request__free_unpacked(request, NULL);
	pthread_mutex_lock(&w->health->mu);
	bool again = w->asked;
	w->asked = true;
	w->known = known;
	bool serving = w->health->serving;
	pthread_mutex_unlock(&w->health->mu);
	if (again)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "Watch takes one request");
	if (!known) {
		send_status(w->stream, SERVICE_UNKNOWN);
		return status_ok();
	}
	/* Should it change between reading and sending, the last word counts.
	 */
	for (bool sent = !serving; sent != serving;) {
		send_status(w->stream, serving_status(serving));
		sent = serving;
		pthread_mutex_lock(&w->health->mu);
		serving = w->health->serving;
		pthread_mutex_unlock(&w->health->mu);
	}
	return status_ok();
}

/* The watch goes on until the client or the server ends it. */
static void
watch_half_closed(void *state)
{
	(void)state;
}

static void
watch_closed(void *state)
{
	struct watcher *w = state;

	pthread_mutex_lock(&w->health->mu);
	for (size_t i = 0; i < WATCHERS_MAX; i++)
		if (w->health->watchers[i] == w)
			w->health->watchers[i] = NULL;
	pthread_mutex_unlock(&w->health->mu);
	rpc_stream_unref(w->stream);
	free(w);
}

STATUS
rpc_health_new(struct rpc_server *server, struct rpc_health **ret_health)
{
	static const struct rpc_stream_ops watch = { .open = watch_open,
		.message = watch_message,
		.half_closed = watch_half_closed,
		.closed = watch_closed };
	struct rpc_health *health = calloc(1, sizeof(*health));

	if (health == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory for health checks");
	pthread_mutex_init(&health->mu, NULL);
	health->server = server;
	health->serving = true;
	rpc_server_add(
	    server, &grpc__health__v1__health__descriptor, "Check", health);
	server->methods->unary = check;
	/* Never behind the pool's queue: it must answer when that is stuck. */
	server->methods->quick = true;
	rpc_server_add_stream(server, &grpc__health__v1__health__descriptor,
	    "Watch", &watch, health);
	*ret_health = health;
	return status_ok();
}

void
rpc_health_free(struct rpc_health *health)
{
	if (health == NULL)
		return;
	pthread_mutex_destroy(&health->mu);
	free(health);
}

void
rpc_health_set(struct rpc_health *health, bool serving)
{
	struct rpc_stream *told[WATCHERS_MAX];
	size_t n = 0;

	pthread_mutex_lock(&health->mu);
	for (size_t i = 0; i < WATCHERS_MAX && health->serving != serving;
	     i++) {
		struct watcher *w = health->watchers[i];

		/* One that has not asked yet will get the new answer. */
		if (w != NULL && w->asked && w->known) {
			rpc_stream_ref(w->stream);
			told[n++] = w->stream;
		}
	}
	health->serving = serving;
	pthread_mutex_unlock(&health->mu);
	for (size_t i = 0; i < n; i++) {
		send_status(told[i], serving_status(serving));
		rpc_stream_unref(told[i]);
	}
}
