/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_REPORTER_H
#define EDGE_REPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/challenges.h"
#include "edge/delivery.h"
#include "rpc/client.h"

/*
 * Edges.Report: when it is time for the next one, and what it says.  Changes
 * wait a moment for more of their kind; that answers to challenges are in force
 * waits for nothing, for a CA is waiting.  One thread.
 */
struct reporter {
	struct delivery *delivery; /* borrowed, as below */
	struct challenges *challenges;
	int64_t heartbeat_ns; /* a sign of life after this */
	int64_t reported_ns, not_before_ns;
	bool has_failed; /* last time */
};

struct reporter reporter_of(struct delivery *delivery,
    struct challenges *challenges, int64_t heartbeat_ns);

/* No report goes before this moment. */
int64_t reporter_next_ns(const struct reporter *reporter);
/* Send what is due, or a sign of life, or nothing.  Blocks, for 5 s at most.
 * true: there is more. */
bool reporter_send(struct reporter *reporter, struct rpc_client *client);

#endif
