/* SPDX-License-Identifier: Apache-2.0 */

/* Rows of quarantined members; see store_quarantine.h.  They are few, and
 * replaced all at once. */

#include "certd/store_quarantine.h"

STATUS
store_quarantine_put(
    struct db_tx *tx, const char (*identities)[CUSTODY_MEMBER_MAX], size_t n)
{
	struct status st = db_run(tx, NULL, "DELETE FROM quarantined", DB_NONE);

	for (size_t i = 0; i < n && !failed(st); i++)
		st = db_run(tx, NULL,
		    "INSERT INTO quarantined (identity) VALUES (?1)",
		    DB_VALUES(db_text(identities[i])));
	return st;
}

STATUS
store_quarantine_each(
    struct db_tx *tx, void (*each)(void *ctx, const char *identity), void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	char identity[CUSTODY_MEMBER_MAX];
	bool has_row = true;
	struct status st = db_query(tx, &rows,
	    "SELECT identity FROM quarantined ORDER BY identity", DB_NONE);

	while (!failed(st) && has_row) {
		st = db_next(rows, &has_row);
		if (failed(st) || !has_row)
			break;
		db_column_text(rows, 0, identity, sizeof(identity));
		each(ctx, identity);
	}
	return st;
}
