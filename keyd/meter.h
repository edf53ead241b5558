/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_METER_H
#define KEYD_METER_H

#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"
#include "keyd/sign.h"
#include "keyd/signing_tally.h"

/*
 * What the signing path counts, of all pools: how long calls waited in the
 * queue, the token and the journal took, what was signed and refused.  Any
 * thread.
 */
struct meter;

/* metrics may be NULL: then only the totals are kept.  NULL: no memory. */
struct meter *meter_new(struct metrics *metrics, size_t n_pools);
void meter_free(struct meter *meter); /* NULL is allowed */

/* A served batch. */
void meter_batch(struct meter *meter, const struct sign_times *times,
    struct sign_call *const calls[], size_t n);
/* A call that was refused without being served. */
void meter_refused(struct meter *meter, struct sign_call *call);
void meter_depth(struct meter *meter, unsigned pool, size_t depth);

uint64_t meter_signatures(const struct meter *meter);
uint64_t meter_refusals(const struct meter *meter);
/* The same by identity and time; the meter's own. */
struct signing_tally *meter_tally(const struct meter *meter);

#endif
