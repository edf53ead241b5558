/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who waits for a signature; see custody_queue.h.  Few do, so one is found by
 * walking along.
 */

#include "certd/custody_queue.h"

#include <stddef.h>

void
custody_queue_init(struct custody_queue *queue)
{
	queue->first = NULL;
	queue->end = &queue->first;
}

void
custody_queue_put(struct custody_queue *queue, struct custody_asked *asked)
{
	asked->next = NULL;
	*queue->end = asked;
	queue->end = &asked->next;
}

struct custody_asked *
custody_queue_take(struct custody_queue *queue, uint64_t id)
{
	struct custody_asked **at = &queue->first, *found;

	while (*at != NULL && (*at)->id != id)
		at = &(*at)->next;
	found = *at;
	if (found == NULL)
		return NULL;
	*at = found->next;
	if (*at == NULL)
		queue->end = at;
	return found;
}

void
custody_queue_lose(struct custody_queue *queue)
{
	for (struct custody_asked *at = queue->first, *next; at != NULL;
	     at = next) {
		next = at->next;
		at->is_done = at->is_lost = true;
		pthread_cond_signal(&at->answered);
	}
	custody_queue_init(queue);
}
