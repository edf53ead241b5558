/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_EDGES_H
#define CERTD_STORE_EDGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"

/*
 * Edges and what they were seen to serve.  An edge is live when it was heard of
 * within EDGE_LIVE_S and is not quarantined; for EDGE_START_S after certd's own
 * start those count too that were heard of in the day before it ended, so that
 * a restart of certd proves nothing.  An edge that is held back (it has applied
 * what this database does not know) is live and proves nothing.
 */
#define EDGE_LIVE_S 90
#define EDGE_START_S 120
/* An edge that is away longer than this is not waited for with its old key. */
#define EDGE_GRACE_S 86400

/* Since when certd runs; before the first question. */
void edges_started(int64_t now_s);
/*
 * Both clocks at one moment, before conclusions are drawn.  When the wall clock
 * was set since the last time, or the machine slept, nobody was heard of by it
 * either: as right after the start, and true is given.  Any thread.
 */
#define EDGE_JUMP_S 5
bool edges_look_at_clock(int64_t now_s, int64_t mono_ns);

struct edges_convergence {
	unsigned edges, applied, served;
};

/* Of a resource's newest version at the live edges of its group. */
STATUS edges_convergence(struct db_tx *tx, int64_t resource, int64_t now_s,
    struct edges_convergence *ret_convergence);

/*
 * Live edges that must still be seen without a certificate that was switched
 * away from before it may be deleted; 0: it may.
 */
STATUS edges_waiting(
    struct db_tx *tx, int64_t certificate, int64_t now_s, unsigned *ret_edges);

/*
 * End retirements whose edges have all proven the new version (those heard of
 * within EDGE_GRACE_S count), and take back the grants that they kept.
 * resource 0: of all.  *ret_settled counts them.
 */
STATUS edges_settle(
    struct db_tx *tx, int64_t resource, int64_t now_s, unsigned *ret_settled);
/* Would edges_settle of all end any?  In a transaction that only reads. */
STATUS edges_can_settle(struct db_tx *tx, int64_t now_s, bool *ret_can);

#endif
