/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_QUARANTINE_H
#define CERTD_STORE_QUARANTINE_H

#include <stddef.h>

#include "base/db.h"
#include "certd/custody.h"

/* Whom keyd has quarantined, as it last said; see certd/quarantine.h. */

/* The set is these and no others. */
STATUS store_quarantine_put(
    struct db_tx *tx, const char (*identities)[CUSTODY_MEMBER_MAX], size_t n);
STATUS store_quarantine_each(
    struct db_tx *tx, void (*each)(void *ctx, const char *identity), void *ctx);

#endif
