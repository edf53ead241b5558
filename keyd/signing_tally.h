/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_SIGNING_TALLY_H
#define KEYD_SIGNING_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/spiffe.h"
#include "keyd/sign.h"

/*
 * What was signed for whom in the last hour, and how fast: for each identity a
 * ring of steps of time.  SIGNING_TALLY_PLACES identities have a place of their
 * own, all others share one.  Memory is fixed.  Any thread.
 */
#define SIGNING_TALLY_STEP_S 10
#define SIGNING_TALLY_STEPS 360
#define SIGNING_TALLY_PLACES 64
/* Half octaves from 64 microseconds; the last one has no end. */
#define SIGNING_TALLY_BUCKETS 32

struct signing_tally;

struct signing_tally_step {
	int64_t at; /* its begin, in steps since 1970 UTC; 0: nothing yet */
	uint32_t signatures, refusals;
	uint32_t took[SIGNING_TALLY_BUCKETS]; /* signatures, by time */
};

struct signing_tally_series {
	char identity[SPIFFE_ID_MAX]; /* "": of all without a place */
	struct signing_tally_step steps[SIGNING_TALLY_STEPS]; /* unordered */
};

struct signing_tally *signing_tally_new(void);        /* NULL: no memory */
void signing_tally_free(struct signing_tally *tally); /* NULL is allowed */
SCOPED_RELEASE(signing_tally_free, struct signing_tally *);

/*
 * What became of n calls, whose answers are about to go out at now_ns
 * (monotonic).  Their callers are alive.  Never blocks but for others that
 * count; no call in it leaves user space otherwise.
 */
void signing_tally_add(struct signing_tally *tally,
    struct sign_call *const calls[], size_t n, int64_t now_s, int64_t now_ns);

/* The i-th place as it is now, of SIGNING_TALLY_PLACES + 1; the last is that of
 * all others.  False: nobody has it. */
bool signing_tally_series(struct signing_tally *tally, size_t i,
    struct signing_tally_series *ret_series);

/* The end of the bucket that so many thousandths of the signatures do not go
 * beyond, microseconds; 0: nothing was signed. */
uint32_t signing_tally_quantile_us(
    const struct signing_tally_step *step, unsigned permille);

#endif
