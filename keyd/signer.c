/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The Signer service: the edge between rpc and the signing path.  A stream's
 * message becomes calls (batch.c), which wait for their pool (lanes.c) and come
 * back through answer_stream; a unary request is a call on its handler's stack.
 * Nothing is decided here.  It refuses streams of callers without an identity,
 * and ends those whose messages are no batches.
 */

#include "keyd/signer.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keyd/batch.h"
#include "keyd/lanes.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"

#define POOLS_MAX 16

struct signer {
	struct signer_config config;
	struct meter *meter;
	struct batch_pool *batches;
	struct budget *budget;
	struct lanes *lanes[POOLS_MAX];
	pthread_mutex_t lock; /* guards streams and their links */
	struct stream *streams;
};

struct stream {
	struct caller caller;
	struct signer *signer;
	struct rpc_stream *rpc;
	atomic_size_t refs;         /* of the open stream, and of each call */
	atomic_size_t owed;         /* answers, and the caller's own end */
	struct stream *next, *prev; /* among the open ones */
};

static void
stream_unref(struct stream *stream, size_t n)
{
	if (atomic_fetch_sub_explicit(&stream->refs, n, memory_order_acq_rel) !=
	    n)
		return;
	rpc_stream_unref(stream->rpc);
	free(stream);
}

/* The stream ends when its caller has ended and nothing is owed any more. */
static void
stream_paid(struct stream *stream, size_t n)
{
	if (atomic_fetch_sub_explicit(&stream->owed, n, memory_order_acq_rel) ==
	    n)
		rpc_stream_end(stream->rpc, status_ok());
}

static void
answer_stream(struct caller *caller, struct sign_call *const calls[], size_t n)
{
	struct stream *stream = (struct stream *)caller;
	static _Thread_local uint8_t reply[BATCH_REPLY_MAX];

	rpc_stream_send(stream->rpc,
	    (struct bytes){ reply, batch_encode(calls, n, reply) });
	for (size_t i = 0; i < n; i++)
		batch_done(calls[i]);
	stream_paid(stream, n);
	stream_unref(stream, n);
}

static STATUS
stream_open(void *ctx, struct rpc_stream *rpc, const struct rpc_peer *peer,
    void **ret_state)
{
	struct signer *signer = ctx;
	struct stream *stream = calloc(1, sizeof(*stream));
	struct status st;

	if (stream == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory for the stream");
	caller_init(&stream->caller, peer->spiffe_id, peer->not_after_s,
	    signer->config.domain);
	st = stream->caller.known;
	if (failed(st)) {
		free(stream);
		return st;
	}
	stream->caller.answer = answer_stream;
	stream->signer = signer;
	stream->rpc = rpc;
	atomic_init(&stream->refs, 1);
	atomic_init(&stream->owed, 1);
	rpc_stream_ref(rpc);

	pthread_mutex_lock(&signer->lock);
	stream->next = signer->streams;
	if (stream->next != NULL)
		stream->next->prev = stream;
	signer->streams = stream;
	pthread_mutex_unlock(&signer->lock);
	*ret_state = stream;
	return status_ok();
}

/*
 * Hand each call to the lanes of its key's pool.  Keys that keyd does not know
 * wait in one line together, where their refusal is recorded like any other.
 */
static void
put(struct signer *signer, struct sign_call *chain)
{
	static const struct key_id unknown;
	scoped(policy_unref) struct policy *policy =
	    policy_slot_get(signer->config.policy);
	struct sign_call *first[POOLS_MAX] = { NULL }, **end[POOLS_MAX];

	for (size_t i = 0; i < signer->config.n_pools; i++)
		end[i] = &first[i];
	while (chain != NULL) {
		struct sign_call *call = chain;
		unsigned pool = 0;

		chain = call->next;
		call->flow = &unknown;
		if (policy_pool(policy, &call->key, &pool))
			call->flow = &call->key;
		if (pool >= signer->config.n_pools)
			pool = 0;
		call->next = NULL;
		*end[pool] = call;
		end[pool] = &call->next;
	}
	for (size_t i = 0; i < signer->config.n_pools; i++) {
		if (first[i] != NULL)
			lanes_put(signer->lanes[i], first[i]);
	}
}

static STATUS
stream_message(void *state, struct bytes message)
{
	struct stream *stream = state;
	struct signer *signer = stream->signer;
	struct sign_call *chain;
	struct status st;
	size_t n = 0;

	st = batch_decode(signer->batches, message, &stream->caller,
	    clock_mono_ns(), signer->config.default_timeout_ns, &chain);
	if (failed(st))
		return st;
	for (struct sign_call *call = chain; call != NULL; call = call->next)
		n++;
	atomic_fetch_add_explicit(&stream->refs, n, memory_order_relaxed);
	atomic_fetch_add_explicit(&stream->owed, n, memory_order_relaxed);
	put(signer, chain);
	return st;
}

static void
stream_half_closed(void *state)
{
	stream_paid(state, 1);
}

static void
stream_closed(void *state)
{
	struct stream *stream = state;
	struct signer *signer = stream->signer;

	atomic_store_explicit(&stream->caller.gone, true, memory_order_relaxed);
	pthread_mutex_lock(&signer->lock);
	if (stream->prev != NULL)
		stream->prev->next = stream->next;
	else
		signer->streams = stream->next;
	if (stream->next != NULL)
		stream->next->prev = stream->prev;
	pthread_mutex_unlock(&signer->lock);
	stream_unref(stream, 1);
}

/* A unary request: its thread waits for its one call. */
struct unary {
	struct caller caller;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t answered;
	bool done;
	struct status status;
	struct signature signature;
};

static void
answer_unary(struct caller *caller, struct sign_call *const calls[], size_t n)
{
	struct unary *unary = (struct unary *)caller;

	assert(n == 1);
	pthread_mutex_lock(&unary->lock);
	unary->status = calls[0]->status;
	if (calls[0]->signature != NULL)
		unary->signature = *calls[0]->signature;
	unary->done = true;
	pthread_cond_signal(&unary->answered);
	pthread_mutex_unlock(&unary->lock);
}

static void
wait_for(struct unary *unary)
{
	pthread_mutex_lock(&unary->lock);
	while (!unary->done)
		pthread_cond_wait(&unary->answered, &unary->lock);
	pthread_mutex_unlock(&unary->lock);
	pthread_cond_destroy(&unary->answered);
	pthread_mutex_destroy(&unary->lock);
}

static struct status
sign_one(void *ctx, const struct rpc_call *rpc, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	struct signer *signer = ctx;
	const Holdfast__Keyd__V1__SignRequest *asked = (const void *)request;
	Holdfast__Keyd__V1__SignResponse response;
	struct unary unary = { .done = false };
	struct sign_call call;

	caller_init(&unary.caller, rpc->peer->spiffe_id, rpc->peer->not_after_s,
	    signer->config.domain);
	unary.caller.answer = answer_unary;
	pthread_mutex_init(&unary.lock, NULL);
	pthread_cond_init(&unary.answered, NULL);
	batch_read(asked, &unary.caller, clock_mono_ns(),
	    signer->config.default_timeout_ns, &call);
	if (call.deadline_ns > rpc->deadline_ns)
		call.deadline_ns = rpc->deadline_ns;
	put(signer, &call);
	wait_for(&unary);
	if (failed(unary.status))
		return unary.status;
	holdfast__keyd__v1__sign_response__init(&response);
	response.id = asked->id;
	response.signature.data = unary.signature.at;
	response.signature.len = unary.signature.len;
	rpc_reply_set(reply, &response.base);
	return status_ok();
}

STATUS
signer_new(const struct signer_config *config, struct signer **ret_signer)
{
	scoped(signer_free) struct signer *signer = calloc(1, sizeof(*signer));
	struct status st;

	assert(config->n_pools > 0);
	if (config->n_pools > POOLS_MAX) {
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "more than 16 pools: merge some");
	}
	if (signer == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory for the signer");
	signer->config = *config;
	pthread_mutex_init(&signer->lock, NULL);
	signer->meter = meter_new(config->metrics, config->n_pools);
	signer->batches = batch_pool_new();
	signer->budget = budget_new();
	if (signer->meter == NULL || signer->batches == NULL ||
	    signer->budget == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory for the signer");
	for (size_t i = 0; i < config->n_pools; i++) {
		const struct lanes_config lanes = {
			.hsm = config->pools[i],
			.pool = (unsigned)i,
			.policy = config->policy,
			.budget = signer->budget,
			.contexts = &signer->config.contexts,
			.audit = config->audit,
			.meter = signer->meter,
			.queue_max = config->queue_max,
		};

		st = lanes_new(&lanes, &signer->lanes[i]);
		if (failed(st))
			return st;
	}
	*ret_signer = signer;
	signer = NULL;
	return status_ok();
}

void
signer_register(struct signer *signer, struct rpc_server *server)
{
	static const struct rpc_stream_ops ops = {
		.open = stream_open,
		.message = stream_message,
		.half_closed = stream_half_closed,
		.closed = stream_closed,
		.coalesce_max = 64 * 1024,
	};

	rpc_server_add_unary(server, &holdfast__keyd__v1__signer__descriptor,
	    "Sign", sign_one, signer);
	rpc_server_add_stream(server, &holdfast__keyd__v1__signer__descriptor,
	    "SignStream", &ops, signer);
}

void
signer_free(struct signer *signer)
{
	if (signer == NULL)
		return;
	for (size_t i = 0; i < POOLS_MAX; i++)
		lanes_free(signer->lanes[i]);
	batch_pool_free(signer->batches);
	budget_free(signer->budget);
	meter_free(signer->meter);
	pthread_mutex_destroy(&signer->lock);
	free(signer);
}

void
signer_counts(struct signer *signer, struct signer_counts *ret)
{
	size_t queued = 0;
	unsigned streams = 0;

	for (size_t i = 0; i < signer->config.n_pools; i++)
		queued += lanes_depth(signer->lanes[i]);
	pthread_mutex_lock(&signer->lock);
	for (struct stream *at = signer->streams; at != NULL; at = at->next)
		streams++;
	pthread_mutex_unlock(&signer->lock);
	ret->signatures = meter_signatures(signer->meter);
	ret->refusals = meter_refusals(signer->meter);
	ret->queued = (unsigned)queued;
	ret->streams = streams;
}

struct signing_tally *
signer_tally(struct signer *signer)
{
	return meter_tally(signer->meter);
}

unsigned
signer_streams_of(struct signer *signer, const char *spiffe_id)
{
	unsigned n = 0;

	pthread_mutex_lock(&signer->lock);
	for (struct stream *at = signer->streams; at != NULL; at = at->next)
		n += strcmp(at->caller.text, spiffe_id) == 0;
	pthread_mutex_unlock(&signer->lock);
	return n;
}
