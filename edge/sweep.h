/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_SWEEP_H
#define EDGE_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "edge/site.h"

/*
 * The threads that look at sites as they fall due, at most four at a time.
 * Which site is due, how it is looked at, and what follows from what was seen,
 * is the owner's.
 */
struct sweep;

#define SWEEP_THREADS 4

struct sweep_ops {
	/*
	 * The next site that is due, with a reference for the sweep; NULL: none
	 * is before *ret_next_ns (INT64_MAX: until sweep_wake).  A site is
	 * handed out to one thread at a time.
	 */
	struct site *(*take)(void *ctx, int64_t now_ns, int64_t *ret_next_ns);
	/* Look at a site that take gave. */
	void (*look)(void *ctx, const struct site *site);
	/* Have those that look end at once. */
	void (*stop)(void *ctx);
};

/* ops and ctx are borrowed.  threads 0: SWEEP_THREADS. */
STATUS sweep_new(unsigned threads, const struct sweep_ops *ops, void *ctx,
    struct sweep **ret_sweep);
/* Ends looks that run.  NULL is allowed. */
void sweep_free(struct sweep *sweep);
SCOPED_RELEASE(sweep_free, struct sweep *);

/* Something may be due sooner than take said.  Any thread, never blocks. */
void sweep_wake(struct sweep *sweep);

#endif
