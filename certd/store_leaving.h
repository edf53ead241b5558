/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_LEAVING_H
#define CERTD_STORE_LEAVING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"

/*
 * Certificates that are going to be deleted once no edge has them any more.
 * Within the caller's transaction.
 */

/* May an edge still serve it?  One that was heard of within a day counts
 * (store_edges.h). */
STATUS store_leaving_is_retired(
    struct db_tx *tx, int64_t certificate, bool *ret_is);
/* Look again then; it is there once. */
STATUS store_leaving_put(struct db_tx *tx, int64_t certificate, int64_t due_s);
STATUS store_leaving_end(struct db_tx *tx, int64_t certificate);
/* Due at now_s, at most max; *ret_next_s: when the next one is; 0: none. */
STATUS store_leaving_due(struct db_tx *tx, int64_t now_s,
    int64_t *ret_certificates, size_t max, size_t *ret_n, int64_t *ret_next_s);
/* Due at once what was put off by a clock that was ahead of now_s. */
STATUS store_leaving_clamp(struct db_tx *tx, int64_t now_s);

#endif
