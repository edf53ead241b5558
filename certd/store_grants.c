/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Rows of grant_.  A key's groups are those of resources that bind a
 * certificate of it with HTTPS on, those where a retired one may still be
 * served, and those that have a standby one ready; they are found by index,
 * however many resources there are.  A right that keyd may have is never
 * forgotten: its row stays until keyd has said that it is gone.
 */

#include "certd/store_grants.h"

#include <stdio.h>
#include <string.h>

#include "certd/store_edges.h"

/* Of one key; networks have few. */
#define GROUPS_MAX 128

struct groups {
	size_t n;
	char at[GROUPS_MAX][NETWORK_NAME_MAX];
};

static struct db_value
key_value(const struct key_id *key)
{
	return db_blob((struct bytes){ key->at, KEY_ID_LEN });
}

/* ---- what is wanted ---- */

static bool
has(const struct groups *groups, const char *group)
{
	for (size_t i = 0; i < groups->n; i++)
		if (strcmp(groups->at[i], group) == 0)
			return true;
	return false;
}

static struct status
add(struct groups *groups, const char *group)
{
	if (has(groups, group))
		return status_ok();
	if (groups->n == GROUPS_MAX)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "a key cannot be served by more than 128 edge groups");
	snprintf(groups->at[groups->n++], NETWORK_NAME_MAX, "%s", group);
	return status_ok();
}

/* The first group behind last; empty: there is none. */
static struct status
next_group(struct db_tx *tx, const char *sql, int64_t certificate,
    const char *last, char ret_group[NETWORK_NAME_MAX])
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(
	    tx, &rows, sql, DB_VALUES(db_int(certificate), db_text(last)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	ret_group[0] = 0;
	if (row)
		db_column_text(rows, 0, ret_group, NETWORK_NAME_MAX);
	return st;
}

static struct status
add_certificate(struct db_tx *tx, int64_t certificate, struct groups *groups)
{
	/* One step along the index for each group. */
	static const char *const sources[] = {
		"SELECT edge_group FROM binding"
		" WHERE certificate = ?1 AND edge_group > ?2"
		" ORDER BY edge_group LIMIT 1",
		"SELECT edge_group FROM retirement"
		" WHERE certificate = ?1 AND edge_group > ?2"
		" ORDER BY edge_group LIMIT 1",
		/* A standby one: one group at most. */
		"SELECT edge_group FROM renewal"
		" WHERE certificate = ?1 AND certificate IS NOT NULL"
		" AND purpose = 1 AND edge_group > ?2 LIMIT 1",
	};
	struct status st = status_ok();

	for (size_t i = 0;
	     i < sizeof(sources) / sizeof(sources[0]) && !failed(st); i++) {
		char group[NETWORK_NAME_MAX] = "";
		char last[NETWORK_NAME_MAX];

		do {
			memcpy(last, group, sizeof(last));
			st = next_group(
			    tx, sources[i], certificate, last, group);
			if (!failed(st) && group[0] != 0)
				st = add(groups, group);
		} while (!failed(st) && group[0] != 0);
	}
	return st;
}

static struct status
wanted_groups(struct db_tx *tx, const struct key_id *key, struct groups *groups)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st =
	    db_query(tx, &rows, "SELECT id FROM certificate WHERE key = ?1",
		DB_VALUES(key_value(key)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		st = add_certificate(tx, db_column_int(rows, 0), groups);
		if (!failed(st))
			st = db_next(rows, &row);
	}
	return st;
}

static struct status
kept_groups(struct db_tx *tx, const struct key_id *key, struct groups *groups)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st =
	    db_query(tx, &rows, "SELECT edge_group FROM grant_ WHERE key = ?1",
		DB_VALUES(key_value(key)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		char group[NETWORK_NAME_MAX];

		db_column_text(rows, 0, group, sizeof(group));
		st = add(groups, group);
		if (!failed(st))
			st = db_next(rows, &row);
	}
	return st;
}

/* What changes begins anew: its old trouble says nothing. */
static struct status
want(struct db_tx *tx, const struct key_id *key, const char *group)
{
	return db_run(tx, NULL,
	    "INSERT INTO grant_ (key, edge_group, wanted, granted)"
	    " VALUES (?1, ?2, 1, 0) ON CONFLICT (key, edge_group)"
	    " DO UPDATE SET wanted = 1, problem = '' WHERE wanted = 0",
	    DB_VALUES(key_value(key), db_text(group)));
}

static struct status
want_no_more(struct db_tx *tx, const struct key_id *key, const char *group)
{
	struct status st = db_run(tx, NULL,
	    "DELETE FROM grant_"
	    " WHERE key = ?1 AND edge_group = ?2 AND granted = 0",
	    DB_VALUES(key_value(key), db_text(group)));

	if (failed(st))
		return st;
	return db_run(tx, NULL,
	    "UPDATE grant_ SET wanted = 0, problem = ''"
	    " WHERE key = ?1 AND edge_group = ?2 AND wanted = 1",
	    DB_VALUES(key_value(key), db_text(group)));
}

STATUS
store_grants_refresh(struct db_tx *tx, const struct key_id *key)
{
	struct groups wanted = { 0 }, kept = { 0 };
	struct status st = wanted_groups(tx, key, &wanted);

	if (!failed(st))
		st = kept_groups(tx, key, &kept);
	for (size_t i = 0; i < wanted.n && !failed(st); i++)
		st = want(tx, key, wanted.at[i]);
	for (size_t i = 0; i < kept.n && !failed(st); i++)
		if (!has(&wanted, kept.at[i]))
			st = want_no_more(tx, key, kept.at[i]);
	return st;
}

/* ---- what waits for keyd ---- */

#define ROW_COLUMNS "key, edge_group, wanted, granted"

static void
take_row(struct db_rows *rows, struct grant_row *ret_row)
{
	struct bytes key = db_column_blob(rows, 0);

	memset(ret_row, 0, sizeof(*ret_row));
	if (key.len == KEY_ID_LEN)
		memcpy(ret_row->key.at, key.at, KEY_ID_LEN);
	db_column_text(
	    rows, 1, ret_row->edge_group, sizeof(ret_row->edge_group));
	ret_row->wanted = db_column_int(rows, 2) != 0;
	ret_row->granted = (int)db_column_int(rows, 3);
}

/* All there are: the statement has its limit. */
static struct status
take_rows(struct db_rows *rows, struct grant_row *ret_rows, size_t *ret_n)
{
	bool row = false;
	size_t n = 0;
	struct status st = db_next(rows, &row);

	while (!failed(st) && row) {
		take_row(rows, &ret_rows[n++]);
		st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}

STATUS
store_grants_waiting(struct db_tx *tx, const struct grant_row *after,
    bool with_trouble, struct grant_row *ret_rows, size_t max, size_t *ret_n)
{
	static const struct grant_row first = { .wanted = false };
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st;

	if (after == NULL)
		after = &first;
	st = db_query(tx, &rows,
	    "SELECT " ROW_COLUMNS " FROM grant_ WHERE wanted <> granted"
	    " AND (wanted, key, edge_group) > (?1, ?2, ?3)"
	    " AND (problem = '' OR ?4 = 1)"
	    " ORDER BY wanted, key, edge_group LIMIT ?5",
	    DB_VALUES(db_int(after->wanted), key_value(&after->key),
		db_text(after->edge_group), db_int(with_trouble),
		db_int((int64_t)max)));
	return failed(st) ? st : take_rows(rows, ret_rows, ret_n);
}

/* The row may have gone while keyd was asked: what keyd has comes back. */
static struct status
keep(struct db_tx *tx, const struct grant_row *row, int granted,
    const char *problem)
{
	struct status st;

	if (granted == GRANT_NO)
		st = db_run(tx, NULL,
		    "UPDATE grant_ SET granted = 0, problem = ?3"
		    " WHERE key = ?1 AND edge_group = ?2",
		    DB_VALUES(key_value(&row->key), db_text(row->edge_group),
			db_text(problem)));
	else
		st = db_run(tx, NULL,
		    "INSERT INTO grant_"
		    " (key, edge_group, wanted, granted, problem)"
		    " VALUES (?1, ?2, 0, ?3, ?4) ON CONFLICT (key, edge_group)"
		    " DO UPDATE SET granted = ?3, problem = ?4",
		    DB_VALUES(key_value(&row->key), db_text(row->edge_group),
			db_int(granted), db_text(problem)));
	return st;
}

STATUS
store_grants_told(struct db_tx *tx, const struct grant_row *row, int granted)
{
	struct status st = keep(tx, row, granted, "");

	if (failed(st))
		return st;
	return db_run(tx, NULL,
	    "DELETE FROM grant_ WHERE key = ?1 AND edge_group = ?2"
	    " AND wanted = 0 AND granted = 0",
	    DB_VALUES(key_value(&row->key), db_text(row->edge_group)));
}

STATUS
store_grants_refused(
    struct db_tx *tx, const struct grant_row *row, int granted, const char *why)
{
	return keep(tx, row, granted, why);
}

STATUS
store_grants_away(struct db_tx *tx, const char *why)
{
	return db_run(tx, NULL,
	    "UPDATE grant_ SET problem = ?1"
	    " WHERE wanted <> granted AND problem <> ?1",
	    DB_VALUES(db_text(why)));
}

STATUS
store_grants_between(struct db_tx *tx, const struct key_id *from,
    const struct key_id *to, struct grant_row *ret_rows, size_t max,
    size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = db_query(tx, &rows,
	    "SELECT " ROW_COLUMNS " FROM grant_ WHERE key BETWEEN ?1 AND ?2"
	    " ORDER BY key, edge_group LIMIT ?3",
	    DB_VALUES(key_value(from), key_value(to), db_int((int64_t)max)));

	return failed(st) ? st : take_rows(rows, ret_rows, ret_n);
}

STATUS
store_grants_edge_held_back(struct db_tx *tx, int64_t now_s, bool *ret_held)
{
	int64_t n = 0;
	struct status st = db_number(tx, &n,
	    "SELECT count(*) FROM edge WHERE held_version > 0"
	    " AND quarantined = 0 AND last_seen_s >= ?1",
	    DB_VALUES(db_int(now_s - EDGE_GRACE_S)));

	if (!failed(st))
		*ret_held = n > 0;
	return st;
}

/* ---- of a resource ---- */

#define OF_RESOURCE                                                            \
	" FROM binding b JOIN certificate c ON c.id = b.certificate"           \
	" JOIN grant_ g ON g.key = c.key AND g.edge_group = b.edge_group"      \
	" WHERE b.resource = ?1 AND g.wanted = 1 AND g.granted <> 1"

STATUS
store_grants_pending(struct db_tx *tx, int64_t resource, bool *ret_pending)
{
	int64_t n = 0;
	struct status st = db_number(
	    tx, &n, "SELECT count(*)" OF_RESOURCE, DB_VALUES(db_int(resource)));

	if (!failed(st))
		*ret_pending = n > 0;
	return st;
}

STATUS
store_grants_trouble(
    struct db_tx *tx, int64_t resource, char ret_why[CUSTODY_WHY_MAX])
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT g.problem, g.edge_group" OF_RESOURCE
	    " ORDER BY g.problem DESC LIMIT 1",
	    DB_VALUES(db_int(resource)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	ret_why[0] = 0;
	if (!row)
		return st;
	db_column_text(rows, 0, ret_why, CUSTODY_WHY_MAX);
	if (ret_why[0] == 0) {
		char group[NETWORK_NAME_MAX];

		db_column_text(rows, 1, group, sizeof(group));
		snprintf(ret_why, CUSTODY_WHY_MAX,
		    "keyd has not been told yet that edges of group %s may "
		    "sign; it is about to be",
		    group);
	}
	return st;
}

static struct status
surplus_of(struct db_tx *tx, const struct key_id *key,
    char ret_why[STORE_GRANTS_WHY_MAX])
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	char group[NETWORK_NAME_MAX], problem[CUSTODY_WHY_MAX];
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT edge_group, problem FROM grant_"
	    " WHERE key = ?1 AND wanted = 0 LIMIT 1",
	    DB_VALUES(key_value(key)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st) || !row)
		return st;
	db_column_text(rows, 0, group, sizeof(group));
	db_column_text(rows, 1, problem, sizeof(problem));
	snprintf(ret_why, STORE_GRANTS_WHY_MAX,
	    "edges of group %s may still sign with what was taken away: %s",
	    group,
	    problem[0] != 0 ? problem
			    : "keyd has not been told yet; it is about to be");
	return st;
}

STATUS
store_grants_surplus(struct db_tx *tx, const struct key_set *keys,
    char ret_why[STORE_GRANTS_WHY_MAX])
{
	struct status st = status_ok();

	ret_why[0] = 0;
	for (size_t i = 0; i < keys->n && !failed(st) && ret_why[0] == 0; i++)
		st = surplus_of(tx, &keys->at[i], ret_why);
	return st;
}
