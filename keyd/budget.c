/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Token buckets.  Each is one number: the time at which it will be full again
 * (the generic cell rate algorithm, ITU-T I.371), so a bucket whose time has
 * come holds nothing worth remembering and its place is used again.  Memory is
 * bounded and made at the start, in shards with a lock each; when a shard is
 * full of buckets that are all in use, further identities are refused rather
 * than let through uncounted.
 */

#include "keyd/budget.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define SHARDS 64
#define BUCKETS 1024 /* in each */
#define NONE UINT16_MAX

struct bucket {
	struct key_id key;
	enum role role;
	char name[SPIFFE_NAME_MAX];
	int64_t full_ns; /* monotonic: when it will be full */
	uint16_t next;   /* of its line, or of the free ones */
};

struct shard {
	pthread_mutex_t lock; /* guards all below */
	uint16_t lines[BUCKETS], unused;
	struct bucket buckets[BUCKETS];
};

struct budget {
	struct shard shards[SHARDS];
};

struct budget *
budget_new(void)
{
	struct budget *budget = calloc(1, sizeof(*budget));

	if (budget == NULL)
		return NULL;
	for (size_t s = 0; s < SHARDS; s++) {
		struct shard *shard = &budget->shards[s];

		pthread_mutex_init(&shard->lock, NULL);
		memset(shard->lines, 0xff, sizeof(shard->lines));
		for (uint16_t b = 0; b < BUCKETS; b++)
			shard->buckets[b].next =
			    b + 1 < BUCKETS ? (uint16_t)(b + 1) : NONE;
	}
	return budget;
}

void
budget_free(struct budget *budget)
{
	if (budget == NULL)
		return;
	for (size_t s = 0; s < SHARDS; s++)
		pthread_mutex_destroy(&budget->shards[s].lock);
	free(budget);
}

/* Key ids are hashes, and who may have a bucket was said by operators; so a
 * plain mix (FNV-1a over the name, on top of the id) spreads well enough. */
static uint64_t
hash_of(const struct spiffe *peer, const struct key_id *key)
{
	uint64_t hash;

	memcpy(&hash, key->at, sizeof(hash));
	hash ^= (uint64_t)peer->role;
	for (const char *c = peer->name; *c != 0; c++)
		hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 29;
}

/* Buckets that are full again give up their places. */
static void
sweep(struct shard *shard, int64_t now_ns)
{
	for (size_t l = 0; l < BUCKETS; l++) {
		uint16_t *at = &shard->lines[l];

		while (*at != NONE) {
			uint16_t b = *at;
			struct bucket *bucket = &shard->buckets[b];

			if (bucket->full_ns > now_ns) {
				at = &bucket->next;
				continue;
			}
			*at = bucket->next;
			bucket->next = shard->unused;
			shard->unused = b;
		}
	}
}

/* The bucket, a full one if there was none; NULL when there is no place. */
static struct bucket *
find(struct shard *shard, uint16_t *line, const struct spiffe *peer,
    const struct key_id *key, int64_t now_ns)
{
	struct bucket *bucket;
	uint16_t b = *line;

	for (; b != NONE; b = shard->buckets[b].next) {
		bucket = &shard->buckets[b];
		if (key_id_equal(&bucket->key, key) &&
		    bucket->role == peer->role &&
		    strcmp(bucket->name, peer->name) == 0)
			return bucket;
	}
	if (shard->unused == NONE)
		sweep(shard, now_ns);
	b = shard->unused;
	if (b == NONE)
		return NULL;
	bucket = &shard->buckets[b];
	shard->unused = bucket->next;
	bucket->key = *key;
	bucket->role = peer->role;
	memcpy(bucket->name, peer->name, sizeof(bucket->name));
	bucket->full_ns = now_ns;
	bucket->next = *line;
	*line = b;
	return bucket;
}

static STATUS
take(struct bucket *bucket, const struct policy_budget *budget, int64_t now_ns)
{
	const int64_t each_ns = NS_PER_S / budget->rate_per_s;
	const int64_t empty_ns = now_ns + each_ns * budget->burst;

	if (bucket->full_ns < now_ns)
		bucket->full_ns = now_ns;
	/* Emptier than empty, by a smaller budget before this one. */
	if (bucket->full_ns > empty_ns)
		bucket->full_ns = empty_ns;
	if (bucket->full_ns + each_ns > empty_ns)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "this identity has used up its budget for this key: slow "
		    "down, or ask an operator for a larger one ('holdfast key "
		    "grant --rate')");
	bucket->full_ns += each_ns;
	return status_ok();
}

STATUS
budget_take(struct budget *budget, const struct spiffe *peer,
    const struct policy_permit *permit, int64_t now_ns)
{
	struct policy_budget allowed = permit->budget;
	uint64_t hash;
	struct shard *shard;
	struct bucket *bucket;
	struct status st;

	if (allowed.rate_per_s == 0)
		return status_ok();
	if (allowed.rate_per_s > BUDGET_RATE_MAX)
		allowed.rate_per_s = BUDGET_RATE_MAX;
	if (allowed.burst == 0)
		allowed.burst = allowed.rate_per_s;
	if (allowed.burst > BUDGET_BURST_MAX)
		allowed.burst = BUDGET_BURST_MAX;
	hash = hash_of(peer, &permit->key->id);
	shard = &budget->shards[hash % SHARDS];
	pthread_mutex_lock(&shard->lock);
	bucket = find(shard, &shard->lines[hash / SHARDS % BUCKETS], peer,
	    &permit->key->id, now_ns);
	st = bucket != NULL ? take(bucket, &allowed, now_ns)
			    : status_fail(STATUS_RESOURCE_EXHAUSTED,
				  "too many identities use up their budgets at "
				  "once: slow down");
	pthread_mutex_unlock(&shard->lock);
	return st;
}
