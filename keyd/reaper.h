/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_REAPER_H
#define KEYD_REAPER_H

#include "base/scoped.h"
#include "base/status.h"
#include "keyd/approvals.h"
#include "keyd/custody.h"

/*
 * The thread that does what time brings: destroys keys that are due, ends
 * approvals whose time is over.  Looks once a second; while something cannot be
 * destroyed (a token is away) less often, up to once a minute.
 */
struct reaper;

struct reaper_config { /* borrowed */
	struct custody *custody;
	struct approvals *approvals;
	const char *self; /* SPIFFE ID of this keyd, for the record */
};

/* Starts it. */
STATUS reaper_new(
    const struct reaper_config *config, struct reaper **ret_reaper);
/* Waits for what it is at, 30 s at most.  Before anything it uses is freed.
 * NULL is allowed. */
void reaper_free(struct reaper *reaper);
SCOPED_RELEASE(reaper_free, struct reaper *);

#endif
