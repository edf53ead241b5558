/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_STORE_TOLD_H
#define CERTD_NOTICES_STORE_TOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"

/* The people of an account whom rules tell.  Within the caller's transaction.
 * each returns false to stop, as when memory ends. */
typedef bool (*store_told_each)(void *ctx, const char *email);

/* Users who are not disabled, of the roles in told (TOLD_...). */
STATUS store_told_users(struct db_tx *tx, int64_t account, unsigned told,
    store_told_each each, void *ctx);
/* Contacts of the kinds in told: of the account, or with n > 0 those of them
 * that are among ids. */
STATUS store_told_contacts(struct db_tx *tx, int64_t account, unsigned told,
    const int64_t *ids, size_t n, store_told_each each, void *ctx);
/* Is that address one of the account's: of a user who is not
 * disabled, of a contact, or in a rule? */
STATUS store_told_is_known(
    struct db_tx *tx, int64_t account, const char *email, bool *ret_is);
/* Of a user who is not disabled or of a contact, whatever rules say? */
STATUS store_told_is_person(
    struct db_tx *tx, int64_t account, const char *email, bool *ret_is);
/* Is it that account's? */
STATUS store_told_has_webhook(
    struct db_tx *tx, int64_t account, int64_t webhook, bool *ret_is);
/* And not switched off? */
STATUS store_told_webhook(
    struct db_tx *tx, int64_t account, int64_t webhook, bool *ret_is);

#endif
