/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CUSTODY_QUEUE_H
#define CERTD_CUSTODY_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "certd/custody_int.h"

/*
 * Who waits for a signature, in the order in which they came; of
 * certd/custody_stream.c, whose mutex guards it.
 */

/* One who waits; on its own stack. */
struct custody_asked {
	const struct custody_signing *signing;
	uint64_t id;
	int64_t until_ns;
	struct custody_asked *next;
	pthread_cond_t answered;
	bool is_sent, is_done, is_lost;
	struct status st;
	struct signature *ret_signature;
	char *ret_why;
};

struct custody_queue {
	struct custody_asked *first, **end;
};

void custody_queue_init(struct custody_queue *queue);
void custody_queue_put(
    struct custody_queue *queue, struct custody_asked *asked);
/* By its id; NULL: nobody waits for that any more. */
struct custody_asked *custody_queue_take(
    struct custody_queue *queue, uint64_t id);
/* All of them have to ask otherwise. */
void custody_queue_lose(struct custody_queue *queue);

#endif
