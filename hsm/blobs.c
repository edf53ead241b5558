/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Bringing wrapped keys to the lane that misses them.  A lane says of an op
 * that it does not have the key; its blob is fetched while the lane serves
 * others, and goes before the op to whichever lane is taken next.  A lane looks
 * up what it has already, and checks what it unwraps: nothing that comes out of
 * the store is believed here.
 */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hsm/batch.h"

static bool
is_fetched(const struct batch *b, const struct key_id *id)
{
	for (size_t i = 0; i < b->n_blobs; i++) {
		if (key_id_equal(&b->blobs[i].id, id))
			return true;
	}
	return false;
}

static bool
is_whole(const struct hsm_blob *blob)
{
	return blob->len > 0 && blob->len <= HSM_BLOB_MAX &&
	       blob->spki_len > 0 && blob->spki_len <= HSM_SPKI_MAX &&
	       key_alg_name(blob->alg) != NULL;
}

static void
settle_status(struct batch *b, const struct key_id *id, struct status st)
{
	for (size_t i = 0; i < b->n; i++) {
		if ((b->pending & b->needing & BIT(i)) != 0 &&
		    key_id_equal(&b->ops[i].key, id))
			batch_settle(b, i, st);
	}
}

/* What a blob takes of a turn, in P-256 keys, by the measure of a signature. */
static size_t
weight_of(enum key_alg alg)
{
	switch (alg) {
	case KEY_ALG_RSA_4096:
		return BATCH_BLOBS_MAX;
	case KEY_ALG_RSA_3072:
		return BATCH_BLOBS_MAX / 2;
	case KEY_ALG_RSA_2048:
	case KEY_ALG_EC_P384:
		return BATCH_BLOBS_MAX / 4;
	default:
		return 1;
	}
}

static void
fetch_one(struct hsm *hsm, struct batch *b, const struct key_id *id)
{
	struct batch_blob *to = &b->blobs[b->n_blobs];
	/* Only a worker that lies asks for blobs where there are none. */
	struct status st = hsm->blob == NULL
			       ? reason_status(REASON_KEY_UNKNOWN, 0)
			       : hsm->blob(hsm->blob_ctx, id, &to->blob);

	if (!failed(st) && !is_whole(&to->blob))
		st = reason_status(REASON_STORED_BLOB, 0);
	if (failed(st)) {
		settle_status(b, id, st);
		return;
	}
	to->id = *id;
	b->n_blobs++;
}

void
blobs_fetch(struct hsm *hsm, struct batch *b)
{
	size_t weight = 0;

	b->n_blobs = 0;
	b->turn = ~b->needing;
	if ((b->pending & b->turn) != 0 || b->pending == 0)
		return;
	if (b->blobs == NULL)
		b->blobs = calloc(BATCH_BLOBS_MAX, sizeof(*b->blobs));
	if (b->blobs == NULL) {
		batch_settle_all(b, reason_status(REASON_MEMORY, 0));
		return;
	}
	for (size_t i = 0; i < b->n; i++) {
		const struct key_id id = b->ops[i].key;

		if (!(b->pending & BIT(i)))
			continue;
		if (!is_fetched(b, &id) && weight < BATCH_BLOBS_MAX) {
			size_t before = b->n_blobs;

			fetch_one(hsm, b, &id);
			if (b->n_blobs > before)
				weight += weight_of(b->blobs[before].blob.alg);
		}
		if (is_fetched(b, &id))
			b->turn |= BIT(i);
	}
}

/* How many are in the message. */
static uint32_t
fill(struct hsm *hsm, const struct batch *b, struct lane *lane)
{
	uint32_t count = 0;

	lane_begin(lane, WIRE_LEARN);
	for (size_t i = 0; i < b->n_blobs; i++) {
		const struct hsm_blob *blob = &b->blobs[i].blob;
		const struct wire_blob wire = { .id = b->blobs[i].id,
			.alg = blob->alg,
			.blob = { blob->at, blob->len },
			.spki = { blob->spki, blob->spki_len } };

		/* Its ops are refused when they are sent. */
		if (forgotten_has(&hsm->forgotten, &wire.id))
			continue;
		_Static_assert(
		    BATCH_BLOBS_MAX * (sizeof(struct batch_blob) + 64) <
			WIRE_MAX,
		    "all fit");
		count += wire_put_blob(&lane->out, &wire);
	}
	wire_head_of(&lane->out)->count = count;
	return count;
}

/* Which of them the lane does not hold, and why.  False for nonsense. */
static bool
accept_reply(struct hsm *hsm, struct batch *b, const struct lane *lane,
    uint32_t count, struct bytes body)
{
	struct bytes sent = { lane->out.at, lane->out.len }, rest;
	struct wire_head head;
	struct wire_blob blob;
	uint32_t reason, detail, learned = 0;

	if (!wire_open(sent, &head, &rest) || head.count != count)
		return false;
	while (wire_take_blob(&rest, &blob)) {
		if (!wire_take_number(&body, &reason) ||
		    reason >= REASON_END_ || !wire_take_number(&body, &detail))
			return false;
		if (reason != REASON_OK)
			batch_settle_key(b, &blob.id, reason, detail);
		else
			learned++;
	}
	if (hsm->unwrapped != NULL)
		metric_counter_add(hsm->unwrapped, learned);
	return body.len == 0;
}

bool
blobs_hand_over(
    struct hsm *hsm, struct batch *b, struct lane *lane, int64_t deadline_ns)
{
	struct wire_head reply;
	struct bytes body;
	enum lane_outcome outcome;
	struct status st;

	if (fill(hsm, b, lane) == 0)
		return true;
	outcome = lane_call(
	    lane, deadline_ns, hsm->pool.sign_limit_ns, &reply, &body);
	if (outcome == LANE_ANSWERED &&
	    !accept_reply(hsm, b, lane, reply.count, body)) {
		outcome = LANE_DIED;
		reply.reason = REASON_GARBLED;
	}
	if (outcome == LANE_ANSWERED && reply.state == WIRE_READY)
		return true;
	lane_release(lane, outcome, &reply);
	st =
	    reason_status(outcome == LANE_LATE ? REASON_LATE : reply.reason, 0);
	for (size_t i = 0; i < b->n && outcome != LANE_ANSWERED; i++) {
		if (!(b->pending & b->turn & BIT(i)))
			continue;
		if (outcome == LANE_LATE)
			batch_settle(b, i, st);
		else
			batch_try_again(b, i, st);
	}
	return false;
}
