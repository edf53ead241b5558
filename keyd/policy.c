/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who may sign what: a hash table of keys, each with its own short list of
 * grants.  Built once, never changed after; so it is read without a lock by
 * every lane.  It denies unless a grant names the peer, the key and the
 * context, and it denies raw signatures outright on a key that serves TLS,
 * since the octets of a raw signature could be anyone's handshake.
 */

#include "keyd/policy.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXTS_ALL ((1u << CONTEXT_END_) - 2)
#define CONTEXTS_TLS                                                           \
	(1u << CONTEXT_TLS13_SERVER | 1u << CONTEXT_TLS12_SERVER_ECDHE |       \
	    1u << CONTEXT_TLS13_CLIENT)
#define EMPTY UINT32_MAX

struct grant {
	size_t key; /* index into keys */
	unsigned contexts;
	char pattern[SPIFFE_NAME_MAX + 16];
};

struct key {
	struct policy_key key;
	size_t first_grant, n_grants;
	unsigned contexts; /* of all its grants */
};

struct policy {
	atomic_uint refs;
	size_t n_keys, mask;
	struct key *keys;
	struct grant *grants; /* sorted by key */
	uint32_t *slots;      /* indexes into keys, mask + 1 of them */
	uint8_t *spkis;
};

/* Key ids are hashes already: their first octets spread evenly. */
static size_t
slot_of(const struct policy *policy, const struct key_id *id)
{
	uint64_t word;

	memcpy(&word, id->at, sizeof(word));
	return (size_t)word & policy->mask;
}

static struct key *
find(const struct policy *policy, const struct key_id *id)
{
	size_t at = slot_of(policy, id);

	while (policy->slots[at] != EMPTY) {
		struct key *key = &policy->keys[policy->slots[at]];

		if (key_id_equal(&key->key.id, id))
			return key;
		at = (at + 1) & policy->mask;
	}
	return NULL;
}

static STATUS
add_keys(struct policy *policy, const struct policy_key *keys, size_t n_keys)
{
	uint8_t *spki = policy->spkis;

	for (size_t i = 0; i < n_keys; i++) {
		size_t at = slot_of(policy, &keys[i].id);
		struct policy_key *copy = &policy->keys[i].key;

		if (find(policy, &keys[i].id) != NULL)
			return status_fail(
			    STATUS_INVALID_ARGUMENT, "a key is listed twice");
		*copy = keys[i];
		if (copy->spki.len > 0)
			memcpy(spki, keys[i].spki.at, copy->spki.len);
		copy->spki.at = spki;
		spki += copy->spki.len;
		while (policy->slots[at] != EMPTY)
			at = (at + 1) & policy->mask;
		policy->slots[at] = (uint32_t)i;
	}
	return status_ok();
}

static int
by_key(const void *a, const void *b)
{
	const struct grant *left = a, *right = b;

	return (left->key > right->key) - (left->key < right->key);
}

static STATUS
add_grants(
    struct policy *policy, const struct policy_grant *grants, size_t n_grants)
{
	for (size_t i = 0; i < n_grants; i++) {
		struct key *key = find(policy, &grants[i].key);
		struct grant *grant = &policy->grants[i];

		if (key == NULL)
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "a grant names a key that is not listed");
		if (!spiffe_pattern_ok(grants[i].pattern) ||
		    strlen(grants[i].pattern) >= sizeof(grant->pattern))
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "a grant's identity must be role/name or "
			    "role/prefix*");
		if ((grants[i].contexts & ~CONTEXTS_ALL) != 0)
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "a grant names a context that does not exist");
		grant->key = (size_t)(key - policy->keys);
		grant->contexts = grants[i].contexts;
		memcpy(grant->pattern, grants[i].pattern,
		    strlen(grants[i].pattern) + 1);
		key->contexts |= grant->contexts;
	}
	if (n_grants > 0)
		qsort(policy->grants, n_grants, sizeof(policy->grants[0]),
		    by_key);
	for (size_t i = n_grants; i-- > 0;) {
		struct key *key = &policy->keys[policy->grants[i].key];

		key->first_grant = i;
		key->n_grants++;
	}
	return status_ok();
}

/* All the memory a policy will need; NULL when there is none. */
static struct policy *
allocate(const struct policy_key *keys, size_t n_keys, size_t n_grants)
{
	struct policy *policy = calloc(1, sizeof(*policy));
	size_t spkis = 0, n_slots = 8;

	if (policy == NULL)
		return NULL;
	atomic_init(&policy->refs, 1);
	while (n_slots < 2 * n_keys)
		n_slots *= 2;
	for (size_t i = 0; i < n_keys; i++)
		spkis += keys[i].spki.len;
	policy->n_keys = n_keys;
	policy->mask = n_slots - 1;
	policy->keys = calloc(n_keys + 1, sizeof(policy->keys[0]));
	policy->grants = calloc(n_grants + 1, sizeof(policy->grants[0]));
	policy->slots = malloc(n_slots * sizeof(policy->slots[0]));
	policy->spkis = malloc(spkis + 1);
	if (policy->keys == NULL || policy->grants == NULL ||
	    policy->slots == NULL || policy->spkis == NULL) {
		policy_unref(policy);
		return NULL;
	}
	memset(policy->slots, 0xff, n_slots * sizeof(policy->slots[0]));
	return policy;
}

STATUS
policy_new(const struct policy_key *keys, size_t n_keys,
    const struct policy_grant *grants, size_t n_grants,
    struct policy **ret_policy)
{
	scoped(policy_unref) struct policy *policy = NULL;
	struct status st;

	if (n_keys >= EMPTY / 2)
		return status_fail(STATUS_INVALID_ARGUMENT, "too many keys");
	policy = allocate(keys, n_keys, n_grants);
	if (policy == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "no memory for the table of keys and grants");
	st = add_keys(policy, keys, n_keys);
	if (failed(st))
		return st;
	st = add_grants(policy, grants, n_grants);
	if (failed(st))
		return st;
	*ret_policy = policy;
	policy = NULL;
	return status_ok();
}

struct policy *
policy_ref(struct policy *policy)
{
	atomic_fetch_add_explicit(&policy->refs, 1, memory_order_relaxed);
	return policy;
}

void
policy_unref(struct policy *policy)
{
	if (policy == NULL || atomic_fetch_sub_explicit(
				  &policy->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(policy->keys);
	free(policy->grants);
	free(policy->slots);
	free(policy->spkis);
	free(policy);
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
	return status_fail(STATUS_PERMISSION_DENIED,
	    "no grant lets this identity use this key");
}

STATUS
policy_check(const struct policy *policy, const struct spiffe *peer,
    const struct key_id *id, enum sign_context context,
    const struct policy_key **ret_key)
{
	const struct key *key = find(policy, id);
	const struct grant *grants;
	unsigned granted = 0;

	if (key == NULL)
		return unknown_key(peer);
	grants = &policy->grants[key->first_grant];
	for (size_t i = 0; i < key->n_grants; i++) {
		if (spiffe_matches(peer, grants[i].pattern))
			granted |= grants[i].contexts;
	}
	if (granted == 0)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "no grant lets this identity use this key");
	if (context <= CONTEXT_NONE || context >= CONTEXT_END_)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "name the context that the signature is for");
	if ((granted & 1u << context) == 0)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "this identity's grant on the key leaves this context out");
	if (context == CONTEXT_RAW && (key->contexts & CONTEXTS_TLS) != 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "raw signatures are refused on a key granted for TLS: use "
		    "a "
		    "key of its own");
	*ret_key = &key->key;
	return status_ok();
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

struct policy_slot {
	pthread_mutex_t lock; /* guards current */
	struct policy *current;
};

struct policy_slot *
policy_slot_new(void)
{
	struct policy_slot *slot = calloc(1, sizeof(*slot));

	if (slot == NULL)
		return NULL;
	if (failed(policy_new(NULL, 0, NULL, 0, &slot->current))) {
		free(slot);
		return NULL;
	}
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
