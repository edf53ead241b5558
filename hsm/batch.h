/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_BATCH_H
#define HSM_BATCH_H

#include "hsm/hsm_int.h"

/* A batch on its way through the lanes, for the files that take it there. */

_Static_assert(HSM_BATCH_MAX == 64, "a batch is a bit mask of 64");

#define BIT(i) (UINT64_C(1) << (i))

/*
 * Wrapped keys that a lane is handed at a time, fewer of those that take long
 * to unwrap and try: a lane that misses many does not keep others waiting for
 * all of them.
 */
#define BATCH_BLOBS_MAX 8

struct batch_blob {
	struct key_id id;
	struct hsm_blob blob;
};

struct batch {
	struct hsm_op *ops;
	size_t n;
	uint64_t pending;
	uint64_t sent;
	uint64_t needing; /* a lane did not have the key: bring it along */
	uint64_t turn; /* what goes to the next lane; not only pending ones */
	uint8_t tries[HSM_BATCH_MAX];
	bool singly;
	void (*meanwhile)(void *ctx); /* NULL once it has run */
	void *ctx;
	/* Of this turn. */
	struct batch_blob *blobs; /* room for BATCH_BLOBS_MAX, or NULL */
	size_t n_blobs;
};

/* The op is done. */
void batch_settle(struct batch *b, size_t i, struct status st);
void batch_settle_all(struct batch *b, struct status st);
/* An op its lane could not serve: again, or enough. */
void batch_try_again(struct batch *b, size_t i, struct status st);
/* The same with all that wait for a signature of this key. */
void batch_settle_key(
    struct batch *b, const struct key_id *id, unsigned reason, uint32_t detail);

/*
 * blobs.c: choose the turn.  Ops that need their keys brought along come after
 * those that do not, a few keys at a time; their blobs are fetched, here, with
 * no lane taken.
 */
void blobs_fetch(struct hsm *hsm, struct batch *b);

/*
 * Hand the turn's blobs to a lane that is taken.  False when it did not take
 * them: then it has been released.
 */
bool blobs_hand_over(
    struct hsm *hsm, struct batch *b, struct lane *lane, int64_t deadline_ns);

#endif
