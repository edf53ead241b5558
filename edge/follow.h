/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_FOLLOW_H
#define EDGE_FOLLOW_H

#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "edge/challenges.h"
#include "edge/delivery.h"

/*
 * edged's connection to certd: one Watch stream that is kept up, and Reports
 * beside it.  Endpoints are tried in turn; when all are away nothing happens:
 * what is in place stays in place.  When certd does not know the version that
 * is served here (its database was restored), nothing is followed until an
 * operator has looked; edged keeps asking, at each endpoint in turn, and says
 * so in its reports.
 */
struct follow;

struct follow_config {
	const char *state_dir; /* of the identity; borrowed */
	char **endpoints;      /* certd's, at least one; borrowed */
	size_t n_endpoints;
	int64_t heartbeat_ns;  /* 0: 30 s */
	int64_t held_retry_ns; /* 0: 30 s */
	struct metrics *metrics;
};

/* Does nothing yet, but can be woken. */
STATUS follow_new(
    const struct follow_config *config, struct follow **ret_follow);
/* Follow; delivery and challenges outlive it. */
STATUS follow_start(struct follow *follow, struct delivery *delivery,
    struct challenges *challenges);
/* Stops; blocks for as long as a call takes.  Nothing wakes it any more. */
void follow_stop(struct follow *follow);
/* Stops before, if need be.  NULL is allowed. */
void follow_free(struct follow *follow);
SCOPED_RELEASE(follow_free, struct follow *);

/* There is something to report.  Any thread, never blocks. */
void follow_wake(struct follow *follow);
/* The state folder has a new identity.  Any thread, never blocks. */
void follow_renewed(struct follow *follow);

#endif
