/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_SHARED_H
#define CERTD_STORE_SHARED_H

#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"

/*
 * Which resources are still to be looked at for a new shared certificate: all
 * behind one.  Within the caller's transaction.
 */

/* From the first one on. */
STATUS store_shared_begin(struct db_tx *tx, int64_t certificate);
/* Some certificate that is not through; NOT_FOUND: none. */
STATUS store_shared_todo(
    struct db_tx *tx, int64_t *ret_certificate, int64_t *ret_after);
/* after 0: it is through. */
STATUS store_shared_done(struct db_tx *tx, int64_t certificate, int64_t after);

/* Resources of mode automatic with HTTPS on and without an enrollment, that
 * bind a shared certificate of which ending_s is left, or a third of its time
 * where that is less; at most max. */
STATUS store_shared_ending(struct db_tx *tx, int64_t ending_s, int64_t now_s,
    int64_t *ret_ids, size_t max, size_t *ret_n);
/* Resources of mode shared or automatic with HTTPS on, behind after, at most
 * max. *ret_n counts them. */
STATUS store_shared_resources(struct db_tx *tx, int64_t after, int64_t *ret_ids,
    size_t max, size_t *ret_n);

#endif
