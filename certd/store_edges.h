/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_EDGES_H
#define CERTD_STORE_EDGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"

/*
 * What edges were seen to serve.  Which of them are live says
 * certd/store_edges_live.h; one that is held back (it has applied
 * what this database does not know) is live and proves nothing.
 */
/* An edge that is away longer than this is not waited for with its old key. */
#define EDGE_GRACE_S 86400

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
