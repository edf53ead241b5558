/* SPDX-License-Identifier: Apache-2.0 */

/* Counts and history in the database; see store_status.h. */

#include "certd/store_status.h"

#include "certd/page.h"
#include "certd/store.h"

STATUS
store_status_counts(struct db_tx *tx, struct store_counts *ret_counts)
{
	static const char *const SQL[] = {
		"SELECT count(*) FROM account",
		"SELECT count(*) FROM certificate",
		"SELECT count(*) FROM resource",
		"SELECT count(*) FROM grant_ WHERE wanted <> granted",
	};
	uint8_t tag[STORE_TAG_LEN];
	struct store_counts counts = { 0 };
	int64_t *const to[] = { &counts.accounts, &counts.certificates,
		&counts.resources, &counts.pending_grants };
	struct status st = status_ok();

	for (size_t i = 0; i < sizeof(SQL) / sizeof(SQL[0]) && !failed(st); i++)
		st = db_number(tx, to[i], SQL[i], DB_NONE);
	if (!failed(st))
		st = store_current_version(tx, &counts.edge_version, tag);
	if (!failed(st))
		*ret_counts = counts;
	return st;
}

struct show {
	bool (*each)(void *ctx, const struct store_event_row *event);
	void *ctx;
};

static bool
show(void *ctx, struct db_rows *row)
{
	const struct show *to = ctx;
	struct store_event_row event = { .id = db_column_int(row, 0),
		.at_s = db_column_int(row, 1) };

	db_column_text(row, 2, event.account_name, sizeof(event.account_name));
	db_column_text(row, 3, event.actor, sizeof(event.actor));
	db_column_text(row, 4, event.act, sizeof(event.act));
	db_column_text(row, 5, event.object, sizeof(event.object));
	db_column_text(row, 6, event.detail, sizeof(event.detail));
	return to->each(to->ctx, &event);
}

#define SELECT                                                                 \
	"SELECT event.id, at_s, account.name, actor, act, object, detail"      \
	" FROM event LEFT JOIN account ON account.id = event.account "

#define NEWEST "ORDER BY event.id DESC LIMIT "

static struct status
query_all(struct db_tx *tx, const struct page *page, int64_t below,
    struct db_rows **ret_rows)
{
	const struct db_value limit = db_int((int64_t)page->size + 1);

	if (page->account == 0)
		return db_query(tx, ret_rows,
		    SELECT "WHERE event.id < ?1 " NEWEST "?2",
		    DB_VALUES(db_int(below), limit));
	return db_query(tx, ret_rows,
	    SELECT "WHERE event.account = ?1 AND event.id < ?2 " NEWEST "?3",
	    DB_VALUES(db_int(page->account), db_int(below), limit));
}

/* Others' events are not walked, however many there are of that name. */
static struct status
query_object(struct db_tx *tx, const struct page *page, const char *object,
    int64_t below, struct db_rows **ret_rows)
{
	const struct db_value limit = db_int((int64_t)page->size + 1);

	if (page->account == 0)
		return db_query(tx, ret_rows,
		    SELECT "WHERE object = ?1 AND event.id < ?2 " NEWEST "?3",
		    DB_VALUES(db_text(object), db_int(below), limit));
	return db_query(tx, ret_rows,
	    SELECT "WHERE event.account = ?1 AND object = ?2"
		   " AND event.id < ?3 " NEWEST "?4",
	    DB_VALUES(
		db_int(page->account), db_text(object), db_int(below), limit));
}

STATUS
store_status_history(struct db_tx *tx, const struct page *page,
    const char *object,
    bool (*each)(void *ctx, const struct store_event_row *event), void *ctx,
    bool *ret_more)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	const int64_t below = page->from == 0 ? INT64_MAX : page->from;
	struct show to = { each, ctx };
	struct status st = object[0] == 0
			       ? query_all(tx, page, below, &rows)
			       : query_object(tx, page, object, below, &rows);

	return failed(st) ? st
			  : page_rows(rows, page->size, show, &to, ret_more);
}
