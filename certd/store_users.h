/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_USERS_H
#define CERTD_STORE_USERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/page.h"

/* Users of accounts as they are kept.  Within the caller's transaction. */
#define STORE_EMAIL_MAX 255
#define STORE_PERSON_MAX 101

struct store_user {
	int64_t id, account;
	char account_name[ACCOUNT_NAME_MAX];
	char email[STORE_EMAIL_MAX];
	char name[STORE_PERSON_MAX];
	int role; /* holdfast.certd.v1.UserRole */
	int64_t created_s, revision;
	bool disabled;
};

/* Takes account, email, name and role.  ALREADY_EXISTS when the account has
 * that address. */
STATUS store_users_add(
    struct db_tx *tx, const struct store_user *user, int64_t *ret_user);
/* NOT_FOUND, whoever's it is; the caller looks at account. */
STATUS store_users_get(
    struct db_tx *tx, int64_t user, struct store_user *ret_user);
/* Writes email, name, role and disabled of that id.  Sessions of a disabled
 * user end, and links to log in by when it is or has another address. */
STATUS store_users_update(struct db_tx *tx, const struct store_user *user);
/* With the user's tokens. */
STATUS store_users_remove(struct db_tx *tx, int64_t user);

/* In order of ids. */
STATUS store_users_list(struct db_tx *tx, const struct page *page,
    bool (*each)(void *ctx, const struct store_user *user), void *ctx,
    bool *ret_more);

STATUS store_users_count(struct db_tx *tx, int64_t account, int64_t *ret_n);
/* Of that role and not disabled, without this one. */
STATUS store_users_others(
    struct db_tx *tx, int64_t account, int role, int64_t but, int64_t *ret_n);

#endif
