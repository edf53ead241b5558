/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What edges were seen to serve, weighed: how far a resource has come, and
 * whether a certificate that was switched away from is out of use.  An edge
 * proves that it left one behind by serving the version that came after, or a
 * newer one; a held-back edge proves nothing.
 */

#include "certd/store_edges.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/signing.h"
#include "certd/store_bindings.h"
#include "certd/store_edges_live.h"

#define SETTLE_MAX 1000 /* in one transaction */

STATUS
edges_convergence(struct db_tx *tx, int64_t resource, int64_t now_s,
    struct edges_convergence *ret_convergence)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	int64_t since_s = 0;
	bool row = false;
	struct status st = edges_live_since(tx, now_s, EDGE_LIVE_S, &since_s);

	if (!failed(st))
		st = db_query(tx, &rows,
		    "SELECT count(*),"
		    " coalesce(sum(s.applied_version = r.version"
		    "  AND e.held_version = 0), 0),"
		    " coalesce(sum(s.served_version = r.version"
		    "  AND e.held_version = 0), 0)"
		    " FROM resource r JOIN edge e"
		    "  ON e.edge_group = r.edge_group"
		    " LEFT JOIN edge_site s"
		    "  ON s.resource = r.id AND s.edge = e.id"
		    " WHERE r.id = ?1 AND e.quarantined = 0"
		    " AND e.last_seen_s >= ?2",
		    DB_VALUES(db_int(resource), db_int(since_s)));
	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st))
		*ret_convergence = (struct edges_convergence){
			.edges = (unsigned)db_column_int(rows, 0),
			.applied = (unsigned)db_column_int(rows, 1),
			.served = (unsigned)db_column_int(rows, 2),
		};
	return st;
}

/*
 * A retirement t whose resource is served in that group still, and an edge e of
 * it that counts and has not shown the version after.  ?1: heard since.
 */
#define UNPROVEN                                                               \
	" e.edge_group = t.edge_group AND e.quarantined = 0"                   \
	" AND e.last_seen_s >= ?1"                                             \
	" AND (e.held_version <> 0 OR NOT EXISTS (SELECT 1 FROM edge_site s"   \
	"  WHERE s.resource = t.resource AND s.edge = e.id"                    \
	"  AND s.served_version >= t.version))"
#define SERVED                                                                 \
	" EXISTS (SELECT 1 FROM resource r WHERE r.id = t.resource"            \
	"  AND r.edge_group = t.edge_group AND r.https <> 0)"

STATUS
edges_waiting(
    struct db_tx *tx, int64_t certificate, int64_t now_s, unsigned *ret_edges)
{
	int64_t since_s = 0, n = 0;
	struct status st = edges_live_since(tx, now_s, EDGE_LIVE_S, &since_s);

	if (!failed(st))
		st = db_number(tx, &n,
		    "SELECT count(DISTINCT e.id) FROM retirement t JOIN edge e"
		    " ON" UNPROVEN " WHERE t.certificate = ?2 AND" SERVED,
		    DB_VALUES(db_int(since_s), db_int(certificate)));
	if (!failed(st))
		*ret_edges = (unsigned)n;
	return st;
}

/* ---- settling ---- */

struct settled {
	int64_t certificate, resource;
	char edge_group[64];
};

static struct status
find_settled(struct db_tx *tx, int64_t resource, int64_t now_s,
    struct settled *ret_settled, size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	int64_t since_s = 0;
	bool row = false;
	struct status st = edges_live_since(tx, now_s, EDGE_GRACE_S, &since_s);

	*ret_n = 0;
	if (!failed(st))
		st = db_query(tx, &rows,
		    resource != 0
			? "SELECT t.certificate, t.resource, t.edge_group"
			  " FROM retirement t WHERE (NOT" SERVED
			  " OR NOT EXISTS (SELECT 1 FROM edge e WHERE" UNPROVEN
			  ")) AND t.resource = ?2 LIMIT 1000"
			: "SELECT t.certificate, t.resource, t.edge_group"
			  " FROM retirement t WHERE (NOT" SERVED
			  " OR NOT EXISTS (SELECT 1 FROM edge e WHERE" UNPROVEN
			  ")) LIMIT 1000",
		    (const struct db_value[]){
			db_int(since_s), db_int(resource) },
		    resource != 0 ? 2 : 1);
	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row && *ret_n < SETTLE_MAX) {
		struct settled *to = &ret_settled[(*ret_n)++];

		to->certificate = db_column_int(rows, 0);
		to->resource = db_column_int(rows, 1);
		db_column_text(rows, 2, to->edge_group, sizeof(to->edge_group));
		st = db_next(rows, &row);
	}
	return st;
}

/* Take back what the certificate's key was left for. */
static struct status
refresh_key(struct db_tx *tx, int64_t certificate)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct key_id id;
	bool row = false;
	struct status st =
	    db_query(tx, &rows, "SELECT key FROM certificate WHERE id = ?1",
		DB_VALUES(db_int(certificate)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st) || !row)
		return st;
	if (db_column_blob(rows, 0).len != sizeof(id.at))
		return status_fail(
		    STATUS_DATA_LOSS, "a key's id has not 32 octets");
	memcpy(id.at, db_column_blob(rows, 0).at, sizeof(id.at));
	return bindings_refresh_grants(tx, &id);
}

/* Most reports are of sites that nothing was switched away from. */
static struct status
has_retirements(struct db_tx *tx, int64_t resource, bool *ret_has)
{
	int64_t there = 0;
	struct status st = db_number(tx, &there,
	    "SELECT EXISTS (SELECT 1 FROM retirement WHERE resource = ?1)",
	    DB_VALUES(db_int(resource)));

	*ret_has = there != 0;
	return st;
}

static struct status
end_retirement(struct db_tx *tx, const struct settled *settled)
{
	struct status st = db_run(tx, NULL,
	    "DELETE FROM retirement WHERE certificate = ?1"
	    " AND resource = ?2 AND edge_group = ?3",
	    DB_VALUES(db_int(settled->certificate), db_int(settled->resource),
		db_text(settled->edge_group)));

	return failed(st) ? st : refresh_key(tx, settled->certificate);
}

STATUS
edges_settle(
    struct db_tx *tx, int64_t resource, int64_t now_s, unsigned *ret_settled)
{
	scoped(free) struct settled *settled = NULL;
	bool has = true;
	size_t n = 0;
	struct status st = status_ok();

	if (resource != 0)
		st = has_retirements(tx, resource, &has);
	if (failed(st) || !has) {
		*ret_settled = 0;
		return st;
	}
	settled = calloc(SETTLE_MAX, sizeof(*settled));
	if (settled == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = find_settled(tx, resource, now_s, settled, &n);
	for (size_t i = 0; i < n && !failed(st); i++)
		st = end_retirement(tx, &settled[i]);
	if (!failed(st))
		*ret_settled = (unsigned)n;
	return st;
}

STATUS
edges_can_settle(struct db_tx *tx, int64_t now_s, bool *ret_can)
{
	scoped(free) struct settled *settled =
	    calloc(SETTLE_MAX, sizeof(*settled));
	size_t n = 0;
	struct status st;

	if (settled == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = find_settled(tx, 0, now_s, settled, &n);
	if (!failed(st))
		*ret_can = n > 0;
	return st;
}
