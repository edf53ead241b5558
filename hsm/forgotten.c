/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A set of key ids: an open hash whose gaps are closed when one is removed.
 * Ids are SHA-256 values, so their first octets are the hash, and the one of
 * all zero octets is nobody's.
 */

#include "hsm/forgotten.h"

#include <stdlib.h>
#include <string.h>

static bool
is_empty(const struct key_id *id)
{
	static const struct key_id nobody;

	return key_id_equal(id, &nobody);
}

static size_t
home_of(const struct forgotten *set, const struct key_id *id)
{
	size_t hash;

	memcpy(&hash, id->at, sizeof(hash));
	return hash & (set->size - 1);
}

/* The slot that holds the id, or the empty one where it belongs. */
static size_t
slot_of(const struct forgotten *set, const struct key_id *id)
{
	size_t at = home_of(set, id);

	while (!is_empty(&set->slots[at]) && !key_id_equal(&set->slots[at], id))
		at = (at + 1) & (set->size - 1);
	return at;
}

static bool
grow(struct forgotten *set)
{
	struct forgotten larger = { .size =
					set->size == 0 ? 64 : 2 * set->size };

	larger.slots = calloc(larger.size, sizeof(*larger.slots));
	if (larger.slots == NULL)
		return false;
	for (size_t i = 0; i < set->size; i++) {
		const struct key_id *id = &set->slots[i];

		if (!is_empty(id))
			larger.slots[slot_of(&larger, id)] = *id;
	}
	free(set->slots);
	set->slots = larger.slots;
	set->size = larger.size;
	return true;
}

void
forgotten_init(struct forgotten *set)
{
	pthread_mutex_init(&set->lock, NULL);
}

void
forgotten_done(struct forgotten *set)
{
	pthread_mutex_destroy(&set->lock);
	free(set->slots);
}

STATUS
forgotten_add(struct forgotten *set, const struct key_id *id)
{
	struct status st = status_ok();

	if (is_empty(id))
		return st;
	pthread_mutex_lock(&set->lock);
	if (2 * (atomic_load(&set->n) + 1) >= set->size && !grow(set)) {
		st = status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	} else {
		size_t slot = slot_of(set, id);

		if (is_empty(&set->slots[slot]))
			atomic_fetch_add(&set->n, 1);
		set->slots[slot] = *id;
	}
	pthread_mutex_unlock(&set->lock);
	return st;
}

/* Empty a slot, and move up what was put behind it for want of room. */
static void
free_slot(struct forgotten *set, size_t gap)
{
	const size_t mask = set->size - 1;

	for (size_t at = (gap + 1) & mask; !is_empty(&set->slots[at]);
	     at = (at + 1) & mask) {
		size_t home = home_of(set, &set->slots[at]);

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		set->slots[gap] = set->slots[at];
		gap = at;
	}
	memset(&set->slots[gap], 0, sizeof(set->slots[gap]));
}

void
forgotten_remove(struct forgotten *set, const struct key_id *id)
{
	if (atomic_load(&set->n) == 0 || is_empty(id))
		return;
	pthread_mutex_lock(&set->lock);
	if (set->size > 0) {
		size_t slot = slot_of(set, id);

		if (!is_empty(&set->slots[slot])) {
			free_slot(set, slot);
			atomic_fetch_sub(&set->n, 1);
		}
	}
	pthread_mutex_unlock(&set->lock);
}

bool
forgotten_has(struct forgotten *set, const struct key_id *id)
{
	bool has;

	if (atomic_load_explicit(&set->n, memory_order_acquire) == 0)
		return false;
	pthread_mutex_lock(&set->lock);
	has = set->size > 0 && !is_empty(id) &&
	      !is_empty(&set->slots[slot_of(set, id)]);
	pthread_mutex_unlock(&set->lock);
	return has;
}
