/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_BIRTHS_H
#define HSM_BIRTHS_H

#include <pthread.h>
#include <stdbool.h>

#include "base/signing.h"

/*
 * Which lane made a key of the store and holds it still, of the newest.  A
 * lane may hold it no more: what is said here only saves time.  Any thread.
 */
#define BIRTHS_MAX 64

struct births {
	pthread_mutex_t lock; /* guards the rest */
	unsigned n;           /* ever */
	struct {
		struct key_id id;
		unsigned lane;
	} at[BIRTHS_MAX]; /* a ring */
};

void births_init(struct births *births);
void births_done(struct births *births);

void births_add(struct births *births, const struct key_id *id, unsigned lane);
/* False: it is none of the newest. */
bool births_find(
    struct births *births, const struct key_id *id, unsigned *ret_lane);

#endif
