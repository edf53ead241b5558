/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lists of changes, newest first, and their histories; see store_changes.h.
 * Each way to ask has a statement that walks along an index of its own.
 */

#include "certd/page.h"
#include "certd/store.h"
#include "certd/store_changes_int.h"
#include "proto/message.h"

/* ?1 account, ?2 enrollment, ?3 resource, ?4 below which id, ?5 how many. */
#define PAGE " AND id < ?4 ORDER BY id DESC LIMIT ?5"
#define ALIVE " AND ended_s = 0"
#define BOTH(where)                                                            \
	{                                                                      \
		CHANGES_COLUMNS where PAGE, CHANGES_COLUMNS where ALIVE PAGE   \
	}

static const char *
list_sql(const struct store_changes_query *query)
{
	static const char *const of_enrollment[] =
	    BOTH(" WHERE enrollment = ?2 AND (?1 = 0 OR account = ?1)"
		 " AND (?3 = 0 OR resource = ?3)");
	static const char *const of_resource[] = BOTH(
	    " WHERE resource = ?3 AND (?1 = 0 OR account = ?1) AND ?2 = 0");
	static const char *const of_account[] =
	    BOTH(" WHERE account = ?1 AND ?2 = 0 AND ?3 = 0");
	static const char *const of_all[] =
	    BOTH(" WHERE ?1 = 0 AND ?2 = 0 AND ?3 = 0");

	if (query->enrollment != 0)
		return of_enrollment[query->under_way];
	if (query->resource != 0)
		return of_resource[query->under_way];
	return query->account != 0 ? of_account[query->under_way]
				   : of_all[query->under_way];
}

STATUS
store_changes_list(struct db_tx *tx, const struct store_changes_query *query,
    bool (*each)(void *ctx, const struct change_row *row), void *ctx,
    char ret_token[CHANGES_TOKEN_MAX])
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct change_row last = { 0 };
	int64_t below = 0;
	bool row = false;
	struct status st = page_read(
	    query->page_token == NULL ? "" : query->page_token, &below);

	if (!failed(st))
		st = db_query(tx, &rows, list_sql(query),
		    DB_VALUES(db_int(query->account), db_int(query->enrollment),
			db_int(query->resource),
			db_int(below == 0 ? INT64_MAX : below),
			db_int((int64_t)query->size + 1)));
	for (uint32_t n = 0; !failed(st); n++) {
		st = db_next(rows, &row);
		if (failed(st) || !row || n == query->size)
			break;
		store_changes_take(rows, &last);
		if (!each(ctx, &last))
			return message_no_memory();
	}
	if (failed(st))
		return st;
	ret_token[0] = 0;
	if (row)
		page_print(last.id, ret_token);
	return st;
}

STATUS
store_changes_obtained(struct db_tx *tx, int64_t enrollment, int purpose,
    unsigned n, int64_t *ret_since_s)
{
	int64_t since_s = 0;
	struct status st = db_number(tx, &since_s,
	    "SELECT created_s FROM change WHERE enrollment = ?1"
	    " AND purpose = ?2 AND state = ?3 ORDER BY id DESC LIMIT 1"
	    " OFFSET ?4",
	    DB_VALUES(db_int(enrollment), db_int(purpose), db_int(CHANGE_DONE),
		db_int((int64_t)n - 1)));

	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	*ret_since_s = failed(st) ? 0 : since_s;
	return status_ok();
}

STATUS
store_changes_events(struct db_tx *tx, int64_t change,
    bool (*each)(void *ctx, int64_t at_s, int state, const char *text),
    void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT at_s, state, text FROM change_event WHERE change = ?1"
	    " ORDER BY id",
	    DB_VALUES(db_int(change)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		char text[PROBLEM_MAX];

		db_column_text(rows, 2, text, sizeof(text));
		if (!each(ctx, db_column_int(rows, 0),
			(int)db_column_int(rows, 1), text))
			return message_no_memory();
		st = db_next(rows, &row);
	}
	return st;
}

/* ---- how many ---- */

/* ?1 whose, ?2 since, ?3 how many at most.  Tokens' actors begin with it. */
#define ASKED "substr(created_by, 1, 6) = 'token ' LIMIT ?3)"

STATUS
store_changes_asked(struct db_tx *tx, int64_t account, int64_t enrollment,
    int64_t since_s, unsigned max, unsigned *ret_n)
{
	int64_t n = 0;
	struct status st = db_number(tx, &n,
	    account != 0
		/* Ids go with time. */
		? "SELECT count(*) FROM (SELECT 1 FROM change"
		  " WHERE account = ?1 AND id >= (SELECT id FROM change"
		  "  WHERE created_s >= ?2 ORDER BY created_s LIMIT 1)"
		  " AND " ASKED
		: "SELECT count(*) FROM (SELECT 1 FROM change"
		  " WHERE enrollment = ?1 AND created_s >= ?2 AND " ASKED,
	    DB_VALUES(db_int(account != 0 ? account : enrollment),
		db_int(since_s), db_int(max)));

	if (!failed(st))
		*ret_n = (unsigned)n;
	return st;
}
