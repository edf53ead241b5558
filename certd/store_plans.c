/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Plans in the database; see store_plans.h.  What a plan replaces is drawn up
 * from ranges of enrollments, so that no transaction is long; afterwards items
 * are found by their state and by when they are due.  What an estimate asks of
 * them is in store_plans_facts.c.
 */

#include "certd/store_plans.h"

#include <stdlib.h>
#include <string.h>

#include "certd/page.h"
#include "certd/store.h"
#include "certd/store_changes.h"
#include "proto/message.h"

static struct status
none(void)
{
	return store_no_such("there is no such plan");
}

/* ---- plans ---- */

#define COLUMNS                                                                \
	"SELECT id, state, total, created_s, started_s, ended_s, created_by"   \
	" FROM plan"

static void
take_row(struct db_rows *rows, struct plan_row *to)
{
	*to = (struct plan_row){ .id = db_column_int(rows, 0),
		.state = (int)db_column_int(rows, 1),
		.total = (uint32_t)db_column_int(rows, 2),
		.created_s = db_column_int(rows, 3),
		.started_s = db_column_int(rows, 4),
		.ended_s = db_column_int(rows, 5) };
	db_column_text(rows, 6, to->created_by, sizeof(to->created_by));
}

STATUS
store_plans_insert(struct db_tx *tx, struct plan_row *row)
{
	struct status st;

	row->state = PLAN_DRAWN;
	row->created_s = store_now_s();
	st = db_run(tx, NULL,
	    "INSERT INTO plan (state, estimate, total, created_s, created_by)"
	    " VALUES (0, x'', 0, ?1, ?2)",
	    DB_VALUES(db_int(row->created_s), db_text(row->created_by)));
	if (!failed(st))
		row->id = db_inserted(tx);
	return st;
}

STATUS
store_plans_load(struct db_tx *tx, int64_t id, struct plan_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    COLUMNS " WHERE id = ?1 AND state <> 0", DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = none();
	if (!failed(st))
		take_row(rows, ret_row);
	return st;
}

STATUS
store_plans_save(struct db_tx *tx, const struct plan_row *row)
{
	return db_run(tx, NULL,
	    "UPDATE plan SET state = ?2, started_s = ?3, ended_s = ?4"
	    " WHERE id = ?1",
	    DB_VALUES(db_int(row->id), db_int(row->state),
		db_int(row->started_s), db_int(row->ended_s)));
}

STATUS
store_plans_estimated(struct db_tx *tx, struct plan_row *row,
    const Holdfast__Certd__V1__Plan *estimate)
{
	size_t len = protobuf_c_message_get_packed_size(&estimate->base);
	scoped(free) uint8_t *packed = malloc(len + 1);

	if (packed == NULL)
		return message_no_memory();
	protobuf_c_message_pack(&estimate->base, packed);
	row->state = PLAN_ESTIMATED;
	return db_run(tx, NULL,
	    "UPDATE plan SET state = 1, estimate = ?2, total = ?3"
	    " WHERE id = ?1",
	    DB_VALUES(db_int(row->id), db_blob((struct bytes){ packed, len }),
		db_int(row->total)));
}

STATUS
store_plans_estimate(
    struct db_tx *tx, int64_t id, Holdfast__Certd__V1__Plan **ret_estimate)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	Holdfast__Certd__V1__Plan *estimate;
	bool row = false;
	struct bytes packed;
	struct status st = db_query(tx, &rows,
	    "SELECT estimate FROM plan WHERE id = ?1 AND state <> 0",
	    DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = none();
	if (failed(st))
		return st;
	packed = db_column_blob(rows, 0);
	estimate =
	    holdfast__certd__v1__plan__unpack(NULL, packed.len, packed.at);
	if (estimate == NULL || estimate->asked == NULL) {
		holdfast__certd__v1__plan__free_unpacked(estimate, NULL);
		return status_fail(
		    STATUS_DATA_LOSS, "a plan that is kept cannot be read");
	}
	*ret_estimate = estimate;
	return st;
}

STATUS
store_plans_delete(struct db_tx *tx, int64_t id)
{
	struct status st = db_run(tx, NULL,
	    "DELETE FROM plan_item WHERE plan = ?1", DB_VALUES(db_int(id)));

	return failed(st) ? st
			  : db_run(tx, NULL, "DELETE FROM plan WHERE id = ?1",
				DB_VALUES(db_int(id)));
}

STATUS
store_plans_in(
    struct db_tx *tx, int state, int64_t *ret_ids, size_t max, size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st = db_query(tx, &rows,
	    "SELECT id FROM plan INDEXED BY plan_under_way"
	    " WHERE state IN (0, 2, 3) AND state = ?1 ORDER BY id LIMIT ?2",
	    DB_VALUES(db_int(state), db_int((int64_t)max)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		ret_ids[n++] = db_column_int(rows, 0);
		st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}

struct showing {
	bool (*each)(void *ctx, const struct plan_row *row);
	void *ctx;
};

static bool
show(void *ctx, struct db_rows *rows)
{
	const struct showing *showing = ctx;
	struct plan_row row;

	take_row(rows, &row);
	return showing->each(showing->ctx, &row);
}

STATUS
store_plans_list(struct db_tx *tx, int64_t below, uint32_t size,
    bool (*each)(void *ctx, const struct plan_row *row), void *ctx,
    bool *ret_more)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct showing showing = { each, ctx };
	struct status st = db_query(tx, &rows,
	    COLUMNS " WHERE id < ?1 AND state <> 0 ORDER BY id DESC LIMIT ?2",
	    DB_VALUES(db_int(below == 0 ? INT64_MAX : below),
		db_int((int64_t)size + 1)));

	return failed(st) ? st
			  : page_rows(rows, size, show, &showing, ret_more);
}

/* ---- drawing up ---- */

STATUS
store_plans_last(struct db_tx *tx, int64_t *ret_enrollment)
{
	return db_number(tx, ret_enrollment,
	    "SELECT coalesce(max(id), 0) FROM enrollment", DB_NONE);
}

STATUS
store_plans_draw(struct db_tx *tx, int64_t plan,
    const struct store_plans_match *match, int64_t after, int64_t to,
    int64_t *ret_n)
{
	struct db_value key =
	    match->key == NULL
		? db_null()
		: db_blob((struct bytes){ match->key->at, KEY_ID_LEN });

	return db_run(tx, ret_n,
	    "INSERT INTO plan_item (plan, enrollment, purpose, certificate,"
	    " authority, state) SELECT ?1, r.enrollment, r.purpose,"
	    " r.certificate, r.authority, 0"
	    " FROM renewal r CROSS JOIN enrollment e CROSS JOIN certificate c"
	    " CROSS JOIN key k"
	    " WHERE r.enrollment > ?2 AND r.enrollment <= ?3"
	    " AND r.certificate IS NOT NULL AND r.authority <> ''"
	    " AND (?4 = '' OR r.authority = ?4)"
	    " AND e.id = r.enrollment AND e.leaves = 0 AND e.state <> ?5"
	    " AND (r.purpose = 0 OR e.standby = 1)"
	    " AND (?6 = 0 OR e.account = ?6)"
	    " AND (?7 = '' OR (r.purpose = 0 AND e.profile = ?7)"
	    "  OR ((r.purpose = 1 OR e.profile = '')"
	    "   AND instr(?8, ' ' || r.authority || ' ') > 0))"
	    " AND c.id = r.certificate AND (?9 = '' OR c.issuer = ?9)"
	    " AND (?10 IS NULL OR c.key = ?10)"
	    " AND k.id = c.key AND (?11 = '' OR k.pool = ?11)",
	    DB_VALUES(db_int(plan), db_int(after), db_int(to),
		db_text(match->authority), db_int(ENROLLMENT_REVOKED),
		db_int(match->account), db_text(match->profile),
		db_text(match->profile_of), db_text(match->issuer), key,
		db_text(match->pool)));
}

/* ---- items ---- */

#define ITEM_COLUMNS                                                           \
	"SELECT i.plan, i.enrollment, i.purpose, i.certificate, i.state,"      \
	" i.change, i.failures, i.due_s, i.problem, i.authority"

static void
take_item(struct db_rows *rows, struct plan_item *to)
{
	*to = (struct plan_item){ .plan = db_column_int(rows, 0),
		.enrollment = db_column_int(rows, 1),
		.purpose = (int)db_column_int(rows, 2),
		.certificate = db_column_int(rows, 3),
		.state = (int)db_column_int(rows, 4),
		.change = db_column_int(rows, 5),
		.failures = (unsigned)db_column_int(rows, 6),
		.due_s = db_column_int(rows, 7) };
	db_column_text(rows, 8, to->problem, sizeof(to->problem));
	db_column_text(rows, 9, to->authority, sizeof(to->authority));
}

STATUS
store_plans_count(
    struct db_tx *tx, int64_t plan, uint32_t ret_counts[PLAN_ITEM_STATES])
{
	uint32_t counts[PLAN_ITEM_STATES];
	struct status st = status_ok();

	for (int state = 0; state < PLAN_ITEM_STATES && !failed(st); state++) {
		int64_t n = 0;

		st = db_number(tx, &n,
		    "SELECT count(*) FROM plan_item"
		    " WHERE plan = ?1 AND state = ?2",
		    DB_VALUES(db_int(plan), db_int(state)));
		counts[state] = (uint32_t)n;
	}
	if (!failed(st))
		memcpy(ret_counts, counts, sizeof(counts));
	return st;
}

STATUS
store_plans_load_item(struct db_tx *tx, int64_t plan, int64_t enrollment,
    int purpose, struct plan_item *ret_item)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    ITEM_COLUMNS " FROM plan_item i WHERE i.plan = ?1"
			 " AND i.enrollment = ?2 AND i.purpose = ?3",
	    DB_VALUES(db_int(plan), db_int(enrollment), db_int(purpose)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = none();
	if (!failed(st))
		take_item(rows, ret_item);
	return st;
}

STATUS
store_plans_save_item(struct db_tx *tx, const struct plan_item *item)
{
	return db_run(tx, NULL,
	    "UPDATE plan_item SET certificate = ?4, state = ?5, change = ?6,"
	    " failures = ?7, due_s = ?8, problem = ?9, authority = ?10"
	    " WHERE plan = ?1 AND enrollment = ?2 AND purpose = ?3",
	    DB_VALUES(db_int(item->plan), db_int(item->enrollment),
		db_int(item->purpose), db_int(item->certificate),
		db_int(item->state), db_int(item->change),
		db_int(item->failures), db_int(item->due_s),
		db_text(item->problem), db_text(item->authority)));
}

STATUS
store_plans_due(struct db_tx *tx, int64_t plan, int state, int64_t now_s,
    struct plan_item *ret_items, size_t max, size_t *ret_n, int64_t *ret_next_s)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st = db_query(tx, &rows,
	    ITEM_COLUMNS " FROM plan_item i WHERE i.plan = ?1 AND i.state = ?2"
			 " ORDER BY i.due_s",
	    DB_VALUES(db_int(plan), db_int(state)));

	/* Row by row along the index; what is read is what is due, and one. */
	if (!failed(st))
		st = db_next(rows, &row);
	while (
	    !failed(st) && row && n < max && db_column_int(rows, 7) <= now_s) {
		take_item(rows, &ret_items[n++]);
		st = db_next(rows, &row);
	}
	if (failed(st))
		return st;
	*ret_n = n;
	*ret_next_s = 0;
	if (row) {
		*ret_next_s = db_column_int(rows, 7);
		if (*ret_next_s < now_s)
			*ret_next_s = now_s;
	}
	return st;
}

STATUS
store_plans_after(struct db_tx *tx, int64_t plan, int64_t after,
    struct plan_item *ret_items, size_t max, size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st = db_query(tx, &rows,
	    ITEM_COLUMNS " FROM plan_item i"
			 " WHERE i.plan = ?1 AND i.enrollment > ?2"
			 " ORDER BY i.enrollment, i.purpose LIMIT ?3",
	    DB_VALUES(db_int(plan), db_int(after), db_int((int64_t)max)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		take_item(rows, &ret_items[n++]);
		st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}

STATUS
store_plans_failures(struct db_tx *tx, int64_t plan, size_t max,
    bool (*each)(void *ctx, const struct plan_item *item, const char *name),
    void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	char name[ENROLLMENT_NAME_MAX];
	struct plan_item item;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    ITEM_COLUMNS ", coalesce(e.name, '') FROM plan_item i"
			 " LEFT JOIN enrollment e ON e.id = i.enrollment"
			 " WHERE i.plan = ?1 AND i.state = 3"
			 " ORDER BY i.due_s LIMIT ?2",
	    DB_VALUES(db_int(plan), db_int((int64_t)max)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		take_item(rows, &item);
		db_column_text(rows, 10, name, sizeof(name));
		if (!each(ctx, &item, name))
			return message_no_memory();
		st = db_next(rows, &row);
	}
	return st;
}

STATUS
store_plans_under_way(struct db_tx *tx, int64_t plan,
    struct plan_change *ret_changes, size_t max, size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st = db_query(tx, &rows,
	    ITEM_COLUMNS ", c.state, c.due_s, c.order_url <> '', c.problem"
			 " FROM plan_item i LEFT JOIN change c"
			 " ON c.id = i.change"
			 " WHERE i.plan = ?1 AND i.state = 1 LIMIT ?2",
	    DB_VALUES(db_int(plan), db_int((int64_t)max)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		struct plan_change *to = &ret_changes[n++];

		take_item(rows, &to->item);
		to->is_there = !db_column_is_null(rows, 10);
		to->state = (int)db_column_int(rows, 10);
		to->due_s = db_column_int(rows, 11);
		to->is_ordered =
		    db_column_int(rows, 12) != 0 || to->state > CHANGE_ORDERING;
		db_column_text(rows, 13, to->problem, sizeof(to->problem));
		st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}
