/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_AUTHENTICATE_H
#define CERTD_AUTHENTICATE_H

#include "base/status.h"
#include "certd/caller.h"
#include "certd/store.h"

/* API tokens: made, and told who holds them. */

/* "hft_" and 43 characters of base64url (RFC 4648 5): 32 random octets. */
#define AUTHENTICATE_SECRET_MAX 48
#define AUTHENTICATE_HASH_LEN 32
/* What may be shown of a secret, to tell tokens apart. */
#define AUTHENTICATE_HINT_LEN 8

/* A new secret, and the hash that is kept of it. */
STATUS authenticate_new_secret(char ret_secret[AUTHENTICATE_SECRET_MAX],
    uint8_t ret_hash[AUTHENTICATE_HASH_LEN]);

/*
 * Who sends this Authorization header (RFC 6750 2.1), as the database has it
 * now: nothing is remembered from one request to the next.  NULL or "" when
 * there was none.  The calling thread holds no transaction.  UNAUTHENTICATED,
 * with one sentence for what is no token of ours, and others for tokens that
 * ended.
 */
STATUS authenticate_bearer(
    struct store *store, const char *authorization, struct caller *ret_caller);
/*
 * Who would call by this token (its id) now.  For what was done by it and takes
 * effect later: it does not count as used.  UNAUTHENTICATED: nobody any more.
 */
STATUS authenticate_token(
    struct db_tx *tx, int64_t token, struct caller *ret_caller);

#endif
