/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Notices in the database: written once, looked at, listed and pruned; what
 * sending does to them is in store_notices_send.c.  See store_notices.h.  An
 * occasion that was told to a recipient is told never again: a UNIQUE key says
 * so, whoever finds it how often.
 */

#include "certd/notices/store_notices.h"

#include <stdlib.h>
#include <string.h>

#include "certd/notices/notice_event.h"
#include "certd/notices/store_notices_int.h"
#include "certd/store.h"

void
notice_body_done(struct notice_body *body)
{
	free(body->text);
	free(body->html);
	free(body->payload);
	memset(body, 0, sizeof(*body));
}

/* What a clock that was ahead has put down is of no day that has been. */
static struct status
is_so_many(struct db_tx *tx, const char *sql, const struct notice_row *row,
    int64_t since_s, bool *ret_is)
{
	int64_t id = 0;
	struct status st = db_number(tx, &id, sql,
	    DB_VALUES(db_int(row->account), db_text(row->recipient),
		db_int(row->event), db_int(since_s),
		db_int(NOTICE_MAILS_A_DAY - 1), db_int(store_now_s())));

	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	*ret_is = !failed(st);
	return status_ok();
}

STATUS
store_notices_is_often(struct db_tx *tx, const struct notice_row *row,
    int64_t since_s, bool *ret_is)
{
	return is_so_many(tx,
	    "SELECT id FROM notice INDEXED BY notice_by_recipient"
	    " WHERE account = ?1 AND recipient = ?2 AND event = ?3"
	    " AND created_s > ?4 AND created_s <= ?6 AND webhook = 0"
	    " ORDER BY created_s LIMIT 1 OFFSET ?5",
	    row, since_s, ret_is);
}

STATUS
store_notices_is_flood(struct db_tx *tx, const struct notice_row *row,
    int64_t since_s, bool *ret_is)
{
	return is_so_many(tx,
	    "SELECT id FROM notice INDEXED BY notice_mail_sent"
	    " WHERE account = ?1 AND recipient = ?2 AND event = ?3"
	    " AND sent_s > ?4 AND sent_s <= ?6 AND mail = id"
	    " ORDER BY sent_s LIMIT 1 OFFSET ?5",
	    row, since_s, ret_is);
}

STATUS
store_notices_put(struct db_tx *tx, struct notice_row *row,
    const struct notice_body *body, bool *ret_is_new)
{
	const int64_t now_s = store_now_s();
	int64_t n = 0;
	struct status st = db_run(tx, &n,
	    "INSERT INTO notice (account, event, object, occasion, recipient,"
	    " webhook, days, subject, text, html, payload, state, created_s,"
	    " next_s, give_up_s) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
	    " ?10, ?11, ?12, ?13, ?15, ?14)"
	    " ON CONFLICT (object, event, occasion, recipient) DO NOTHING",
	    DB_VALUES(db_int(row->account), db_int(row->event),
		db_text(row->object), db_text(row->occasion),
		db_text(row->recipient), db_int(row->webhook),
		db_int(row->days), db_text(row->subject), db_text(body->text),
		db_text(body->html), db_text(body->payload),
		db_int(NOTICE_QUEUED), db_int(now_s),
		db_int(now_s + NOTICE_PATIENCE_S),
		db_int(row->next_s == 0 ? now_s : row->next_s)));

	if (failed(st))
		return st;
	*ret_is_new = n > 0;
	row->id = n > 0 ? db_inserted(tx) : 0;
	return st;
}

/* ---- reading ---- */

void
store_notices_read(struct db_rows *rows, struct notice_row *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->id = db_column_int(rows, 0);
	ret->account = db_column_int(rows, 1);
	db_column_text(rows, 2, ret->account_name, sizeof(ret->account_name));
	ret->event = (int)db_column_int(rows, 3);
	db_column_text(rows, 4, ret->object, sizeof(ret->object));
	db_column_text(rows, 5, ret->occasion, sizeof(ret->occasion));
	db_column_text(rows, 6, ret->recipient, sizeof(ret->recipient));
	ret->webhook = db_column_int(rows, 7);
	ret->days = (int)db_column_int(rows, 8);
	db_column_text(rows, 9, ret->subject, sizeof(ret->subject));
	ret->state = (int)db_column_int(rows, 10);
	ret->created_s = db_column_int(rows, 11);
	ret->next_s = db_column_int(rows, 12);
	ret->give_up_s = db_column_int(rows, 13);
	ret->claimed_until_s = db_column_int(rows, 14);
	ret->sent_s = db_column_int(rows, 15);
	ret->attempts = (unsigned)db_column_int(rows, 16);
	db_column_text(rows, 17, ret->problem, sizeof(ret->problem));
}

STATUS
store_notices_first(struct db_rows *rows, struct notice_row *ret_row)
{
	bool row = false;
	struct status st = db_next(rows, &row);

	if (!failed(st) && !row)
		st = store_no_such("there is no such notice");
	if (!failed(st))
		store_notices_read(rows, ret_row);
	return st;
}

STATUS
store_notices_load(struct db_tx *tx, int64_t id, struct notice_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = db_query(tx, &rows,
	    STORE_NOTICES_SELECT "WHERE n.id = ?1", DB_VALUES(db_int(id)));

	return failed(st) ? st : store_notices_first(rows, ret_row);
}

STATUS
store_notices_find(struct db_tx *tx, const struct caller *caller, int64_t id,
    struct notice_row *ret_row)
{
	struct notice_row row;
	struct status st = store_notices_load(tx, id, &row);

	if (!failed(st) && !caller_sees(caller, row.account))
		st = store_no_such("there is no such notice");
	if (!failed(st))
		*ret_row = row;
	return st;
}

STATUS
store_notices_body(struct db_tx *tx, int64_t id, struct notice_body *ret_body)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct notice_body body;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT text, html, payload FROM notice WHERE id = ?1",
	    DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = store_no_such("there is no such notice");
	if (failed(st))
		return st;
	body = (struct notice_body){ db_column_dup(rows, 0),
		db_column_dup(rows, 1), db_column_dup(rows, 2) };
	if (body.text == NULL || body.html == NULL || body.payload == NULL) {
		notice_body_done(&body);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	}
	*ret_body = body;
	return st;
}

/* ---- lists ---- */

/* The planner takes the index of what is asked for. */
#define LIST(index, where)                                                     \
	STORE_NOTICES_COLUMNS                                                  \
	" FROM notice n " index " LEFT JOIN account a ON a.id = n.account"     \
	" WHERE " where " AND n.id < ?4 AND (?1 = 0 OR n.account = ?1)"        \
	" AND (?2 = 0 OR n.state = ?2) AND (?3 = '' OR n.object = ?3)"         \
	" ORDER BY n.id DESC LIMIT ?5"

static const char *
list_sql(const struct store_notices_query *query)
{
	if (query->object[0] != 0)
		return LIST("INDEXED BY notice_by_object", "n.object = ?3");
	if (query->account != 0 && query->state != 0)
		return LIST("INDEXED BY notice_by_state",
		    "n.account = ?1 AND n.state = ?2");
	if (query->account != 0)
		return LIST("INDEXED BY notice_by_account", "n.account = ?1");
	if (query->state != 0)
		return LIST("INDEXED BY notice_by_state_all", "n.state = ?2");
	return LIST("", "n.id > 0");
}

struct show {
	bool (*each)(void *ctx, const struct notice_row *row);
	void *ctx;
};

static bool
show(void *ctx, struct db_rows *row)
{
	const struct show *to = ctx;
	struct notice_row notice;

	store_notices_read(row, &notice);
	return to->each(to->ctx, &notice);
}

STATUS
store_notices_list(struct db_tx *tx, const struct store_notices_query *query,
    bool (*each)(void *ctx, const struct notice_row *row), void *ctx,
    bool *ret_more)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct show to = { each, ctx };
	struct status st = db_query(tx, &rows, list_sql(query),
	    DB_VALUES(db_int(query->account), db_int(query->state),
		db_text(query->object),
		db_int(query->from == 0 ? INT64_MAX : query->from),
		db_int((int64_t)query->size + 1)));

	return failed(st) ? st
			  : page_rows(rows, query->size, show, &to, ret_more);
}

/* ---- what needs no telling any more ---- */

STATUS
store_notices_queued(struct db_tx *tx, int event, int64_t after, size_t max,
    bool (*each)(void *ctx, const struct notice_row *row), void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct show to = { each, ctx };
	bool more = false;
	struct status st = db_query(tx, &rows,
	    STORE_NOTICES_COLUMNS
	    " FROM notice n INDEXED BY notice_queued"
	    " LEFT JOIN account a ON a.id = n.account"
	    " WHERE n.event = ?1 AND n.id > ?2 AND n.next_s IS NOT NULL"
	    " ORDER BY n.id LIMIT ?3",
	    DB_VALUES(db_int(event), db_int(after), db_int((int64_t)max)));

	return failed(st) ? st
			  : page_rows(rows, (uint32_t)max, show, &to, &more);
}

STATUS
store_notices_cancel(struct db_tx *tx, int64_t id, const char *why)
{
	return db_run(tx, NULL,
	    "UPDATE notice SET state = ?2, next_s = NULL, problem = ?3"
	    " WHERE id = ?1 AND next_s IS NOT NULL",
	    DB_VALUES(db_int(id), db_int(NOTICE_CANCELLED), db_text(why)));
}

STATUS
store_notices_prune(
    struct db_tx *tx, int64_t before_s, size_t max, int64_t *ret_n)
{
	return db_run(tx, ret_n,
	    "DELETE FROM notice WHERE id IN (SELECT id FROM notice"
	    " WHERE created_s < ?1 ORDER BY created_s LIMIT ?2)",
	    DB_VALUES(db_int(before_s), db_int((int64_t)max)));
}

STATUS
store_notices_count_queued(struct db_tx *tx, int event, int64_t *ret_n)
{
	return db_number(tx, ret_n,
	    "SELECT count(*) FROM notice WHERE event = ?1"
	    " AND next_s IS NOT NULL",
	    DB_VALUES(db_int(event)));
}

STATUS
store_notices_oldest(struct db_tx *tx, int64_t *ret_created_s)
{
	struct status st = db_number(tx, ret_created_s,
	    "SELECT created_s FROM notice WHERE state = ?1 ORDER BY id LIMIT 1",
	    DB_VALUES(db_int(NOTICE_QUEUED)));

	if (st.code != STATUS_NOT_FOUND)
		return st;
	*ret_created_s = 0;
	return status_ok();
}

/* ---- who wants none ---- */

STATUS
store_notices_mute(
    struct db_tx *tx, int64_t account, const char *recipient, int event)
{
	return db_run(tx, NULL,
	    "INSERT INTO notice_mute (account, recipient, event, at_s)"
	    " VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
	    DB_VALUES(db_int(account), db_text(recipient), db_int(event),
		db_int(store_now_s())));
}

STATUS
store_notices_is_muted(struct db_tx *tx, int64_t account, const char *recipient,
    int event, bool *ret_is)
{
	int64_t n = 0;
	struct status st = db_number(tx, &n,
	    "SELECT count(*) FROM notice_mute INDEXED BY notice_mute_now"
	    " WHERE account = ?1 AND recipient = ?2 AND event = ?3"
	    " AND lifted_s = 0",
	    DB_VALUES(db_int(account), db_text(recipient), db_int(event)));

	if (!failed(st))
		*ret_is = n > 0;
	return st;
}
