/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates on their way out, found by when they are to be looked at again;
 * see store_leaving.h.
 */

#include "certd/store_leaving.h"

STATUS
store_leaving_is_retired(struct db_tx *tx, int64_t certificate, bool *ret_is)
{
	int64_t is = 0;
	struct status st = db_number(tx, &is,
	    "SELECT EXISTS (SELECT 1 FROM retirement WHERE certificate = ?1)",
	    DB_VALUES(db_int(certificate)));

	if (!failed(st))
		*ret_is = is != 0;
	return st;
}

STATUS
store_leaving_put(struct db_tx *tx, int64_t certificate, int64_t due_s)
{
	return db_run(tx, NULL,
	    "INSERT INTO leaving (certificate, due_s) VALUES (?1, ?2)"
	    " ON CONFLICT (certificate) DO UPDATE SET due_s = ?2",
	    DB_VALUES(db_int(certificate), db_int(due_s)));
}

STATUS
store_leaving_end(struct db_tx *tx, int64_t certificate)
{
	return db_run(tx, NULL, "DELETE FROM leaving WHERE certificate = ?1",
	    DB_VALUES(db_int(certificate)));
}

STATUS
store_leaving_due(struct db_tx *tx, int64_t now_s, int64_t *ret_certificates,
    size_t max, size_t *ret_n, int64_t *ret_next_s)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st = db_query(tx, &rows,
	    "SELECT certificate, due_s FROM leaving ORDER BY due_s", DB_NONE);

	/* Row by row along the index; what is read is what is due, and one. */
	if (!failed(st))
		st = db_next(rows, &row);
	while (
	    !failed(st) && row && n < max && db_column_int(rows, 1) <= now_s) {
		ret_certificates[n++] = db_column_int(rows, 0);
		st = db_next(rows, &row);
	}
	if (failed(st))
		return st;
	*ret_n = n;
	*ret_next_s = row ? db_column_int(rows, 1) : 0;
	return st;
}

STATUS
store_leaving_clamp(struct db_tx *tx, int64_t now_s)
{
	return db_run(tx, NULL,
	    "UPDATE leaving SET due_s = ?1 WHERE due_s > ?1 + 3600",
	    DB_VALUES(db_int(now_s)));
}
