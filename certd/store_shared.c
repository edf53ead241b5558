/* SPDX-License-Identifier: Apache-2.0 */

/* How far new shared certificates have come; see store_shared.h. */

#include "certd/store_shared.h"

#include <stdbool.h>

STATUS
store_shared_begin(struct db_tx *tx, int64_t certificate)
{
	return db_run(tx, NULL,
	    "INSERT INTO shared_todo (certificate, after_) VALUES (?1, 0)"
	    " ON CONFLICT (certificate) DO UPDATE SET after_ = 0",
	    DB_VALUES(db_int(certificate)));
}

STATUS
store_shared_todo(
    struct db_tx *tx, int64_t *ret_certificate, int64_t *ret_after)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT certificate, after_ FROM shared_todo"
	    " ORDER BY certificate LIMIT 1",
	    DB_NONE);

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = status_fail(STATUS_NOT_FOUND, "nothing is left to do");
	if (failed(st))
		return st;
	*ret_certificate = db_column_int(rows, 0);
	*ret_after = db_column_int(rows, 1);
	return st;
}

STATUS
store_shared_done(struct db_tx *tx, int64_t certificate, int64_t after)
{
	if (after == 0)
		return db_run(tx, NULL,
		    "DELETE FROM shared_todo WHERE certificate = ?1",
		    DB_VALUES(db_int(certificate)));
	return db_run(tx, NULL,
	    "UPDATE shared_todo SET after_ = ?2 WHERE certificate = ?1",
	    DB_VALUES(db_int(certificate), db_int(after)));
}

static struct status
take_ids(struct db_rows *rows, int64_t *ret_ids, size_t *ret_n)
{
	bool row = false;
	size_t n = 0;
	struct status st = db_next(rows, &row);

	while (!failed(st) && row) {
		ret_ids[n++] = db_column_int(rows, 0);
		st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}

STATUS
store_shared_ending(struct db_tx *tx, int64_t ending_s, int64_t now_s,
    int64_t *ret_ids, size_t max, size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	/* Certificates by their end, of which few are near it; as
	 * shared_is_ending. */
	struct status st = db_query(tx, &rows,
	    "SELECT DISTINCT b.resource FROM certificate c CROSS JOIN binding b"
	    " CROSS JOIN resource r WHERE c.kind = 3"
	    " AND c.not_after_s < ?1 + ?2 AND c.not_after_s - ?1"
	    "  < min(?2, (c.not_after_s - c.not_before_s) / 3)"
	    " AND b.certificate = c.id AND r.id = b.resource AND r.mode = 4"
	    " AND r.https = 1 AND NOT EXISTS"
	    "  (SELECT 1 FROM enrollment e WHERE e.resource = r.id) LIMIT ?3",
	    DB_VALUES(db_int(now_s), db_int(ending_s), db_int((int64_t)max)));

	return failed(st) ? st : take_ids(rows, ret_ids, ret_n);
}

STATUS
store_shared_resources(struct db_tx *tx, int64_t after, int64_t *ret_ids,
    size_t max, size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = db_query(tx, &rows,
	    "SELECT id FROM resource WHERE mode >= 3 AND https = 1"
	    " AND id > ?1 ORDER BY id LIMIT ?2",
	    DB_VALUES(db_int(after), db_int((int64_t)max)));

	return failed(st) ? st : take_ids(rows, ret_ids, ret_n);
}
