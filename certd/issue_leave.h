/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ISSUE_LEAVE_H
#define CERTD_ISSUE_LEAVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/issuer.h"
#include "certd/store.h"

/*
 * A certificate that another took the place of is deleted, and its key with it,
 * when no resource binds it and no edge may still serve it.  *ret_left: an edge
 * may, and it is looked at again later.
 */
STATUS issue_leave(
    struct db_tx *tx, int64_t certificate, int64_t now_s, bool *ret_left);

/* Those that are to be looked at now; *ret_next_s as store_leaving_due. */
STATUS issue_leave_sweep(
    struct store *store, int64_t now_s, int64_t *ret_next_s);

#define ISSUE_REVOKE_MAX 32
/*
 * Take revocations that are due (certd/store_revocations.h), put off by ten
 * minutes meanwhile; then issue_revoke has the CA revoke one.  Blocks for a
 * request.
 */
STATUS issue_revoke_take(struct store *store, int64_t now_s,
    int64_t ret_certificates[ISSUE_REVOKE_MAX], size_t *ret_n,
    int64_t *ret_next_s);
void issue_revoke(const struct issuer_config *config, int64_t certificate);

#endif
