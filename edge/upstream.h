/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_UPSTREAM_H
#define EDGE_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "edge/pending.h"
#include "rpc/enroll.h"

/*
 * One stream to keyd that is kept up: it takes requests out of the pending
 * table whenever the transport can carry more, and hands back replies.  When
 * the stream breaks, what was on it waits again and goes out on the next one.
 * Several upstreams may share one pending table.
 */
struct upstream;

struct upstream_ops {
	/* One request is answered: body is a signature when code is OK, else
	 * text.  On a thread of the stream; must not block. */
	void (*reply)(void *ctx, const struct pending_done *done,
	    enum status_code code, struct bytes body);
	/* After the replies that came together. */
	void (*flush)(void *ctx);
};

struct upstream_config {
	/*
	 * Becomes the upstream's.  Its endpoints, or those that stand here
	 * (borrowed; n_endpoints 0: none), are tried in turn, from the first.
	 */
	struct enroll_identity *identity;
	char **endpoints;
	size_t n_endpoints;
	/* Streams of this upstream own requests under numbers from here on, a
	 * million of them. */
	uint32_t first_owner;
	struct pending *pending;
	const struct upstream_ops *ops; /* borrowed, like ctx */
	void *ctx;
	struct metrics *metrics;
};

#define UPSTREAM_OWNERS 1000000

/* Starts connecting.  On failure the identity is still the caller's. */
STATUS upstream_new(
    const struct upstream_config *config, struct upstream **ret_upstream);
/* Cancels what is open; nothing of ops is called after it returns.  Blocks for
 * as long as that takes.  NULL is allowed. */
void upstream_free(struct upstream *upstream);
SCOPED_RELEASE(upstream_free, struct upstream *);

/* Somebody waits in the pending table.  Any thread, never blocks. */
void upstream_wake(struct upstream *upstream);

/*
 * Go over to a fresh identity: a new stream takes over, and the old one stays
 * until its replies are in.  Takes identity over.  Any thread, never blocks.
 */
void upstream_set_identity(
    struct upstream *upstream, struct enroll_identity *identity);

#define UPSTREAM_WHY_MAX (RPC_WHY_MAX + 32)

struct upstream_state {
	bool reachable;   /* a stream is open */
	int64_t since_ns; /* since when that is so; monotonic */
	/* Zero-terminated "keyd is not reachable: ..." while it is not. */
	char why[UPSTREAM_WHY_MAX];
};

/* Any thread, never blocks. */
void upstream_state(
    struct upstream *upstream, struct upstream_state *ret_state);

#endif
