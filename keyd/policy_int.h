/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_POLICY_INT_H
#define KEYD_POLICY_INT_H

#include <stdatomic.h>

#include "keyd/policy.h"

/*
 * A policy's parts, between policy.c and policy_draft.c.  Keys hang in shards
 * by their id; shards, and the keys in them, are counted and never change once
 * the policy is made, so that two snapshots share all but what sets them apart.
 */

#define POLICY_SHARDS 4096
#define POLICY_CONTEXTS_ALL ((1u << CONTEXT_END_) - 2)

struct grant {
	unsigned contexts;
	bool beyond_group;
	struct policy_budget budget;
	char pattern[SPIFFE_NAME_MAX + 16];
};

struct key {
	atomic_uint refs;
	struct policy_key key; /* its spki and group are this key's own */
	char group[POLICY_GROUP_MAX];
	unsigned contexts; /* of all its own grants */
	size_t n_grants;
	struct grant grants[]; /* the SPKI comes after */
};

/* A hash table with open addressing, never more than half full. */
struct shard {
	atomic_uint refs;
	size_t n, mask;
	struct key *slots[];
};

/* Grants on a key group: a slice of struct rules' grants. */
struct group {
	char name[POLICY_GROUP_MAX];
	unsigned contexts; /* of all of them */
	size_t first, n;
};

struct edge {
	char name[SPIFFE_NAME_MAX];
	char group[POLICY_GROUP_MAX];
};

struct member {
	enum role role;
	char name[SPIFFE_NAME_MAX];
};

/* Each list is sorted by what it is searched for. */
struct rules {
	atomic_uint refs;
	size_t n_pools;
	struct policy_pool *pools; /* their texts are in texts */
	char *texts;
	const char **lists;
	size_t n_grants;
	struct grant *grants;
	size_t n_groups;
	struct group *groups;
	size_t n_edges;
	struct edge *edges;
	size_t n_quarantined;
	struct member *quarantined;
};

struct policy {
	atomic_uint refs;
	size_t n_keys;
	struct rules *rules; /* NULL: none */
	struct shard *shards[POLICY_SHARDS];
};

/* Key ids are hashes already: their octets spread evenly. */
static inline size_t
shard_of(const struct key_id *id)
{
	return ((size_t)id->at[0] << 8 | id->at[1]) % POLICY_SHARDS;
}

static inline size_t
slot_of(const struct shard *shard, const struct key_id *id)
{
	uint64_t word;

	memcpy(&word, id->at + 2, sizeof(word));
	return (size_t)word & shard->mask;
}

/* Where the key is, or the empty slot where it would go. */
static inline struct key *const *
shard_find(const struct shard *shard, const struct key_id *id)
{
	size_t at = slot_of(shard, id);

	while (shard->slots[at] != NULL &&
	       !key_id_equal(&shard->slots[at]->key.id, id))
		at = (at + 1) & shard->mask;
	return &shard->slots[at];
}

#endif
