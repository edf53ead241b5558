/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The policy made of the registry: keys, grants, edge groups and quarantines
 * as they are in one transaction, so that no check ever sees half of a change.
 * Keys and their grants are read side by side in the order of their ids, so
 * that 100,000 of them need no more memory than the policy itself.
 */

#include <stdlib.h>
#include <string.h>

#include "keyd/policy.h"
#include "keyd/registry.h"
#include "keyd/registry_rows.h"

/* ---- keys and their own grants ---- */

/* The two lists, read side by side. */
struct reader {
	struct db_rows *keys, *grants;
	bool has_grant; /* the grant that comes next is in the three below */
	struct key_id grant_key;
	char pattern[REGISTRY_PATTERN_MAX];
	struct policy_grant grant;
	/* Grants of the key that is being read. */
	size_t n;
	struct policy_grant of_key[REGISTRY_GRANTS_MAX];
	char patterns[REGISTRY_GRANTS_MAX][REGISTRY_PATTERN_MAX];
};

static void
reader_free(struct reader *reader)
{
	if (reader == NULL)
		return;
	db_rows_free(reader->keys);
	db_rows_free(reader->grants);
	free(reader);
}

SCOPED_RELEASE(reader_free, struct reader *);

#define OF_KEYS "SELECT id, alg, pool, spki, state, grp FROM key"
#define OF_GRANTS                                                              \
	"SELECT key, pattern, contexts, rate, burst, beyond FROM grant_"

static STATUS
reader_open(
    struct db_tx *tx, const struct key_id *only, struct reader **ret_reader)
{
	scoped(reader_free) struct reader *reader = calloc(1, sizeof(*reader));
	struct db_value id = { 0 };
	struct status st;

	if (reader == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	if (only != NULL)
		id = value_key(only);
	st = db_query(tx, &reader->keys,
	    only == NULL ? OF_KEYS " ORDER BY id" : OF_KEYS " WHERE id = ?",
	    &id, only == NULL ? 0 : 1);
	if (!failed(st))
		st = db_query(tx, &reader->grants,
		    only == NULL ? OF_GRANTS " ORDER BY key"
				 : OF_GRANTS " WHERE key = ?",
		    &id, only == NULL ? 0 : 1);
	if (failed(st))
		return st;
	*ret_reader = reader;
	reader = NULL;
	return st;
}

static void
take_grant(struct db_rows *rows, int column, struct policy_grant *grant)
{
	grant->contexts = (unsigned)db_column_int(rows, column);
	grant->budget.rate_per_s = (uint32_t)db_column_int(rows, column + 1);
	grant->budget.burst = (uint32_t)db_column_int(rows, column + 2);
	grant->beyond_group = db_column_int(rows, column + 3) != 0;
}

static STATUS
next_grant(struct reader *reader)
{
	struct status st = db_next(reader->grants, &reader->has_grant);

	if (failed(st) || !reader->has_grant)
		return st;
	if (!registry_take_id(reader->grants, 0, &reader->grant_key) ||
	    !db_column_text(
		reader->grants, 1, reader->pattern, sizeof(reader->pattern)))
		return registry_damaged_row();
	take_grant(reader->grants, 2, &reader->grant);
	return st;
}

/* All grants of this key, which are those that come next. */
static STATUS
grants_of(struct reader *reader, const struct key_id *id)
{
	struct status st = status_ok();

	reader->n = 0;
	while (!failed(st) && reader->has_grant &&
	       memcmp(reader->grant_key.at, id->at, KEY_ID_LEN) <= 0) {
		if (!key_id_equal(&reader->grant_key, id))
			return registry_damaged_row();
		if (reader->n == REGISTRY_GRANTS_MAX)
			return registry_damaged_row();
		memcpy(reader->patterns[reader->n], reader->pattern,
		    sizeof(reader->pattern));
		reader->of_key[reader->n] = reader->grant;
		reader->of_key[reader->n].pattern = reader->patterns[reader->n];
		reader->n++;
		st = next_grant(reader);
	}
	return st;
}

static enum policy_state
state_of(int64_t state)
{
	switch ((enum key_state)state) {
	case KEY_ACTIVE:
		return POLICY_ACTIVE;
	case KEY_SUSPENDED:
		return POLICY_SUSPENDED;
	case KEY_SCHEDULED:
		return POLICY_SCHEDULED;
	case KEY_DESTROYED:
	default:
		return POLICY_DESTROYED;
	}
}

static size_t
pool_index(const struct policy_pool *pools, size_t n_pools, const char *name)
{
	size_t i = 0;

	while (i < n_pools && strcmp(pools[i].name, name) != 0)
		i++;
	return i;
}

/* What a row of OF_KEYS holds; texts and octets are in the caller's. */
struct key_row {
	struct policy_key key;
	char pool[REGISTRY_POOL_MAX], group[REGISTRY_GROUP_MAX];
	uint8_t spki[REGISTRY_SPKI_MAX];
};

static bool
take_row(struct db_rows *rows, struct key_row *row)
{
	int64_t alg = db_column_int(rows, 1);

	row->key = (struct policy_key){ .alg = (enum key_alg)alg,
		.spki.at = row->spki,
		.state = state_of(db_column_int(rows, 4)),
		.group = row->group };
	return registry_take_id(rows, 0, &row->key.id) && alg > KEY_ALG_NONE &&
	       alg <= KEY_ALG_ED25519 &&
	       db_column_text(rows, 2, row->pool, sizeof(row->pool)) &&
	       registry_take_blob(
		   rows, 3, row->spki, sizeof(row->spki), &row->key.spki.len) &&
	       db_column_text(rows, 5, row->group, sizeof(row->group));
}

/* Keys into the draft; those of pools that are not configured stay out. */
static STATUS
draft_keys(struct db_tx *tx, const struct policy_pool *pools, size_t n_pools,
    const struct key_id *only, struct policy_draft *draft)
{
	scoped(reader_free) struct reader *reader = NULL;
	struct status st = reader_open(tx, only, &reader);
	bool more = true;

	if (!failed(st))
		st = next_grant(reader);
	while (!failed(st)) {
		struct key_row row;
		size_t pool;

		st = db_next(reader->keys, &more);
		if (failed(st) || !more)
			break;
		if (!take_row(reader->keys, &row))
			return registry_damaged_row();
		st = grants_of(reader, &row.key.id);
		pool = pool_index(pools, n_pools, row.pool);
		if (failed(st) || pool == n_pools)
			continue;
		row.key.pool = (unsigned)pool;
		st = policy_draft_key(
		    draft, &row.key, reader->of_key, reader->n);
	}
	return st;
}

/* ---- rules ---- */

#define OF_GROUPS                                                              \
	"SELECT grp, pattern, contexts, rate, burst, beyond FROM group_grant"
/* Edges are invited into their groups before they enroll. */
#define OF_EDGES                                                               \
	"SELECT name, grp FROM identity WHERE role = ?1 AND grp <> ?2"         \
	" UNION SELECT name, grp FROM invite WHERE role = ?1 AND grp <> ?2"    \
	" AND used_s IS NULL AND name NOT IN"                                  \
	" (SELECT name FROM identity WHERE role = ?1)"
#define OF_QUARANTINE "SELECT name, role FROM quarantine"

/* Two texts of a row, which its policy struct points to. */
struct texts {
	char a[REGISTRY_PATTERN_MAX], b[REGISTRY_PATTERN_MAX];
};

struct lists {
	size_t n_texts;
	struct texts *texts;
	struct policy_grant *grants;
	struct policy_edge *edges;
	struct policy_member *members;
	struct policy_rules rules;
};

static inline void
scoped_lists_done(struct lists *lists)
{
	free(lists->texts);
	free(lists->grants);
	free(lists->edges);
	free(lists->members);
}

static STATUS
make_room(struct db_tx *tx, struct lists *lists)
{
	const struct db_value values[] = { db_int(ROLE_EDGE),
		db_text(POLICY_EDGE_GROUP) };
	int64_t grants = 0, edges = 0, members = 0;
	struct status st = db_number(
	    tx, &grants, "SELECT count(*) FROM (" OF_GROUPS ")", DB_NONE);

	if (!failed(st))
		st = db_number(tx, &edges,
		    "SELECT count(*) FROM (" OF_EDGES ")", values, 2);
	if (!failed(st))
		st = db_number(tx, &members,
		    "SELECT count(*) FROM (" OF_QUARANTINE ")", DB_NONE);
	if (failed(st))
		return st;
	lists->texts = calloc(
	    (size_t)(grants + edges + members) + 1, sizeof(*lists->texts));
	lists->grants = calloc((size_t)grants + 1, sizeof(*lists->grants));
	lists->edges = calloc((size_t)edges + 1, sizeof(*lists->edges));
	lists->members = calloc((size_t)members + 1, sizeof(*lists->members));
	if (lists->texts == NULL || lists->grants == NULL ||
	    lists->edges == NULL || lists->members == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	lists->rules.grants = lists->grants;
	lists->rules.edges = lists->edges;
	lists->rules.quarantined = lists->members;
	return st;
}

/* The next row's first text, or two; NULL when they are not ours. */
static struct texts *
take_texts(struct lists *lists, struct db_rows *rows, int n)
{
	struct texts *texts = &lists->texts[lists->n_texts++];

	if (!db_column_text(rows, 0, texts->a, sizeof(texts->a)) ||
	    (n == 2 && !db_column_text(rows, 1, texts->b, sizeof(texts->b))))
		return NULL;
	return texts;
}

typedef bool (*take_fn)(struct lists *lists, struct db_rows *rows);

static bool
take_group_grant(struct lists *lists, struct db_rows *rows)
{
	struct policy_grant *grant = &lists->grants[lists->rules.n_grants++];
	const struct texts *texts = take_texts(lists, rows, 2);

	if (texts == NULL)
		return false;
	grant->key_group = texts->a;
	grant->pattern = texts->b;
	take_grant(rows, 2, grant);
	return true;
}

static bool
take_edge(struct lists *lists, struct db_rows *rows)
{
	struct policy_edge *edge = &lists->edges[lists->rules.n_edges++];
	const struct texts *texts = take_texts(lists, rows, 2);

	if (texts == NULL)
		return false;
	edge->name = texts->a;
	edge->group = texts->b;
	return true;
}

static bool
take_member(struct lists *lists, struct db_rows *rows)
{
	struct policy_member *member =
	    &lists->members[lists->rules.n_quarantined++];
	const struct texts *texts = take_texts(lists, rows, 1);

	if (texts == NULL)
		return false;
	member->name = texts->a;
	member->role = (enum role)db_column_int(rows, 1);
	return true;
}

static STATUS
take_all(struct db_tx *tx, struct lists *lists, take_fn take, const char *sql,
    const struct db_value *values, size_t n_values)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = db_query(tx, &rows, sql, values, n_values);
	bool row = true;

	while (!failed(st)) {
		st = db_next(rows, &row);
		if (failed(st) || !row)
			break;
		if (!take(lists, rows))
			return registry_damaged_row();
	}
	return st;
}

static STATUS
draft_rules(struct db_tx *tx, const struct policy_pool *pools, size_t n_pools,
    struct policy_draft *draft)
{
	scoped(lists_done) struct lists lists = {
		.rules = { .pools = pools, .n_pools = n_pools },
	};
	struct status st = make_room(tx, &lists);

	if (!failed(st))
		st = take_all(tx, &lists, take_group_grant, OF_GROUPS, DB_NONE);
	if (!failed(st))
		st = take_all(tx, &lists, take_edge, OF_EDGES,
		    DB_VALUES(db_int(ROLE_EDGE), db_text(POLICY_EDGE_GROUP)));
	if (!failed(st))
		st = take_all(tx, &lists, take_member, OF_QUARANTINE, DB_NONE);
	return failed(st) ? st : policy_draft_rules(draft, &lists.rules);
}

/* ---- the whole ---- */

STATUS
registry_policy(struct registry *registry, const struct policy_pool *pools,
    size_t n_pools, struct policy *before, const struct key_id *only,
    struct policy **ret_policy)
{
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(policy_draft_free) struct policy_draft *draft = NULL;
	struct status st =
	    policy_draft_new(only == NULL ? NULL : before, &draft);

	if (failed(st))
		return st;
	st = db_read(registry->db, &tx);
	if (failed(st))
		return st;
	if (only != NULL)
		st = policy_draft_forget(draft, only);
	if (!failed(st))
		st = draft_keys(tx, pools, n_pools, only, draft);
	if (!failed(st) && only == NULL)
		st = draft_rules(tx, pools, n_pools, draft);
	if (failed(st))
		return st;
	*ret_policy = policy_draft_done(draft);
	draft = NULL;
	return st;
}

STATUS
registry_policy_rules(struct registry *registry,
    const struct policy_pool *pools, size_t n_pools, struct policy *before,
    struct policy **ret_policy)
{
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(policy_draft_free) struct policy_draft *draft = NULL;
	struct status st = policy_draft_new(before, &draft);

	if (failed(st))
		return st;
	st = db_read(registry->db, &tx);
	if (failed(st))
		return st;
	st = draft_rules(tx, pools, n_pools, draft);
	if (failed(st))
		return st;
	*ret_policy = policy_draft_done(draft);
	draft = NULL;
	return st;
}
