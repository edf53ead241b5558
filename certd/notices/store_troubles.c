/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Rows of trouble, and the walk that finds what edges do not serve; see
 * store_troubles.h.  The walk goes along a group's index by version and looks
 * each resource up once, so that an edge with many costs what has changed.
 */

#include "certd/notices/store_troubles.h"

#include "certd/store.h"

STATUS
store_troubles_all(
    struct db_tx *tx, struct trouble_row *ret_rows, size_t max, size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st = db_query(tx, &rows,
	    "SELECT object, event, since_s, well_s, told, problem"
	    " FROM notice_trouble WHERE object > '' ORDER BY object, event"
	    " LIMIT ?1",
	    DB_VALUES(db_int((int64_t)max)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row && n < max) {
		struct trouble_row *to = &ret_rows[n++];

		db_column_text(rows, 0, to->object, sizeof(to->object));
		to->event = (int)db_column_int(rows, 1);
		to->since_s = db_column_int(rows, 2);
		to->well_s = db_column_int(rows, 3);
		to->told = db_column_int(rows, 4) != 0;
		db_column_text(rows, 5, to->problem, sizeof(to->problem));
		st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}

STATUS
store_troubles_put(struct db_tx *tx, const struct trouble_row *row)
{
	return db_run(tx, NULL,
	    "INSERT INTO notice_trouble (object, event, since_s, well_s, told,"
	    " problem) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
	    " ON CONFLICT (object, event) DO UPDATE SET since_s = ?3,"
	    " well_s = ?4, told = ?5, problem = ?6",
	    DB_VALUES(db_text(row->object), db_int(row->event),
		db_int(row->since_s), db_int(row->well_s), db_int(row->told),
		db_text(row->problem)));
}

STATUS
store_troubles_end(struct db_tx *tx, const char *object, int event)
{
	return db_run(tx, NULL,
	    "DELETE FROM notice_trouble WHERE object = ?1 AND event = ?2",
	    DB_VALUES(db_text(object), db_int(event)));
}

STATUS
store_troubles_horizon(struct db_tx *tx, int64_t before_s, int64_t *ret_version)
{
	struct status st = db_number(tx, ret_version,
	    "SELECT version FROM edge_version"
	    " WHERE version > 0 AND at_s < ?1 ORDER BY version DESC LIMIT 1",
	    DB_VALUES(db_int(before_s)));

	if (st.code != STATUS_NOT_FOUND)
		return st;
	*ret_version = 0;
	return status_ok();
}

STATUS
store_troubles_serving(struct db_tx *tx, const struct fleet_edge *edge,
    int64_t horizon, size_t max, struct serving_walk *walk,
    struct serving_lack *ret_lack, bool *ret_at_end)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st = db_query(tx, &rows,
	    "SELECT r.id, r.version, r.name, coalesce(s.served_version, 0),"
	    " coalesce(s.problem, '') FROM resource r"
	    " INDEXED BY resource_by_version LEFT JOIN edge_site s"
	    " ON s.resource = r.id AND s.edge = ?1"
	    " WHERE r.edge_group = ?2 AND (r.version, r.id) > (?3, ?4)"
	    " AND r.version <= ?5 ORDER BY r.version, r.id LIMIT ?6",
	    DB_VALUES(db_int(edge->id), db_text(edge->edge_group),
		db_int(walk->version), db_int(walk->id), db_int(horizon),
		db_int((int64_t)max)));

	ret_lack->resource = 0;
	*ret_at_end = false;
	if (!failed(st))
		st = db_next(rows, &row);
	for (; !failed(st) && row && n < max; n++) {
		if (db_column_int(rows, 3) != db_column_int(rows, 1)) {
			ret_lack->resource = db_column_int(rows, 0);
			db_column_text(
			    rows, 2, ret_lack->name, sizeof(ret_lack->name));
			db_column_text(rows, 4, ret_lack->problem,
			    sizeof(ret_lack->problem));
			return st;
		}
		walk->id = db_column_int(rows, 0);
		walk->version = db_column_int(rows, 1);
		st = db_next(rows, &row);
	}
	*ret_at_end = n < max;
	return st;
}
