/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Wishes to have certificates revoked, one row each; see store_revocations.h.
 * A wish is never taken back, and a row stays when it is done: asked for again,
 * there is nothing to do.
 */

#include "certd/store_revocations.h"

#include <stdlib.h>
#include <string.h>

#include "certd/store.h"
#include "proto/message.h"

STATUS
store_revocations_put(
    struct db_tx *tx, struct revocation_row *row, struct bytes leaf_der)
{
	row->asked_s = store_now_s();
	return db_run(tx, NULL,
	    "INSERT INTO revocation (certificate, enrollment, account,"
	    " authority, reason, leaf, due_s, asked_s, asked_by)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
	    " ON CONFLICT (certificate) DO UPDATE SET due_s = ?7, reason = ?5"
	    " WHERE done_s = 0 AND due_s = 0",
	    DB_VALUES(db_int(row->certificate), db_int(row->enrollment),
		db_int(row->account), db_text(row->authority),
		db_int(row->reason), db_blob(leaf_der), db_int(row->due_s),
		db_int(row->asked_s), db_text(row->asked_by)));
}

STATUS
store_revocations_load(
    struct db_tx *tx, int64_t certificate, struct revocation_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT enrollment, account, authority, reason, due_s, attempts,"
	    " problem, asked_s, asked_by, done_s FROM revocation"
	    " WHERE certificate = ?1",
	    DB_VALUES(db_int(certificate)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = store_no_such("nobody asked to revoke the certificate");
	if (failed(st))
		return st;
	*ret_row = (struct revocation_row){ .certificate = certificate,
		.enrollment = db_column_int(rows, 0),
		.account = db_column_int(rows, 1),
		.reason = (int)db_column_int(rows, 3),
		.due_s = db_column_int(rows, 4),
		.attempts = (unsigned)db_column_int(rows, 5),
		.asked_s = db_column_int(rows, 7),
		.done_s = db_column_int(rows, 9) };
	db_column_text(rows, 2, ret_row->authority, sizeof(ret_row->authority));
	db_column_text(rows, 6, ret_row->problem, sizeof(ret_row->problem));
	db_column_text(rows, 8, ret_row->asked_by, sizeof(ret_row->asked_by));
	return st;
}

STATUS
store_revocations_leaf(
    struct db_tx *tx, int64_t certificate, uint8_t **ret_der, size_t *ret_len)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct bytes leaf;
	uint8_t *copy;
	struct status st = db_query(tx, &rows,
	    "SELECT leaf FROM revocation WHERE certificate = ?1",
	    DB_VALUES(db_int(certificate)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = store_no_such("nobody asked to revoke the certificate");
	if (failed(st))
		return st;
	leaf = db_column_blob(rows, 0);
	copy = malloc(leaf.len + 1);
	if (copy == NULL)
		return message_no_memory();
	if (leaf.len > 0)
		memcpy(copy, leaf.at, leaf.len);
	*ret_der = copy;
	*ret_len = leaf.len;
	return st;
}

STATUS
store_revocations_save(struct db_tx *tx, const struct revocation_row *row)
{
	return db_run(tx, NULL,
	    "UPDATE revocation SET due_s = ?2, attempts = ?3, problem = ?4,"
	    " done_s = ?5 WHERE certificate = ?1",
	    DB_VALUES(db_int(row->certificate), db_int(row->due_s),
		db_int(row->attempts), db_text(row->problem),
		db_int(row->done_s)));
}

STATUS
store_revocations_release(
    struct db_tx *tx, int64_t enrollment, int64_t certificate)
{
	return db_run(tx, NULL,
	    "UPDATE revocation SET due_s = ?3 WHERE enrollment = ?1"
	    " AND certificate <> ?2 AND due_s = 0 AND done_s = 0"
	    " AND NOT EXISTS (SELECT 1 FROM renewal r"
	    "  WHERE r.certificate = revocation.certificate"
	    "  AND r.certificate IS NOT NULL)",
	    DB_VALUES(db_int(enrollment), db_int(certificate),
		db_int(store_now_s())));
}

STATUS
store_revocations_withdraw(struct db_tx *tx, const char *asked_by, int64_t plan)
{
	return db_run(tx, NULL,
	    "DELETE FROM revocation WHERE due_s = 0 AND done_s = 0"
	    " AND asked_by = ?1 AND certificate IN"
	    " (SELECT certificate FROM plan_item"
	    "  WHERE plan = ?2 AND state IN (0, 3))",
	    DB_VALUES(db_text(asked_by), db_int(plan)));
}

STATUS
store_revocations_due(struct db_tx *tx, int64_t now_s,
    int64_t *ret_certificates, size_t max, size_t *ret_n, int64_t *ret_next_s)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st = db_query(tx, &rows,
	    "SELECT certificate, due_s FROM revocation WHERE due_s > 0"
	    " ORDER BY due_s",
	    DB_NONE);

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
store_revocations_clamp(struct db_tx *tx, int64_t now_s)
{
	return db_run(tx, NULL,
	    "UPDATE revocation SET due_s = ?1"
	    " WHERE due_s > 0 AND due_s > ?1 + 90000",
	    DB_VALUES(db_int(now_s)));
}
