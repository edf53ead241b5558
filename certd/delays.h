/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_DELAYS_H
#define CERTD_DELAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"

/*
 * How long each CA takes before it is worth asking, learned from what came of
 * the first question: so that about one of ten comes too early, and a
 * certificate costs few requests and little time, whether the CA takes 10 ms or
 * 10 s.  A Retry-After is not learned from; it is obeyed.  In memory alone.
 * Any thread.
 */
struct delays;

enum delay_of {
	DELAY_OF_VALIDATION,
	DELAY_OF_ISSUANCE,
	DELAYS,
};

struct delay {
	int64_t ms; /* 2 to 10,000 */
	unsigned generation;
};

STATUS delays_new(struct delays **ret_delays);
void delays_free(struct delays *delays); /* NULL is allowed */
SCOPED_RELEASE(delays_free, struct delays *);

/* How long to wait now, at the CA of that name in certd.yaml. */
struct delay delays_get(
    struct delays *delays, const char *authority, enum delay_of of);
/* What came of it.  Told of one that is older than what was learned last,
 * nothing is: many that waited together count as one. */
void delays_tell(struct delays *delays, const char *authority, enum delay_of of,
    const struct delay *waited, bool was_early);

#endif
