/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_PLANS_H
#define CERTD_PLANS_H

#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/authorities.h"
#include "certd/config.h"
#include "certd/custody.h"
#include "certd/store.h"

/*
 * Service Plans: replace everything of a CA, a key or a profile within a time.
 * A plan is estimated first; when it is started, a thread begins its changes
 * at the pace that CA and time allow, and certd/issuer.h brings them about.
 */
struct plans;

struct plans_config {
	struct store *store; /* all borrowed */
	struct custody *custody;
	struct authorities *authorities;
	const struct config *config;
};

STATUS plans_new(const struct plans_config *config, struct plans **ret_plans);
STATUS plans_register(struct plans *plans, struct api *api);
/* Plans go on from here; those that were running before do. */
STATUS plans_start(struct plans *plans);
void plans_stop(struct plans *plans); /* NULL is allowed */
void plans_free(struct plans *plans); /* NULL is allowed; stops them */
SCOPED_RELEASE(plans_free, struct plans *);

/* Look at running plans once, on the caller's thread; for tests that have not
 * started them.  *ret_next_ms: when to look again; -1: none is running. */
STATUS plans_step(struct plans *plans, int64_t *ret_next_ms);

#endif
