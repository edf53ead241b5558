/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registry's grants, on keys and on key groups.  What must never meet on
 * one key is refused here, in the transaction that would bring it about, so
 * that no two calls can slip past: raw signatures and TLS, and an ACME
 * account's key and anything else.  The column "uses" remembers what a key was
 * ever granted for, after the grant has gone.  A grant beyond the pool's edge
 * groups was approved as it stands, so nothing is added to one in passing.
 */

#include <stdlib.h>
#include <string.h>

#include "keyd/registry.h"
#include "keyd/registry_rows.h"

#define BIT(context) (1u << (context))
#define TLS_CONTEXTS                                                           \
	(BIT(CONTEXT_TLS13_SERVER) | BIT(CONTEXT_TLS12_SERVER_ECDHE) |         \
	    BIT(CONTEXT_TLS13_CLIENT))

static const char NO_SUCH_GRANT[] =
    "this identity has no such grant; 'holdfast key show' lists the grants "
    "there are";

static struct status
check_uses(unsigned uses)
{
	if ((uses & BIT(CONTEXT_RAW)) != 0 && (uses & TLS_CONTEXTS) != 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "raw and TLS never go together on one key, not even one "
		    "after the other: who may sign anything could pose as the "
		    "server; make a key of its own for raw signatures");
	if ((uses & BIT(CONTEXT_ACME_JWS)) != 0 &&
	    uses != BIT(CONTEXT_ACME_JWS))
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "an ACME account's key is nothing else, not even one after "
		    "the other; make a key of its own for the account");
	return status_ok();
}

STATUS
registry_note_uses(
    struct db_tx *tx, const struct key_id *key, unsigned contexts)
{
	int64_t uses = 0;
	struct status st = db_number(tx, &uses,
	    "SELECT uses FROM key WHERE id = ?", DB_VALUES(value_key(key)));

	if (st.code == STATUS_NOT_FOUND)
		return registry_no_such_key();
	if (!failed(st))
		st = check_uses((unsigned)uses | contexts);
	if (failed(st))
		return st;
	return db_run(tx, NULL, "UPDATE key SET uses = uses | ? WHERE id = ?",
	    DB_VALUES(db_int(contexts), value_key(key)));
}

/* The same for all keys of a group, each of which has a past of its own. */
static struct status
note_group_uses(struct db_tx *tx, const char *group, unsigned contexts)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = true;
	struct status st = db_query(tx, &rows,
	    "SELECT DISTINCT uses FROM key WHERE grp = ?1"
	    " UNION SELECT contexts FROM group_grant WHERE grp = ?1",
	    DB_VALUES(db_text(group)));

	while (!failed(st)) {
		st = db_next(rows, &row);
		if (failed(st) || !row)
			break;
		st = check_uses((unsigned)db_column_int(rows, 0) | contexts);
	}
	if (failed(st))
		return st;
	return db_run(tx, NULL, "UPDATE key SET uses = uses | ? WHERE grp = ?",
	    DB_VALUES(db_int(contexts), db_text(group)));
}

static struct status
too_many(void)
{
	return status_fail(STATUS_RESOURCE_EXHAUSTED,
	    "this key has 256 grants, its group's counted, the most there may "
	    "be; use a pattern such as edge/fra-*");
}

STATUS
registry_join_group(
    struct db_tx *tx, const struct key_id *key, const char *group)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	unsigned contexts = 0;
	bool row = true;
	int64_t n = 0;
	struct status st =
	    db_number(tx, &n, "SELECT count(*) FROM grant_ WHERE key = ?",
		DB_VALUES(value_key(key)));

	if (!failed(st))
		st = db_query(tx, &rows,
		    "SELECT contexts FROM group_grant WHERE grp = ?",
		    DB_VALUES(db_text(group)));
	while (!failed(st)) {
		st = db_next(rows, &row);
		if (failed(st) || !row)
			break;
		contexts |= (unsigned)db_column_int(rows, 0);
		if (++n > REGISTRY_GRANTS_MAX)
			st = too_many();
	}
	if (failed(st) || contexts == 0)
		return st;
	return registry_note_uses(tx, key, contexts);
}

/* Statements on the one table or the other, by the same parameters: ?1 is the
 * key or the group. */
struct table {
	const char *one, *others, *put, *take, *sweep;
};

static const struct table OF_KEY = {
	.one = "SELECT contexts, beyond FROM grant_"
	       " WHERE key = ?1 AND pattern = ?2",
	.others = "SELECT (SELECT count(*) FROM grant_"
		  "  WHERE key = ?1 AND pattern <> ?2)"
		  " + (SELECT count(*) FROM group_grant JOIN key"
		  "  ON key.grp = group_grant.grp WHERE key.id = ?1)",
	.put = "INSERT INTO grant_ (key, pattern, contexts, beyond, rate,"
	       " burst) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
	       " ON CONFLICT (key, pattern) DO UPDATE"
	       " SET contexts = contexts | excluded.contexts,"
	       " beyond = excluded.beyond,"
	       " rate = iif(?7, excluded.rate, rate),"
	       " burst = iif(?7, excluded.burst, burst)",
	.take = "UPDATE grant_ SET contexts = contexts & ~?3"
		" WHERE key = ?1 AND pattern = ?2",
	.sweep = "DELETE FROM grant_ WHERE key = ?1 AND pattern = ?2"
		 " AND contexts = 0",
};

static const struct table OF_GROUP = {
	.one = "SELECT contexts, beyond FROM group_grant"
	       " WHERE grp = ?1 AND pattern = ?2",
	.others = "SELECT (SELECT count(*) FROM group_grant"
		  "  WHERE grp = ?1 AND pattern <> ?2)"
		  " + coalesce((SELECT max(n) FROM (SELECT count(*) AS n"
		  "  FROM grant_ JOIN key ON grant_.key = key.id"
		  "  WHERE key.grp = ?1 GROUP BY grant_.key)), 0)",
	.put = "INSERT INTO group_grant (grp, pattern, contexts, beyond, rate,"
	       " burst) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
	       " ON CONFLICT (grp, pattern) DO UPDATE"
	       " SET contexts = contexts | excluded.contexts,"
	       " beyond = excluded.beyond,"
	       " rate = iif(?7, excluded.rate, rate),"
	       " burst = iif(?7, excluded.burst, burst)",
	.take = "UPDATE group_grant SET contexts = contexts & ~?3"
		" WHERE grp = ?1 AND pattern = ?2",
	.sweep = "DELETE FROM group_grant WHERE grp = ?1 AND pattern = ?2"
		 " AND contexts = 0",
};

static const struct table *
table_of(const struct registry_target *target)
{
	return target->key != NULL ? &OF_KEY : &OF_GROUP;
}

static struct db_value
value_target(const struct registry_target *target)
{
	return target->key != NULL ? value_key(target->key)
				   : db_text(target->group);
}

/* May this grant go into the row that is there, if one is? */
static struct status
check_beyond(struct db_tx *tx, const struct registry_target *target,
    const struct registry_grant *grant)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows, table_of(target)->one,
	    DB_VALUES(value_target(target), db_text(grant->pattern)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st) || !row)
		return st;
	if (db_column_int(rows, 1) != 0 && !grant->beyond_group)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this identity's grant goes beyond the pool's edge groups "
		    "and was approved as it stands: grant with --beyond-group, "
		    "or revoke it first");
	if (db_column_int(rows, 1) == 0 && grant->beyond_group &&
	    ((unsigned)db_column_int(rows, 0) & ~grant->contexts) != 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this identity's grant has other contexts too, which would "
		    "go beyond the pool's edge groups with it: name all of "
		    "them, or revoke those first");
	return st;
}

static struct status
grant_add(struct db_tx *tx, const struct registry_target *target,
    const struct registry_grant *grant, const struct registry_budget *budget)
{
	static const struct registry_budget NONE;
	const struct registry_budget *set = budget != NULL ? budget : &NONE;
	int64_t others = 0;
	struct status st =
	    target->key != NULL
		? registry_note_uses(tx, target->key, grant->contexts)
		: note_group_uses(tx, target->group, grant->contexts);

	if (!failed(st))
		st = check_beyond(tx, target, grant);
	if (!failed(st))
		st = db_number(tx, &others, table_of(target)->others,
		    DB_VALUES(value_target(target), db_text(grant->pattern)));
	if (failed(st))
		return st;
	if (others >= REGISTRY_GRANTS_MAX)
		return too_many();
	return db_run(tx, NULL, table_of(target)->put,
	    DB_VALUES(value_target(target), db_text(grant->pattern),
		db_int(grant->contexts), db_int(grant->beyond_group),
		db_int(set->rate_per_s),
		db_int(set->rate_per_s != 0 && set->burst == 0 ? set->rate_per_s
							       : set->burst),
		db_int(budget != NULL)));
}

/* The policy refuses these, and one bad row would undo all others. */
static struct status
check_pattern(const struct registry_grant *grant)
{
	if (strnlen(grant->pattern, REGISTRY_PATTERN_MAX) ==
		REGISTRY_PATTERN_MAX ||
	    !spiffe_pattern_ok(grant->pattern))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "an identity is written role/name, role/prefix* or "
		    "edge/@group, such as edge/fra-1, edge/fra-* or "
		    "edge/@standard");
	return status_ok();
}

STATUS
registry_grant_add(struct registry *registry,
    const struct registry_target *target, const struct registry_grant *grant,
    const struct registry_budget *budget)
{
	struct db_tx *tx;
	struct status st = check_pattern(grant);

	if (!failed(st))
		st = db_write(registry->db, &tx);
	if (failed(st))
		return st;
	return db_commit(tx, grant_add(tx, target, grant, budget));
}

STATUS
registry_grant_insert(struct db_tx *tx, const struct key_id *key,
    const struct registry_grant *grant)
{
	const struct registry_target target = { .key = key };
	struct status st;

	if (grant == NULL)
		return status_ok();
	st = check_pattern(grant);
	return failed(st) ? st : grant_add(tx, &target, grant, NULL);
}

static struct status
grant_remove(struct db_tx *tx, const struct registry_target *target,
    const char *pattern, unsigned contexts)
{
	int64_t changed = 0;
	struct status st = db_run(tx, &changed, table_of(target)->take,
	    DB_VALUES(
		value_target(target), db_text(pattern), db_int(contexts)));

	if (failed(st))
		return st;
	if (changed == 0)
		return status_fail(STATUS_NOT_FOUND, NO_SUCH_GRANT);
	return db_run(tx, NULL, table_of(target)->sweep,
	    DB_VALUES(value_target(target), db_text(pattern)));
}

STATUS
registry_grant_remove(struct registry *registry,
    const struct registry_target *target, const char *pattern,
    unsigned contexts)
{
	struct db_tx *tx;
	struct status st = db_write(registry->db, &tx);

	if (failed(st))
		return st;
	if (contexts == 0)
		contexts = ~0u;
	return db_commit(tx, grant_remove(tx, target, pattern, contexts));
}

/* pattern, contexts, rate, burst, beyond: these columns from first on. */
static bool
take_grant(struct db_rows *rows, int first, struct registry_grant *ret_grant)
{
	if (!db_column_text(
		rows, first, ret_grant->pattern, sizeof(ret_grant->pattern)))
		return false;
	ret_grant->contexts = (unsigned)db_column_int(rows, first + 1);
	ret_grant->budget.rate_per_s = (uint32_t)db_column_int(rows, first + 2);
	ret_grant->budget.burst = (uint32_t)db_column_int(rows, first + 3);
	ret_grant->beyond_group = db_column_int(rows, first + 4) != 0;
	return true;
}

static struct status
list_grants(struct registry *registry, const char *sql, struct db_value value,
    struct registry_grant ret_grants[REGISTRY_GRANTS_MAX], size_t *ret_n)
{
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = true;
	size_t n = 0;
	struct status st = db_read(registry->db, &tx);

	if (!failed(st))
		st = db_query(tx, &rows, sql, &value, 1);
	while (!failed(st) && n < REGISTRY_GRANTS_MAX) {
		struct registry_grant *grant = &ret_grants[n];

		st = db_next(rows, &row);
		if (failed(st) || !row)
			break;
		if (!take_grant(rows, 0, grant) ||
		    !db_column_text(
			rows, 5, grant->key_group, sizeof(grant->key_group)))
			st = registry_damaged_row();
		n++;
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}

STATUS
registry_grants(struct registry *registry, const struct key_id *key,
    struct registry_grant ret_grants[REGISTRY_GRANTS_MAX], size_t *ret_n)
{
	return list_grants(registry,
	    "SELECT pattern, contexts, rate, burst, beyond, '' AS of"
	    " FROM grant_ WHERE key = ?1"
	    " UNION ALL SELECT pattern, contexts, rate, burst, beyond,"
	    " group_grant.grp FROM group_grant"
	    " JOIN key ON key.grp = group_grant.grp WHERE key.id = ?1"
	    " ORDER BY of, pattern",
	    value_key(key), ret_grants, ret_n);
}

STATUS
registry_group_grants(struct registry *registry, const char *group,
    struct registry_grant ret_grants[REGISTRY_GRANTS_MAX], size_t *ret_n)
{
	return list_grants(registry,
	    "SELECT pattern, contexts, rate, burst, beyond, grp"
	    " FROM group_grant WHERE grp = ? ORDER BY pattern",
	    db_text(group), ret_grants, ret_n);
}

STATUS
registry_key_grants(struct registry *registry,
    const struct registry_grants_after *after, const char *maker, size_t max,
    struct registry_key_grant *ret_grants, size_t *ret_n)
{
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = true;
	size_t n = 0;
	struct status st = db_read(registry->db, &tx);

	if (!failed(st))
		st = db_query(tx, &rows,
		    "SELECT grant_.key, pattern, contexts, rate, burst, beyond"
		    /* CROSS: in this order, or SQLite sorts all of them. */
		    " FROM grant_ CROSS JOIN key ON key.id = grant_.key"
		    " WHERE (grant_.key, pattern) > (?1, ?2)"
		    " AND substr(key.created_by, 1, length(?3)) = ?3"
		    " ORDER BY grant_.key, pattern LIMIT ?4",
		    DB_VALUES(value_key(&after->key), db_text(after->pattern),
			db_text(maker), db_int((int64_t)max)));
	while (!failed(st) && n < max) {
		struct registry_key_grant *grant = &ret_grants[n];

		st = db_next(rows, &row);
		if (failed(st) || !row)
			break;
		memset(grant, 0, sizeof(*grant));
		if (!registry_take_id(rows, 0, &grant->key) ||
		    !take_grant(rows, 1, &grant->grant))
			st = registry_damaged_row();
		n++;
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}
