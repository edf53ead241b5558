/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_STORE_EXPIRY_H
#define CERTD_NOTICES_STORE_EXPIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"

/* Certificates by their end, and whether one that is in no use has a successor.
 * Within the caller's transaction. */

/* A walk along the index: those of a kind that end in from_s < t <= to_s. */
struct expiry_walk {
	int kind; /* KIND_... */
	int64_t from_s, to_s;
	int64_t last_s, last_id; /* where it is; zeroed: at the begin */
};
/* The next ones, at most max; fewer: there are no more. */
STATUS store_expiry_next(struct db_tx *tx, struct expiry_walk *walk,
    int64_t *ret_ids, size_t max, size_t *ret_n);

/* Has the account another certificate for all of its host names that ends
 * later? */
STATUS store_expiry_is_superseded(
    struct db_tx *tx, int64_t certificate, bool *ret_is);

/* Up to when ends were looked at; 0: never.  And back. */
STATUS store_expiry_looked(struct db_tx *tx, int64_t *ret_at_s);
STATUS store_expiry_set_looked(struct db_tx *tx, int64_t at_s);

#endif
