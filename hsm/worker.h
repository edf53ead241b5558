/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_WORKER_H
#define HSM_WORKER_H

#include "hsm/keys.h"
#include "hsm/wire.h"
#include "hsm/wrapped.h"

/* Keys that were born here and never signed with yet, at most. */
#define WORKER_BORN_MAX 32

/* The body of a worker, for the files that make it up. */
struct worker {
	struct wire_message in, out;
	struct wire_message config; /* the token's names live in here */
	struct token token;
	struct keys *keys;
	bool is_wrapped_pool;
	bool cleaned; /* what dead workers left unfinished */
	enum wrapping_hash hash;
	struct wrapped wrapped;
	struct key_id born[WORKER_BORN_MAX]; /* a ring of those kept */
	unsigned n_born;
	enum wire_state state;
	enum reason reason; /* of the state */
	uint32_t detail;
	/* The next probe re-initialises even a token that seems well. */
	bool distrusted;
};

/* After a request: one that failed for the lane's sake stops the lane. */
void worker_note(struct worker *w, enum reason reason);

/* worker_manage.c: everything but PROBE and SIGN.  False for a request that no
 * door of this version sends. */
bool worker_manage(
    struct worker *w, const struct wire_head *head, struct bytes body);

#endif
