/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The threads of the signing path.  Each is a plain loop: take what waits, up
 * to what the token likes to be given at once; serve it (keyd/sign.c); count
 * it; give it back to those who asked.  All of it blocks and none of it shares
 * anything but the queue, so a loop reads from top to bottom.
 */

#include "keyd/lanes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "keyd/queue.h"

struct lane {
	struct lanes *lanes;
	struct sign_desk *desk;
	pthread_t thread;
	bool runs;
};

struct lanes {
	struct lanes_config config;
	struct queue *queue;
	atomic_bool stopping; /* answer, but sign no more */
	size_t n;
	struct lane at[];
};

void
lanes_answer(struct sign_call *calls[], size_t n)
{
	while (n > 0) {
		struct caller *caller = calls[0]->caller;
		struct sign_call *of_caller[SIGN_BATCH_MAX];
		size_t n_of = 0, n_left = 0;

		for (size_t i = 0; i < n; i++) {
			if (calls[i]->caller == caller)
				of_caller[n_of++] = calls[i];
			else
				calls[n_left++] = calls[i];
		}
		caller->answer(caller, of_caller, n_of);
		n = n_left;
	}
}

/* Refused by the queue, or left in it at the end. */
static void
answer_unserved(struct lanes *lanes, struct sign_call *calls[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		meter_refused(lanes->config.meter, calls[i]);
	lanes_answer(calls, n);
}

static void
token_free(void *ctx)
{
	queue_signed(ctx);
}

static void
serve(struct lane *lane, struct sign_call *calls[], size_t n)
{
	struct lanes *lanes = lane->lanes;
	scoped(policy_unref) struct policy *policy =
	    policy_slot_get(lanes->config.policy);
	const struct sign_deps deps = {
		.policy = policy,
		.budget = lanes->config.budget,
		.contexts = lanes->config.contexts,
		.audit = lanes->config.audit,
		.hsm = lanes->config.hsm,
		.pool = lanes->config.pool,
		.token_free = token_free,
		.ctx = lanes->queue,
	};
	struct sign_times times;

	sign_serve(&deps, lane->desk, calls, n);
	times = sign_desk_times(lane->desk);
	meter_batch(lanes->config.meter, &times, calls, n);
	lanes_answer(calls, n);
}

static void *
run(void *arg)
{
	struct lane *lane = arg;
	struct lanes *lanes = lane->lanes;
	struct hsm *hsm = lanes->config.hsm;
	struct sign_call *calls[SIGN_BATCH_MAX];
	size_t n;

	pthread_setname_np(pthread_self(), "sign-lane");
	for (;;) {
		size_t max = hsm_batch_hint(hsm);

		if (max < 1)
			max = 1;
		if (max > SIGN_BATCH_MAX)
			max = SIGN_BATCH_MAX;
		n = queue_take(lanes->queue, max, calls);
		if (n == 0)
			return NULL;
		meter_depth(lanes->config.meter, lanes->config.pool,
		    queue_depth(lanes->queue));
		if (!atomic_load(&lanes->stopping)) {
			serve(lane, calls, n);
			continue;
		}
		for (size_t i = 0; i < n; i++)
			calls[i]->status = status_fail(STATUS_UNAVAILABLE,
			    "keyd is stopping: ask another one");
		queue_signed(lanes->queue);
		answer_unserved(lanes, calls, n);
	}
}

static STATUS
start(struct lanes *lanes)
{
	for (size_t i = 0; i < lanes->n; i++) {
		struct lane *lane = &lanes->at[i];
		int error;

		lane->lanes = lanes;
		lane->desk = sign_desk_new();
		if (lane->desk == NULL)
			return status_fail(STATUS_RESOURCE_EXHAUSTED,
			    "no memory for a signing lane");
		error = pthread_create(&lane->thread, NULL, run, lane);
		if (error != 0)
			return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
			    "no thread for a signing lane", (uint32_t)error);
		lane->runs = true;
	}
	return status_ok();
}

STATUS
lanes_new(const struct lanes_config *config, struct lanes **ret_lanes)
{
	const unsigned lanes_of_token = hsm_lanes(config->hsm);
	const unsigned n = lanes_of_token > 0 ? lanes_of_token : 1;
	scoped(lanes_free) struct lanes *lanes = NULL;
	struct status st;

	lanes = calloc(1, sizeof(*lanes) + 2 * n * sizeof(lanes->at[0]));
	if (lanes == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory for a pool's lanes");
	lanes->config = *config;
	lanes->n = 2 * (size_t)n;
	atomic_init(&lanes->stopping, false);
	lanes->queue =
	    queue_new(config->queue_max > 0 ? config->queue_max : 1, n);
	if (lanes->queue == NULL)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory for a pool's queue");
	st = start(lanes);
	if (failed(st))
		return st;
	*ret_lanes = lanes;
	lanes = NULL;
	return status_ok();
}

void
lanes_free(struct lanes *lanes)
{
	if (lanes == NULL)
		return;
	atomic_store(&lanes->stopping, true);
	if (lanes->queue != NULL)
		queue_close(lanes->queue);
	for (size_t i = 0; i < lanes->n; i++) {
		if (lanes->at[i].runs)
			pthread_join(lanes->at[i].thread, NULL);
		sign_desk_free(lanes->at[i].desk);
	}
	queue_free(lanes->queue);
	free(lanes);
}

/*
 * What comes while the journal's disk does not answer is told so, instead of
 * waiting behind what can only wait.  Not recorded, for that is what cannot be
 * done; counted all the same.
 */
static struct sign_call *
put_in_queue(struct lanes *lanes, struct sign_call *chain)
{
	const struct status stall = audit_stall(lanes->config.audit);

	if (!failed(stall))
		return queue_put(lanes->queue, chain);
	for (struct sign_call *call = chain; call != NULL; call = call->next) {
		call->status = stall;
		call->signature = NULL;
	}
	return chain;
}

void
lanes_put(struct lanes *lanes, struct sign_call *chain)
{
	struct sign_call *refused = put_in_queue(lanes, chain);

	while (refused != NULL) {
		struct sign_call *calls[SIGN_BATCH_MAX];
		size_t n = 0;

		while (refused != NULL && n < SIGN_BATCH_MAX) {
			calls[n++] = refused;
			refused = refused->next;
		}
		answer_unserved(lanes, calls, n);
	}
}

size_t
lanes_depth(const struct lanes *lanes)
{
	return queue_depth(lanes->queue);
}
