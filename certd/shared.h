/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_SHARED_H
#define CERTD_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/store.h"

/*
 * Shared certificates: the operator's own, which a resource of mode shared or
 * automatic gets by itself as soon as one is valid, of its network, and covers
 * all of its host names.  One that is in place stays until it has expired: to
 * switch, replace it.  Resources with HTTPS off get none.
 */
struct resource_row; /* certd/store_resources.h */

/*
 * Bind what a resource should have, if that is not bound; within the
 * transaction of its making or changing.  Nothing to do is no failure.
 */
STATUS shared_apply(struct db_tx *tx, struct api_call *call, int64_t resource);
/* The same on a row that the caller saves; *ret_changed: it was. */
STATUS shared_fill(struct db_tx *tx, struct api_call *call,
    struct resource_row *row, bool *ret_changed);

/*
 * In the transaction that adds a shared certificate: bind it wherever it is
 * missing.  A bounded number at once; the thread goes on with the others.
 */
STATUS shared_apply_all(
    struct db_tx *tx, struct api_call *call, int64_t certificate);

/* The thread that goes on with what was left, also after a restart. */
struct shared;
STATUS shared_new(struct store *store, struct shared **ret_shared);
void shared_free(struct shared *shared); /* NULL is allowed */
SCOPED_RELEASE(shared_free, struct shared *);

#endif
