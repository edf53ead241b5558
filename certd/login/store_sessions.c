/* SPDX-License-Identifier: Apache-2.0 */

/* Sessions in the database; see store_sessions.h. */

#include "certd/login/store_sessions.h"

#include <string.h>

#include "certd/store.h"

#define PRUNE_MAX 100

/* The user and the account as they are now: a session is never more. */
#define SELECT                                                                 \
	"SELECT session.id, hash, coalesce(session.user_id, 0), identity,"     \
	" method, session.created_s, seen_s, expires_s, address, user_agent,"  \
	" coalesce(user_.account, 0), coalesce(account.name, ''),"             \
	" coalesce(email, ''), coalesce(user_.name, ''), coalesce(role, 0),"   \
	" coalesce(user_.created_s, 0), coalesce(user_.revision, 0),"          \
	" coalesce(disabled, 0), coalesce(password, '') <> '',"                \
	" coalesce(totp_on, 0) <> 0 AND totp_salt IS NOT NULL"                 \
	" FROM session LEFT JOIN user_ ON user_.id = session.user_id"          \
	" LEFT JOIN account ON account.id = user_.account"                     \
	" LEFT JOIN login ON login.user_id = session.user_id "

static void
read_row(struct db_rows *rows, struct store_session *ret)
{
	struct store_user *user = &ret->user;
	struct bytes hash = db_column_blob(rows, 1);

	memset(ret, 0, sizeof(*ret));
	ret->id = db_column_int(rows, 0);
	if (hash.len == sizeof(ret->hash))
		memcpy(ret->hash, hash.at, hash.len);
	user->id = db_column_int(rows, 2);
	db_column_text(rows, 3, ret->identity, sizeof(ret->identity));
	ret->method = (int)db_column_int(rows, 4);
	ret->created_s = db_column_int(rows, 5);
	ret->seen_s = db_column_int(rows, 6);
	ret->expires_s = db_column_int(rows, 7);
	db_column_text(rows, 8, ret->address, sizeof(ret->address));
	db_column_text(rows, 9, ret->user_agent, sizeof(ret->user_agent));
	user->account = db_column_int(rows, 10);
	db_column_text(
	    rows, 11, user->account_name, sizeof(user->account_name));
	db_column_text(rows, 12, user->email, sizeof(user->email));
	db_column_text(rows, 13, user->name, sizeof(user->name));
	user->role = (int)db_column_int(rows, 14);
	user->created_s = db_column_int(rows, 15);
	user->revision = db_column_int(rows, 16);
	user->disabled = db_column_int(rows, 17) != 0;
	ret->password_set = db_column_int(rows, 18) != 0;
	ret->totp_on = db_column_int(rows, 19) != 0;
}

static struct db_value
key(const uint8_t hash[LOGIN_SECRET_HASH_LEN])
{
	return db_blob((struct bytes){ hash, LOGIN_SECRET_HASH_LEN });
}

STATUS
store_sessions_add(
    struct db_tx *tx, const struct store_session *session, int64_t *ret_session)
{
	struct status st = db_run(tx, NULL,
	    "INSERT INTO session (hash, user_id, identity, method, created_s,"
	    " seen_s, expires_s, address, user_agent)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	    DB_VALUES(key(session->hash), db_ref(session->user.id),
		db_text(session->identity), db_int(session->method),
		db_int(session->created_s), db_int(session->seen_s),
		db_int(session->expires_s), db_text(session->address),
		db_text(session->user_agent)));

	if (!failed(st))
		*ret_session = db_inserted(tx);
	return st;
}

static struct status
read_one(struct db_rows *rows, struct store_session *ret_session)
{
	bool row = false;
	struct status st = db_next(rows, &row);

	if (!failed(st) && !row)
		st = store_no_such("there is no such session");
	if (!failed(st))
		read_row(rows, ret_session);
	return st;
}

STATUS
store_sessions_of_cookie(struct db_tx *tx,
    const uint8_t hash[LOGIN_SECRET_HASH_LEN],
    struct store_session *ret_session)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st =
	    db_query(tx, &rows, SELECT "WHERE hash = ?1", DB_VALUES(key(hash)));

	return failed(st) ? st : read_one(rows, ret_session);
}

STATUS
store_sessions_get(
    struct db_tx *tx, int64_t session, struct store_session *ret_session)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = db_query(tx, &rows, SELECT "WHERE session.id = ?1",
	    DB_VALUES(db_int(session)));

	return failed(st) ? st : read_one(rows, ret_session);
}

STATUS
store_sessions_rotate(struct db_tx *tx, int64_t session,
    const uint8_t hash[LOGIN_SECRET_HASH_LEN], int method)
{
	return db_run(tx, NULL,
	    "UPDATE session SET hash = ?2, method = ?3 WHERE id = ?1",
	    DB_VALUES(db_int(session), key(hash), db_int(method)));
}

STATUS
store_sessions_seen(struct db_tx *tx, int64_t session, int64_t at_s)
{
	return db_run(tx, NULL,
	    "UPDATE session SET seen_s = ?2 WHERE id = ?1 AND seen_s < ?2",
	    DB_VALUES(db_int(session), db_int(at_s)));
}

STATUS
store_sessions_end(struct db_tx *tx, int64_t session)
{
	return db_run(tx, NULL, "DELETE FROM session WHERE id = ?1",
	    DB_VALUES(db_int(session)));
}

/* ---- of one owner ---- */

STATUS
store_sessions_end_others(
    struct db_tx *tx, const struct store_session_owner *owner, int64_t but)
{
	if (owner->user != 0)
		return db_run(tx, NULL,
		    "DELETE FROM session WHERE user_id = ?1 AND id <> ?2",
		    DB_VALUES(db_int(owner->user), db_int(but)));
	return db_run(tx, NULL,
	    "DELETE FROM session WHERE identity = ?1 AND id <> ?2",
	    DB_VALUES(db_text(owner->identity), db_int(but)));
}

STATUS
store_sessions_trim(
    struct db_tx *tx, const struct store_session_owner *owner, unsigned keep)
{
	if (owner->user != 0)
		return db_run(tx, NULL,
		    "DELETE FROM session WHERE id IN (SELECT id FROM session"
		    " WHERE user_id = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)",
		    DB_VALUES(db_int(owner->user), db_int(keep)));
	return db_run(tx, NULL,
	    "DELETE FROM session WHERE id IN (SELECT id FROM session"
	    " WHERE identity = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)",
	    DB_VALUES(db_text(owner->identity), db_int(keep)));
}

STATUS
store_sessions_each(struct db_tx *tx, const struct store_session_owner *owner,
    unsigned max, bool (*each)(void *ctx, const struct store_session *session),
    void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct store_session session;
	bool row = false;
	struct status st =
	    owner->user != 0
		? db_query(tx, &rows,
		      SELECT "WHERE session.user_id = ?1"
			     " ORDER BY session.id DESC LIMIT ?2",
		      DB_VALUES(db_int(owner->user), db_int(max)))
		: db_query(tx, &rows,
		      SELECT "WHERE identity = ?1"
			     " ORDER BY session.id DESC LIMIT ?2",
		      DB_VALUES(db_text(owner->identity), db_int(max)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		read_row(rows, &session);
		if (!each(ctx, &session))
			return status_fail(
			    STATUS_RESOURCE_EXHAUSTED, "no memory");
		st = db_next(rows, &row);
	}
	return st;
}

STATUS
store_sessions_prune(struct db_tx *tx, int64_t now_s)
{
	return db_run(tx, NULL,
	    "DELETE FROM session WHERE id IN (SELECT id FROM session"
	    " WHERE expires_s <= ?1 LIMIT ?2)",
	    DB_VALUES(db_int(now_s), db_int(PRUNE_MAX)));
}

/* ---- what a person is reminded of ---- */

/* An account's own; shared ones are the operators'. */
STATUS
store_sessions_count_ending(struct db_tx *tx, int64_t account, int64_t from_s,
    int64_t to_s, int64_t *ret_n)
{
	struct db_value max = db_int(STORE_SESSIONS_COUNT_MAX);

	if (account != 0)
		return db_number(tx, ret_n,
		    "SELECT count(*) FROM (SELECT 1 FROM certificate"
		    " WHERE account = ?1 AND kind IN (1, 2)"
		    " AND not_after_s >= ?2 AND not_after_s < ?3 LIMIT ?4)",
		    DB_VALUES(
			db_int(account), db_int(from_s), db_int(to_s), max));
	return db_number(tx, ret_n,
	    "SELECT count(*) FROM (SELECT 1 FROM certificate"
	    " WHERE kind IN (1, 2, 3)"
	    " AND not_after_s >= ?1 AND not_after_s < ?2 LIMIT ?3)",
	    DB_VALUES(db_int(from_s), db_int(to_s), max));
}
