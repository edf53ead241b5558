/* SPDX-License-Identifier: Apache-2.0 */

/* The bookkeeping of a batch: what is pending, and how often it was tried. */

#include "hsm/batch.h"

void
batch_settle(struct batch *b, size_t i, struct status st)
{
	b->ops[i].status = st;
	b->pending &= ~BIT(i);
}

void
batch_settle_all(struct batch *b, struct status st)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->pending & BIT(i))
			batch_settle(b, i, st);
	}
}

void
batch_try_again(struct batch *b, size_t i, struct status st)
{
	if (++b->tries[i] >= TRIES_MAX)
		batch_settle(b, i, st);
}

void
batch_settle_key(
    struct batch *b, const struct key_id *id, unsigned reason, uint32_t detail)
{
	const struct status st = reason_status(reason, detail);

	for (size_t i = 0; i < b->n; i++) {
		if ((b->pending & b->needing & BIT(i)) == 0 ||
		    !key_id_equal(&b->ops[i].key, id))
			continue;
		if (reason_is_of_lane(reason))
			batch_try_again(b, i, st);
		else
			batch_settle(b, i, st);
	}
}
