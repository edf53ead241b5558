/* SPDX-License-Identifier: Apache-2.0 */

/*
 * To stop using a key.  First the door asks no lane for it any more; then each
 * lane drops what it has of it, and a lane that does not say that it did is
 * ended, since a copy in its session would outlive the key in the token.  Only
 * then are the key's own objects destroyed.
 */

#include "hsm/manage.h"

/* Within manage_begin and _end. */
static void
forget_everywhere(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns)
{
	const struct manage_ask ask = { .type = WIRE_FORGET,
		.query = { .id = *id, .deadline_ns = deadline_ns } };
	struct manage_reply reply;

	for (unsigned i = 0; i < hsm->pool.n; i++) {
		struct lane *lane = &hsm->pool.lanes[i];

		if (!lane_take_this(lane, deadline_ns) ||
		    failed(manage_ask(lane, &ask, &reply)))
			lane_end(lane);
	}
}

STATUS
hsm_forget(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns)
{
	struct status st = forgotten_add(&hsm->forgotten, id);

	if (!failed(st))
		st = manage_begin(hsm, deadline_ns);
	if (failed(st))
		return st;
	forget_everywhere(hsm, id, deadline_ns);
	manage_end(hsm);
	return st;
}

STATUS
hsm_allow(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns)
{
	/* Not while it is being forgotten. */
	struct status st = manage_begin(hsm, deadline_ns);

	if (failed(st))
		return st;
	forgotten_remove(&hsm->forgotten, id);
	manage_end(hsm);
	return st;
}

STATUS
hsm_destroy(struct hsm *hsm, const struct key_id *id, int64_t deadline_ns)
{
	const struct manage_ask ask = { .type = WIRE_DESTROY,
		.query = { .id = *id, .deadline_ns = deadline_ns } };
	struct manage_reply reply;
	struct status st = forgotten_add(&hsm->forgotten, id);

	if (!failed(st))
		st = manage_begin(hsm, deadline_ns);
	if (failed(st))
		return st;
	forget_everywhere(hsm, id, deadline_ns);
	st = manage_one(hsm, &ask, &reply, NULL);
	manage_end(hsm);
	return st;
}
