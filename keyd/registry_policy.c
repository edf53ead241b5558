/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The policy made of the registry: keys, grants, edge groups and quarantines
 * as they are in one transaction, so that no check ever sees half of a change.
 */

#include <stdlib.h>
#include <string.h>

#include "keyd/policy.h"
#include "keyd/registry.h"
#include "keyd/registry_rows.h"

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
pool_index(const struct policy_pool *pools, size_t n_pools, const char *name)
{
	size_t i = 0;

	while (i < n_pools && strcmp(pools[i].name, name) != 0)
		i++;
	return i;
}

/* Keys of pools that are configured; n_keys becomes their number. */
static struct status
harvest_keys(struct registry *db, const struct policy_pool *pools,
    size_t n_pools, struct harvest *harvest)
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
		if (!registry_take_key(rows, key))
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
harvest_all(struct registry *registry, const struct policy_pool *pools,
    size_t n_pools, struct harvest *harvest)
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
registry_policy(struct registry *registry, const struct policy_pool *pools,
    size_t n_pools, struct policy *before, const struct key_id *only,
    struct policy **ret_policy)
{
	scoped(harvest_done) struct harvest harvest = { 0 };
	struct status st = harvest_all(registry, pools, n_pools, &harvest);

	(void)before;
	(void)only;
	if (failed(st))
		return st;
	return policy_new(harvest.keys, harvest.n_keys, harvest.grants,
	    harvest.n_grants, ret_policy);
}
