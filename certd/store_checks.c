/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Questions of the checks to tables that others write; see store_checks.h.
 * Each is found by an index, and none is asked while the network is.
 */

#include "certd/store_checks.h"

#include <string.h>

#define ENROLLMENT                                                             \
	"SELECT e.id, e.validation, e.dns_provider, e.authority, e.problem,"   \
	" coalesce(c.id, 0), coalesce(c.ended_s, 0), coalesce(c.doing, ''),"   \
	" coalesce(c.problem, ''), a.name, e.by_operator FROM enrollment e"    \
	" JOIN account a ON a.id = e.account"

static struct status
find(struct db_tx *tx, const char *sql, int64_t id,
    struct checks_enrollment *ret)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows, sql, DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return status_fail(
		    STATUS_NOT_FOUND, "there is no such enrollment");
	*ret = (struct checks_enrollment){ .id = db_column_int(rows, 0),
		.validation = (int)db_column_int(rows, 1),
		.change = db_column_int(rows, 5),
		.change_has_ended = db_column_int(rows, 6) != 0,
		.by_operator = db_column_int(rows, 10) != 0 };
	db_column_text(rows, 2, ret->dns_provider, sizeof(ret->dns_provider));
	db_column_text(rows, 3, ret->authority, sizeof(ret->authority));
	db_column_text(rows, 4, ret->problem, sizeof(ret->problem));
	db_column_text(rows, 7, ret->change_doing, sizeof(ret->change_doing));
	db_column_text(
	    rows, 8, ret->change_problem, sizeof(ret->change_problem));
	db_column_text(rows, 9, ret->account_name, sizeof(ret->account_name));
	return st;
}

STATUS
store_checks_of_resource(
    struct db_tx *tx, int64_t resource, struct checks_enrollment *ret)
{
	return find(tx,
	    ENROLLMENT
	    " LEFT JOIN change c ON c.id = (SELECT id FROM change"
	    "  WHERE enrollment = e.id AND purpose = 0 ORDER BY id DESC"
	    "  LIMIT 1) WHERE e.resource = ?1",
	    resource, ret);
}

STATUS
store_checks_of_change(
    struct db_tx *tx, int64_t change, struct checks_enrollment *ret)
{
	return find(tx,
	    ENROLLMENT " JOIN change c ON c.enrollment = e.id"
		       " WHERE c.id = ?1",
	    change, ret);
}

static void
take_edge(struct db_rows *rows, struct checks_edge *ret)
{
	struct bytes seen = db_column_blob(rows, 6);

	*ret = (struct checks_edge){ .last_seen_s = db_column_int(rows, 1),
		.held_version = db_column_int(rows, 2),
		.quarantined = db_column_int(rows, 3) != 0,
		.applied_version = db_column_int(rows, 4),
		.served_version = db_column_int(rows, 5),
		.http_probed = db_column_int(rows, 8) != 0 };
	db_column_text(rows, 0, ret->name, sizeof(ret->name));
	if (seen.len == PKI_FINGERPRINT_LEN) {
		ret->has_seen = true;
		memcpy(ret->seen, seen.at, PKI_FINGERPRINT_LEN);
	}
	db_column_text(rows, 7, ret->problem, sizeof(ret->problem));
	db_column_text(rows, 9, ret->http_problem, sizeof(ret->http_problem));
}

STATUS
store_checks_edges(struct db_tx *tx, const char *edge_group, int64_t resource,
    bool (*each)(void *ctx, const struct checks_edge *edge), void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct checks_edge edge;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT e.name, e.last_seen_s, e.held_version, e.quarantined,"
	    " coalesce(s.applied_version, 0), coalesce(s.served_version, 0),"
	    " s.seen, coalesce(s.problem, ''), coalesce(s.http_probed, 0),"
	    " coalesce(s.http_problem, '')"
	    " FROM edge e LEFT JOIN edge_site s"
	    "  ON s.resource = ?2 AND s.edge = e.id"
	    " WHERE e.edge_group = ?1 ORDER BY e.name",
	    DB_VALUES(db_text(edge_group), db_int(resource)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		take_edge(rows, &edge);
		if (!each(ctx, &edge))
			break;
		st = db_next(rows, &row);
	}
	return st;
}
