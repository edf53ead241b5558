/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_CALLER_H
#define KEYD_CALLER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/spiffe.h"
#include "base/status.h"

struct sign_call;

/*
 * Who asks: the far end of one stream, or of one unary call.  Embedded in what
 * signer.c keeps for it, and alive until the last of its calls is answered.
 */
struct caller {
	struct spiffe id;         /* meaningless unless known is OK */
	struct status known;      /* is it an identity of our domain? */
	char text[SPIFFE_ID_MAX]; /* as its certificate has it, for records */
	int64_t not_after_s;      /* of its certificate */
	atomic_bool gone;         /* nobody waits for answers any more */
	atomic_uint waiting;      /* its calls in queues; queue.c's */
	struct caller_tally {
		unsigned place;
		int64_t at;
	} tally; /* where it is counted; signing_tally.c's */

	/* Give out what became of n <= SIGN_BATCH_MAX calls, all of this
	 * caller, and let go of them.  Any thread, must not block. */
	void (*answer)(
	    struct caller *caller, struct sign_call *const calls[], size_t n);
};

/* Reads the identity once, so that requests need not. */
void caller_init(struct caller *caller, const char *spiffe_id,
    int64_t not_after_s, const char *domain);

/*
 * UNAUTHENTICATED: not an identity of our domain, or its certificate, which was
 * good when the connection was made, has expired since.
 */
STATUS caller_check(const struct caller *caller, int64_t now_s);

/* Is an answer still wanted?  CANCELLED: the caller has gone;
 * DEADLINE_EXCEEDED: its time for this request (monotonic) has run out. */
STATUS caller_waits(
    const struct caller *caller, int64_t deadline_ns, int64_t now_ns);

#endif
