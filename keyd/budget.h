/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_BUDGET_H
#define KEYD_BUDGET_H

#include <stdint.h>

#include "base/scoped.h"
#include "base/signing.h"
#include "base/spiffe.h"
#include "base/status.h"
#include "keyd/policy.h"

/*
 * How much of their budgets identities have used: a token bucket for each
 * identity and key, which outlives the policy that sets its rate.  Any thread;
 * never blocks for long and allocates nothing after budget_new.
 */
struct budget;

/* NULL when memory ends. */
struct budget *budget_new(void);
void budget_free(struct budget *budget); /* NULL is allowed */
SCOPED_RELEASE(budget_free, struct budget *);

/* More than this is no budget. */
#define BUDGET_RATE_MAX 1000000
#define BUDGET_BURST_MAX 1000000

/*
 * Take one signature out of the peer's bucket for the permit's key; without a
 * budget that is always OK.  RESOURCE_EXHAUSTED: it is empty.  now_ns is
 * monotonic.  What was taken stays taken, whatever becomes of the request: a
 * budget pays for keyd's work and the record too.
 */
STATUS budget_take(struct budget *budget, const struct spiffe *peer,
    const struct policy_permit *permit, int64_t now_ns);

#endif
