/* SPDX-License-Identifier: Apache-2.0 */

/* Passwords, second factors and links in the database; see store_logins.h. */

#include "certd/login/store_logins.h"

#include <string.h>

#include "certd/store.h"

#define PRUNE_MAX 100
#define REFUSED "log-in refused"

#define SELECT                                                                 \
	"SELECT user_.id, account, account.name, email, user_.name, role,"     \
	" user_.created_s, user_.revision, disabled,"                          \
	" coalesce(password, ''), totp_salt, coalesce(totp_on, 0),"            \
	" coalesce(totp_step, 0)"                                              \
	" FROM user_ JOIN account ON account.id = user_.account"               \
	" LEFT JOIN login ON login.user_id = user_.id "

static void
read_row(struct db_rows *rows, struct store_login *ret)
{
	struct store_user *user = &ret->user;
	struct bytes salt;

	user->id = db_column_int(rows, 0);
	user->account = db_column_int(rows, 1);
	db_column_text(rows, 2, user->account_name, sizeof(user->account_name));
	db_column_text(rows, 3, user->email, sizeof(user->email));
	db_column_text(rows, 4, user->name, sizeof(user->name));
	user->role = (int)db_column_int(rows, 5);
	user->created_s = db_column_int(rows, 6);
	user->revision = db_column_int(rows, 7);
	user->disabled = db_column_int(rows, 8) != 0;
	db_column_text(rows, 9, ret->password, sizeof(ret->password));
	salt = db_column_blob(rows, 10);
	ret->has_totp_salt = salt.len == sizeof(ret->totp_salt);
	if (ret->has_totp_salt)
		memcpy(ret->totp_salt, salt.at, salt.len);
	ret->totp_on = ret->has_totp_salt && db_column_int(rows, 11) != 0;
	ret->totp_step = db_column_int(rows, 12);
}

STATUS
store_logins_get(struct db_tx *tx, int64_t user, struct store_login *ret_login)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(
	    tx, &rows, SELECT "WHERE user_.id = ?1", DB_VALUES(db_int(user)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = store_no_such("there is no such user");
	if (!failed(st))
		read_row(rows, ret_login);
	return st;
}

STATUS
store_logins_of_email(struct db_tx *tx, const char *email, const char *account,
    struct store_login ret_logins[STORE_LOGINS_MAX], size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st = db_query(tx, &rows,
	    SELECT "WHERE lower(email) = lower(?1) AND password <> ''"
		   " AND (?2 = '' OR account.name = ?2)"
		   " ORDER BY user_.id LIMIT ?3",
	    DB_VALUES(
		db_text(email), db_text(account), db_int(STORE_LOGINS_MAX)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row && n < STORE_LOGINS_MAX) {
		read_row(rows, &ret_logins[n++]);
		st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}

STATUS
store_logins_set_password(struct db_tx *tx, int64_t user, const char *password)
{
	return db_run(tx, NULL,
	    "INSERT INTO login (user_id, password, password_s)"
	    " VALUES (?1, ?2, ?3) ON CONFLICT (user_id) DO UPDATE SET"
	    " password = excluded.password, password_s = excluded.password_s",
	    DB_VALUES(db_int(user), db_text(password), db_int(store_now_s())));
}

STATUS
store_logins_set_totp(struct db_tx *tx, int64_t user, const uint8_t *salt)
{
	struct db_value value = db_null();

	if (salt != NULL)
		value = db_blob((struct bytes){ salt, SECRETS_SALT_LEN });
	return db_run(tx, NULL,
	    "INSERT INTO login (user_id, totp_salt) VALUES (?1, ?2)"
	    " ON CONFLICT (user_id) DO UPDATE SET"
	    " totp_salt = excluded.totp_salt, totp_on = 0, totp_step = 0",
	    DB_VALUES(db_int(user), value));
}

STATUS
store_logins_turn_totp_on(struct db_tx *tx, int64_t user)
{
	return db_run(tx, NULL,
	    "UPDATE login SET totp_on = 1 WHERE user_id = ?1",
	    DB_VALUES(db_int(user)));
}

STATUS
store_logins_take_step(struct db_tx *tx, int64_t user, int64_t step)
{
	int64_t changed = 0;
	struct status st = db_run(tx, &changed,
	    "UPDATE login SET totp_step = ?2"
	    " WHERE user_id = ?1 AND totp_step < ?2",
	    DB_VALUES(db_int(user), db_int(step)));

	if (!failed(st) && changed == 0)
		st = status_fail(STATUS_ABORTED, "this code was used already");
	return st;
}

/* ---- links ---- */

static struct db_value
key(const uint8_t hash[LOGIN_SECRET_HASH_LEN])
{
	return db_blob((struct bytes){ hash, LOGIN_SECRET_HASH_LEN });
}

STATUS
store_logins_add_link(struct db_tx *tx,
    const uint8_t hash[LOGIN_SECRET_HASH_LEN], const struct store_link *link)
{
	return db_run(tx, NULL,
	    "INSERT INTO login_link (hash, user_id, identity, created_by,"
	    " maker_user, maker_token, reset_totp, expires_s, not_after_s)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	    DB_VALUES(key(hash), db_ref(link->user), db_text(link->identity),
		db_text(link->created_by), db_int(link->maker_user),
		db_int(link->maker_token), db_int(link->reset_totp),
		db_int(link->expires_s), db_int(link->not_after_s)));
}

static struct status
no_link(void)
{
	return status_fail(STATUS_NOT_FOUND,
	    "this link was used already, or its time is over; ask for a new "
	    "one");
}

STATUS
store_logins_get_link(struct db_tx *tx,
    const uint8_t hash[LOGIN_SECRET_HASH_LEN], int64_t now_s,
    struct store_link *ret_link)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT coalesce(user_id, 0), identity, created_by, reset_totp,"
	    " expires_s, maker_user, maker_token, not_after_s"
	    " FROM login_link WHERE hash = ?1 AND expires_s > ?2",
	    DB_VALUES(key(hash), db_int(now_s)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		return no_link();
	if (failed(st))
		return st;
	ret_link->user = db_column_int(rows, 0);
	db_column_text(rows, 1, ret_link->identity, sizeof(ret_link->identity));
	db_column_text(
	    rows, 2, ret_link->created_by, sizeof(ret_link->created_by));
	ret_link->reset_totp = db_column_int(rows, 3) != 0;
	ret_link->expires_s = db_column_int(rows, 4);
	ret_link->maker_user = db_column_int(rows, 5);
	ret_link->maker_token = db_column_int(rows, 6);
	ret_link->not_after_s = db_column_int(rows, 7);
	return st;
}

STATUS
store_logins_use_link(
    struct db_tx *tx, const uint8_t hash[LOGIN_SECRET_HASH_LEN])
{
	int64_t changed = 0;
	struct status st = db_run(tx, &changed,
	    "DELETE FROM login_link WHERE hash = ?1", DB_VALUES(key(hash)));

	return !failed(st) && changed == 0 ? no_link() : st;
}

STATUS
store_logins_end_links(struct db_tx *tx, int64_t user)
{
	return db_run(tx, NULL, "DELETE FROM login_link WHERE user_id = ?1",
	    DB_VALUES(db_int(user)));
}

STATUS
store_logins_prune_links(struct db_tx *tx, int64_t now_s)
{
	return db_run(tx, NULL,
	    "DELETE FROM login_link WHERE hash IN (SELECT hash"
	    " FROM login_link WHERE expires_s <= ?1 LIMIT ?2)",
	    DB_VALUES(db_int(now_s), db_int(PRUNE_MAX)));
}

/* ---- in the history ---- */

STATUS
store_logins_refused(struct db_tx *tx, int64_t account, const char *object,
    const char *detail, int64_t *event)
{
	int64_t changed = 0;
	struct status st = status_ok();

	if (*event != 0)
		st = db_run(tx, &changed,
		    "UPDATE event SET detail = ?2 WHERE id = ?1"
		    " AND act = '" REFUSED "'",
		    DB_VALUES(db_int(*event), db_text(detail)));
	if (failed(st) || changed > 0)
		return st;
	st = store_event(tx, account, "console", REFUSED, object, detail);
	if (!failed(st))
		*event = db_inserted(tx);
	return st;
}
