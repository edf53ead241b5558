/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When something is next to be done for an enrollment's certificates; the part
 * of store_enrollments.h that the scheduler looks at.  What is due is found
 * along an index of due times, so a tick costs what is due, not what there is.
 */

#include "certd/store.h"
#include "certd/store_enrollments.h"

#define COLUMNS                                                                \
	"SELECT enrollment, purpose, certificate, authority, not_after_s,"     \
	" due_s, renew_s, ask_s, window_start_s, window_end_s,"                \
	" explanation_url, failures, problem FROM renewal"

static void
take_row(struct db_rows *rows, struct renewal_row *to)
{
	*to = (struct renewal_row){ .enrollment = db_column_int(rows, 0),
		.purpose = (int)db_column_int(rows, 1),
		.certificate = db_column_int(rows, 2), /* 0 for NULL */
		.not_after_s = db_column_int(rows, 4),
		.due_s = db_column_int(rows, 5),
		.renew_s = db_column_int(rows, 6),
		.ask_s = db_column_int(rows, 7),
		.window_start_s = db_column_int(rows, 8),
		.window_end_s = db_column_int(rows, 9),
		.failures = (unsigned)db_column_int(rows, 11) };
	db_column_text(rows, 3, to->authority, sizeof(to->authority));
	db_column_text(
	    rows, 10, to->explanation_url, sizeof(to->explanation_url));
	db_column_text(rows, 12, to->problem, sizeof(to->problem));
}

static struct status
take_one(struct db_rows *rows, struct renewal_row *ret_row)
{
	bool row = false;
	struct status st = db_next(rows, &row);

	if (!failed(st) && !row)
		st = store_enrollments_none();
	if (!failed(st))
		take_row(rows, ret_row);
	return st;
}

STATUS
store_renewals_load(struct db_tx *tx, int64_t enrollment, int purpose,
    struct renewal_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = db_query(tx, &rows,
	    COLUMNS " WHERE enrollment = ?1 AND purpose = ?2",
	    DB_VALUES(db_int(enrollment), db_int(purpose)));

	return failed(st) ? st : take_one(rows, ret_row);
}

STATUS
store_renewals_by_certificate(
    struct db_tx *tx, int64_t certificate, struct renewal_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = db_query(tx, &rows,
	    COLUMNS " WHERE certificate = ?1 AND certificate IS NOT NULL"
		    " LIMIT 1",
	    DB_VALUES(db_int(certificate)));

	return failed(st) ? st : take_one(rows, ret_row);
}

/* The earlier of two times, of which 0 is never. */
static int64_t
earlier(int64_t a, int64_t b)
{
	if (a == 0 || b == 0)
		return a == 0 ? b : a;
	return a < b ? a : b;
}

STATUS
store_renewals_save(struct db_tx *tx, struct renewal_row *row)
{
	struct status st;

	row->due_s = earlier(row->renew_s, row->ask_s);
	st = db_run(tx, NULL,
	    "UPDATE renewal SET authority = ?3,"
	    " not_after_s = ?4, due_s = ?5, renew_s = ?6, ask_s = ?7,"
	    " window_start_s = ?8, window_end_s = ?9, explanation_url = ?10,"
	    " failures = ?11, problem = ?12"
	    " WHERE enrollment = ?1 AND purpose = ?2",
	    DB_VALUES(db_int(row->enrollment), db_int(row->purpose),
		db_text(row->authority), db_int(row->not_after_s),
		db_int(row->due_s), db_int(row->renew_s), db_int(row->ask_s),
		db_int(row->window_start_s), db_int(row->window_end_s),
		db_text(row->explanation_url), db_int(row->failures),
		db_text(row->problem)));
	if (failed(st))
		return st;
	/* Seldom another one: its index and what it refers to are spared. */
	return db_run(tx, NULL,
	    "UPDATE renewal SET certificate = ?3 WHERE enrollment = ?1"
	    " AND purpose = ?2 AND certificate IS NOT ?3",
	    DB_VALUES(db_int(row->enrollment), db_int(row->purpose),
		db_ref(row->certificate)));
}

STATUS
store_renewals_due(struct db_tx *tx, int64_t now_s,
    struct renewal_row *ret_rows, size_t max, size_t *ret_n,
    int64_t *ret_next_s)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st = db_query(
	    tx, &rows, COLUMNS " WHERE due_s > 0 ORDER BY due_s", DB_NONE);

	/* Row by row along the index; what is read is what is due, and one. */
	if (!failed(st))
		st = db_next(rows, &row);
	while (
	    !failed(st) && row && n < max && db_column_int(rows, 5) <= now_s) {
		take_row(rows, &ret_rows[n++]);
		st = db_next(rows, &row);
	}
	if (failed(st))
		return st;
	*ret_n = n;
	*ret_next_s = row ? db_column_int(rows, 5) : 0;
	return st;
}

/* A pause is of a day and a fifth at most, a question of a day. */
STATUS
store_renewals_clamp(struct db_tx *tx, int64_t now_s)
{
	struct status st = db_run(tx, NULL,
	    "UPDATE renewal SET renew_s = ?1, due_s = ?1"
	    " WHERE failures > 0 AND renew_s > ?1 + 108000",
	    DB_VALUES(db_int(now_s)));

	if (failed(st))
		return st;
	/* One that is renewed earlier is asked about after that. */
	return db_run(tx, NULL,
	    "UPDATE renewal SET ask_s = ?1, due_s = ?1"
	    " WHERE due_s > 0 AND due_s > ?1 + 90000 AND ask_s > ?1 + 90000",
	    DB_VALUES(db_int(now_s)));
}
