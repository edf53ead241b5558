/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policies in the making.  A draft holds references on all shards and rules of
 * the policy before it; to change a key it makes that key and its shard anew,
 * some two dozen pointers of 100,000 keys, and leaves the others shared.  It
 * refuses patterns, contexts and names that are not well formed, so that a
 * policy in force never has to wonder.
 */

#include <stdlib.h>
#include <string.h>

#include "keyd/policy.h"
#include "keyd/policy_int.h"

struct policy_draft {
	struct policy *policy;
};

static struct status
no_memory(void)
{
	return status_fail(STATUS_RESOURCE_EXHAUSTED,
	    "no memory for the table of keys and grants");
}

static bool
drop(atomic_uint *refs)
{
	return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

static void
hold(atomic_uint *refs)
{
	atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

/* ---- keys and shards ---- */

static void
key_unref(struct key *key)
{
	if (key != NULL && drop(&key->refs))
		free(key);
}

static void
shard_unref(struct shard *shard)
{
	if (shard == NULL || !drop(&shard->refs))
		return;
	for (size_t i = 0; i <= shard->mask; i++)
		key_unref(shard->slots[i]);
	free(shard);
}

/* A shard with room for n keys; NULL when memory ends. */
static struct shard *
shard_new(size_t n)
{
	size_t slots = 2;
	struct shard *shard;

	while (slots < 2 * n)
		slots *= 2;
	shard = calloc(1, sizeof(*shard) + slots * sizeof(shard->slots[0]));
	if (shard == NULL)
		return NULL;
	atomic_init(&shard->refs, 1);
	shard->mask = slots - 1;
	return shard;
}

/* Takes the reference; there is room, and no such key. */
static void
shard_add(struct shard *shard, struct key *key)
{
	size_t at = slot_of(shard, &key->key.id);

	while (shard->slots[at] != NULL)
		at = (at + 1) & shard->mask;
	shard->slots[at] = key;
	shard->n++;
}

/*
 * The shard as it was, with room for n more keys and without this one.  It
 * takes the old one's place in the draft, which the caller sees to.
 */
static struct shard *
shard_without(const struct shard *old, const struct key_id *id, size_t n)
{
	struct shard *shard = shard_new((old == NULL ? 0 : old->n) + n);

	if (shard == NULL || old == NULL)
		return shard;
	for (size_t i = 0; i <= old->mask; i++) {
		struct key *key = old->slots[i];

		if (key == NULL || key_id_equal(&key->key.id, id))
			continue;
		hold(&key->refs);
		shard_add(shard, key);
	}
	return shard;
}

static bool
pattern_ok(const struct policy_grant *grant)
{
	return spiffe_pattern_ok(grant->pattern) &&
	       strlen(grant->pattern) < sizeof(((struct grant *)0)->pattern) &&
	       (grant->contexts & ~POLICY_CONTEXTS_ALL) == 0;
}

static void
grant_fill(struct grant *grant, const struct policy_grant *from)
{
	grant->contexts = from->contexts;
	grant->beyond_group = from->beyond_group;
	grant->budget = from->budget;
	memcpy(grant->pattern, from->pattern, strlen(from->pattern) + 1);
}

static STATUS
key_new(const struct policy_key *from, const struct policy_grant *grants,
    size_t n_grants, struct key **ret_key)
{
	const char *group = from->group == NULL ? "" : from->group;
	struct key *key;
	uint8_t *spki;

	if (strlen(group) >= sizeof(key->group))
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "a key group's name is too long");
	for (size_t i = 0; i < n_grants; i++)
		if (!pattern_ok(&grants[i]))
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "a grant's identity must be role/name, "
			    "role/prefix* or edge/@group, its contexts those "
			    "that exist");
	key = calloc(1,
	    sizeof(*key) + n_grants * sizeof(key->grants[0]) + from->spki.len);
	if (key == NULL)
		return no_memory();
	atomic_init(&key->refs, 1);
	memcpy(key->group, group, strlen(group) + 1);
	key->n_grants = n_grants;
	for (size_t i = 0; i < n_grants; i++) {
		grant_fill(&key->grants[i], &grants[i]);
		key->contexts |= grants[i].contexts;
	}
	spki = (uint8_t *)&key->grants[n_grants];
	if (from->spki.len > 0)
		memcpy(spki, from->spki.at, from->spki.len);
	key->key = *from;
	key->key.spki.at = spki;
	key->key.group = key->group;
	*ret_key = key;
	return status_ok();
}

/* The draft's shard for this key, its own, without the key and with room for
 * n more; NULL when memory ends. */
static struct shard *
own_shard(struct policy_draft *draft, const struct key_id *id, size_t n)
{
	struct shard **at = &draft->policy->shards[shard_of(id)], *made;

	if (*at != NULL && atomic_load(&(*at)->refs) == 1 &&
	    *shard_find(*at, id) == NULL &&
	    2 * ((*at)->n + n) <= (*at)->mask + 1)
		return *at;
	made = shard_without(*at, id, n);
	if (made == NULL)
		return NULL;
	draft->policy->n_keys += made->n;
	draft->policy->n_keys -= *at == NULL ? 0 : (*at)->n;
	shard_unref(*at);
	*at = made;
	return made;
}

STATUS
policy_draft_key(struct policy_draft *draft, const struct policy_key *from,
    const struct policy_grant *grants, size_t n_grants)
{
	struct key *key = NULL;
	struct status st = key_new(from, grants, n_grants, &key);
	struct shard *shard;

	if (failed(st))
		return st;
	shard = own_shard(draft, &from->id, 1);
	if (shard == NULL) {
		key_unref(key);
		return no_memory();
	}
	shard_add(shard, key);
	draft->policy->n_keys++;
	return st;
}

STATUS
policy_draft_forget(struct policy_draft *draft, const struct key_id *id)
{
	const struct shard *shard = draft->policy->shards[shard_of(id)];

	if (shard == NULL || *shard_find(shard, id) == NULL)
		return status_ok();
	return own_shard(draft, id, 0) == NULL ? no_memory() : status_ok();
}

/* ---- rules ---- */

static void
rules_unref(struct rules *rules)
{
	if (rules == NULL || !drop(&rules->refs))
		return;
	free(rules->pools);
	free(rules->texts);
	free(rules->lists);
	free(rules->grants);
	free(rules->groups);
	free(rules->edges);
	free(rules->quarantined);
	free(rules);
}

static inline void
scoped_rules_unref(struct rules **at)
{
	rules_unref(*at);
}

/* Pools, with copies of their texts one after the other. */
static STATUS
take_pools(struct rules *rules, const struct policy_rules *from)
{
	size_t texts = 0, lists = 0;
	char *text;

	for (size_t p = 0; p < from->n_pools; p++) {
		lists += from->pools[p].n_edge_groups;
		for (size_t g = 0; g < from->pools[p].n_edge_groups; g++)
			texts += strlen(from->pools[p].edge_groups[g]) + 1;
	}
	rules->pools = calloc(from->n_pools + 1, sizeof(rules->pools[0]));
	rules->texts = calloc(texts + 1, 1);
	rules->lists = calloc(lists + 1, sizeof(rules->lists[0]));
	if (rules->pools == NULL || rules->texts == NULL ||
	    rules->lists == NULL)
		return no_memory();
	text = rules->texts;
	lists = 0;
	for (size_t p = 0; p < from->n_pools; p++) {
		const struct policy_pool *pool = &from->pools[p];

		rules->pools[p].edge_groups = &rules->lists[lists];
		rules->pools[p].n_edge_groups = pool->n_edge_groups;
		for (size_t g = 0; g < pool->n_edge_groups; g++) {
			size_t len = strlen(pool->edge_groups[g]) + 1;

			memcpy(text, pool->edge_groups[g], len);
			rules->lists[lists++] = text;
			text += len;
		}
	}
	rules->n_pools = from->n_pools;
	return status_ok();
}

static int
by_key_group(const void *a, const void *b)
{
	const struct policy_grant *left = a, *right = b;

	return strcmp(left->key_group, right->key_group);
}

/* Sorted, and cut into groups. */
static STATUS
fill_groups(struct rules *rules, const struct policy_grant *sorted, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct group *group = rules->n_groups == 0
					  ? NULL
					  : &rules->groups[rules->n_groups - 1];

		if (!pattern_ok(&sorted[i]) ||
		    strlen(sorted[i].key_group) >= sizeof(group->name))
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "a grant on a key group is malformed");
		if (group == NULL ||
		    strcmp(group->name, sorted[i].key_group) != 0) {
			group = &rules->groups[rules->n_groups++];
			memcpy(group->name, sorted[i].key_group,
			    strlen(sorted[i].key_group) + 1);
			group->first = i;
		}
		grant_fill(&rules->grants[i], &sorted[i]);
		group->contexts |= sorted[i].contexts;
		group->n++;
	}
	rules->n_grants = n;
	return status_ok();
}

static STATUS
take_grants(struct rules *rules, const struct policy_rules *from)
{
	const size_t n = from->n_grants;
	scoped(free) struct policy_grant *sorted =
	    calloc(n + 1, sizeof(*sorted));

	rules->grants = calloc(n + 1, sizeof(rules->grants[0]));
	rules->groups = calloc(n + 1, sizeof(rules->groups[0]));
	if (sorted == NULL || rules->grants == NULL || rules->groups == NULL)
		return no_memory();
	if (n > 0) {
		memcpy(sorted, from->grants, n * sizeof(*sorted));
		qsort(sorted, n, sizeof(*sorted), by_key_group);
	}
	return fill_groups(rules, sorted, n);
}

static int
by_name(const void *a, const void *b)
{
	const struct edge *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static int
by_role_and_name(const void *a, const void *b)
{
	const struct member *left = a, *right = b;

	if (left->role != right->role)
		return left->role < right->role ? -1 : 1;
	return strcmp(left->name, right->name);
}

static struct status
name_too_long(void)
{
	return status_fail(
	    STATUS_INVALID_ARGUMENT, "a name in the policy is too long");
}

static STATUS
take_members(struct rules *rules, const struct policy_rules *from)
{
	const size_t n_edges = from->n_edges, n_out = from->n_quarantined;

	rules->edges = calloc(n_edges + 1, sizeof(rules->edges[0]));
	rules->quarantined = calloc(n_out + 1, sizeof(rules->quarantined[0]));
	if (rules->edges == NULL || rules->quarantined == NULL)
		return no_memory();
	for (size_t i = 0; i < n_edges; i++) {
		struct edge *edge = &rules->edges[i];

		if (strlen(from->edges[i].name) >= sizeof(edge->name) ||
		    strlen(from->edges[i].group) >= sizeof(edge->group))
			return name_too_long();
		memcpy(edge->name, from->edges[i].name,
		    strlen(from->edges[i].name) + 1);
		memcpy(edge->group, from->edges[i].group,
		    strlen(from->edges[i].group) + 1);
	}
	for (size_t i = 0; i < n_out; i++) {
		struct member *member = &rules->quarantined[i];

		if (strlen(from->quarantined[i].name) >= sizeof(member->name))
			return name_too_long();
		member->role = from->quarantined[i].role;
		memcpy(member->name, from->quarantined[i].name,
		    strlen(from->quarantined[i].name) + 1);
	}
	rules->n_edges = n_edges;
	rules->n_quarantined = n_out;
	qsort(rules->edges, n_edges, sizeof(rules->edges[0]), by_name);
	qsort(rules->quarantined, n_out, sizeof(rules->quarantined[0]),
	    by_role_and_name);
	return status_ok();
}

STATUS
policy_draft_rules(struct policy_draft *draft, const struct policy_rules *from)
{
	scoped(rules_unref) struct rules *rules = calloc(1, sizeof(*rules));
	struct status st;

	if (rules == NULL)
		return no_memory();
	atomic_init(&rules->refs, 1);
	st = take_pools(rules, from);
	if (!failed(st))
		st = take_grants(rules, from);
	if (!failed(st))
		st = take_members(rules, from);
	if (failed(st))
		return st;
	rules_unref(draft->policy->rules);
	draft->policy->rules = rules;
	rules = NULL;
	return st;
}

/* ---- the whole ---- */

STATUS
policy_draft_new(struct policy *before, struct policy_draft **ret_draft)
{
	scoped(policy_draft_free) struct policy_draft *draft =
	    calloc(1, sizeof(*draft));
	struct policy *policy;

	if (draft == NULL)
		return no_memory();
	draft->policy = policy = calloc(1, sizeof(*policy));
	if (policy == NULL)
		return no_memory();
	atomic_init(&policy->refs, 1);
	if (before != NULL) {
		policy->n_keys = before->n_keys;
		policy->rules = before->rules;
		memcpy(policy->shards, before->shards, sizeof(policy->shards));
		if (policy->rules != NULL)
			hold(&policy->rules->refs);
		for (size_t i = 0; i < POLICY_SHARDS; i++)
			if (policy->shards[i] != NULL)
				hold(&policy->shards[i]->refs);
	}
	*ret_draft = draft;
	draft = NULL;
	return status_ok();
}

struct policy *
policy_draft_done(struct policy_draft *draft)
{
	struct policy *policy = draft->policy;

	free(draft);
	return policy;
}

void
policy_draft_free(struct policy_draft *draft)
{
	if (draft == NULL)
		return;
	policy_unref(draft->policy);
	free(draft);
}

struct policy *
policy_ref(struct policy *policy)
{
	hold(&policy->refs);
	return policy;
}

void
policy_unref(struct policy *policy)
{
	if (policy == NULL || !drop(&policy->refs))
		return;
	for (size_t i = 0; i < POLICY_SHARDS; i++)
		shard_unref(policy->shards[i]);
	rules_unref(policy->rules);
	free(policy);
}
