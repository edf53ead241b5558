/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Making and finding keys.  One such act runs at a time (SoftHSM's searches and
 * key generation race), on one lane, before that lane's signers; then every
 * other lane is told of a key that is new to it, so that a caller who has the
 * key's id can sign with it on any lane.
 */

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "hsm/generate.h"
#include "hsm/hsm_int.h"

static STATUS
manage_begin(struct hsm *hsm, int64_t deadline_ns)
{
	const struct timespec until = { .tv_sec = deadline_ns / NS_PER_S,
		.tv_nsec = deadline_ns % NS_PER_S };
	struct lane_pool *pool = &hsm->pool;
	struct status st = status_ok();

	if (deadline_ns <= clock_mono_ns())
		return reason_status(REASON_EXPIRED, 0);
	pthread_mutex_lock(&pool->lock);
	while (hsm->managing && !failed(st)) {
		if (pthread_cond_timedwait(
			&pool->changed, &pool->lock, &until) == ETIMEDOUT)
			st = reason_status(REASON_EXPIRED, 0);
	}
	if (!failed(st))
		hsm->managing = true;
	pthread_mutex_unlock(&pool->lock);
	return st;
}

static void
manage_end(struct hsm *hsm)
{
	struct lane_pool *pool = &hsm->pool;

	pthread_mutex_lock(&pool->lock);
	hsm->managing = false;
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
}

/* The last lane that is ready, since signers take the first; else any. */
static struct lane *
manage_lane(struct hsm *hsm, int64_t deadline_ns, struct status *ret_why)
{
	struct lane_pool *pool = &hsm->pool;
	struct lane *choice = NULL;

	pthread_mutex_lock(&pool->lock);
	for (unsigned i = 0; i < pool->n; i++) {
		if (pool->lanes[i].state == LANE_READY)
			choice = &pool->lanes[i];
	}
	pthread_mutex_unlock(&pool->lock);
	if (choice != NULL && lane_take_this(choice, deadline_ns))
		return choice;
	return lane_take(pool, deadline_ns, ret_why);
}

/* One query to one lane.  ret_key may be NULL. */
static STATUS
ask(struct lane *lane, enum wire_type type, const struct wire_query *query,
    struct hsm_key *ret_key)
{
	struct wire_head head;
	struct bytes body;
	enum lane_outcome outcome;
	struct status st;

	lane_begin(lane, type);
	(void)wire_put_query(&lane->out, query);
	outcome = lane_call(
	    lane, query->deadline_ns, LANE_MANAGE_LIMIT_NS, &head, &body);
	st = reason_status(head.reason, head.detail);
	if (outcome == LANE_LATE)
		st = reason_status(REASON_LATE, 0);
	if (outcome == LANE_ANSWERED && !failed(st) && ret_key != NULL &&
	    (!wire_take_key(&body, ret_key) || body.len != 0)) {
		outcome = LANE_DIED;
		head.reason = REASON_GARBLED;
		st = reason_status(REASON_GARBLED, 0);
	}
	lane_release(lane, outcome, &head);
	return st;
}

/*
 * Let the other lanes learn a key.  A lane that is down learns it when it comes
 * back; one that is busy is waited for, which its own bound keeps short.
 */
static void
tell_others(struct hsm *hsm, const struct lane *but, const struct key_id *id)
{
	int64_t bound_ns = hsm->pool.sign_limit_ns + 5 * NS_PER_S;

	for (unsigned i = 0; i < hsm->pool.n; i++) {
		struct lane *lane = &hsm->pool.lanes[i];
		struct wire_query query = { .id = *id,
			.deadline_ns = clock_mono_ns() + bound_ns };

		if (lane == but || !lane_take_this(lane, query.deadline_ns))
			continue;
		/* A lane that does not find it stops and starts afresh. */
		(void)!failed(ask(lane, WIRE_LOAD, &query, NULL));
	}
}

static STATUS
manage(struct hsm *hsm, enum wire_type type, const struct wire_query *query,
    struct hsm_key *ret_key)
{
	struct status st = manage_begin(hsm, query->deadline_ns);
	struct hsm_key key;

	if (failed(st))
		return st;
	for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
		struct lane *lane = manage_lane(hsm, query->deadline_ns, &st);

		if (lane == NULL)
			break;
		st = ask(lane, type, query, &key);
		if (!failed(st))
			tell_others(hsm, lane, &key.id);
		/* Nameless until it is whole, a key that was lost half way
		 * does not stand in the way of another. */
		if (st.code != STATUS_UNAVAILABLE)
			break;
	}
	manage_end(hsm);
	if (!failed(st))
		*ret_key = key;
	return st;
}

STATUS
hsm_generate(struct hsm *hsm, enum key_alg alg, const char *label,
    int64_t deadline_ns, struct hsm_key *ret_key)
{
	struct wire_query query = { .alg = alg, .deadline_ns = deadline_ns };

	if (!generate_label_ok(label))
		return reason_status(REASON_LABEL_BAD, 0);
	if (key_alg_name(alg) == NULL)
		return reason_status(REASON_MECHANISM, 0);
	memcpy(query.label, label, strlen(label));
	return manage(hsm, WIRE_GENERATE, &query, ret_key);
}

STATUS
hsm_find(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns,
    struct hsm_key *ret_key)
{
	struct wire_query query = { .id = *id, .deadline_ns = deadline_ns };

	return manage(hsm, WIRE_FIND, &query, ret_key);
}

STATUS
hsm_find_label(struct hsm *hsm, const char *label, int64_t deadline_ns,
    struct hsm_key *ret_key)
{
	struct wire_query query = { .by_label = true,
		.deadline_ns = deadline_ns };

	if (!generate_label_ok(label))
		return reason_status(REASON_LABEL_BAD, 0);
	memcpy(query.label, label, strlen(label));
	return manage(hsm, WIRE_FIND, &query, ret_key);
}
