/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_LOGIN_STORE_SESSIONS_H
#define CERTD_LOGIN_STORE_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/login/login_secret.h"
#include "certd/store_users.h"

/* Sessions as they are kept.  Within the caller's transaction. */
#define STORE_SESSION_AGENT_MAX 201
#define STORE_SESSION_ADDRESS_MAX 48

struct store_session {
	int64_t id;
	uint8_t hash[LOGIN_SECRET_HASH_LEN]; /* of the cookie */
	struct store_user user;              /* .id 0: of identity */
	char identity[ACTOR_MAX];            /* "operator/admin" */
	int method;                          /* SessionMethod */
	int64_t created_s, seen_s, expires_s;
	char address[STORE_SESSION_ADDRESS_MAX];
	char user_agent[STORE_SESSION_AGENT_MAX];
	/* Of the user, as of now. */
	bool password_set, totp_on;
};

/* Takes all but id, and user.id of the user. */
STATUS store_sessions_add(struct db_tx *tx, const struct store_session *session,
    int64_t *ret_session);
/* NOT_FOUND. */
STATUS store_sessions_of_cookie(struct db_tx *tx,
    const uint8_t hash[LOGIN_SECRET_HASH_LEN],
    struct store_session *ret_session);
STATUS store_sessions_get(
    struct db_tx *tx, int64_t session, struct store_session *ret_session);

/* Another cookie, and another way it came by. */
STATUS store_sessions_rotate(struct db_tx *tx, int64_t session,
    const uint8_t hash[LOGIN_SECRET_HASH_LEN], int method);
STATUS store_sessions_seen(struct db_tx *tx, int64_t session, int64_t at_s);
STATUS store_sessions_end(struct db_tx *tx, int64_t session);

/* Whose sessions: a user's, or with 0 an identity's. */
struct store_session_owner {
	int64_t user;
	const char *identity;
};
/* All of theirs but one. */
STATUS store_sessions_end_others(
    struct db_tx *tx, const struct store_session_owner *owner, int64_t but);
/* All of theirs but the newest keep. */
STATUS store_sessions_trim(
    struct db_tx *tx, const struct store_session_owner *owner, unsigned keep);
/* Newest first. */
STATUS store_sessions_each(struct db_tx *tx,
    const struct store_session_owner *owner, unsigned max,
    bool (*each)(void *ctx, const struct store_session *session), void *ctx);
/* Some of those that have expired. */
STATUS store_sessions_prune(struct db_tx *tx, int64_t now_s);

/* Certificates of an account (0: of all) that end in from_s..to_s - 1; counts
 * to STORE_SESSIONS_COUNT_MAX. */
#define STORE_SESSIONS_COUNT_MAX 1000
STATUS store_sessions_count_ending(struct db_tx *tx, int64_t account,
    int64_t from_s, int64_t to_s, int64_t *ret_n);

#endif
