/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who may sign what, asked.  A policy is built once (policy_draft.c) and never
 * changed after; so it is read without a lock by every lane.  It denies unless
 * a grant names the peer, the key and the context; it denies what a grant
 * allows to a quarantined identity, to an edge of a group that the key's pool
 * does not serve, with a key that is not active; and it denies raw signatures
 * outright on a key that serves TLS, since the octets of a raw signature could
 * be anyone's handshake.
 */

#include "keyd/policy.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "keyd/policy_int.h"

#define BIT(context) (1u << (context))
#define CONTEXTS_TLS                                                           \
	(BIT(CONTEXT_TLS13_SERVER) | BIT(CONTEXT_TLS12_SERVER_ECDHE) |         \
	    BIT(CONTEXT_TLS13_CLIENT))

static const char NO_GRANT[] = "no grant lets this identity use this key";

static const struct key *
find(const struct policy *policy, const struct key_id *id)
{
	const struct shard *shard = policy->shards[shard_of(id)];

	return shard == NULL ? NULL : *shard_find(shard, id);
}

/*
 * An edge hears the same whether the key is unknown or only not its own, so
 * that it cannot find out which keys exist.
 */
static struct status
unknown_key(const struct spiffe *peer)
{
	if (peer->role == ROLE_OPERATOR || peer->role == ROLE_AUDITOR ||
	    peer->role == ROLE_CERTD)
		return status_fail(STATUS_NOT_FOUND,
		    "keyd knows no key with this id; see holdfast key list");
	return status_fail(STATUS_PERMISSION_DENIED, NO_GRANT);
}

/* ---- rules ---- */

static int
compare_member(const void *id, const void *with)
{
	const struct spiffe *wanted = id;
	const struct member *member = with;

	if (wanted->role != member->role)
		return wanted->role < member->role ? -1 : 1;
	return strcmp(wanted->name, member->name);
}

STATUS
policy_check_standing(const struct policy *policy, const struct spiffe *id)
{
	const struct rules *rules = policy->rules;

	if (rules != NULL && rules->n_quarantined > 0 &&
	    bsearch(id, rules->quarantined, rules->n_quarantined,
		sizeof(rules->quarantined[0]), compare_member) != NULL)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "this identity is quarantined: an operator can let it in "
		    "again with 'holdfast edge release'");
	return status_ok();
}

static int
compare_edge(const void *name, const void *with)
{
	return strcmp(name, ((const struct edge *)with)->name);
}

/* NULL for who is no edge: only edges are in groups. */
static const char *
edge_group_of(const struct rules *rules, const struct spiffe *peer)
{
	const struct edge *found = NULL;

	if (peer->role != ROLE_EDGE)
		return NULL;
	if (rules != NULL)
		found = bsearch(peer->name, rules->edges, rules->n_edges,
		    sizeof(rules->edges[0]), compare_edge);
	return found == NULL ? POLICY_EDGE_GROUP : found->group;
}

bool
policy_group_ok(const char *name)
{
	static const char CHARS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789._-";
	const size_t len = strlen(name);

	return len > 0 && len < POLICY_GROUP_MAX && strspn(name, CHARS) == len;
}

bool
policy_pool_serves(const struct policy_pool *pool, const char *edge_group)
{
	for (size_t i = 0; i < pool->n_edge_groups; i++)
		if (strcmp(pool->edge_groups[i], edge_group) == 0)
			return true;
	return pool->n_edge_groups == 0;
}

/* Does the key's pool serve this peer?  Pools tell edges apart, nobody else:
 * edge_group is NULL for others. */
static bool
is_served(
    const struct rules *rules, const struct key *key, const char *edge_group)
{
	if (rules == NULL || key->key.pool >= rules->n_pools ||
	    edge_group == NULL)
		return true;
	return policy_pool_serves(&rules->pools[key->key.pool], edge_group);
}

static int
compare_group(const void *name, const void *with)
{
	return strcmp(name, ((const struct group *)with)->name);
}

static const struct group *
group_of(const struct rules *rules, const struct key *key)
{
	if (rules == NULL || key->group[0] == 0)
		return NULL;
	return bsearch(key->group, rules->groups, rules->n_groups,
	    sizeof(rules->groups[0]), compare_group);
}

/* ---- the check ---- */

/* What grants add up to for one peer, key and context. */
struct tally {
	const struct spiffe *peer;
	const char *edge_group; /* NULL: the peer is no edge */
	unsigned context_bit;
	bool is_served;
	unsigned contexts; /* granted */
	bool is_outside;   /* something matched that the pool does not serve */
	bool has_budget;   /* budget is set */
	struct policy_budget budget;
};

static bool
is_more(struct policy_budget a, struct policy_budget b)
{
	if (a.rate_per_s == 0 || b.rate_per_s == 0)
		return a.rate_per_s == 0;
	if (a.rate_per_s != b.rate_per_s)
		return a.rate_per_s > b.rate_per_s;
	return a.burst > b.burst;
}

/* A name or a beginning of names, or the group that the peer is in now. */
static bool
grant_matches(const struct grant *grant, const struct tally *tally)
{
	const char *group = spiffe_pattern_group(grant->pattern);

	if (group == NULL)
		return spiffe_matches(tally->peer, grant->pattern);
	return tally->edge_group != NULL &&
	       strcmp(group, tally->edge_group) == 0;
}

static void
count(struct tally *tally, const struct grant *grants, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct grant *grant = &grants[i];

		if (!grant_matches(grant, tally))
			continue;
		if (!tally->is_served && !grant->beyond_group) {
			tally->is_outside = true;
			continue;
		}
		tally->contexts |= grant->contexts;
		if ((grant->contexts & tally->context_bit) != 0 &&
		    (!tally->has_budget ||
			is_more(grant->budget, tally->budget))) {
			tally->has_budget = true;
			tally->budget = grant->budget;
		}
	}
}

static STATUS
check_state(enum policy_state state)
{
	switch (state) {
	case POLICY_ACTIVE:
		return status_ok();
	case POLICY_SUSPENDED:
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this key is suspended: an operator can let it sign again "
		    "with 'holdfast key resume'");
	case POLICY_SCHEDULED:
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this key is going to be destroyed: an operator can stop "
		    "that with 'holdfast key cancel-destruction' and then "
		    "resume it");
	case POLICY_DESTROYED:
	default:
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this key has been destroyed: use another one");
	}
}

STATUS
policy_check(const struct policy *policy, const struct spiffe *peer,
    const struct key_id *id, enum sign_context context,
    struct policy_permit *ret_permit)
{
	const bool is_context =
	    context > CONTEXT_NONE && context < CONTEXT_END_;
	struct tally tally = { .peer = peer,
		.context_bit = is_context ? BIT(context) : 0 };
	struct status st = policy_check_standing(policy, peer);
	const struct key *key = find(policy, id);
	const struct group *group;
	unsigned contexts;

	if (failed(st))
		return st;
	if (key == NULL)
		return unknown_key(peer);
	tally.edge_group = edge_group_of(policy->rules, peer);
	tally.is_served = is_served(policy->rules, key, tally.edge_group);
	group = group_of(policy->rules, key);
	count(&tally, key->grants, key->n_grants);
	if (group != NULL)
		count(&tally, &policy->rules->grants[group->first], group->n);
	if (tally.contexts == 0 && tally.is_outside)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "the key's pool does not serve this edge's group: an "
		    "operator can move the edge with 'holdfast edge group', or "
		    "grant with --beyond-group");
	if (tally.contexts == 0)
		return status_fail(STATUS_PERMISSION_DENIED, NO_GRANT);
	if (!is_context)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "name the context that the signature is for");
	if ((tally.contexts & tally.context_bit) == 0)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "this identity's grant on the key leaves this context out");
	contexts = key->contexts | (group == NULL ? 0 : group->contexts);
	if (context == CONTEXT_RAW && (contexts & CONTEXTS_TLS) != 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "raw signatures are refused on a key granted for TLS: use "
		    "a key of its own");
	st = check_state(key->key.state);
	if (failed(st))
		return st;
	ret_permit->key = &key->key;
	ret_permit->budget = tally.budget;
	return st;
}

bool
policy_pool(
    const struct policy *policy, const struct key_id *id, unsigned *ret_pool)
{
	const struct key *key = find(policy, id);

	if (key == NULL)
		return false;
	*ret_pool = key->key.pool;
	return true;
}

size_t
policy_keys(const struct policy *policy)
{
	return policy->n_keys;
}

/* ---- the slot ---- */

struct policy_slot {
	pthread_mutex_t lock; /* guards current */
	struct policy *current;
};

struct policy_slot *
policy_slot_new(void)
{
	struct policy_slot *slot = calloc(1, sizeof(*slot));
	struct policy_draft *draft;

	if (slot == NULL)
		return NULL;
	if (failed(policy_draft_new(NULL, &draft))) {
		free(slot);
		return NULL;
	}
	slot->current = policy_draft_done(draft);
	pthread_mutex_init(&slot->lock, NULL);
	return slot;
}

void
policy_slot_free(struct policy_slot *slot)
{
	if (slot == NULL)
		return;
	policy_unref(slot->current);
	pthread_mutex_destroy(&slot->lock);
	free(slot);
}

void
policy_slot_swap(struct policy_slot *slot, struct policy *policy)
{
	struct policy *before;

	pthread_mutex_lock(&slot->lock);
	before = slot->current;
	slot->current = policy;
	pthread_mutex_unlock(&slot->lock);
	policy_unref(before);
}

struct policy *
policy_slot_get(struct policy_slot *slot)
{
	struct policy *policy;

	pthread_mutex_lock(&slot->lock);
	policy = policy_ref(slot->current);
	pthread_mutex_unlock(&slot->lock);
	return policy;
}
