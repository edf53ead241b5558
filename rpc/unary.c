/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unary calls: admitted on the queue's thread, then run by a small pool whose
 * queue is bounded; a call that finds it full is told so at once.  A call whose
 * deadline passed while it waited, or whose caller may call no more by then, is
 * dropped before its handler sees it.  Each is answered by one batch and
 * belongs to one thread at a time, so nothing here is counted.
 */
#include "rpc/rpc_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

#define QUEUE_MAX 256

struct rpc_reply {
	grpc_byte_buffer *packed;
	char why[RPC_WHY_MAX];
};

struct unary {
	struct rpc_tag done;
	struct unary *next;
	struct rpc_arrival arrival;
	struct rpc_caller *caller;
	struct rpc_reply reply;
	int cancelled;
};

struct rpc_pool {
	pthread_t threads[64];
	unsigned n_threads;
	pthread_mutex_t mu; /* guards the rest */
	pthread_cond_t work;
	struct unary *first, **last;
	unsigned queued;
	bool stopping;
};

void
rpc_reply_set(struct rpc_reply *reply, const ProtobufCMessage *message)
{
	grpc_byte_buffer_destroy(reply->packed);
	reply->packed = rpc_core_pack(message);
}

void
rpc_reply_why(struct rpc_reply *reply, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reply->why, sizeof(reply->why), format, args);
	va_end(args);
}

static void
on_done(struct rpc_tag *tag, bool ok)
{
	struct unary *u = RPC_OF(tag, struct unary, done);
	struct rpc_server *server = u->arrival.method->server;

	(void)ok;
	grpc_byte_buffer_destroy(u->reply.packed);
	grpc_byte_buffer_destroy(u->arrival.payload);
	grpc_call_unref(u->arrival.call);
	rpc_caller_unref(u->caller);
	free(u);
	rpc_server_leave(server);
}

/* The one batch of a call: status, reply, and notice of its end. */
static void
answer(struct unary *u, struct status st)
{
	grpc_op ops[4] = { 0 };
	size_t n = 0;

	if (!failed(st) && u->reply.packed == NULL)
		st = status_fail(STATUS_INTERNAL, "the method gave no reply");
	const char *why = u->reply.why[0] != '\0' ? u->reply.why : st.why;
	if (failed(st))
		log_debug("call refused",
		    LOG_STR("method", u->arrival.method->path), LOG_STATUS(st));
	rpc_server_count(u->arrival.method, st.code);
	grpc_slice details = grpc_slice_from_copied_string(
	    !failed(st) || why == NULL ? "" : why);
	ops[n++].op = GRPC_OP_SEND_INITIAL_METADATA;
	if (!failed(st)) {
		ops[n].op = GRPC_OP_SEND_MESSAGE;
		ops[n++].data.send_message.send_message = u->reply.packed;
	}
	ops[n].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
	ops[n].data.send_status_from_server.status = (grpc_status_code)st.code;
	ops[n++].data.send_status_from_server.status_details = &details;
	ops[n].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
	ops[n++].data.recv_close_on_server.cancelled = &u->cancelled;
	rpc_core_start(u->arrival.call, ops, n, &u->done);
	grpc_slice_unref(details);
}

static STATUS
run(struct unary *u)
{
	const struct rpc_method *method = u->arrival.method;
	struct bytes octets;
	grpc_slice joined;
	ProtobufCMessage *request = NULL;

	if (u->arrival.deadline_ns <= clock_mono_ns())
		return status_fail(STATUS_DEADLINE_EXCEEDED,
		    "the deadline passed while the call waited");
	if (u->arrival.payload == NULL)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "the call has no request");
	if (!rpc_core_octets(u->arrival.payload, &joined, &octets))
		return status_fail(STATUS_UNIMPLEMENTED,
		    "compressed messages are not read; send identity encoding");
	request = protobuf_c_message_unpack(
	    method->input, NULL, octets.len, octets.at);
	grpc_slice_unref(joined);
	if (request == NULL)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "the request is not a message of the method's type");
	struct rpc_call call = { .peer = &u->caller->peer,
		.deadline_ns = u->arrival.deadline_ns,
		.method = method->path };
	struct status st =
	    method->unary(method->ctx, &call, request, &u->reply);
	protobuf_c_message_free_unpacked(request, NULL);
	return st;
}

/* What was let in may have waited for long: is its caller still let in? */
static STATUS
run_late(struct unary *u)
{
	struct status st = rpc_server_authorize(u->arrival.method, u->caller);

	return failed(st) ? st : run(u);
}

static void *
pool_main(void *arg)
{
	struct rpc_pool *pool = arg;

	pthread_setname_np(pthread_self(), "rpc-unary");
	pthread_mutex_lock(&pool->mu);
	for (;;) {
		while (pool->first == NULL && !pool->stopping)
			pthread_cond_wait(&pool->work, &pool->mu);
		struct unary *u = pool->first;
		if (u == NULL)
			break;
		pool->first = u->next;
		if (pool->first == NULL)
			pool->last = &pool->first;
		pool->queued--;
		pthread_mutex_unlock(&pool->mu);
		answer(u, run_late(u));
		pthread_mutex_lock(&pool->mu);
	}
	pthread_mutex_unlock(&pool->mu);
	return NULL;
}

STATUS
rpc_pool_new(unsigned threads, struct rpc_pool **ret_pool)
{
	struct rpc_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory for unary calls");
	pthread_mutex_init(&pool->mu, NULL);
	pthread_cond_init(&pool->work, NULL);
	pool->last = &pool->first;
	for (; pool->n_threads < threads; pool->n_threads++)
		if (pthread_create(&pool->threads[pool->n_threads], NULL,
			pool_main, pool) != 0) {
			rpc_pool_free(pool);
			return status_fail(STATUS_RESOURCE_EXHAUSTED,
			    "cannot start threads for unary calls");
		}
	*ret_pool = pool;
	return status_ok();
}

void
rpc_pool_free(struct rpc_pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->mu);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->mu);
	for (unsigned i = 0; i < pool->n_threads; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->mu);
	free(pool);
}

static STATUS
enqueue(struct rpc_pool *pool, struct unary *u)
{
	pthread_mutex_lock(&pool->mu);
	bool full = pool->queued >= QUEUE_MAX;
	if (!full) {
		*pool->last = u;
		pool->last = &u->next;
		pool->queued++;
		pthread_cond_signal(&pool->work);
	}
	pthread_mutex_unlock(&pool->mu);
	return full ? status_fail(STATUS_RESOURCE_EXHAUSTED,
			  "too many calls wait; try again later")
		    : status_ok();
}

void
rpc_unary_accept(const struct rpc_arrival *arrival)
{
	struct unary *u = calloc(1, sizeof(*u));

	if (u == NULL) {
		/* Without a status the client sees CANCELLED. */
		grpc_byte_buffer_destroy(arrival->payload);
		grpc_call_unref(arrival->call);
		return;
	}
	u->done.fn = on_done;
	u->arrival = *arrival;
	struct status st = rpc_server_admit(arrival, &u->caller);
	if (!failed(st)) {
		if (arrival->method->quick)
			st = run(u);
		else if (!failed(
			     st = enqueue(arrival->method->server->pool, u)))
			return; /* it is the pool's now */
	}
	answer(u, st);
}
