/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The door.  hsm_sign takes an idle lane, sends the batch, waits for the reply,
 * and gives the lane back; ops that a lane failed (its worker died, its token
 * went away) go to the next lane until they are done, expired, or have been
 * tried often enough.  After a worker's death its batch is retried op by op, so
 * that one request that kills workers does not take its neighbours along.  Keys
 * of a wrapped pool that a lane does not hold are brought to it (blobs.c).
 *
 * This process never loads the PKCS#11 module and never reads the PIN.
 */

#include "hsm/hsm.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hsm/batch.h"
#include "hsm/mech.h"

/* A batch should take the token about this long: long enough to make the
 * exchange of messages cheap, short enough to keep the queue fair. */
#define BATCH_NS (4 * NS_PER_MS)
#define BATCH_HINT_FIRST 16
/* The least for a token that is faster than that. */
#define BATCH_HINT_LOW 4

/* As long as a lane takes to make a few keys. */
#define BIRTH_WAIT_NS (20 * NS_PER_MS)

/* A lone op of a token this fast is answered before a thread has gone to sleep
 * and been woken: 27 us sooner at one request in flight. */
#define SPIN_NS (60 * INT64_C(1000))
#define SPIN_OP_NS (250 * INT64_C(1000))

static void
run_meanwhile(struct batch *b)
{
	void (*meanwhile)(void *ctx) = b->meanwhile;

	b->meanwhile = NULL;
	if (meanwhile != NULL)
		meanwhile(b->ctx);
}

/* Refuse what no token need be asked about; the latest deadline of the rest. */
static int64_t
sift(struct batch *b)
{
	int64_t now = clock_mono_ns(), latest = 0;

	for (size_t i = 0; i < b->n; i++) {
		const struct hsm_op *op = &b->ops[i];
		enum reason reason;

		if (!(b->pending & BIT(i)))
			continue;
		reason = mech_input_check(op->scheme, op->input.len);
		if (reason == REASON_OK && op->deadline_ns <= now)
			reason = REASON_EXPIRED;
		if (reason != REASON_OK)
			batch_settle(b, i, reason_status(reason, 0));
		else if (op->deadline_ns > latest)
			latest = op->deadline_ns;
	}
	return latest;
}

/*
 * As many pending ops as fit one message.  Forgotten keys are looked at here,
 * with the lane taken: hsm_forget takes each lane after it has said which key,
 * so no lane that was told to forget it is asked for it.
 */
static void
fill(struct hsm *hsm, struct batch *b, struct lane *lane)
{
	uint32_t count = 0;

	lane_begin(lane, WIRE_SIGN);
	b->sent = 0;
	for (size_t i = 0; i < b->n; i++) {
		const struct hsm_op *op = &b->ops[i];
		struct wire_op wire = { op->key, op->deadline_ns, op->scheme,
			op->input };

		if (!(b->pending & b->turn & BIT(i)))
			continue;
		if (forgotten_has(&hsm->forgotten, &op->key)) {
			batch_settle(b, i, reason_status(REASON_FORGOTTEN, 0));
			continue;
		}
		if (!wire_put_op(&lane->out, &wire))
			break;
		b->sent |= BIT(i);
		count++;
		if (b->singly)
			break;
	}
	wire_head_of(&lane->out)->count = count;
}

static void
accept_result(struct batch *b, size_t i, const struct wire_result *result,
    size_t *signed_)
{
	struct hsm_op *op = &b->ops[i];
	struct status st = reason_status(result->reason, result->detail);

	if (result->reason == REASON_BLOB_NEEDED &&
	    (b->needing & BIT(i)) == 0) {
		b->needing |= BIT(i);
		return;
	}
	if (result->reason == REASON_BLOB_NEEDED) {
		batch_try_again(b, i, st);
		return;
	}
	if (reason_is_of_lane(result->reason)) {
		batch_try_again(b, i, st);
		return;
	}
	if (result->reason == REASON_OK) {
		memcpy(op->signature.at, result->signature.at,
		    result->signature.len);
		op->signature.len = result->signature.len;
		(*signed_)++;
	}
	batch_settle(b, i, st);
}

/* False when the reply does not answer what was sent. */
static bool
accept_reply(
    struct batch *b, uint32_t count, struct bytes body, size_t *ret_signed)
{
	struct wire_result results[HSM_BATCH_MAX];
	uint32_t n = 0;

	*ret_signed = 0;
	while (n < count && wire_take_result(&body, &results[n]))
		n++;
	if (n != count || body.len != 0 ||
	    count != (uint32_t)__builtin_popcountll(b->sent))
		return false;
	n = 0;
	for (size_t i = 0; i < b->n; i++) {
		if (b->sent & BIT(i))
			accept_result(b, i, &results[n++], ret_signed);
	}
	return true;
}

static void
measure(struct hsm *hsm, struct lane *lane, int64_t took_ns, size_t n_signed)
{
	int64_t op_ns = atomic_load_explicit(&hsm->op_ns, memory_order_relaxed);
	int64_t this_ns;

	if (n_signed == 0)
		return;
	this_ns = took_ns / (int64_t)n_signed;
	/* Down fast, up slowly: what makes an op slower than the token is
	 * mostly a busy machine, on which small batches would cost more. */
	if (op_ns == 0)
		op_ns = this_ns;
	else
		op_ns += (this_ns - op_ns) / (this_ns < op_ns ? 4 : 64);
	atomic_store_explicit(&hsm->op_ns, op_ns, memory_order_relaxed);
	atomic_fetch_add_explicit(
	    &lane->signatures, n_signed, memory_order_relaxed);
	if (!hsm->measured)
		return;
	metric_counter_add(hsm->per_lane[lane->index].signatures, n_signed);
	metric_histogram_observe_ns(hsm->batch_seconds, took_ns);
}

static int64_t
spin_ns(const struct hsm *hsm, const struct batch *b)
{
	int64_t op_ns = atomic_load_explicit(&hsm->op_ns, memory_order_relaxed);
	bool is_alone = (b->sent & (b->sent - 1)) == 0;

	return is_alone && op_ns > 0 && op_ns < SPIN_OP_NS ? SPIN_NS : 0;
}

/* One exchange with one lane. */
static void
exchange(
    struct hsm *hsm, struct batch *b, struct lane *lane, int64_t deadline_ns)
{
	struct wire_head head = { .reason = REASON_DIED };
	struct bytes body = { NULL, 0 };
	size_t n_signed = 0;
	int64_t start = clock_mono_ns();
	enum lane_outcome outcome = LANE_DIED;
	uint64_t sent;

	fill(hsm, b, lane);
	sent = b->sent;
	if (sent == 0) {
		head = (struct wire_head){ .keys = lane->keys };
		lane_release(lane, LANE_ANSWERED, &head);
		return;
	}
	if (lane_send(lane)) {
		run_meanwhile(b);
		outcome = lane_receive(lane, spin_ns(hsm, b), deadline_ns,
		    start + hsm->pool.sign_limit_ns, &head, &body);
	}
	if (outcome == LANE_ANSWERED &&
	    !accept_reply(b, head.count, body, &n_signed)) {
		outcome = LANE_DIED;
		head.reason = REASON_GARBLED;
	}
	lane_release(lane, outcome, &head);
	if (outcome == LANE_ANSWERED)
		measure(hsm, lane, clock_mono_ns() - start, n_signed);
	for (size_t i = 0; i < b->n && outcome != LANE_ANSWERED; i++) {
		if (!(sent & BIT(i)))
			continue;
		if (outcome == LANE_LATE)
			batch_settle(b, i, reason_status(REASON_LATE, 0));
		else
			batch_try_again(b, i, reason_status(head.reason, 0));
	}
	if (outcome == LANE_DIED)
		b->singly = true;
	sent &= b->pending & ~b->needing;
	if (hsm->measured && sent != 0)
		metric_counter_add(
		    hsm->retries, (uint64_t)__builtin_popcountll(sent));
}

/* A lane that did not have a key asks for it: the one that has just made it
 * holds it still, and is worth waiting for. */
static struct lane *
take_lane(struct hsm *hsm, const struct batch *b, int64_t deadline_ns,
    struct status *ret_why)
{
	const int64_t most_ns = clock_mono_ns() + BIRTH_WAIT_NS;
	unsigned index = 0;

	if (b->n_blobs > 0 &&
	    births_find(&hsm->births, &b->blobs[0].id, &index) &&
	    index < hsm->pool.n &&
	    lane_take_this(&hsm->pool.lanes[index],
		deadline_ns < most_ns ? deadline_ns : most_ns))
		return &hsm->pool.lanes[index];
	/* Who brings keys along takes long, and others do not wait for all of
	 * it. */
	return lane_take(&hsm->pool, b->n_blobs > 0 ? LANE_LAST : LANE_NEXT,
	    deadline_ns, ret_why);
}

/* Until every op has its status. */
static void
sign_all(struct hsm *hsm, struct batch *b)
{
	for (;;) {
		int64_t deadline_ns = sift(b);
		struct lane *lane;
		struct status why;

		blobs_fetch(hsm, b);
		if (b->pending == 0)
			return;
		lane = take_lane(hsm, b, deadline_ns, &why);
		if (lane == NULL) {
			batch_settle_all(b, why);
			return;
		}
		if (blobs_hand_over(hsm, b, lane, deadline_ns))
			exchange(hsm, b, lane, deadline_ns);
	}
}

void
hsm_sign_while(struct hsm *hsm, struct hsm_op *ops, size_t n,
    void (*meanwhile)(void *ctx), void *ctx)
{
	struct batch b = {
		.ops = ops, .n = n, .meanwhile = meanwhile, .ctx = ctx
	};

	assert(n <= HSM_BATCH_MAX);
	b.pending = n == HSM_BATCH_MAX ? UINT64_MAX : BIT(n) - 1;
	sign_all(hsm, &b);
	run_meanwhile(&b);
	free(b.blobs);
}

void
hsm_sign(struct hsm *hsm, struct hsm_op *ops, size_t n)
{
	hsm_sign_while(hsm, ops, n, NULL, NULL);
}

size_t
hsm_batch_hint(const struct hsm *hsm)
{
	int64_t op_ns = atomic_load_explicit(&hsm->op_ns, memory_order_relaxed);
	int64_t n;

	if (op_ns == 0)
		return BATCH_HINT_FIRST;
	if (op_ns >= BATCH_NS)
		return 1;
	n = BATCH_NS / op_ns;
	if (n < BATCH_HINT_LOW)
		return BATCH_HINT_LOW;
	return n > HSM_BATCH_MAX ? HSM_BATCH_MAX : (size_t)n;
}

unsigned
hsm_lanes(const struct hsm *hsm)
{
	return hsm->pool.n;
}
