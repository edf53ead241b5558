/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Rows of edges and of what they report; see store_fleet.h.  Nothing is written
 * that is there already, so that a report without news costs no disk.  What an
 * edge says of sites is taken only where it can be: a site of its own group, a
 * version that the site has had.  Its texts are made fit to be seen.
 */

#include "certd/store_fleet.h"

#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "proto/message.h"

#define HASH_LEN 32
/* What is later than now by more than this is of a clock that was wrong. */
#define FUTURE_S 600
#define COLUMNS                                                                \
	"id, name, edge_group, last_seen_s, applied_version, held_version,"    \
	" quarantined, program, problem"

typedef Holdfast__Certd__V1__SiteReport report_msg;
typedef Holdfast__Certd__V1__EdgeSite behind_msg;

/* ---- rows ---- */

static void
take_edge(struct db_rows *rows, struct fleet_edge *ret_edge)
{
	struct fleet_edge *e = ret_edge;

	e->id = db_column_int(rows, 0);
	db_column_text(rows, 1, e->name, sizeof(e->name));
	db_column_text(rows, 2, e->edge_group, sizeof(e->edge_group));
	e->last_seen_s = db_column_int(rows, 3);
	e->applied_version = db_column_int(rows, 4);
	e->held_version = db_column_int(rows, 5);
	e->quarantined = db_column_int(rows, 6) != 0;
	db_column_text(rows, 7, e->program, sizeof(e->program));
	db_column_text(rows, 8, e->problem, sizeof(e->problem));
}

STATUS
fleet_find(struct db_tx *tx, const char *name, struct fleet_edge *ret_edge)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st =
	    db_query(tx, &rows, "SELECT " COLUMNS " FROM edge WHERE name = ?1",
		DB_VALUES(db_text(name)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = status_fail(STATUS_NOT_FOUND, "there is no such edge");
	if (!failed(st))
		take_edge(rows, ret_edge);
	return st;
}

STATUS
fleet_list(struct db_tx *tx, const char *edge_group, const char *after,
    size_t max, bool (*each)(void *ctx, const struct fleet_edge *edge),
    void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct fleet_edge edge;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    edge_group[0] == 0 ? "SELECT " COLUMNS " FROM edge WHERE name > ?1"
				 " ORDER BY name LIMIT ?2"
			       : "SELECT " COLUMNS " FROM edge WHERE name > ?1"
				 " AND edge_group = ?3 ORDER BY name LIMIT ?2",
	    (const struct db_value[]){
		db_text(after), db_int((int64_t)max), db_text(edge_group) },
	    edge_group[0] == 0 ? 2 : 3);

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

STATUS
fleet_put(struct db_tx *tx, const char *name, const char *edge_group,
    bool quarantined, int64_t now_s)
{
	return db_run(tx, NULL,
	    "INSERT INTO edge (name, edge_group, quarantined, first_s)"
	    " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO UPDATE SET"
	    " edge_group = ?2, quarantined = ?3"
	    " WHERE edge_group <> ?2 OR quarantined <> ?3",
	    DB_VALUES(db_text(name), db_text(edge_group), db_int(quarantined),
		db_int(now_s)));
}

STATUS
fleet_prune(
    struct db_tx *tx, bool (*is_known)(void *ctx, const char *name), void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	char name[FLEET_NAME_MAX];
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT name FROM edge WHERE last_seen_s = 0 ORDER BY name",
	    DB_NONE);

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		db_column_text(rows, 0, name, sizeof(name));
		if (!is_known(ctx, name))
			st = db_run(tx, NULL,
			    "DELETE FROM edge WHERE name = ?1"
			    " AND NOT EXISTS (SELECT 1 FROM edge_site s"
			    "  WHERE s.edge = edge.id)",
			    DB_VALUES(db_text(name)));
		if (!failed(st))
			st = db_next(rows, &row);
	}
	return st;
}

/* ---- what they do ---- */

STATUS
fleet_seen(struct db_tx *tx, const char *name, int64_t seen_s)
{
	return db_run(tx, NULL,
	    "UPDATE edge SET last_seen_s = ?2 WHERE name = ?1"
	    " AND (last_seen_s < ?2 OR last_seen_s > ?2 + ?3)",
	    DB_VALUES(db_text(name), db_int(seen_s), db_int(FUTURE_S)));
}

/* Foreign text, made fit to be kept. */
static void
clean(const char *text, char *ret_text, size_t max)
{
	printable_print(bytes_of(text), ret_text, max);
}

STATUS
fleet_follows(struct db_tx *tx, int64_t edge, const char *program, bool anew)
{
	char name[FLEET_PROGRAM_MAX];
	struct status st;

	clean(program, name, sizeof(name));
	st = db_run(tx, NULL,
	    "UPDATE edge SET held_version = 0, program = ?2"
	    " WHERE id = ?1 AND (held_version <> 0 OR program <> ?2)",
	    DB_VALUES(db_int(edge), db_text(name)));
	if (!failed(st) && anew)
		st = db_run(tx, NULL, "DELETE FROM edge_site WHERE edge = ?1",
		    DB_VALUES(db_int(edge)));
	if (!failed(st) && anew)
		st = db_run(tx, NULL,
		    "UPDATE edge SET applied_version = 0"
		    " WHERE id = ?1 AND applied_version <> 0",
		    DB_VALUES(db_int(edge)));
	return st;
}

STATUS
fleet_hold(struct db_tx *tx, int64_t edge, const char *program, int64_t version)
{
	char name[FLEET_PROGRAM_MAX];

	clean(program, name, sizeof(name));
	return db_run(tx, NULL,
	    "UPDATE edge SET held_version = ?2, program = ?3"
	    " WHERE id = ?1 AND (held_version <> ?2 OR program <> ?3)",
	    DB_VALUES(db_int(edge), db_int(version), db_text(name)));
}

STATUS
fleet_count_held(struct db_tx *tx, int64_t *ret_n)
{
	return db_number(tx, ret_n,
	    "SELECT count(*) FROM edge WHERE held_version <> 0", DB_NONE);
}

STATUS
fleet_state(struct db_tx *tx, int64_t edge, int64_t applied_version,
    const char *problem)
{
	char text[FLEET_PROBLEM_MAX];

	clean(problem, text, sizeof(text));
	return db_run(tx, NULL,
	    "UPDATE edge SET applied_version = ?2, problem = ?3"
	    " WHERE id = ?1 AND (applied_version <> ?2 OR problem <> ?3)",
	    DB_VALUES(db_int(edge), db_int(applied_version), db_text(text)));
}

/* ---- one site of a report ---- */

static struct status
forget_site(struct db_tx *tx, int64_t edge, int64_t resource, bool *ret_changed)
{
	int64_t n = 0;
	struct status st = db_run(tx, &n,
	    "DELETE FROM edge_site WHERE resource = ?1 AND edge = ?2",
	    DB_VALUES(db_int(resource), db_int(edge)));

	*ret_changed = n > 0;
	return st;
}

/* What certd has of a site; false: it is not of that group. */
static struct status
look_at_site(struct db_tx *tx, int64_t resource, const char *edge_group,
    int64_t *ret_version, bool *ret_is_plain, bool *ret_is_there)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = db_query(tx, &rows,
	    "SELECT version, https <> 0 AND EXISTS (SELECT 1 FROM binding b"
	    "  WHERE b.resource = r.id) FROM resource r"
	    " WHERE id = ?1 AND edge_group = ?2",
	    DB_VALUES(db_int(resource), db_text(edge_group)));

	if (!failed(st))
		st = db_next(rows, ret_is_there);
	if (failed(st) || !*ret_is_there)
		return st;
	*ret_version = db_column_int(rows, 0);
	*ret_is_plain = db_column_int(rows, 1) == 0;
	return st;
}

static struct status
put_site(struct db_tx *tx, int64_t edge, const report_msg *site, int64_t now_s,
    bool *ret_changed)
{
	char problem[FLEET_PROBLEM_MAX], http_problem[FLEET_PROBLEM_MAX];
	struct db_value seen = db_null();
	int64_t n = 0;
	struct status st;

	clean(site->problem, problem, sizeof(problem));
	clean(site->http_problem, http_problem, sizeof(http_problem));
	if (site->seen.len == HASH_LEN)
		seen = db_blob((struct bytes){ site->seen.data, HASH_LEN });
	st = db_run(tx, &n,
	    "INSERT INTO edge_site (resource, edge, applied_version,"
	    " served_version, seen, problem, at_s, http_probed, http_problem)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
	    " ON CONFLICT (resource, edge) DO UPDATE SET applied_version = ?3,"
	    " served_version = ?4, seen = ?5, problem = ?6, at_s = ?7,"
	    " http_probed = ?8, http_problem = ?9"
	    " WHERE applied_version <> ?3 OR served_version <> ?4"
	    " OR seen IS NOT ?5 OR problem <> ?6"
	    " OR http_probed <> ?8 OR http_problem <> ?9",
	    DB_VALUES(db_int(site->id), db_int(edge),
		db_int(site->applied_version), db_int(site->served_version),
		seen, db_text(problem), db_int(now_s),
		db_int(site->http_probed), db_text(http_problem)));
	*ret_changed = n > 0;
	return st;
}

STATUS
fleet_site(struct db_tx *tx, const struct fleet_edge *edge,
    const report_msg *site, int64_t now_s, bool *ret_changed)
{
	report_msg kept = *site; /* borrows all */
	bool is_there = false, is_plain = false;
	int64_t version = 0;
	struct status st;

	*ret_changed = false;
	if (site->removed)
		return forget_site(tx, edge->id, site->id, ret_changed);
	st = look_at_site(
	    tx, site->id, edge->edge_group, &version, &is_plain, &is_there);
	if (failed(st) || !is_there || site->applied_version > version ||
	    site->applied_version < 0 || site->served_version < 0 ||
	    site->served_version > version)
		return st;
	/* Without a certificate there is nothing to be seen served. */
	if (is_plain && kept.applied_version == version)
		kept.served_version = version;
	return put_site(tx, edge->id, &kept, now_s, ret_changed);
}

/* ---- looking at them ---- */

STATUS
fleet_count_sites(struct db_tx *tx, const char *edge_group, int64_t *ret_n)
{
	return db_number(tx, ret_n,
	    "SELECT count(*) FROM resource WHERE edge_group = ?1",
	    DB_VALUES(db_text(edge_group)));
}

STATUS
fleet_count_served(
    struct db_tx *tx, const struct fleet_edge *edge, int64_t *ret_n)
{
	*ret_n = 0;
	if (edge->held_version != 0)
		return status_ok();
	return db_number(tx, ret_n,
	    "SELECT count(*) FROM edge_site s"
	    " JOIN resource r ON r.id = s.resource"
	    " WHERE s.edge = ?1 AND s.served_version = r.version"
	    " AND r.edge_group = ?2",
	    DB_VALUES(db_int(edge->id), db_text(edge->edge_group)));
}

static struct status
take_behind(struct db_rows *rows, Holdfast__Certd__V1__Edge *to)
{
	behind_msg *site = message_append(&to->n_behind, &to->behind,
	    &holdfast__certd__v1__edge_site__descriptor);
	struct bytes seen = db_column_blob(rows, 6);
	char hex[2 * HASH_LEN + 1] = "", name[256], problem[FLEET_PROBLEM_MAX];

	if (site == NULL)
		return message_no_memory();
	site->id = db_column_int(rows, 0);
	site->current_version = db_column_int(rows, 2);
	site->applied_version = db_column_int(rows, 3);
	site->served_version = db_column_int(rows, 4);
	db_column_text(rows, 1, name, sizeof(name));
	db_column_text(rows, 5, problem, sizeof(problem));
	if (seen.len == HASH_LEN)
		bytes_to_hex(seen, hex);
	if (!message_text(&site->name, name) ||
	    !message_text(&site->problem, problem) ||
	    !message_text(&site->seen, hex))
		return message_no_memory();
	return status_ok();
}

STATUS
fleet_behind(struct db_tx *tx, const struct fleet_edge *edge, size_t max,
    Holdfast__Certd__V1__Edge *to)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT r.id, r.name, r.version, coalesce(s.applied_version, 0),"
	    " coalesce(s.served_version, 0), coalesce(s.problem, ''), s.seen"
	    " FROM resource r LEFT JOIN edge_site s"
	    "  ON s.resource = r.id AND s.edge = ?1"
	    " WHERE r.edge_group = ?2"
	    " AND coalesce(s.served_version, 0) <> r.version"
	    " ORDER BY r.version DESC LIMIT ?3",
	    DB_VALUES(db_int(edge->id), db_text(edge->edge_group),
		db_int((int64_t)max)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		st = take_behind(rows, to);
		if (!failed(st))
			st = db_next(rows, &row);
	}
	return st;
}
