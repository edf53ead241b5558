/* SPDX-License-Identifier: Apache-2.0 */

/*
 * API tokens in the database; see store_tokens.h.  A secret is looked up by its
 * hash in a unique index: what the time of a look-up tells is of the hash, of
 * which nothing follows for the secret.
 */

#include "certd/store_tokens.h"

#include "certd/page.h"
#include "certd/store.h"

#define SELECT                                                                 \
	"SELECT token.id, account, account.name, user_id, token.name, hint,"   \
	" role, scopes, token.created_s, created_by, expires_s, last_used_s,"  \
	" revoked_s FROM token JOIN account ON account.id = token.account "

static void
read_row(struct db_rows *rows, struct store_token *ret)
{
	*ret = (struct store_token){ .id = db_column_int(rows, 0),
		.account = db_column_int(rows, 1),
		.user_id = db_column_int(rows, 3),
		.role = (int)db_column_int(rows, 6),
		.scopes = (unsigned)db_column_int(rows, 7),
		.created_s = db_column_int(rows, 8),
		.expires_s = db_column_int(rows, 10),
		.last_used_s = db_column_int(rows, 11),
		.revoked_s = db_column_int(rows, 12) };
	db_column_text(rows, 2, ret->account_name, sizeof(ret->account_name));
	db_column_text(rows, 4, ret->name, sizeof(ret->name));
	db_column_text(rows, 5, ret->hint, sizeof(ret->hint));
	db_column_text(rows, 9, ret->created_by, sizeof(ret->created_by));
}

STATUS
store_tokens_add(
    struct db_tx *tx, const struct store_token *token, int64_t *ret_token)
{
	struct status st = db_run(tx, NULL,
	    "INSERT INTO token (account, user_id, name, hash, hint, role,"
	    " scopes, created_s, created_by, expires_s)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	    DB_VALUES(db_int(token->account), db_ref(token->user_id),
		db_text(token->name),
		db_blob((struct bytes){ token->hash, sizeof(token->hash) }),
		db_text(token->hint), db_int(token->role),
		db_int(token->scopes), db_int(store_now_s()),
		db_text(token->created_by), db_int(token->expires_s)));

	if (!failed(st))
		*ret_token = db_inserted(tx);
	return st;
}

STATUS
store_tokens_get(struct db_tx *tx, int64_t token, struct store_token *ret_token)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(
	    tx, &rows, SELECT "WHERE token.id = ?1", DB_VALUES(db_int(token)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = store_no_such("there is no such token");
	if (!failed(st))
		read_row(rows, ret_token);
	return st;
}

STATUS
store_tokens_revoke(struct db_tx *tx, int64_t token, int64_t now_s)
{
	return db_run(tx, NULL,
	    "UPDATE token SET revoked_s = ?2 WHERE id = ?1 AND revoked_s = 0",
	    DB_VALUES(db_int(token), db_int(now_s)));
}

struct show {
	bool (*each)(void *ctx, const struct store_token *token);
	void *ctx;
};

static bool
show(void *ctx, struct db_rows *row)
{
	const struct show *to = ctx;
	struct store_token token;

	read_row(row, &token);
	return to->each(to->ctx, &token);
}

STATUS
store_tokens_list(struct db_tx *tx, const struct page *page,
    bool (*each)(void *ctx, const struct store_token *token), void *ctx,
    bool *ret_more)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct show to = { each, ctx };
	struct status st =
	    page->account != 0
		? db_query(tx, &rows,
		      SELECT "WHERE account = ?1 AND token.id > ?2"
			     " ORDER BY token.id LIMIT ?3",
		      DB_VALUES(db_int(page->account), db_int(page->from),
			  db_int((int64_t)page->size + 1)))
		: db_query(tx, &rows,
		      SELECT "WHERE token.id > ?1 ORDER BY token.id LIMIT ?2",
		      DB_VALUES(
			  db_int(page->from), db_int((int64_t)page->size + 1)));

	return failed(st) ? st
			  : page_rows(rows, page->size, show, &to, ret_more);
}

STATUS
store_tokens_in_force(struct db_tx *tx, int64_t account, const char *name,
    int64_t now_s, int64_t *ret_n, bool *ret_named)
{
	int64_t n = 0, named = 0;
	struct status st = db_number(tx, &n,
	    "SELECT count(*) FROM token"
	    " WHERE account = ?1 AND revoked_s = 0 AND expires_s > ?2",
	    DB_VALUES(db_int(account), db_int(now_s)));

	if (!failed(st))
		st = db_number(tx, &named,
		    "SELECT count(*) FROM token WHERE account = ?1"
		    " AND revoked_s = 0 AND expires_s > ?2 AND name = ?3",
		    DB_VALUES(db_int(account), db_int(now_s), db_text(name)));
	if (failed(st))
		return st;
	*ret_n = n;
	*ret_named = named > 0;
	return st;
}

STATUS
store_tokens_purge(struct db_tx *tx, int64_t account, int64_t before_s)
{
	return db_run(tx, NULL,
	    "DELETE FROM token WHERE account = ?1 AND (expires_s < ?2"
	    " OR (revoked_s <> 0 AND revoked_s < ?2))",
	    DB_VALUES(db_int(account), db_int(before_s)));
}

#define SELECT_HOLDER                                                          \
	"SELECT token.id, token.account, account.name, token.name,"            \
	" token.role, scopes, expires_s, last_used_s, revoked_s,"              \
	" user_.role, disabled, token.user_id FROM token"                      \
	" JOIN account ON account.id = token.account"                          \
	" LEFT JOIN user_ ON user_.id = token.user_id "

static struct status
read_holder(struct db_rows *rows, struct store_holder *ret_holder)
{
	bool row = false;
	struct status st = db_next(rows, &row);

	if (!failed(st) && !row)
		st = store_no_such("nobody holds that secret");
	if (failed(st))
		return st;
	*ret_holder = (struct store_holder){ .token = db_column_int(rows, 0),
		.account = db_column_int(rows, 1),
		.role = (int)db_column_int(rows, 4),
		.scopes = (unsigned)db_column_int(rows, 5),
		.expires_s = db_column_int(rows, 6),
		.last_used_s = db_column_int(rows, 7),
		.revoked_s = db_column_int(rows, 8),
		.user_role = (int)db_column_int(rows, 9),
		.user_disabled = db_column_int(rows, 10) != 0,
		.user = db_column_int(rows, 11) };
	db_column_text(rows, 2, ret_holder->account_name,
	    sizeof(ret_holder->account_name));
	db_column_text(
	    rows, 3, ret_holder->token_name, sizeof(ret_holder->token_name));
	return st;
}

STATUS
store_tokens_holder(struct db_tx *tx, const uint8_t hash[STORE_TOKEN_HASH_LEN],
    struct store_holder *ret_holder)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = db_query(tx, &rows, SELECT_HOLDER "WHERE hash = ?1",
	    DB_VALUES(db_blob((struct bytes){ hash, STORE_TOKEN_HASH_LEN })));

	return failed(st) ? st : read_holder(rows, ret_holder);
}

STATUS
store_tokens_holder_of(
    struct db_tx *tx, int64_t token, struct store_holder *ret_holder)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = db_query(tx, &rows,
	    SELECT_HOLDER "WHERE token.id = ?1", DB_VALUES(db_int(token)));

	return failed(st) ? st : read_holder(rows, ret_holder);
}

STATUS
store_tokens_used(struct db_tx *tx, int64_t token, int64_t at_s)
{
	return db_run(tx, NULL,
	    "UPDATE token SET last_used_s = ?2"
	    " WHERE id = ?1 AND last_used_s < ?2",
	    DB_VALUES(db_int(token), db_int(at_s)));
}
