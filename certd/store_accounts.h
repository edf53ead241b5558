/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_ACCOUNTS_H
#define CERTD_STORE_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/caller.h"

/* Accounts as they are kept.  Within the caller's transaction. */
#define STORE_TITLE_MAX 101

struct store_account {
	int64_t id;
	char name[ACCOUNT_NAME_MAX];
	char title[STORE_TITLE_MAX];
	int64_t created_s, revision;
};

/* ALREADY_EXISTS when the name is taken. */
STATUS store_accounts_add(struct db_tx *tx, const char *name, const char *title,
    int64_t *ret_account);
STATUS store_accounts_get(
    struct db_tx *tx, int64_t account, struct store_account *ret_account);
STATUS store_accounts_set_title(
    struct db_tx *tx, int64_t account, const char *title);
/*
 * In order of their names, at most size after that name, or with only != 0 that
 * one; each returns false when memory ends.  *ret_more: there are more.
 */
STATUS store_accounts_list(struct db_tx *tx, int64_t only, const char *after,
    uint32_t size, bool (*each)(void *ctx, const struct store_account *account),
    void *ctx, bool *ret_more);

/* What an account holds.  Costs what it holds: not for lists. */
STATUS store_accounts_count(struct db_tx *tx, int64_t account,
    uint64_t *ret_certificates, uint64_t *ret_resources);

/* What must be deleted before the account can be; each at most this many. */
#define STORE_HOLDS_MAX 1000
struct store_holds {
	int64_t certificates, resources, requests, keys, enrollments;
};
STATUS store_accounts_holds(
    struct db_tx *tx, int64_t account, struct store_holds *ret_holds);
/* With its users, tokens and contacts.  FAILED_PRECONDITION while anything else
 * refers to it. */
STATUS store_accounts_remove(struct db_tx *tx, int64_t account);

#endif
