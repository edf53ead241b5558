/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_TOKENS_H
#define CERTD_STORE_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/page.h"

/* API tokens as they are kept: of a secret only its SHA-256.  Within the
 * caller's transaction. */
#define STORE_TOKEN_NAME_MAX 61
#define STORE_TOKEN_HASH_LEN 32
#define STORE_TOKEN_HINT_MAX 16

struct store_token {
	int64_t id, account;
	char account_name[ACCOUNT_NAME_MAX];
	int64_t user_id; /* 0: a script's */
	char name[STORE_TOKEN_NAME_MAX];
	uint8_t hash[STORE_TOKEN_HASH_LEN]; /* written, never read back */
	char hint[STORE_TOKEN_HINT_MAX];
	int role;        /* holdfast.certd.v1.UserRole */
	unsigned scopes; /* SCOPE_...; 0: all of the role */
	int64_t created_s;
	char created_by[ACTOR_MAX];
	int64_t expires_s, last_used_s, revoked_s;
};

/* Takes all but id, account_name, created_s, last_used_s and revoked_s. */
STATUS store_tokens_add(
    struct db_tx *tx, const struct store_token *token, int64_t *ret_token);
/* NOT_FOUND, whoever's it is; the caller looks at account. */
STATUS store_tokens_get(
    struct db_tx *tx, int64_t token, struct store_token *ret_token);
STATUS store_tokens_revoke(struct db_tx *tx, int64_t token, int64_t now_s);

/* In order of ids. */
STATUS store_tokens_list(struct db_tx *tx, const struct page *page,
    bool (*each)(void *ctx, const struct store_token *token), void *ctx,
    bool *ret_more);
/* Of an account, in force; and whether one of that name is. */
STATUS store_tokens_in_force(struct db_tx *tx, int64_t account,
    const char *name, int64_t now_s, int64_t *ret_n, bool *ret_named);
/* Forget an account's tokens that ended before then. */
STATUS store_tokens_purge(struct db_tx *tx, int64_t account, int64_t before_s);

/* Who holds a secret.  NOT_FOUND when nobody does. */
struct store_holder {
	int64_t token, account, user; /* user 0: no user's token */
	char account_name[ACCOUNT_NAME_MAX];
	char token_name[STORE_TOKEN_NAME_MAX];
	int role;
	unsigned scopes;
	int64_t expires_s, last_used_s, revoked_s;
	int user_role; /* 0: no user's token */
	bool user_disabled;
};
STATUS store_tokens_holder(struct db_tx *tx,
    const uint8_t hash[STORE_TOKEN_HASH_LEN], struct store_holder *ret_holder);
/* The same of a token.  NOT_FOUND when there is none any more. */
STATUS store_tokens_holder_of(
    struct db_tx *tx, int64_t token, struct store_holder *ret_holder);
/* Never takes the time back; a token that is gone is no error. */
STATUS store_tokens_used(struct db_tx *tx, int64_t token, int64_t at_s);

#endif
