/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registry's keys and their grants, and the policy made of them.  Refuses
 * to let raw signatures and TLS meet on one key, ever: the column "uses"
 * remembers what a key was granted for after the grant has gone.
 */

#include <stdlib.h>

#include "keyd/registry.h"
#include "keyd/registry_db.h"

#define TLS_CONTEXTS                                                           \
	(1u << CONTEXT_TLS13_SERVER | 1u << CONTEXT_TLS12_SERVER_ECDHE |       \
	    1u << CONTEXT_TLS13_CLIENT)

#define KEY_COLUMNS                                                            \
	"id, label, alg, pool, spki, created_s, created_by, attributes"

static const char NO_SUCH_KEY[] =
    "there is no such key; 'holdfast key list' shows those there are";

static struct registry_value
value_key(const struct key_id *id)
{
	return value_blob(id->at, KEY_ID_LEN);
}

STATUS
registry_key_add(struct registry *registry, const struct registry_key *key)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	struct status st = registry_run(db, NULL,
	    "INSERT INTO key (" KEY_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
	    VALUES(value_key(&key->id), value_text(key->label),
		value_int(key->alg), value_text(key->pool),
		value_blob(key->spki, key->spki_len), value_int(key->created_s),
		value_text(key->created_by), value_int(key->attributes)));

	if (st.code == STATUS_ALREADY_EXISTS)
		st.why = "there is a key with this label; choose another label";
	return st;
}

static bool
take_key(struct registry_rows *rows, struct registry_key *ret_key)
{
	struct registry_key *key = ret_key;
	int64_t alg = registry_column_int(rows, 2);
	size_t id_len = 0;

	if (!registry_column_blob(rows, 0, key->id.at, KEY_ID_LEN, &id_len) ||
	    id_len != KEY_ID_LEN ||
	    !registry_column_text(rows, 1, key->label, sizeof(key->label)) ||
	    alg <= KEY_ALG_NONE || alg > KEY_ALG_ED25519 ||
	    !registry_column_text(rows, 3, key->pool, sizeof(key->pool)) ||
	    !registry_column_blob(
		rows, 4, key->spki, sizeof(key->spki), &key->spki_len) ||
	    !registry_column_text(
		rows, 6, key->created_by, sizeof(key->created_by)))
		return false;
	key->alg = (enum key_alg)alg;
	key->created_s = registry_column_int(rows, 5);
	key->attributes = (unsigned)registry_column_int(rows, 7);
	return true;
}

static struct status
one_key(struct registry *registry, const char *sql, struct registry_value value,
    struct registry_key *ret_key)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	scoped(registry_rows_free) struct registry_rows *rows = NULL;
	struct registry_key key;
	bool row = false;
	struct status st = registry_query(db, &rows, sql, &value, 1);

	if (!failed(st))
		st = registry_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return status_fail(STATUS_NOT_FOUND, NO_SUCH_KEY);
	if (!take_key(rows, &key))
		return registry_damaged_row();
	*ret_key = key;
	return st;
}

STATUS
registry_key_get(struct registry *registry, const struct key_id *id,
    struct registry_key *ret_key)
{
	return one_key(registry, "SELECT " KEY_COLUMNS " FROM key WHERE id = ?",
	    value_key(id), ret_key);
}

STATUS
registry_key_by_label(
    struct registry *registry, const char *label, struct registry_key *ret_key)
{
	return one_key(registry,
	    "SELECT " KEY_COLUMNS " FROM key WHERE label = ?",
	    value_text(label), ret_key);
}

STATUS
registry_keys(struct registry *registry, const char *after_label, size_t max,
    struct registry_key *ret_keys, size_t *ret_n)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	scoped(registry_rows_free) struct registry_rows *rows = NULL;
	bool row = true;
	size_t n = 0;
	struct status st = registry_query(db, &rows,
	    "SELECT " KEY_COLUMNS " FROM key WHERE label > ?"
	    " ORDER BY label LIMIT ?",
	    VALUES(value_text(after_label), value_int((int64_t)max)));

	while (!failed(st) && n < max) {
		st = registry_next(rows, &row);
		if (failed(st) || !row)
			break;
		if (!take_key(rows, &ret_keys[n++]))
			st = registry_damaged_row();
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}

/* Inside a transaction: what may be granted, and remembers that it was. */
static struct status
note_uses(struct registry *db, const struct key_id *key, unsigned contexts)
{
	int64_t uses = 0;
	struct status st = registry_number(db, &uses,
	    "SELECT uses FROM key WHERE id = ?", VALUES(value_key(key)));

	if (st.code == STATUS_NOT_FOUND)
		st.why = NO_SUCH_KEY;
	if (failed(st))
		return st;
	uses |= contexts;
	if ((uses & (1u << CONTEXT_RAW)) != 0 && (uses & TLS_CONTEXTS) != 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "raw and TLS never go together on one key, not even one "
		    "after the other: who may sign anything could pose as the "
		    "server; make a key of its own for raw signatures");
	return registry_run(db, NULL, "UPDATE key SET uses = ? WHERE id = ?",
	    VALUES(value_int(uses), value_key(key)));
}

static struct status
grant_add(struct registry *db, const struct key_id *key, const char *pattern,
    unsigned contexts)
{
	int64_t others = 0;
	struct status st = note_uses(db, key, contexts);

	if (!failed(st))
		st = registry_number(db, &others,
		    "SELECT count(*) FROM grant_ WHERE key = ?"
		    " AND pattern <> ?",
		    VALUES(value_key(key), value_text(pattern)));
	if (failed(st))
		return st;
	if (others >= REGISTRY_GRANTS_MAX)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "this key has 256 grants, the most there may be; use a "
		    "pattern such as edge/fra-*");
	return registry_run(db, NULL,
	    "INSERT INTO grant_ (key, pattern, contexts) VALUES (?, ?, ?)"
	    " ON CONFLICT (key, pattern) DO UPDATE"
	    " SET contexts = contexts | excluded.contexts",
	    VALUES(value_key(key), value_text(pattern), value_int(contexts)));
}

STATUS
registry_grant_add(struct registry *registry, const struct key_id *key,
    const char *pattern, unsigned contexts)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	struct status st;

	/* policy_new refuses these, and one bad row would undo all others. */
	if (strlen(pattern) >= REGISTRY_PATTERN_MAX ||
	    !spiffe_pattern_ok(pattern))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "an identity is written role/name or role/prefix*, such "
		    "as edge/fra-1 or edge/fra-*");
	st = registry_begin(db);
	if (failed(st))
		return st;
	return registry_finish(db, grant_add(db, key, pattern, contexts));
}

static struct status
grant_remove(struct registry *db, const struct key_id *key, const char *pattern,
    unsigned contexts)
{
	int changed = 0;
	struct status st = registry_run(db, &changed,
	    "UPDATE grant_ SET contexts = contexts & ~?"
	    " WHERE key = ? AND pattern = ?",
	    VALUES(value_int(contexts), value_key(key), value_text(pattern)));

	if (failed(st))
		return st;
	if (changed == 0)
		return status_fail(STATUS_NOT_FOUND,
		    "this identity has no grant on this key; 'holdfast key "
		    "show' lists the grants there are");
	return registry_run(db, NULL,
	    "DELETE FROM grant_ WHERE key = ? AND pattern = ?"
	    " AND contexts = 0",
	    VALUES(value_key(key), value_text(pattern)));
}

STATUS
registry_grant_remove(struct registry *registry, const struct key_id *key,
    const char *pattern, unsigned contexts)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	struct status st = registry_begin(db);

	if (failed(st))
		return st;
	if (contexts == 0)
		contexts = ~0u;
	return registry_finish(db, grant_remove(db, key, pattern, contexts));
}

STATUS
registry_grants(struct registry *registry, const struct key_id *key,
    struct registry_grant ret_grants[REGISTRY_GRANTS_MAX], size_t *ret_n)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	scoped(registry_rows_free) struct registry_rows *rows = NULL;
	bool row = true;
	size_t n = 0;
	struct status st = registry_query(db, &rows,
	    "SELECT pattern, contexts FROM grant_ WHERE key = ?"
	    " ORDER BY pattern",
	    VALUES(value_key(key)));

	while (!failed(st) && n < REGISTRY_GRANTS_MAX) {
		struct registry_grant *grant = &ret_grants[n];

		st = registry_next(rows, &row);
		if (failed(st) || !row)
			break;
		if (!registry_column_text(
			rows, 0, grant->pattern, sizeof(grant->pattern)))
			st = registry_damaged_row();
		grant->contexts = (unsigned)registry_column_int(rows, 1);
		n++;
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}

/*
 * Rows on their way to policy_new, which copies what it keeps.  One array each
 * for text and octets would move while it grows, so the rows own theirs.
 */
struct harvest {
	struct registry_key *rows;
	struct policy_key *keys;
	size_t n_keys;
	struct registry_grant *patterns;
	struct policy_grant *grants;
	size_t n_grants;
};

static void
harvest_done(struct harvest *harvest)
{
	free(harvest->rows);
	free(harvest->keys);
	free(harvest->patterns);
	free(harvest->grants);
}

static inline void
scoped_harvest_done(struct harvest *harvest)
{
	harvest_done(harvest);
}

static struct status
harvest_room(struct registry *db, struct harvest *harvest)
{
	int64_t keys = 0, grants = 0;
	struct status st =
	    registry_number(db, &keys, "SELECT count(*) FROM key", NO_VALUES);

	if (!failed(st))
		st = registry_number(
		    db, &grants, "SELECT count(*) FROM grant_", NO_VALUES);
	if (failed(st))
		return st;
	harvest->rows = calloc((size_t)keys + 1, sizeof(*harvest->rows));
	harvest->keys = calloc((size_t)keys + 1, sizeof(*harvest->keys));
	harvest->patterns =
	    calloc((size_t)grants + 1, sizeof(*harvest->patterns));
	harvest->grants = calloc((size_t)grants + 1, sizeof(*harvest->grants));
	if (harvest->rows == NULL || harvest->keys == NULL ||
	    harvest->patterns == NULL || harvest->grants == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	harvest->n_keys = (size_t)keys;
	harvest->n_grants = (size_t)grants;
	return st;
}

static size_t
pool_index(const char *const *pools, size_t n_pools, const char *name)
{
	size_t i = 0;

	while (i < n_pools && strcmp(pools[i], name) != 0)
		i++;
	return i;
}

/* Keys of pools that are configured; n_keys becomes their number. */
static struct status
harvest_keys(struct registry *db, const char *const *pools, size_t n_pools,
    struct harvest *harvest)
{
	scoped(registry_rows_free) struct registry_rows *rows = NULL;
	size_t max = harvest->n_keys;
	bool row = true;
	struct status st = registry_query(
	    db, &rows, "SELECT " KEY_COLUMNS " FROM key", NO_VALUES);

	harvest->n_keys = 0;
	while (!failed(st) && harvest->n_keys < max) {
		struct registry_key *key = &harvest->rows[harvest->n_keys];
		size_t pool;

		st = registry_next(rows, &row);
		if (failed(st) || !row)
			break;
		if (!take_key(rows, key))
			return registry_damaged_row();
		pool = pool_index(pools, n_pools, key->pool);
		if (pool == n_pools)
			continue;
		harvest->keys[harvest->n_keys++] =
		    (struct policy_key){ .id = key->id,
			    .alg = key->alg,
			    .pool = (unsigned)pool,
			    .spki = { key->spki, key->spki_len } };
	}
	return st;
}

static int
compare_ids(const void *a, const void *b)
{
	const struct policy_key *left = a, *right = b;

	return memcmp(left->id.at, right->id.at, KEY_ID_LEN);
}

/* Grants of the keys that were harvested; n_grants becomes their number. */
static struct status
harvest_grants(struct registry *db, struct harvest *harvest)
{
	scoped(registry_rows_free) struct registry_rows *rows = NULL;
	size_t max = harvest->n_grants, len = 0;
	bool row = true;
	struct status st = registry_query(
	    db, &rows, "SELECT key, pattern, contexts FROM grant_", NO_VALUES);

	harvest->n_grants = 0;
	while (!failed(st) && harvest->n_grants < max) {
		struct registry_grant *grant =
		    &harvest->patterns[harvest->n_grants];
		struct policy_key wanted = { 0 };

		st = registry_next(rows, &row);
		if (failed(st) || !row)
			break;
		if (!registry_column_blob(
			rows, 0, wanted.id.at, KEY_ID_LEN, &len) ||
		    len != KEY_ID_LEN ||
		    !registry_column_text(
			rows, 1, grant->pattern, sizeof(grant->pattern)))
			return registry_damaged_row();
		if (bsearch(&wanted, harvest->keys, harvest->n_keys,
			sizeof(wanted), compare_ids) == NULL)
			continue;
		harvest->grants[harvest->n_grants++] = (struct policy_grant){
			.key = wanted.id,
			.pattern = grant->pattern,
			.contexts = (unsigned)registry_column_int(rows, 2),
		};
	}
	return st;
}

static struct status
harvest_all(struct registry *registry, const char *const *pools, size_t n_pools,
    struct harvest *harvest)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	struct status st = registry_begin(db);

	if (failed(st))
		return st;
	st = harvest_room(db, harvest);
	if (!failed(st))
		st = harvest_keys(db, pools, n_pools, harvest);
	if (!failed(st) && harvest->n_keys > 0)
		qsort(harvest->keys, harvest->n_keys, sizeof(*harvest->keys),
		    compare_ids);
	if (!failed(st))
		st = harvest_grants(db, harvest);
	return registry_finish(db, st);
}

STATUS
registry_policy(struct registry *registry, const char *const *pools,
    size_t n_pools, struct policy **ret_policy)
{
	scoped(harvest_done) struct harvest harvest = { 0 };
	struct status st = harvest_all(registry, pools, n_pools, &harvest);

	if (failed(st))
		return st;
	return policy_new(harvest.keys, harvest.n_keys, harvest.grants,
	    harvest.n_grants, ret_policy);
}
