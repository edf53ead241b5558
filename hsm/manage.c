/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Making and finding keys.  One such act runs at a time (SoftHSM's searches and
 * key generation race), on one lane, before that lane's signers; then every
 * other lane is told of a key that is new to it, so that a caller who has the
 * key's id can sign with it on any lane.
 */

#include <string.h>

#include "base/clock.h"
#include "hsm/generate.h"
#include "hsm/manage.h"

STATUS
manage_begin(struct hsm *hsm, int64_t deadline_ns)
{
	struct lane_pool *pool = &hsm->pool;
	struct status st = status_ok();

	if (deadline_ns <= clock_mono_ns())
		return reason_status(REASON_EXPIRED, 0);
	pthread_mutex_lock(&pool->lock);
	while (hsm->managing && !failed(st)) {
		if (!clock_cond_wait(&pool->changed, &pool->lock, deadline_ns))
			st = reason_status(REASON_EXPIRED, 0);
	}
	if (!failed(st))
		hsm->managing = true;
	pthread_mutex_unlock(&pool->lock);
	return st;
}

void
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
	return lane_take(pool, LANE_NEXT, deadline_ns, ret_why);
}

static bool
put_ask(struct wire_message *m, const struct manage_ask *ask)
{
	struct wire_import import = { .query = ask->query };

	if (ask->import == NULL)
		return wire_put_query(m, &ask->query);
	import.blob = ask->import->blob;
	import.spki = ask->import->spki;
	return wire_put_import(m, &import);
}

static bool
take_blob(struct bytes *body, struct hsm_blob *ret_blob)
{
	struct wire_blob blob;

	if (!wire_take_blob(body, &blob) || blob.alg == KEY_ALG_NONE)
		return false;
	ret_blob->alg = blob.alg;
	ret_blob->spki_len = blob.spki.len;
	memcpy(ret_blob->spki, blob.spki.at, blob.spki.len);
	ret_blob->len = blob.blob.len;
	memcpy(ret_blob->at, blob.blob.at, blob.blob.len);
	return true;
}

static bool
take_reply(
    enum wire_type type, struct bytes body, struct manage_reply *ret_reply)
{
	bool ok = true;

	switch (type) {
	case WIRE_GENERATE:
	case WIRE_FIND:
	case WIRE_UNWRAP:
		ok = wire_take_key(&body, &ret_reply->key);
		break;
	case WIRE_WRAPPING:
		ok = wire_take_key(&body, &ret_reply->key) &&
		     wire_take_number(&body, &ret_reply->number);
		break;
	case WIRE_UNWRAPS:
		ok = wire_take_number(&body, &ret_reply->number);
		break;
	case WIRE_GENERATE_WRAPPED:
	case WIRE_GENERATE_KEPT:
	case WIRE_UNWRAP_WRAPPED:
		ok = wire_take_key(&body, &ret_reply->key) &&
		     take_blob(&body, &ret_reply->blob);
		break;
	default:
		break;
	}
	return ok && body.len == 0;
}

STATUS
manage_ask(struct lane *lane, const struct manage_ask *ask,
    struct manage_reply *ret_reply)
{
	struct wire_head head;
	struct bytes body;
	enum lane_outcome outcome;
	struct status st;

	lane_begin(lane, ask->type);
	if (!put_ask(&lane->out, ask)) {
		/* The worker is as it was. */
		head = (struct wire_head){ .keys = lane->keys };
		lane_release(lane, LANE_ANSWERED, &head);
		return reason_status(REASON_BAD_ARGUMENT, 0);
	}
	outcome = lane_call(
	    lane, ask->query.deadline_ns, LANE_MANAGE_LIMIT_NS, &head, &body);
	st = reason_status(head.reason, head.detail);
	if (outcome == LANE_LATE)
		st = reason_status(REASON_LATE, 0);
	if (outcome == LANE_ANSWERED && !failed(st) &&
	    !take_reply(ask->type, body, ret_reply)) {
		outcome = LANE_DIED;
		head.reason = REASON_GARBLED;
		st = reason_status(REASON_GARBLED, 0);
	}
	ret_reply->died = outcome == LANE_DIED;
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
		struct manage_ask ask = { .type = WIRE_LOAD,
			.query = { .id = *id,
			    .deadline_ns = clock_mono_ns() + bound_ns } };
		struct manage_reply reply;

		if (lane == but || !lane_take_this(lane, ask.query.deadline_ns))
			continue;
		/* A lane that does not find it stops and starts afresh. */
		(void)!failed(manage_ask(lane, &ask, &reply));
	}
}

STATUS
manage_one(struct hsm *hsm, const struct manage_ask *ask,
    struct manage_reply *ret_reply, struct lane **ret_lane)
{
	struct status st = status_ok();

	for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
		struct lane *lane =
		    manage_lane(hsm, ask->query.deadline_ns, &st);

		if (lane == NULL)
			break;
		st = manage_ask(lane, ask, ret_reply);
		if (ret_lane != NULL)
			*ret_lane = lane;
		/* Nameless until it is whole, a key that was lost half way
		 * does not stand in the way of another.  What comes from
		 * outside may be what ended the worker: once is enough. */
		if (st.code != STATUS_UNAVAILABLE ||
		    (ask->import != NULL && ret_reply->died))
			break;
	}
	return st;
}

STATUS
manage_run(struct hsm *hsm, const struct manage_ask *ask,
    struct manage_reply *ret_reply)
{
	struct status st = manage_begin(hsm, ask->query.deadline_ns);

	if (failed(st))
		return st;
	st = manage_one(hsm, ask, ret_reply, NULL);
	manage_end(hsm);
	return st;
}

STATUS
manage_run_key(struct hsm *hsm, const struct manage_ask *ask,
    struct manage_reply *ret_reply)
{
	struct status st = manage_begin(hsm, ask->query.deadline_ns);
	struct lane *lane = NULL;

	if (failed(st))
		return st;
	st = manage_one(hsm, ask, ret_reply, &lane);
	if (!failed(st)) {
		tell_others(hsm, lane, &ret_reply->key.id);
		forgotten_remove(&hsm->forgotten, &ret_reply->key.id);
	}
	manage_end(hsm);
	return st;
}

STATUS
manage_label(const char *label, struct wire_query *query)
{
	if (!generate_label_ok(label))
		return reason_status(REASON_LABEL_BAD, 0);
	memset(query->label, 0, sizeof(query->label));
	memcpy(query->label, label, strlen(label));
	return status_ok();
}

static STATUS
key_of(struct hsm *hsm, const struct manage_ask *ask, struct hsm_key *ret_key)
{
	struct manage_reply reply;
	struct status st = manage_run_key(hsm, ask, &reply);

	if (!failed(st))
		*ret_key = reply.key;
	return st;
}

STATUS
hsm_generate(struct hsm *hsm, enum key_alg alg, const char *label,
    int64_t deadline_ns, struct hsm_key *ret_key)
{
	struct manage_ask ask = { .type = WIRE_GENERATE,
		.query = { .alg = alg, .deadline_ns = deadline_ns } };
	struct status st = manage_label(label, &ask.query);

	if (failed(st))
		return st;
	if (key_alg_name(alg) == NULL)
		return reason_status(REASON_MECHANISM, 0);
	return key_of(hsm, &ask, ret_key);
}

STATUS
hsm_find(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns,
    struct hsm_key *ret_key)
{
	const struct manage_ask ask = { .type = WIRE_FIND,
		.query = { .id = *id, .deadline_ns = deadline_ns } };

	return key_of(hsm, &ask, ret_key);
}

STATUS
hsm_find_label(struct hsm *hsm, const char *label, int64_t deadline_ns,
    struct hsm_key *ret_key)
{
	struct manage_ask ask = { .type = WIRE_FIND,
		.query = { .by_label = true, .deadline_ns = deadline_ns } };
	struct status st = manage_label(label, &ask.query);

	if (failed(st))
		return st;
	return key_of(hsm, &ask, ret_key);
}
