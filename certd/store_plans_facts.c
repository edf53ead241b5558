/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is asked of a plan's items before it begins: whether another plan has
 * them, what they are like, and how fast such changes have been.  Each of these
 * looks at all of the plan's items, and at nothing else.
 */

#include "certd/store_plans.h"

#include <stdlib.h>

#include "certd/store_changes.h"
#include "certd/store_edges.h"
#include "proto/message.h"

/* Changes that are looked back at. */
#define LATEST 1000

STATUS
store_plans_rival(
    struct db_tx *tx, int64_t plan, int64_t *ret_plan, int64_t *ret_enrollment)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT p.id, o.enrollment FROM plan p INDEXED BY plan_under_way"
	    " CROSS JOIN plan_item o CROSS JOIN plan_item i"
	    " WHERE p.state IN (0, 2, 3) AND p.state <> 0 AND p.id <> ?1 AND "
	    "o.plan = p.id"
	    " AND o.state <> 2 AND i.plan = ?1 AND i.enrollment = o.enrollment"
	    " AND i.purpose = o.purpose LIMIT 1",
	    DB_VALUES(db_int(plan)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	*ret_plan = row ? db_column_int(rows, 0) : 0;
	*ret_enrollment = row ? db_column_int(rows, 1) : 0;
	return st;
}

STATUS
store_plans_groups(struct db_tx *tx, int64_t plan,
    struct plan_group ret_groups[PLAN_GROUPS_MAX], size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st = db_query(tx, &rows,
	    "SELECT i.purpose, e.alg, e.network, e.authority, r.authority,"
	    " min(e.account), count(*) FROM plan_item i"
	    " CROSS JOIN enrollment e CROSS JOIN renewal r"
	    " WHERE i.plan = ?1 AND e.id = i.enrollment"
	    " AND r.enrollment = i.enrollment AND r.purpose = i.purpose"
	    " GROUP BY 1, 2, 3, 4, 5 ORDER BY 7 DESC LIMIT ?2",
	    DB_VALUES(db_int(plan), db_int(PLAN_GROUPS_MAX)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		struct plan_group *to = &ret_groups[n++];

		*to =
		    (struct plan_group){ .purpose = (int)db_column_int(rows, 0),
			    .alg = (enum key_alg)db_column_int(rows, 1),
			    .account = db_column_int(rows, 5),
			    .n = db_column_int(rows, 6) };
		db_column_text(rows, 2, to->network, sizeof(to->network));
		db_column_text(rows, 3, to->authority, sizeof(to->authority));
		db_column_text(rows, 4, to->issued_by, sizeof(to->issued_by));
		st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}

static struct status
tell_names(struct db_rows *rows,
    bool (*each)(void *ctx, const struct names *names), void *ctx)
{
	scoped(names_done) struct names names = { 0 };
	scoped(free) char *text = db_column_dup(rows, 1);
	struct status st =
	    text == NULL ? message_no_memory() : names_parse(text, &names);

	if (failed(st))
		return st;
	return each(ctx, &names) ? st : message_no_memory();
}

STATUS
store_plans_names(struct db_tx *tx, int64_t plan, int64_t after, size_t max,
    bool (*each)(void *ctx, const struct names *names), void *ctx,
    int64_t *ret_last)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	int64_t last = 0;
	struct status st = db_query(tx, &rows,
	    "SELECT i.enrollment, e.hostnames FROM plan_item i"
	    " CROSS JOIN enrollment e"
	    " WHERE i.plan = ?1 AND i.enrollment > ?2 AND i.purpose = 0"
	    " AND e.id = i.enrollment ORDER BY i.enrollment LIMIT ?3",
	    DB_VALUES(db_int(plan), db_int(after), db_int((int64_t)max)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		last = db_column_int(rows, 0);
		st = tell_names(rows, each, ctx);
		if (!failed(st))
			st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_last = last;
	return st;
}

STATUS
store_plans_edges(
    struct db_tx *tx, int64_t plan, int64_t now_s, uint32_t *ret_n)
{
	int64_t n = 0;
	struct status st = db_number(tx, &n,
	    "SELECT count(*) FROM edge WHERE quarantined = 0"
	    " AND last_seen_s >= ?2 AND edge_group IN"
	    " (SELECT s.edge_group FROM plan_item i CROSS JOIN enrollment e"
	    "  CROSS JOIN resource s WHERE i.plan = ?1 AND e.id = i.enrollment"
	    "  AND s.id = e.resource)",
	    DB_VALUES(db_int(plan), db_int(now_s - EDGE_GRACE_S)));

	if (!failed(st))
		*ret_n = (uint32_t)n;
	return st;
}

STATUS
store_plans_change_s(struct db_tx *tx, int64_t *ret_s)
{
	return db_number(tx, ret_s,
	    "SELECT coalesce(sum(ended_s - created_s) / count(*), 0)"
	    " FROM change WHERE id > (SELECT max(id) FROM change) - ?1"
	    " AND state = ?2",
	    DB_VALUES(db_int(LATEST), db_int(CHANGE_DONE)));
}
