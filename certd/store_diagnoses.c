/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reports in the database; see store_diagnoses.h.  A report is kept as the
 * message it is; what lists show stands in columns of its own.  Each one that
 * is added takes a few of the oldest away, so that no sweep has much to do.
 */

#include "certd/store_diagnoses.h"

#include <stdlib.h>
#include <string.h>

#include "certd/page.h"
#include "certd/store.h"
#include "proto/message.h"

#define SWEPT "100" /* at most, of each kind, with one that is added */

typedef Holdfast__Certd__V1__Diagnosis diagnosis_msg;

/* ---- adding ---- */

static struct status
insert(struct db_tx *tx, int64_t account, const diagnosis_msg *report,
    struct bytes packed)
{
	return db_run(tx, NULL,
	    "INSERT INTO diagnosis (account, hostname, resource, change, at_s,"
	    " took_ms, passed, summary, report)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	    DB_VALUES(db_int(account), db_text(report->hostname),
		db_int(report->resource), db_int(report->change),
		db_int(report->at_s), db_int(report->took_ms),
		db_int(report->passed), db_text(report->summary),
		db_blob(packed)));
}

static struct status
sweep(struct db_tx *tx, int64_t newest)
{
	struct status st = db_run(tx, NULL,
	    "DELETE FROM diagnosis WHERE id IN (SELECT id FROM diagnosis"
	    " WHERE at_s < ?1 ORDER BY at_s LIMIT " SWEPT ")",
	    DB_VALUES(db_int(store_now_s() - DIAGNOSES_KEPT_S)));

	if (failed(st))
		return st;
	return db_run(tx, NULL,
	    "DELETE FROM diagnosis WHERE id IN (SELECT id FROM diagnosis"
	    " WHERE id <= ?1 ORDER BY id LIMIT " SWEPT ")",
	    DB_VALUES(db_int(newest - DIAGNOSES_KEPT)));
}

STATUS
store_diagnoses_insert(struct db_tx *tx, int64_t account, diagnosis_msg *report)
{
	size_t len = protobuf_c_message_get_packed_size(&report->base);
	uint8_t *packed = malloc(len + 1);
	struct status st;

	if (packed == NULL)
		return message_no_memory();
	len = protobuf_c_message_pack(&report->base, packed);
	st = insert(tx, account, report, (struct bytes){ packed, len });
	free(packed);
	if (failed(st))
		return st;
	report->id = db_inserted(tx);
	return sweep(tx, report->id);
}

/* ---- reading ---- */

static struct status
none(void)
{
	return store_no_such("there is no such diagnosis");
}

static struct status
unpack(struct db_rows *rows, int64_t id, diagnosis_msg **ret_report)
{
	struct bytes packed = db_column_blob(rows, 0);
	ProtobufCMessage *message = protobuf_c_message_unpack(
	    &holdfast__certd__v1__diagnosis__descriptor, NULL, packed.len,
	    packed.at);

	if (message == NULL)
		return status_fail(
		    STATUS_DATA_LOSS, "the diagnosis cannot be read any more");
	*ret_report = (diagnosis_msg *)(void *)message;
	(*ret_report)->id = id;
	return status_ok();
}

STATUS
store_diagnoses_find(struct db_tx *tx, const struct caller *caller, int64_t id,
    diagnosis_msg **ret_report)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT report, account FROM diagnosis WHERE id = ?1",
	    DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (!row || !caller_sees(caller, db_column_int(rows, 1)))
		return none();
	return unpack(rows, id, ret_report);
}

/* ---- lists ---- */

/* The planner takes the index of what is asked for; the last row tells that
 * there are more. */
#define LIST(index, where)                                                     \
	"SELECT d.id, d.resource, d.change, d.at_s, d.took_ms, d.passed,"      \
	" coalesce(a.name, ''), d.hostname, d.summary"                         \
	" FROM diagnosis d " index " LEFT JOIN account a ON a.id = d.account"  \
	" WHERE " where " AND d.id < ?4 AND (?1 = 0 OR d.account = ?1)"        \
	" AND (?2 = 0 OR d.resource = ?2) AND (?3 = '' OR d.hostname = ?3)"    \
	" ORDER BY d.id DESC LIMIT ?5"

static const char *
list_sql(const struct store_diagnoses_query *query)
{
	if (query->hostname[0] != 0)
		return LIST(
		    "INDEXED BY diagnosis_by_hostname", "d.hostname = ?3");
	if (query->resource != 0)
		return LIST(
		    "INDEXED BY diagnosis_by_resource", "d.resource = ?2");
	if (query->account != 0)
		return LIST(
		    "INDEXED BY diagnosis_by_account", "d.account = ?1");
	return LIST("", "d.id > 0");
}

struct showing {
	bool (*each)(void *ctx, const struct diagnosis_row *row);
	void *ctx;
};

static bool
show(void *ctx, struct db_rows *rows)
{
	const struct showing *showing = ctx;
	struct diagnosis_row row = { .id = db_column_int(rows, 0),
		.resource = db_column_int(rows, 1),
		.change = db_column_int(rows, 2),
		.at_s = db_column_int(rows, 3),
		.took_ms = (uint32_t)db_column_int(rows, 4),
		.passed = db_column_int(rows, 5) != 0 };

	db_column_text(rows, 6, row.account_name, sizeof(row.account_name));
	db_column_text(rows, 7, row.hostname, sizeof(row.hostname));
	db_column_text(rows, 8, row.summary, sizeof(row.summary));
	return showing->each(showing->ctx, &row);
}

STATUS
store_diagnoses_list(struct db_tx *tx,
    const struct store_diagnoses_query *query,
    bool (*each)(void *ctx, const struct diagnosis_row *row), void *ctx,
    bool *ret_more)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct showing showing = { each, ctx };
	int64_t below = query->from == 0 ? INT64_MAX : query->from;
	struct status st = db_query(tx, &rows, list_sql(query),
	    DB_VALUES(db_int(query->account), db_int(query->resource),
		db_text(query->hostname), db_int(below),
		db_int((int64_t)query->size + 1)));

	return failed(st)
		   ? st
		   : page_rows(rows, query->size, show, &showing, ret_more);
}
