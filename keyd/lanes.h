/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_LANES_H
#define KEYD_LANES_H

#include <stddef.h>

#include "base/scoped.h"
#include "base/status.h"
#include "hsm/hsm.h"
#include "keyd/audit.h"
#include "keyd/meter.h"
#include "keyd/policy.h"
#include "keyd/sign.h"

/*
 * One pool's queue and the threads that empty it.  There are twice as many
 * threads as the token has lanes: while one batch is signed, another is being
 * recorded and answered.
 */
struct lanes;

struct lanes_config { /* all borrowed */
	struct hsm *hsm;
	unsigned pool; /* hsm's index among the pools */
	struct policy_slot *policy;
	struct budget *budget;
	const struct context_rules *contexts;
	struct audit *audit;
	struct meter *meter;
	size_t queue_max;
};

STATUS lanes_new(const struct lanes_config *config, struct lanes **ret_lanes);
/* Answers what still waits with UNAVAILABLE; calls that are being served are
 * served.  Nothing may be put meanwhile.  NULL is allowed. */
void lanes_free(struct lanes *lanes);
SCOPED_RELEASE(lanes_free, struct lanes *);

/*
 * Let a chain of calls be served and answered; never blocks, any thread.  What
 * the queue refuses is answered before this returns.
 */
void lanes_put(struct lanes *lanes, struct sign_call *chain);

size_t lanes_depth(const struct lanes *lanes);

/* Give calls, each with its status, back to their callers, who get all of
 * theirs at once.  n <= SIGN_BATCH_MAX; calls is used up. */
void lanes_answer(struct sign_call *calls[], size_t n);

#endif
