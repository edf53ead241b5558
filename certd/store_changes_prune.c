/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Old history goes, for daily renewals would fill the disk over the years: see
 * store_changes.h.  The newest change of an enrollment stays as long as that
 * does, so that what it shows last can be looked at.  Walks along the times at
 * which changes were begun, some at a time.
 */

#include "certd/store_changes.h"

/* Has it ended then, and is a newer one of its purpose there, or the enrollment
 * gone? */
#define MAY_GO                                                                 \
	"ended_s <> 0 AND ended_s < ?3 AND (EXISTS (SELECT 1 FROM change n"    \
	" WHERE n.enrollment = change.enrollment AND n.id > change.id"         \
	" AND n.purpose = change.purpose) OR NOT EXISTS (SELECT 1 FROM"        \
	" enrollment e WHERE e.id = change.enrollment))"

STATUS
store_changes_old(struct db_tx *tx, int64_t before_s,
    struct store_changes_walk *walk, int64_t ret_ids[CHANGES_OLD_MAX],
    size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct store_changes_walk at = *walk;
	bool row = false;
	size_t n = 0, n_rows = 0;
	struct status st = db_query(tx, &rows,
	    "SELECT id, created_s, " MAY_GO " FROM change"
	    " WHERE (created_s, id) > (?1, ?2) AND created_s < ?3"
	    " ORDER BY created_s, id LIMIT ?4",
	    DB_VALUES(db_int(at.created_s), db_int(at.id), db_int(before_s),
		db_int(CHANGES_OLD_MAX)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row && n_rows < CHANGES_OLD_MAX) {
		at.id = db_column_int(rows, 0);
		at.created_s = db_column_int(rows, 1);
		if (db_column_int(rows, 2) != 0)
			ret_ids[n++] = at.id;
		n_rows++;
		st = db_next(rows, &row);
	}
	if (failed(st))
		return st;
	at.is_done = n_rows < CHANGES_OLD_MAX;
	*walk = at;
	*ret_n = n;
	return st;
}

STATUS
store_changes_delete(struct db_tx *tx, int64_t id)
{
	static const char *const PARTS[] = {
		"DELETE FROM challenge WHERE change = ?1",
		"DELETE FROM change_event WHERE change = ?1",
		"DELETE FROM change WHERE id = ?1",
	};
	struct status st = status_ok();

	for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]) && !failed(st);
	     i++)
		st = db_run(tx, NULL, PARTS[i], DB_VALUES(db_int(id)));
	return st;
}
