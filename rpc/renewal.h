/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RPC_RENEWAL_H
#define RPC_RENEWAL_H

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "rpc/enroll.h"

/*
 * Keeps a daemon's certificate fresh: a thread that renews it at half its life
 * and hands on the new identity.
 */
struct renewal;

struct renewal_config {
	const char *program;   /* "edged", for messages; borrowed */
	const char *state_dir; /* borrowed */
	/* Addresses to use in place of the identity's; borrowed. */
	char **endpoints;
	size_t n_endpoints;
	/* A new identity, which becomes the callee's, also on failure; then it
	 * is renewed again.  On the renewal's thread. */
	struct status (*renewed)(void *ctx, struct enroll_identity *identity);
	/* Little life is left and renewals fail: a sentence for people; or "",
	 * this is over.  On that thread, too.  May be NULL. */
	void (*trouble)(void *ctx, const char *text);
	void *ctx;
	struct renewal_metrics {
		struct metric_gauge *not_after_s;
		struct metric_counter *renewed, *failed;
	} metrics; /* each may be NULL */
};

/* The state folder must hold an identity already. */
STATUS renewal_start(
    const struct renewal_config *config, struct renewal **ret_renewal);
/* Waits for a renewal under way (10 s at most).  NULL is allowed. */
void renewal_stop(struct renewal *renewal);
SCOPED_RELEASE(renewal_stop, struct renewal *);

#endif
