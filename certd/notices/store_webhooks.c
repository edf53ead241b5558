/* SPDX-License-Identifier: Apache-2.0 */

/* Webhooks in the database; see store_webhooks.h. */

#include "certd/notices/store_webhooks.h"

#include <string.h>

#include "certd/notices/notice_event.h"
#include "certd/store.h"

#define SELECT                                                                 \
	"SELECT w.id, w.account, coalesce(a.name, ''), w.name, w.url, w.salt," \
	" w.disabled, w.created_s, w.last_s, w.last_problem, w.revision, "     \
	"w.failures,"                                                          \
	" w.rests_s"                                                           \
	" FROM webhook w LEFT JOIN account a ON a.id = w.account "

static void
read_row(struct db_rows *rows, struct webhook_row *ret)
{
	struct bytes salt = db_column_blob(rows, 5);

	memset(ret, 0, sizeof(*ret));
	if (salt.len == sizeof(ret->salt))
		memcpy(ret->salt, salt.at, sizeof(ret->salt));
	ret->id = db_column_int(rows, 0);
	ret->account = db_column_int(rows, 1);
	db_column_text(rows, 2, ret->account_name, sizeof(ret->account_name));
	db_column_text(rows, 3, ret->name, sizeof(ret->name));
	db_column_text(rows, 4, ret->url, sizeof(ret->url));
	ret->disabled = db_column_int(rows, 6) != 0;
	ret->created_s = db_column_int(rows, 7);
	ret->last_s = db_column_int(rows, 8);
	db_column_text(rows, 9, ret->last_problem, sizeof(ret->last_problem));
	ret->revision = db_column_int(rows, 10);
	ret->failures = (unsigned)db_column_int(rows, 11);
	ret->rests_s = db_column_int(rows, 12);
}

STATUS
store_webhooks_load(struct db_tx *tx, int64_t id, struct webhook_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(
	    tx, &rows, SELECT "WHERE w.id = ?1", DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = store_no_such("there is no such webhook");
	if (!failed(st))
		read_row(rows, ret_row);
	return st;
}

STATUS
store_webhooks_insert(struct db_tx *tx, struct webhook_row *row)
{
	struct status st;

	row->created_s = store_now_s();
	st = db_run(tx, NULL,
	    "INSERT INTO webhook (account, name, url, salt, created_s)"
	    " VALUES (?1, ?2, ?3, ?4, ?5)",
	    DB_VALUES(db_int(row->account), db_text(row->name),
		db_text(row->url),
		db_blob((struct bytes){ row->salt, sizeof(row->salt) }),
		db_int(row->created_s)));
	if (failed(st))
		return st;
	row->id = db_inserted(tx);
	row->revision = 1;
	return st;
}

STATUS
store_webhooks_save(struct db_tx *tx, struct webhook_row *row)
{
	struct status st = db_run(tx, NULL,
	    "UPDATE webhook SET name = ?2, url = ?3, disabled = ?4,"
	    " failures = 0, rests_s = 0, revision = revision + 1 WHERE id = ?1",
	    DB_VALUES(db_int(row->id), db_text(row->name), db_text(row->url),
		db_int(row->disabled)));

	if (!failed(st))
		row->revision++;
	return st;
}

STATUS
store_webhooks_delete(struct db_tx *tx, int64_t id)
{
	struct status st = db_run(tx, NULL,
	    "UPDATE notice SET state = ?2, next_s = NULL,"
	    " problem = 'the webhook was deleted'"
	    " WHERE webhook = ?1 AND webhook <> 0 AND next_s IS NOT NULL",
	    DB_VALUES(db_int(id), db_int(NOTICE_CANCELLED)));

	return failed(st)
		   ? st
		   : db_run(tx, NULL, "DELETE FROM webhook WHERE id = ?1",
			 DB_VALUES(db_int(id)));
}

STATUS
store_webhooks_count(struct db_tx *tx, int64_t account, int64_t *ret_n)
{
	return db_number(tx, ret_n,
	    "SELECT count(*) FROM webhook WHERE account = ?1",
	    DB_VALUES(db_int(account)));
}

struct show {
	bool (*each)(void *ctx, const struct webhook_row *row);
	void *ctx;
};

static bool
show(void *ctx, struct db_rows *row)
{
	const struct show *to = ctx;
	struct webhook_row webhook;

	read_row(row, &webhook);
	return to->each(to->ctx, &webhook);
}

STATUS
store_webhooks_list(struct db_tx *tx, const struct page *page,
    bool (*each)(void *ctx, const struct webhook_row *row), void *ctx,
    bool *ret_more)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct show to = { each, ctx };
	struct status st =
	    page->account != 0
		? db_query(tx, &rows,
		      SELECT "WHERE w.account = ?1 AND w.id > ?2"
			     " ORDER BY w.id LIMIT ?3",
		      DB_VALUES(db_int(page->account), db_int(page->from),
			  db_int((int64_t)page->size + 1)))
		: db_query(tx, &rows,
		      SELECT "WHERE w.id > ?1 ORDER BY w.id LIMIT ?2",
		      DB_VALUES(
			  db_int(page->from), db_int((int64_t)page->size + 1)));

	return failed(st) ? st
			  : page_rows(rows, page->size, show, &to, ret_more);
}

STATUS
store_webhooks_tried(
    struct db_tx *tx, int64_t id, int64_t at_s, const char *problem)
{
	return db_run(tx, NULL,
	    "UPDATE webhook SET last_s = ?2, last_problem = ?3 WHERE id = ?1",
	    DB_VALUES(db_int(id), db_int(at_s), db_text(problem)));
}

STATUS
store_webhooks_rest(
    struct db_tx *tx, int64_t id, unsigned failures, int64_t until_s)
{
	return db_run(tx, NULL,
	    "UPDATE webhook SET failures = ?2, rests_s = ?3 WHERE id = ?1",
	    DB_VALUES(db_int(id), db_int(failures), db_int(until_s)));
}

STATUS
store_webhooks_disable(struct db_tx *tx, int64_t id)
{
	return db_run(tx, NULL,
	    "UPDATE webhook SET disabled = 1, revision = revision + 1"
	    " WHERE id = ?1",
	    DB_VALUES(db_int(id)));
}
