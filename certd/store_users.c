/* SPDX-License-Identifier: Apache-2.0 */

/* Users in the database; see store_users.h. */

#include "certd/store_users.h"

#include "certd/page.h"
#include "certd/store.h"

#define SELECT                                                                 \
	"SELECT user_.id, account, account.name, email, user_.name, role,"     \
	" user_.created_s, user_.revision, disabled"                           \
	" FROM user_ JOIN account ON account.id = user_.account "

static void
read_row(struct db_rows *rows, struct store_user *ret)
{
	ret->id = db_column_int(rows, 0);
	ret->account = db_column_int(rows, 1);
	db_column_text(rows, 2, ret->account_name, sizeof(ret->account_name));
	db_column_text(rows, 3, ret->email, sizeof(ret->email));
	db_column_text(rows, 4, ret->name, sizeof(ret->name));
	ret->role = (int)db_column_int(rows, 5);
	ret->created_s = db_column_int(rows, 6);
	ret->revision = db_column_int(rows, 7);
	ret->disabled = db_column_int(rows, 8) != 0;
}

STATUS
store_users_add(
    struct db_tx *tx, const struct store_user *user, int64_t *ret_user)
{
	struct status st = db_run(tx, NULL,
	    "INSERT INTO user_ (account, email, name, role, created_s)"
	    " VALUES (?1, ?2, ?3, ?4, ?5)",
	    DB_VALUES(db_int(user->account), db_text(user->email),
		db_text(user->name), db_int(user->role),
		db_int(store_now_s())));

	if (!failed(st))
		*ret_user = db_inserted(tx);
	return st;
}

STATUS
store_users_get(struct db_tx *tx, int64_t user, struct store_user *ret_user)
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
		read_row(rows, ret_user);
	return st;
}

/* Of a user who is disabled, so that none comes back when it is enabled again;
 * and links, when they may have been sent to another address. */
static struct status
end_log_ins(struct db_tx *tx, const struct store_user *user)
{
	struct status st = status_ok();

	if (user->disabled)
		st = db_run(tx, NULL, "DELETE FROM session WHERE user_id = ?1",
		    DB_VALUES(db_int(user->id)));
	return failed(st)
		   ? st
		   : db_run(tx, NULL,
			 "DELETE FROM login_link WHERE user_id = ?1 AND"
			 " (?3 OR (SELECT email FROM user_"
			 " WHERE id = ?1) <> ?2)",
			 DB_VALUES(db_int(user->id), db_text(user->email),
			     db_int(user->disabled)));
}

STATUS
store_users_update(struct db_tx *tx, const struct store_user *user)
{
	struct status st = end_log_ins(tx, user);

	if (failed(st))
		return st;
	return db_run(tx, NULL,
	    "UPDATE user_ SET email = ?2, name = ?3, role = ?4, disabled = ?5,"
	    " revision = revision + 1 WHERE id = ?1",
	    DB_VALUES(db_int(user->id), db_text(user->email),
		db_text(user->name), db_int(user->role),
		db_int(user->disabled)));
}

STATUS
store_users_remove(struct db_tx *tx, int64_t user)
{
	struct status st = db_run(tx, NULL,
	    "DELETE FROM token WHERE user_id = ?1", DB_VALUES(db_int(user)));

	return failed(st) ? st
			  : db_run(tx, NULL, "DELETE FROM user_ WHERE id = ?1",
				DB_VALUES(db_int(user)));
}

struct show {
	bool (*each)(void *ctx, const struct store_user *user);
	void *ctx;
};

static bool
show(void *ctx, struct db_rows *row)
{
	const struct show *to = ctx;
	struct store_user user;

	read_row(row, &user);
	return to->each(to->ctx, &user);
}

STATUS
store_users_list(struct db_tx *tx, const struct page *page,
    bool (*each)(void *ctx, const struct store_user *user), void *ctx,
    bool *ret_more)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct show to = { each, ctx };
	struct status st =
	    page->account != 0
		? db_query(tx, &rows,
		      SELECT "WHERE account = ?1 AND user_.id > ?2"
			     " ORDER BY user_.id LIMIT ?3",
		      DB_VALUES(db_int(page->account), db_int(page->from),
			  db_int((int64_t)page->size + 1)))
		: db_query(tx, &rows,
		      SELECT "WHERE user_.id > ?1 ORDER BY user_.id LIMIT ?2",
		      DB_VALUES(
			  db_int(page->from), db_int((int64_t)page->size + 1)));

	return failed(st) ? st
			  : page_rows(rows, page->size, show, &to, ret_more);
}

STATUS
store_users_count(struct db_tx *tx, int64_t account, int64_t *ret_n)
{
	return db_number(tx, ret_n,
	    "SELECT count(*) FROM user_ WHERE account = ?1",
	    DB_VALUES(db_int(account)));
}

STATUS
store_users_others(
    struct db_tx *tx, int64_t account, int role, int64_t but, int64_t *ret_n)
{
	return db_number(tx, ret_n,
	    "SELECT count(*) FROM user_ WHERE account = ?1 AND role = ?2"
	    " AND disabled = 0 AND id <> ?3",
	    DB_VALUES(db_int(account), db_int(role), db_int(but)));
}
