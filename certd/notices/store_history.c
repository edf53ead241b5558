/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading the history by a cursor in the meta table; see store_history.h.  The
 * cursor is read in the transaction that moves it, so that of two certds on one
 * database each act is dealt with by one.
 */

#include "certd/notices/store_history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "certd/store.h"

#define CURSOR "notices.event"

static struct status
read_cursor(struct db_tx *tx, int64_t *ret_cursor)
{
	char text[24] = "";
	struct status st = store_meta_get(tx, CURSOR, text, sizeof(text));

	if (st.code == STATUS_NOT_FOUND)
		st = status_ok();
	if (!failed(st))
		*ret_cursor = strtoll(text, NULL, 10);
	return st;
}

STATUS
store_history_read(struct db_tx *tx, size_t max,
    struct history_event *ret_events, size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	int64_t cursor = 0;
	bool row = false;
	size_t n = 0;
	struct status st = read_cursor(tx, &cursor);

	if (!failed(st))
		st = db_query(tx, &rows,
		    "SELECT id, account, act, object, detail FROM event"
		    " WHERE id > ?1 ORDER BY id LIMIT ?2",
		    DB_VALUES(db_int(cursor), db_int((int64_t)max)));
	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row && n < max) {
		struct history_event *to = &ret_events[n++];

		to->id = db_column_int(rows, 0);
		to->account = db_column_int(rows, 1);
		db_column_text(rows, 2, to->act, sizeof(to->act));
		db_column_text(rows, 3, to->object, sizeof(to->object));
		db_column_text(rows, 4, to->detail, sizeof(to->detail));
		st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}

STATUS
store_history_has_more(struct db_tx *tx, bool *ret_has)
{
	int64_t cursor = 0, next = 0;
	struct status st = read_cursor(tx, &cursor);

	if (!failed(st))
		st = db_number(tx, &next,
		    "SELECT id FROM event WHERE id > ?1 ORDER BY id LIMIT 1",
		    DB_VALUES(db_int(cursor)));
	if (st.code != STATUS_NOT_FOUND && failed(st))
		return st;
	*ret_has = !failed(st);
	return status_ok();
}

STATUS
store_history_move(struct db_tx *tx, int64_t last)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, last);
	return store_meta_set(tx, CURSOR, text);
}
