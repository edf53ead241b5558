/* SPDX-License-Identifier: Apache-2.0 */

/* Idempotency keys in the database; what they mean is in idempotency.c. */

#include "certd/store_idempotency.h"

#include <stdlib.h>
#include <string.h>

#include "proto/message.h"

static STATUS
take(struct db_rows *rows, struct store_idempotency *row)
{
	struct bytes request = db_column_blob(rows, 0), reply;

	if (request.len != sizeof(row->request))
		return status_fail(
		    STATUS_DATA_LOSS, "a stored request's hash is damaged");
	memcpy(row->request, request.at, request.len);
	row->at_s = db_column_int(rows, 2);
	row->has_reply = !db_column_is_null(rows, 1);
	if (!row->has_reply)
		return status_ok();
	reply = db_column_blob(rows, 1);
	row->reply = malloc(reply.len + 1);
	if (row->reply == NULL)
		return message_no_memory();
	if (reply.len > 0)
		memcpy(row->reply, reply.at, reply.len);
	row->reply_len = reply.len;
	return status_ok();
}

STATUS
store_idempotency_get(struct db_tx *tx, const char *caller, const char *key,
    struct store_idempotency *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct store_idempotency row = { .has_reply = false };
	bool there = false;
	struct status st = db_query(tx, &rows,
	    "SELECT request, reply, at_s FROM idempotency"
	    " WHERE caller = ?1 AND key = ?2",
	    DB_VALUES(db_text(caller), db_text(key)));

	if (!failed(st))
		st = db_next(rows, &there);
	if (!failed(st) && !there)
		st = status_fail(STATUS_NOT_FOUND, "the key is new");
	if (!failed(st))
		st = take(rows, &row);
	if (!failed(st))
		*ret_row = row;
	return st;
}

STATUS
store_idempotency_put(struct db_tx *tx, const char *caller, const char *key,
    struct bytes request, int64_t at_s)
{
	return db_run(tx, NULL,
	    "INSERT INTO idempotency (caller, key, request, at_s)"
	    " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (caller, key) DO UPDATE"
	    " SET request = ?3, reply = NULL, at_s = ?4",
	    DB_VALUES(
		db_text(caller), db_text(key), db_blob(request), db_int(at_s)));
}

STATUS
store_idempotency_reply(struct db_tx *tx, const char *caller, const char *key,
    struct bytes request, struct bytes reply)
{
	return db_run(tx, NULL,
	    "UPDATE idempotency SET reply = ?4"
	    " WHERE caller = ?1 AND key = ?2 AND request = ?3"
	    " AND reply IS NULL",
	    DB_VALUES(db_text(caller), db_text(key), db_blob(request),
		db_blob(reply)));
}

STATUS
store_idempotency_drop(
    struct db_tx *tx, const char *caller, const char *key, struct bytes request)
{
	return db_run(tx, NULL,
	    "DELETE FROM idempotency"
	    " WHERE caller = ?1 AND key = ?2 AND request = ?3"
	    " AND reply IS NULL",
	    DB_VALUES(db_text(caller), db_text(key), db_blob(request)));
}

STATUS
store_idempotency_sweep(struct db_tx *tx, int64_t before_s, int max)
{
	return db_run(tx, NULL,
	    "DELETE FROM idempotency WHERE (caller, key) IN"
	    " (SELECT caller, key FROM idempotency WHERE at_s < ?1"
	    " ORDER BY at_s LIMIT ?2)",
	    DB_VALUES(db_int(before_s), db_int(max)));
}
