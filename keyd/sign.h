/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_SIGN_H
#define KEYD_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/signing.h"
#include "base/status.h"
#include "hsm/hsm.h"
#include "keyd/audit.h"
#include "keyd/budget.h"
#include "keyd/caller.h"
#include "keyd/context.h"
#include "keyd/policy.h"

#define SIGN_BATCH_MAX HSM_BATCH_MAX

/* What signing needs of the daemon; all borrowed, all thread-safe. */
struct sign_deps {
	const struct policy *policy; /* today's snapshot */
	struct budget *budget;
	const struct context_rules *contexts;
	struct audit *audit;
	struct hsm *hsm;
	unsigned pool; /* index of hsm among keyd's pools */
	/* The token is free again: called once a batch, before its answers. */
	void (*token_free)(void *ctx);
	void *ctx;
};

/* One request to sign.  It lives in a struct batch, or on the stack of a unary
 * handler, until its caller's answer has been called. */
struct sign_call {
	/* What is asked. */
	struct caller *caller;
	uint64_t id; /* the caller's own number for it */
	struct key_id key;
	unsigned context; /* as it came: any number */
	unsigned scheme;
	struct bytes content;
	struct status form; /* OK, or how the request was malformed */
	int64_t arrived_ns, deadline_ns; /* monotonic */

	/* What became of it. */
	struct status status;
	/* NULL unless status is OK and its record is written; the desk's, so
	 * gone when the next batch is served. */
	const struct signature *signature;

	/* Work on the way. */
	uint8_t content_hash[32];
	uint8_t digest[64];
	struct context_names *names; /* sign.c's, like op */
	struct hsm_op *op;           /* sign.c's; NULL unless admitted */
	const struct key_id *flow; /* queue.c's: which calls it lines up with */
	struct sign_call *next;    /* of a chain, or queue.c's */
	struct batch *batch;       /* what holds it; NULL: its caller does */
};

/* The working space of one lane thread, so that nothing is allocated here. */
struct sign_desk;

struct sign_desk *sign_desk_new(void);       /* NULL when memory ends */
void sign_desk_free(struct sign_desk *desk); /* NULL is allowed */

/* When the latest batch on the desk came by, monotonic. */
struct sign_times {
	int64_t started_ns;
	int64_t handed_ns;              /* to the token; its record was begun */
	int64_t recorded_ns, signed_ns; /* in either order */
};
struct sign_times sign_desk_times(const struct sign_desk *desk);

/*
 * Serve n <= SIGN_BATCH_MAX calls: each has its status when this returns, and a
 * signature only if a durable record says that its caller was given it.
 * Blocks for the token and the disk.
 */
void sign_serve(const struct sign_deps *deps, struct sign_desk *desk,
    struct sign_call *const calls[], size_t n);

#endif
