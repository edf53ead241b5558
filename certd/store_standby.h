/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_STANDBY_H
#define CERTD_STORE_STANDBY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/key_set.h"

/*
 * Standby certificates: the second one of an enrollment, from another CA and
 * with a key of its own.  The edges of a resource have its files and may sign
 * with its key, so that to serve it is to bind it.  All within the caller's
 * transaction.
 */
struct resource_row; /* certd/store_resources.h */

/* Add the key of a resource's standby certificate, if it has one. */
STATUS store_standby_keys(
    struct db_tx *tx, int64_t resource, struct key_set *keys);
/* It is kept ready where the resource is, as the row says, and nowhere with
 * HTTPS off.  The caller has its key's grants looked at afterwards. */
STATUS store_standby_place(struct db_tx *tx, const struct resource_row *row);

/* Is one of these the resource's standby certificate? */
STATUS store_standby_is_among(struct db_tx *tx, int64_t resource,
    const int64_t *certificates, size_t n, bool *ret_is);
/*
 * The certificate has just been bound.  If it was a standby one, it is now the
 * one in use, and what was in use is the standby one: the rows of their
 * renewals change places, and grants follow.  Changes under way are cancelled,
 * for they would undo it.
 */
STATUS store_standby_bound(
    struct db_tx *tx, const struct api_call *call, int64_t certificate);

/* The enrollment has another standby certificate now (its renewal is saved);
 * before: the one that it takes the place of, or 0.  Edges get it. */
STATUS store_standby_changed(
    struct db_tx *tx, int64_t enrollment, int64_t before);
/* It is to have none any more: its renewal is as new, edges lose files and the
 * right to sign, and it is deleted before long. */
STATUS store_standby_drop(struct db_tx *tx, int64_t enrollment);

#endif
