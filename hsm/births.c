/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The newest keys of the store, and the lanes that made them; see births.h.
 * They are few, and asked for only when a lane did not have a key: one is found
 * by walking along.
 */

#include "hsm/births.h"

void
births_init(struct births *births)
{
	pthread_mutex_init(&births->lock, NULL);
}

void
births_done(struct births *births)
{
	pthread_mutex_destroy(&births->lock);
}

void
births_add(struct births *births, const struct key_id *id, unsigned lane)
{
	pthread_mutex_lock(&births->lock);
	births->at[births->n % BIRTHS_MAX].id = *id;
	births->at[births->n % BIRTHS_MAX].lane = lane;
	births->n++;
	pthread_mutex_unlock(&births->lock);
}

bool
births_find(struct births *births, const struct key_id *id, unsigned *ret_lane)
{
	unsigned n;
	bool is_found = false;

	pthread_mutex_lock(&births->lock);
	n = births->n < BIRTHS_MAX ? births->n : BIRTHS_MAX;
	for (unsigned i = 0; i < n && !is_found; i++) {
		is_found = key_id_equal(&births->at[i].id, id);
		if (is_found)
			*ret_lane = births->at[i].lane;
	}
	pthread_mutex_unlock(&births->lock);
	return is_found;
}
