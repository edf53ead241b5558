/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's life: it starts, it drains.  Each thread owns one completion
 * queue; for each method a few requests for "the next call" wait in it, and
 * each that is answered is at once put up again.  What comes is handed to
 * unary.c or stream.c; who may call what is in method.c.
 */
#include "rpc/rpc_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* Next-call requests for each method and queue; measured: more gain nothing. */
#define SLOTS 8
#define CQ_THREADS_MAX 16
#define UNARY_THREADS_MAX 64

struct slot {
	struct rpc_tag tag;
	struct rpc_cq *cq;
	struct rpc_method *method;
	grpc_call *call;
	grpc_metadata_array metadata;
	grpc_call_details details; /* of an unknown method */
	gpr_timespec deadline;
	grpc_byte_buffer *payload;
};

struct rpc_cq {
	struct rpc_server *server;
	grpc_completion_queue *cq;
	pthread_t thread;
	bool has_thread;
	bool is_anothers; /* config.beside's: it runs and ends it */
	struct slot *slots;
	size_t n_slots;
};

/* ---- new calls ---- */

/* It has served its time. */
static void
slot_retire(struct slot *slot)
{
	struct rpc_server *server = slot->cq->server;

	pthread_mutex_lock(&server->mu);
	if (--server->n_slots_up == 0)
		pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->mu);
}

/* Put a slot up for the next call.  After shutdown core declines. */
static void
slot_post(struct slot *slot)
{
	grpc_server *grpc = slot->cq->server->grpc;
	grpc_call_error e;

	slot->metadata.count = 0;
	rpc_core_arm(&slot->tag);
	if (slot->method->service == NULL)
		e = grpc_server_request_call(grpc, &slot->call, &slot->details,
		    &slot->metadata, slot->cq->cq, slot->cq->cq, &slot->tag);
	else
		e = grpc_server_request_registered_call(grpc,
		    slot->method->registered, &slot->call, &slot->deadline,
		    &slot->metadata,
		    slot->method->unary == NULL ? NULL : &slot->payload,
		    slot->cq->cq, slot->cq->cq, &slot->tag);
	if (e != GRPC_CALL_OK)
		slot_retire(slot);
}

/* On base/clock.h's clock; core's own may have another zero. */
static int64_t
deadline_of(gpr_timespec at)
{
	gpr_timespec inf = gpr_inf_future(at.clock_type);

	if (gpr_time_cmp(at, inf) == 0)
		return INT64_MAX;
	gpr_timespec left = gpr_time_sub(at, gpr_now(at.clock_type));
	if (left.tv_sec > INT64_C(1000000000))
		return INT64_MAX;
	return clock_mono_ns() + left.tv_sec * NS_PER_S + left.tv_nsec;
}

static void
on_call(struct rpc_tag *tag, bool ok)
{
	struct slot *slot = RPC_OF(tag, struct slot, tag);

	if (!ok) {
		slot_retire(slot);
		return;
	}
	struct rpc_arrival arrival = {
		.method = slot->method,
		.call = slot->call,
		.payload = slot->payload,
		.deadline_ns = INT64_MAX,
	};
	if (slot->method->service == NULL) {
		grpc_call_details_destroy(&slot->details);
		grpc_call_details_init(&slot->details);
	} else {
		arrival.deadline_ns = deadline_of(slot->deadline);
	}
	slot->call = NULL;
	slot->payload = NULL;
	slot_post(slot);
	if (arrival.method->unary == NULL && arrival.method->service != NULL)
		rpc_stream_accept(&arrival);
	else
		rpc_unary_accept(&arrival);
}

/* ---- life ---- */

STATUS
rpc_server_new(
    const struct rpc_server_config *config, struct rpc_server **ret_server)
{
	static const char unknown[] = "unknown";
	struct rpc_server *server = calloc(1, sizeof(*server));
	struct status st =
	    status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory for a server");

	if (server == NULL)
		return st;
	rpc_core_ref();
	rpc_peers_init(&server->peers);
	pthread_mutex_init(&server->identity_mu, NULL);
	pthread_mutex_init(&server->mu, NULL);
	clock_cond_init(&server->changed);
	server->config = *config;
	server->listen = strdup(config->listen);
	server->ca_pem = config->ca_pem == NULL ? NULL : strdup(config->ca_pem);
	server->config.listen = server->listen;
	server->config.ca_pem = server->ca_pem;
	server->unknown.server = server;
	server->unknown.path = strdup(unknown);
	if (server->listen == NULL || server->unknown.path == NULL ||
	    (config->ca_pem != NULL && server->ca_pem == NULL) ||
	    failed(st = rpc_health_new(server, &server->health)) ||
	    failed(st = rpc_reflect_new(server, &server->reflect))) {
		rpc_server_free(server);
		return st;
	}
	*ret_server = server;
	return status_ok();
}

static void *
cq_main(void *arg)
{
	struct rpc_cq *cq = arg;

	pthread_setname_np(pthread_self(), "rpc-queue");
	rpc_core_run(cq->cq);
	return NULL;
}

static STATUS
make_queues(struct rpc_server *server)
{
	struct rpc_server *beside = server->config.beside;
	size_t n = beside != NULL ? beside->n_cqs : server->config.cq_threads;
	size_t n_slots = SLOTS;

	if (n == 0)
		n = 1;
	if (n > CQ_THREADS_MAX)
		n = CQ_THREADS_MAX;
	for (struct rpc_method *m = server->methods; m != NULL; m = m->next)
		n_slots += SLOTS;
	server->cqs = calloc(n, sizeof(*server->cqs));
	if (server->cqs == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory for queues");
	for (; server->n_cqs < n; server->n_cqs++) {
		struct rpc_cq *cq = &server->cqs[server->n_cqs];

		cq->slots = calloc(n_slots, sizeof(*cq->slots));
		if (cq->slots == NULL)
			return status_fail(
			    STATUS_RESOURCE_EXHAUSTED, "no memory for queues");
		cq->server = server;
		cq->n_slots = n_slots;
		cq->is_anothers = beside != NULL;
		cq->cq = beside != NULL
			     ? beside->cqs[server->n_cqs].cq
			     : grpc_completion_queue_create_for_next(NULL);
		grpc_server_register_completion_queue(
		    server->grpc, cq->cq, NULL);
	}
	return status_ok();
}

static void
post_slots(struct rpc_cq *cq)
{
	struct rpc_method *method = &cq->server->unknown;

	pthread_mutex_lock(&cq->server->mu);
	cq->server->n_slots_up += cq->n_slots;
	pthread_mutex_unlock(&cq->server->mu);
	for (size_t i = 0; i < cq->n_slots; i++) {
		struct slot *slot = &cq->slots[i];

		if (i > 0 && i % SLOTS == 0)
			method = method == &cq->server->unknown
				     ? cq->server->methods
				     : method->next;
		slot->tag.fn = on_call;
		slot->cq = cq;
		slot->method = method;
		grpc_metadata_array_init(&slot->metadata);
		grpc_call_details_init(&slot->details);
		slot_post(slot);
	}
}

/* With every call gone: end the threads, give all of core's back. */
static void
tear_down(struct rpc_server *server)
{
	for (size_t i = 0; i < server->n_cqs; i++)
		if (!server->cqs[i].is_anothers)
			grpc_completion_queue_shutdown(server->cqs[i].cq);
	for (size_t i = 0; i < server->n_cqs; i++) {
		struct rpc_cq *cq = &server->cqs[i];

		if (cq->has_thread)
			pthread_join(cq->thread, NULL);
		else if (!cq->is_anothers)
			rpc_core_run(cq->cq);
		for (size_t n = 0; n < cq->n_slots; n++)
			if (cq->slots[n].tag.fn != NULL) {
				grpc_metadata_array_destroy(
				    &cq->slots[n].metadata);
				grpc_call_details_destroy(
				    &cq->slots[n].details);
			}
		if (!cq->is_anothers)
			grpc_completion_queue_destroy(cq->cq);
		free(cq->slots);
	}
	if (server->grpc != NULL)
		grpc_server_destroy(server->grpc);
	free(server->cqs);
	server->grpc = NULL;
	server->cqs = NULL;
	server->n_cqs = 0;
	rpc_pool_free(server->pool);
	server->pool = NULL;
}

static void
on_stopped(struct rpc_tag *tag, bool ok)
{
	struct rpc_server *server = RPC_OF(tag, struct rpc_server, stopped);

	(void)ok;
	pthread_mutex_lock(&server->mu);
	server->core_stopped = true;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->mu);
}

/* Closes the listener; on_stopped comes when no connection is left. */
static void
shut_down(struct rpc_server *server)
{
	server->stopped.fn = on_stopped;
	rpc_core_arm(&server->stopped);
	grpc_server_shutdown_and_notify(
	    server->grpc, server->cqs[0].cq, &server->stopped);
}

static STATUS
start_threads(struct rpc_server *server)
{
	for (size_t i = 0; i < server->n_cqs; i++) {
		struct rpc_cq *cq = &server->cqs[i];

		if (cq->is_anothers)
			continue;
		int e = pthread_create(&cq->thread, NULL, cq_main, cq);

		if (e != 0)
			return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
			    "cannot start a server thread", (uint32_t)e);
		cq->has_thread = true;
	}
	return status_ok();
}

static STATUS
start(struct rpc_server *server)
{
	unsigned threads = server->config.unary_threads;
	struct status st;

	if (threads == 0)
		threads = 4;
	if (threads > UNARY_THREADS_MAX)
		threads = UNARY_THREADS_MAX;
	if (failed(st = make_queues(server)) ||
	    failed(st = rpc_pool_new(threads, &server->pool)))
		return st;
	for (struct rpc_method *m = server->methods; m != NULL; m = m->next)
		m->registered =
		    grpc_server_register_method(server->grpc, m->path, NULL,
			m->unary == NULL
			    ? GRPC_SRM_PAYLOAD_NONE
			    : GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER,
			0);
	if (failed(st = rpc_listen_bind(server)))
		return st;
	rpc_server_add_metrics(server);
	grpc_server_start(server->grpc);
	if (failed(st = start_threads(server)))
		return st;
	for (size_t i = 0; i < server->n_cqs; i++)
		post_slots(&server->cqs[i]);
	return status_ok();
}

/* With mu held: has core given back all that it was given? */
static bool
is_gone(const struct rpc_server *server)
{
	return server->core_stopped && server->n_calls == 0 &&
	       server->n_slots_up == 0;
}

/* All gone?  Waits until deadline_ns; INT64_MAX: until it is true. */
static bool
wait_gone(struct rpc_server *server, int64_t deadline_ns)
{
	struct timespec at = { .tv_sec = deadline_ns / NS_PER_S,
		.tv_nsec = deadline_ns % NS_PER_S };
	int e = 0;

	pthread_mutex_lock(&server->mu);
	while (!is_gone(server) && e == 0)
		e = deadline_ns == INT64_MAX
			? pthread_cond_wait(&server->changed, &server->mu)
			: pthread_cond_timedwait(
			      &server->changed, &server->mu, &at);
	bool gone = is_gone(server);
	pthread_mutex_unlock(&server->mu);
	return gone;
}

STATUS
rpc_server_start(struct rpc_server *server)
{
	struct status st = rpc_listen_create(server);

	if (failed(st))
		return st;
	st = start(server);
	if (failed(st)) {
		if (server->n_cqs > 0)
			shut_down(server);
		if (server->n_cqs > 0 && server->config.beside != NULL)
			wait_gone(server, INT64_MAX);
		tear_down(server);
		return st;
	}
	server->started = true;
	return status_ok();
}

int
rpc_server_port(const struct rpc_server *server)
{
	return server->port;
}

void
rpc_server_set_serving(struct rpc_server *server, bool serving)
{
	rpc_health_set(server->health, serving);
}

void
rpc_server_drain(struct rpc_server *server, int64_t grace_ns)
{
	int64_t deadline_ns = clock_mono_ns() + grace_ns;

	if (!server->started)
		return;
	rpc_health_set(server->health, false);
	pthread_mutex_lock(&server->mu);
	server->draining = true;
	pthread_mutex_unlock(&server->mu);
	rpc_stream_end_all(server, status_fail(STATUS_UNAVAILABLE, "draining"));
	shut_down(server);
	if (!wait_gone(server, deadline_ns)) {
		grpc_server_cancel_all_calls(server->grpc);
		wait_gone(server, INT64_MAX);
	}
	tear_down(server);
	server->started = false;
}

void
rpc_server_free(struct rpc_server *server)
{
	if (server == NULL)
		return;
	rpc_server_drain(server, 0);
	rpc_health_free(server->health);
	rpc_reflect_free(server->reflect);
	while (server->methods != NULL) {
		struct rpc_method *next = server->methods->next;

		free(server->methods->path);
		free(server->methods);
		server->methods = next;
	}
	free(server->unknown.path);
	free(server->listen);
	free(server->ca_pem);
	rpc_peers_done(&server->peers);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->mu);
	pthread_mutex_destroy(&server->identity_mu);
	free(server);
	rpc_core_unref();
}
