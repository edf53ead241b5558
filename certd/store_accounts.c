/* SPDX-License-Identifier: Apache-2.0 */

/* Accounts in the database; see store_accounts.h. */

#include "certd/store_accounts.h"

#include "certd/page.h"
#include "certd/store.h"

#define COLUMNS "id, name, title, created_s, revision"

static void
read_row(struct db_rows *rows, struct store_account *ret)
{
	ret->id = db_column_int(rows, 0);
	db_column_text(rows, 1, ret->name, sizeof(ret->name));
	db_column_text(rows, 2, ret->title, sizeof(ret->title));
	ret->created_s = db_column_int(rows, 3);
	ret->revision = db_column_int(rows, 4);
}

STATUS
store_accounts_add(
    struct db_tx *tx, const char *name, const char *title, int64_t *ret_account)
{
	struct status st = db_run(tx, NULL,
	    "INSERT INTO account (name, title, created_s) VALUES (?1, ?2, ?3)",
	    DB_VALUES(db_text(name), db_text(title), db_int(store_now_s())));

	if (!failed(st))
		*ret_account = db_inserted(tx);
	return st;
}

STATUS
store_accounts_get(
    struct db_tx *tx, int64_t account, struct store_account *ret_account)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st =
	    db_query(tx, &rows, "SELECT " COLUMNS " FROM account WHERE id = ?1",
		DB_VALUES(db_int(account)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = store_no_such("there is no such account");
	if (!failed(st))
		read_row(rows, ret_account);
	return st;
}

STATUS
store_accounts_set_title(struct db_tx *tx, int64_t account, const char *title)
{
	return db_run(tx, NULL,
	    "UPDATE account SET title = ?2, revision = revision + 1"
	    " WHERE id = ?1",
	    DB_VALUES(db_int(account), db_text(title)));
}

struct show {
	bool (*each)(void *ctx, const struct store_account *account);
	void *ctx;
};

static bool
show(void *ctx, struct db_rows *row)
{
	const struct show *to = ctx;
	struct store_account account;

	read_row(row, &account);
	return to->each(to->ctx, &account);
}

STATUS
store_accounts_list(struct db_tx *tx, int64_t only, const char *after,
    uint32_t size, bool (*each)(void *ctx, const struct store_account *account),
    void *ctx, bool *ret_more)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct show to = { each, ctx };
	struct status st =
	    only != 0 ? db_query(tx, &rows,
			    "SELECT " COLUMNS " FROM account"
			    " WHERE id = ?1 AND name > ?2",
			    DB_VALUES(db_int(only), db_text(after)))
		      : db_query(tx, &rows,
			    "SELECT " COLUMNS " FROM account WHERE name > ?1"
			    " ORDER BY name LIMIT ?2",
			    DB_VALUES(db_text(after), db_int(size + 1)));

	return failed(st) ? st : page_rows(rows, size, show, &to, ret_more);
}

STATUS
store_accounts_count(struct db_tx *tx, int64_t account,
    uint64_t *ret_certificates, uint64_t *ret_resources)
{
	int64_t certificates = 0, resources = 0;
	struct status st = db_number(tx, &certificates,
	    "SELECT count(*) FROM certificate WHERE account = ?1",
	    DB_VALUES(db_int(account)));

	if (!failed(st))
		st = db_number(tx, &resources,
		    "SELECT count(*) FROM resource WHERE account = ?1",
		    DB_VALUES(db_int(account)));
	if (failed(st))
		return st;
	*ret_certificates = (uint64_t)certificates;
	*ret_resources = (uint64_t)resources;
	return st;
}

STATUS
store_accounts_holds(
    struct db_tx *tx, int64_t account, struct store_holds *ret_holds)
{
#define COUNT(table)                                                           \
	"SELECT count(*) FROM"                                                 \
	" (SELECT 1 FROM " table " WHERE account = ?1 LIMIT ?2)"
	static const char *const SQL[] = { COUNT("certificate"),
		COUNT("resource"), COUNT("request"), COUNT("key"),
		COUNT("enrollment") };
	struct store_holds holds = { 0 };
	int64_t *const to[] = { &holds.certificates, &holds.resources,
		&holds.requests, &holds.keys, &holds.enrollments };

	for (size_t i = 0; i < sizeof(SQL) / sizeof(SQL[0]); i++) {
		struct status st = db_number(tx, to[i], SQL[i],
		    DB_VALUES(db_int(account), db_int(STORE_HOLDS_MAX)));

		if (failed(st))
			return st;
	}
	*ret_holds = holds;
	return status_ok();
#undef COUNT
}

STATUS
store_accounts_remove(struct db_tx *tx, int64_t account)
{
	static const char *const SQL[] = {
		"DELETE FROM token WHERE account = ?1",
		"DELETE FROM user_ WHERE account = ?1",
		"DELETE FROM contact WHERE account = ?1",
		"DELETE FROM account WHERE id = ?1",
	};
	struct status st = status_ok();

	for (size_t i = 0; i < sizeof(SQL) / sizeof(SQL[0]) && !failed(st); i++)
		st = db_run(tx, NULL, SQL[i], DB_VALUES(db_int(account)));
	return st;
}
