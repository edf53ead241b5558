/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_RENEWAL_H
#define EDGE_RENEWAL_H

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "rpc/enroll.h"

/*
 * Keeps edged's certificate fresh: a thread that renews it at half its life and
 * hands on the new identity.
 */
struct renewal;

struct renewal_config {
	const char *state_dir; /* borrowed */
	/* Addresses to use in place of the identity's; borrowed. */
	char **endpoints;
	size_t n_endpoints;
	/* A new identity, which becomes the callee's.  On the renewal's thread.
	 */
	void (*renewed)(void *ctx, struct enroll_identity *identity);
	void *ctx;
	struct metrics *metrics;
};

/* The state folder must hold an identity already. */
STATUS renewal_start(
    const struct renewal_config *config, struct renewal **ret_renewal);
/* Waits for a renewal under way (10 s at most).  NULL is allowed. */
void renewal_stop(struct renewal *renewal);
SCOPED_RELEASE(renewal_stop, struct renewal *);

#endif
