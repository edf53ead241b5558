/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_QUEUE_H
#define KEYD_QUEUE_H

#include <stddef.h>

#include "base/scoped.h"
#include "keyd/sign.h"

/*
 * Calls that wait for one pool.  Each key has a line of its own and the lines
 * take turns, so a key that everyone wants cannot starve the others.  Bounded:
 * at most max calls in all, and of one key, or of one caller, at most half.
 * All calls from any thread.
 */
struct queue;

/* For a token of so many lanes.  NULL when memory ends. */
struct queue *queue_new(size_t max, unsigned lanes);
void queue_free(struct queue *queue); /* nobody in queue_take; NULL is ok */

/*
 * Let a chain (by ->next) of calls wait.  Each has its flow set.  Those there
 * is no room for come back as a chain, in order, with their status saying why:
 * RESOURCE_EXHAUSTED, or UNAVAILABLE after queue_close.  The others belong to
 * whoever takes them and may be gone when this returns.
 */
struct sign_call *queue_put(struct queue *queue, struct sign_call *chain);

/*
 * Wait until there are calls and a lane of the token is free for them, and take
 * up to max as its batch: what is left for later makes a larger batch then.  No
 * more than an even share for each free lane, though a handful goes together,
 * since splitting it costs more than it gains.  Returns how many; 0 only when
 * the queue is closed and empty.
 */
#define QUEUE_HANDFUL 16
size_t queue_take(
    struct queue *queue, size_t max, struct sign_call *ret_calls[]);

/* A batch that was taken is off the token: its lane is free. */
void queue_signed(struct queue *queue);

/* Nothing comes in any more.  What waits can still be taken. */
void queue_close(struct queue *queue);

size_t queue_depth(struct queue *queue);

#endif
