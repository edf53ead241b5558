/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates that near their end, found by the index on it, so that a look
 * costs what crosses a threshold and not what there is; see store_expiry.h.
 */

#include "certd/notices/store_expiry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "certd/store.h"

#define LOOKED "notices.expiry"

STATUS
store_expiry_next(struct db_tx *tx, struct expiry_walk *walk, int64_t *ret_ids,
    size_t max, size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st;

	if (walk->last_s == 0) {
		walk->last_s = walk->from_s;
		walk->last_id = INT64_MAX;
	}
	st = db_query(tx, &rows,
	    "SELECT id, not_after_s FROM certificate"
	    " INDEXED BY certificate_by_expiry_all"
	    " WHERE kind = ?1 AND (not_after_s, id) > (?2, ?3)"
	    " AND not_after_s <= ?4 ORDER BY not_after_s, id LIMIT ?5",
	    DB_VALUES(db_int(walk->kind), db_int(walk->last_s),
		db_int(walk->last_id), db_int(walk->to_s),
		db_int((int64_t)max)));
	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row && n < max) {
		walk->last_id = ret_ids[n++] = db_column_int(rows, 0);
		walk->last_s = db_column_int(rows, 1);
		st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}

STATUS
store_expiry_is_superseded(struct db_tx *tx, int64_t certificate, bool *ret_is)
{
	int64_t is = 0;
	struct status st = db_number(tx, &is,
	    "SELECT EXISTS (SELECT 1 FROM certificate o"
	    " CROSS JOIN certificate_hostname h CROSS JOIN certificate c"
	    " WHERE o.id = ?1 AND h.name = (SELECT name"
	    "  FROM certificate_hostname WHERE certificate = ?1"
	    "  ORDER BY name LIMIT 1)"
	    " AND c.id = h.certificate AND c.account = o.account"
	    " AND c.not_after_s > o.not_after_s"
	    " AND NOT EXISTS (SELECT 1 FROM certificate_hostname m"
	    "  WHERE m.certificate = ?1 AND NOT EXISTS (SELECT 1"
	    "   FROM certificate_hostname n"
	    "   WHERE n.certificate = c.id AND n.name = m.name)))",
	    DB_VALUES(db_int(certificate)));

	if (!failed(st))
		*ret_is = is != 0;
	return st;
}

STATUS
store_expiry_looked(struct db_tx *tx, int64_t *ret_at_s)
{
	char text[24] = "";
	struct status st = store_meta_get(tx, LOOKED, text, sizeof(text));

	if (st.code == STATUS_NOT_FOUND)
		st = status_ok();
	if (!failed(st))
		*ret_at_s = strtoll(text, NULL, 10);
	return st;
}

STATUS
store_expiry_set_looked(struct db_tx *tx, int64_t at_s)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, at_s);
	return store_meta_set(tx, LOOKED, text);
}
