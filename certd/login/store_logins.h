/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_LOGIN_STORE_LOGINS_H
#define CERTD_LOGIN_STORE_LOGINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/login/login_secret.h"
#include "certd/login/password.h"
#include "certd/secrets.h"
#include "certd/store_users.h"

/* What users log in with, and one-time links.  Within the caller's transaction.
 */
struct store_login {
	struct store_user user;
	char password[PASSWORD_TEXT_MAX]; /* "": none */
	bool has_totp_salt, totp_on;
	uint8_t totp_salt[SECRETS_SALT_LEN];
	int64_t totp_step; /* codes up to this one were taken */
};

/* NOT_FOUND when there is no such user; without a row nothing is set. */
STATUS store_logins_get(
    struct db_tx *tx, int64_t user, struct store_login *ret_login);

/* An address may be of users in several accounts. */
#define STORE_LOGINS_MAX 8
/* Those of an address, in whatever case, that have a password; account "": in
 * all.  The first STORE_LOGINS_MAX. */
STATUS store_logins_of_email(struct db_tx *tx, const char *email,
    const char *account, struct store_login ret_logins[STORE_LOGINS_MAX],
    size_t *ret_n);

STATUS store_logins_set_password(
    struct db_tx *tx, int64_t user, const char *password);
/* salt NULL: none any more. */
STATUS store_logins_set_totp(
    struct db_tx *tx, int64_t user, const uint8_t *salt);
STATUS store_logins_turn_totp_on(struct db_tx *tx, int64_t user);
/* Take the code of a step: ABORTED when one as late was taken already. */
STATUS store_logins_take_step(struct db_tx *tx, int64_t user, int64_t step);

/* ---- links ---- */

struct store_link {
	int64_t user;             /* 0: of identity */
	char identity[ACTOR_MAX]; /* "operator/admin" */
	char created_by[ACTOR_MAX];
	int64_t maker_user;  /* who made it; 0: no user did */
	int64_t maker_token; /* by which it was made; 0: by none */
	bool reset_totp;
	int64_t expires_s;
	int64_t not_after_s; /* of identity's certificate */
};

STATUS store_logins_add_link(struct db_tx *tx,
    const uint8_t hash[LOGIN_SECRET_HASH_LEN], const struct store_link *link);
/* NOT_FOUND: none, used or expired. */
STATUS store_logins_get_link(struct db_tx *tx,
    const uint8_t hash[LOGIN_SECRET_HASH_LEN], int64_t now_s,
    struct store_link *ret_link);
/* NOT_FOUND: another was faster. */
STATUS store_logins_use_link(
    struct db_tx *tx, const uint8_t hash[LOGIN_SECRET_HASH_LEN]);
STATUS store_logins_end_links(struct db_tx *tx, int64_t user);
/* Some of those that have expired. */
STATUS store_logins_prune_links(struct db_tx *tx, int64_t now_s);

/* ---- in the history ---- */

/* Change the detail of an event (of *event), or put a new one down when it is 0
 * or gone. */
STATUS store_logins_refused(struct db_tx *tx, int64_t account,
    const char *object, const char *detail, int64_t *event);

#endif
