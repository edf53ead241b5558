/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Mails that recipients have stopped, in the database; see store_mutes.h.  A
 * row is written once, and once more when it is lifted; none is deleted but
 * with its account.
 */

#include "certd/notices/store_mutes.h"

#include <stdio.h>
#include <string.h>

#include "certd/page.h"
#include "certd/store.h"

#define COLUMNS                                                                \
	"SELECT m.id, m.account, coalesce(a.name, ''), m.recipient, m.event,"  \
	" m.at_s, m.lifted_s, m.lifted_by"
#define JOINED " LEFT JOIN account a ON a.id = m.account"

static void
read_row(struct db_rows *rows, struct mute_row *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->id = db_column_int(rows, 0);
	ret->account = db_column_int(rows, 1);
	db_column_text(rows, 2, ret->account_name, sizeof(ret->account_name));
	db_column_text(rows, 3, ret->recipient, sizeof(ret->recipient));
	ret->event = (int)db_column_int(rows, 4);
	ret->at_s = db_column_int(rows, 5);
	ret->lifted_s = db_column_int(rows, 6);
	db_column_text(rows, 7, ret->lifted_by, sizeof(ret->lifted_by));
}

static struct status
first(struct db_rows *rows, struct mute_row *ret_row)
{
	bool row = false;
	struct status st = db_next(rows, &row);

	if (!failed(st) && !row)
		st = store_no_such("there is no such notice mute");
	if (!failed(st))
		read_row(rows, ret_row);
	return st;
}

STATUS
store_mutes_load(struct db_tx *tx, int64_t id, struct mute_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = db_query(tx, &rows,
	    COLUMNS " FROM notice_mute m" JOINED " WHERE m.id = ?1",
	    DB_VALUES(db_int(id)));

	return failed(st) ? st : first(rows, ret_row);
}

STATUS
store_mutes_newest(struct db_tx *tx, int64_t account, const char *recipient,
    int event, struct mute_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = db_query(tx, &rows,
	    COLUMNS
	    " FROM notice_mute m INDEXED BY notice_mute_by_recipient" JOINED
	    " WHERE m.recipient = ?1 AND m.account = ?2"
	    " AND m.event = ?3 ORDER BY m.id DESC LIMIT 1",
	    DB_VALUES(db_text(recipient), db_int(account), db_int(event)));

	return failed(st) ? st : first(rows, ret_row);
}

STATUS
store_mutes_lift(struct db_tx *tx, const char *by, struct mute_row *row)
{
	const int64_t now_s = store_now_s();
	struct status st = db_run(tx, NULL,
	    "UPDATE notice_mute SET lifted_s = ?2, lifted_by = ?3"
	    " WHERE id = ?1 AND lifted_s = 0",
	    DB_VALUES(db_int(row->id), db_int(now_s), db_text(by)));

	if (failed(st))
		return st;
	row->lifted_s = now_s;
	snprintf(row->lifted_by, sizeof(row->lifted_by), "%s", by);
	return st;
}

STATUS
store_mutes_count_lifted(struct db_tx *tx, const struct mute_row *row,
    int64_t since_s, int64_t till_s, int64_t *ret_n)
{
	return db_number(tx, ret_n,
	    "SELECT count(*) FROM notice_mute"
	    " INDEXED BY notice_mute_by_recipient"
	    " WHERE recipient = ?1 AND account = ?2 AND event = ?3"
	    " AND lifted_s BETWEEN ?4 AND ?5 AND lifted_by = ?6",
	    DB_VALUES(db_text(row->recipient), db_int(row->account),
		db_int(row->event), db_int(since_s), db_int(till_s),
		db_text(MUTE_BY_LINK)));
}

/* ---- lists ---- */

#define LIST(index, where)                                                     \
	COLUMNS " FROM notice_mute m " index JOINED " WHERE " where            \
		" AND m.id < ?4"                                               \
		" AND (?1 = 0 OR m.account = ?1)"                              \
		" AND (?2 = '' OR m.recipient = lower(?2))"                    \
		" AND (?3 = 0 OR m.event = ?3) AND (?6 = 1 OR m.lifted_s = 0)" \
		" ORDER BY m.id DESC LIMIT ?5"

/* The planner takes the index of what is asked for. */
static const char *
list_sql(const struct store_mutes_query *query)
{
	if (query->recipient[0] != 0)
		return LIST("INDEXED BY notice_mute_by_recipient",
		    "m.recipient = lower(?2)");
	if (query->account != 0)
		return LIST(
		    "INDEXED BY notice_mute_by_account", "m.account = ?1");
	return LIST("", "m.id > 0");
}

struct show {
	bool (*each)(void *ctx, const struct mute_row *row);
	void *ctx;
};

static bool
show(void *ctx, struct db_rows *row)
{
	const struct show *to = ctx;
	struct mute_row mute;

	read_row(row, &mute);
	return to->each(to->ctx, &mute);
}

STATUS
store_mutes_list(struct db_tx *tx, const struct store_mutes_query *query,
    bool (*each)(void *ctx, const struct mute_row *row), void *ctx,
    bool *ret_more)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct show to = { each, ctx };
	struct status st = db_query(tx, &rows, list_sql(query),
	    DB_VALUES(db_int(query->account), db_text(query->recipient),
		db_int(query->event),
		db_int(query->from == 0 ? INT64_MAX : query->from),
		db_int((int64_t)query->size + 1), db_int(query->lifted)));

	return failed(st) ? st
			  : page_rows(rows, query->size, show, &to, ret_more);
}
