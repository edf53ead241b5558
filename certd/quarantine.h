/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_QUARANTINE_H
#define CERTD_QUARANTINE_H

#include "base/scoped.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/custody.h"
#include "certd/store.h"

/*
 * Operators and auditors whom keyd has quarantined: certd does nothing for them
 * either.  keyd is asked every 15 seconds on a thread of its own, and every 2
 * seconds while operators or auditors call.  What it last said holds while it
 * is away, over a restart too: it is in the store.  Edges are looked at where
 * their streams are (certd/roster.h).
 */
struct quarantine;

struct quarantine_config { /* what it points at is borrowed for its life */
	struct store *store;
	struct custody *custody;
	/* 0: 15,000 and 2,000. */
	unsigned refresh_ms, haste_ms;
};

/* Begins with what the store has. */
STATUS quarantine_new(
    const struct quarantine_config *config, struct quarantine **ret_quarantine);
/* Waits for a question to keyd that is under way.  NULL is allowed. */
void quarantine_free(struct quarantine *quarantine);
SCOPED_RELEASE(quarantine_free, struct quarantine *);

/* PERMISSION_DENIED when the caller is one of them.  Never blocks; any thread.
 */
STATUS quarantine_check(
    struct quarantine *quarantine, const struct caller *caller);

#endif
