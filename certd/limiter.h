/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_LIMITER_H
#define CERTD_LIMITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/config.h"
#include "certd/names.h"

/*
 * How much one CA lets itself be asked: new orders, certificates of a
 * registered domain and failed validations of a name in sliding windows,
 * requests in a second, and times till which it wants not to be asked.  In
 * memory; what the store knows is counted in at start.  now_ns is monotonic.
 * Any thread, never blocks for long.
 */
struct limiter;

/* limits is borrowed. */
STATUS limiter_new(
    const struct config_authority *limits, struct limiter **ret_limiter);
void limiter_free(struct limiter *limiter); /* NULL is allowed */
SCOPED_RELEASE(limiter_free, struct limiter *);

enum limiter_kind {
	LIMITER_REQUEST,   /* anything that is no new order */
	LIMITER_ORDER,     /* of names that are new */
	LIMITER_RENEWAL,   /* of names that have a certificate */
	LIMITER_REPLACING, /* free, but for pauses and failures */
};

/* True: it was counted, do it now.  False: not before *ret_wait_ms from now. */
bool limiter_take(struct limiter *limiter, enum limiter_kind kind,
    const struct names *names, int64_t now_ns, int64_t *ret_wait_ms);
/* What was taken came to nothing, and the CA has not counted it. */
void limiter_give_back(
    struct limiter *limiter, enum limiter_kind kind, const struct names *names);
/* Without asking: at start, and for what must be done anyway. */
void limiter_count(struct limiter *limiter, enum limiter_kind kind,
    const struct names *names, int64_t at_ns);
/* A validation of each of these failed. */
void limiter_failed(
    struct limiter *limiter, const struct names *names, int64_t at_ns);

/* The CA wants to hear nothing till then. */
void limiter_pause(struct limiter *limiter, int64_t until_ns);
/*
 * It wants no order for the registered domains of these till then.  When it
 * says so of three that have nothing in common, and took no order meanwhile, it
 * is meant for all: these wait too, up to ten minutes at a time, for the three
 * may be one tenant's.
 */
void limiter_pause_domains(struct limiter *limiter, const struct names *names,
    int64_t now_ns, int64_t until_ns);
/* It took an order. */
void limiter_served(struct limiter *limiter);
/* Of all requests; 0: it may be asked. */
int64_t limiter_paused_until(struct limiter *limiter, int64_t now_ns);

struct limiter_use {
	const char *name; /* static */
	uint64_t used, limit;
	int64_t window_ns;
};
#define LIMITER_USES 4
/* Those there is a limit of; gives how many. */
size_t limiter_uses(struct limiter *limiter, int64_t now_ns,
    struct limiter_use ret_uses[LIMITER_USES]);

#endif
