/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_GRANTS_H
#define CERTD_GRANTS_H

#include <stdbool.h>

#include "base/db.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/custody.h"
#include "certd/store.h"

/*
 * The reconciler: makes what keyd allows edges follow what is bound.  A thread
 * tells keyd of each row of grant_ that waits, and asks again while keyd is
 * away.  From time to time it compares all that keyd has with all that is kept
 * here, and repairs what differs.
 */
struct grants;

struct grants_config {
	struct store *store;     /* borrowed */
	struct custody *custody; /* borrowed */
	unsigned compare_s;      /* between comparisons; 0: 3,600 */
	/*
	 * Rights that nothing here asks for are taken away so long after the
	 * start at the earliest; 0: 120.  Until then edges have said whether
	 * they know a newer history than this database, which then was restored
	 * from a backup: what they serve must not be broken.
	 */
	unsigned settle_s;
	unsigned retry_ms; /* first of doubling pauses; 0: 1,000 */
};

/* Starts the thread. */
STATUS grants_new(const struct grants_config *config, struct grants **ret);
/* Ends the thread; waits for a call to keyd that is under way.  NULL is
 * allowed. */
void grants_free(struct grants *grants);
SCOPED_RELEASE(grants_free, struct grants *);

/*
 * After a commit: wait until keyd was told of all that waited then, or would
 * not hear of it, at most timeout_ms.
 */
void grants_wait(struct grants *grants, unsigned timeout_ms);

/*
 * One comparison, on the calling thread, which must be the only one that asks
 * keyd for grants.  may_take_away: also rights that nothing here asks for.
 * Rows that then wait are for the next round.
 */
STATUS grants_compare(struct store *store, struct custody *custody,
    bool may_take_away, char ret_why[CUSTODY_WHY_MAX]);

/*
 * Does a key that the resource binds still wait for its edges' right to sign?
 * Edges that load it before would fail handshakes.
 */
STATUS grants_pending(struct db_tx *tx, int64_t resource, bool *ret_pending);

#endif
