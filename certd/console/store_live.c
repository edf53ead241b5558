/* SPDX-License-Identifier: Apache-2.0 */

/* What has changed of an account: a row that triggers keep, see
 * store_schema_activity.c. */

#include "certd/console/store_live.h"

#include "base/scoped.h"

STATUS
store_live_read(struct db_tx *tx, int64_t account, int64_t ret_at[LIVE_TOPICS])
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT certificates, resources, changes, enrollments, edges,"
	    " notices, history, keys FROM activity WHERE account = ?1",
	    DB_VALUES(db_int(account)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = status_fail(STATUS_NOT_FOUND, "there is no such account");
	for (int i = 0; !failed(st) && i < LIVE_TOPICS; i++)
		ret_at[i] = db_column_int(rows, i);
	return st;
}
