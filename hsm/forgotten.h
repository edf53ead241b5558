/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_FORGOTTEN_H
#define HSM_FORGOTTEN_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/signing.h"
#include "base/status.h"

/*
 * The keys that no lane may be asked for.  All calls may be made from any
 * thread; to ask costs one atomic read while there are none.
 */
struct forgotten {
	pthread_mutex_t lock; /* guards the rest */
	struct key_id *slots; /* of all zero octets: empty */
	size_t size;          /* a power of two > 2 * n */
	atomic_size_t n;
};

void forgotten_init(struct forgotten *set);
void forgotten_done(struct forgotten *set);

STATUS forgotten_add(struct forgotten *set, const struct key_id *id);
void forgotten_remove(struct forgotten *set, const struct key_id *id);
bool forgotten_has(struct forgotten *set, const struct key_id *id);

#endif
