/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The fair queue: a first-in-first-out line per key, found by a hash table,
 * and a ring of the lines that have somebody waiting.  A take goes round the
 * ring, one call a turn, and waits while every lane of the token has a batch,
 * so that batches grow with the load.  All memory is made at the start; a line
 * exists only while somebody stands in it, so there are never more lines than
 * calls.  It refuses rather than grows.
 */

#include "keyd/queue.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Calls of one key. */
struct line {
	struct key_id key;
	struct sign_call *first, *last;
	size_t n;
	struct line
	    *in_bucket;       /* the next in its bucket, or in the free list */
	struct line *in_ring; /* whose turn comes after it */
};

struct queue {
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t filled;
	size_t max, n;
	size_t takers;       /* threads waiting in queue_take */
	unsigned lanes, out; /* lanes of the token, and those in use */
	bool waking; /* one of them has been signalled and not run yet */
	bool closed;
	struct line *turn; /* last line of the ring; its in_ring is next */
	struct line *unused;
	struct line *lines; /* max of them */
	struct line **buckets;
	size_t mask;
};

struct queue *
queue_new(size_t max, unsigned lanes)
{
	struct queue *queue = calloc(1, sizeof(*queue));
	size_t n_buckets = 8;

	assert(max > 0 && lanes > 0);
	if (queue == NULL)
		return NULL;
	while (n_buckets < max)
		n_buckets *= 2;
	queue->max = max;
	queue->lanes = lanes;
	queue->mask = n_buckets - 1;
	queue->lines = calloc(max, sizeof(queue->lines[0]));
	queue->buckets = calloc(n_buckets, sizeof(struct line *));
	if (queue->lines == NULL || queue->buckets == NULL) {
		free(queue->lines);
		free(queue->buckets);
		free(queue);
		return NULL;
	}
	for (size_t i = max; i-- > 0;) {
		queue->lines[i].in_bucket = queue->unused;
		queue->unused = &queue->lines[i];
	}
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->filled, NULL);
	return queue;
}

void
queue_free(struct queue *queue)
{
	if (queue == NULL)
		return;
	pthread_cond_destroy(&queue->filled);
	pthread_mutex_destroy(&queue->lock);
	free(queue->buckets);
	free(queue->lines);
	free(queue);
}

/* Key ids that keyd knows are hashes, and it is them that flows are made of. */
static struct line **
bucket_of(struct queue *queue, const struct key_id *key)
{
	uint64_t word;

	memcpy(&word, key->at, sizeof(word));
	return &queue->buckets[(size_t)word & queue->mask];
}

/* The line of this key; NULL when nobody stands in it. */
static struct line *
find(struct queue *queue, const struct key_id *key)
{
	struct line *line = *bucket_of(queue, key);

	while (line != NULL && !key_id_equal(&line->key, key))
		line = line->in_bucket;
	return line;
}

/* A new line, last in the ring. */
static struct line *
start_line(struct queue *queue, const struct key_id *key)
{
	struct line **bucket = bucket_of(queue, key);
	struct line *line = queue->unused;

	queue->unused = line->in_bucket;
	*line = (struct line){ .key = *key, .in_bucket = *bucket };
	*bucket = line;
	if (queue->turn == NULL) {
		line->in_ring = line;
	} else {
		line->in_ring = queue->turn->in_ring;
		queue->turn->in_ring = line;
	}
	queue->turn = line;
	return line;
}

/* The line after queue->turn is empty: it leaves the ring and its bucket. */
static void
end_line(struct queue *queue, struct line *line)
{
	struct line **at = bucket_of(queue, &line->key);

	if (queue->turn == line)
		queue->turn = NULL;
	else
		queue->turn->in_ring = line->in_ring;
	while (*at != line)
		at = &(*at)->in_bucket;
	*at = line->in_bucket;
	line->in_bucket = queue->unused;
	queue->unused = line;
}

/* May one more call of this line and caller wait? */
static STATUS
check_room(const struct queue *queue, const struct line *line,
    const struct caller *caller)
{
	const size_t half = (queue->max + 1) / 2;

	if (queue->closed)
		return status_fail(
		    STATUS_UNAVAILABLE, "keyd is stopping: ask another one");
	if (queue->n >= queue->max)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "too many requests wait for this token: slow down");
	if (line != NULL && line->n >= half)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "too many requests wait for this key: slow down");
	if (atomic_load_explicit(&caller->waiting, memory_order_relaxed) >=
	    half)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "too many requests of this caller wait: slow down");
	return status_ok();
}

static STATUS
put(struct queue *queue, struct sign_call *call)
{
	struct line *line = find(queue, call->flow);
	struct status st = check_room(queue, line, call->caller);

	if (failed(st))
		return st;
	if (line == NULL)
		line = start_line(queue, call->flow);
	if (line->n == 0)
		line->first = call;
	else
		line->last->next = call;
	line->last = call;
	line->n++;
	call->next = NULL;
	queue->n++;
	atomic_fetch_add_explicit(
	    &call->caller->waiting, 1, memory_order_relaxed);
	return st;
}

/* One taker, if there is something for it to take and none is on its way; it
 * wakes the next when it leaves something. */
static void
wake(struct queue *queue)
{
	if (queue->n == 0 || queue->out == queue->lanes || queue->takers == 0 ||
	    queue->waking)
		return;
	queue->waking = true;
	pthread_cond_signal(&queue->filled);
}

struct sign_call *
queue_put(struct queue *queue, struct sign_call *chain)
{
	struct sign_call *refused = NULL, **end = &refused;

	pthread_mutex_lock(&queue->lock);
	while (chain != NULL) {
		struct sign_call *call = chain;
		struct status st;

		chain = call->next;
		st = put(queue, call);
		if (!failed(st))
			continue;
		call->status = st;
		call->next = NULL;
		*end = call;
		end = &call->next;
	}
	wake(queue);
	pthread_mutex_unlock(&queue->lock);
	return refused;
}

/* The first call of the line whose turn it is; the turn moves on. */
static struct sign_call *
take(struct queue *queue)
{
	struct line *line = queue->turn->in_ring;
	struct sign_call *call = line->first;

	line->first = call->next;
	line->n--;
	queue->n--;
	call->next = NULL;
	atomic_fetch_sub_explicit(
	    &call->caller->waiting, 1, memory_order_relaxed);
	if (line->n == 0)
		end_line(queue, line);
	else
		queue->turn = line;
	return call;
}

/* How many calls the next batch should be. */
static size_t
share_of(const struct queue *queue, size_t max)
{
	const size_t idle = queue->lanes - queue->out;
	size_t share = (queue->n + idle - 1) / idle;

	if (share < QUEUE_HANDFUL)
		share = QUEUE_HANDFUL;
	return share < max ? share : max;
}

size_t
queue_take(struct queue *queue, size_t max, struct sign_call *ret_calls[])
{
	size_t share, n = 0;

	assert(max > 0);
	pthread_mutex_lock(&queue->lock);
	while (queue->n == 0 ? !queue->closed : queue->out == queue->lanes) {
		queue->takers++;
		pthread_cond_wait(&queue->filled, &queue->lock);
		queue->takers--;
		queue->waking = false;
	}
	if (queue->n > 0) {
		share = share_of(queue, max);
		while (n < share && queue->n > 0)
			ret_calls[n++] = take(queue);
		queue->out++;
	}
	wake(queue);
	pthread_mutex_unlock(&queue->lock);
	return n;
}

void
queue_signed(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	assert(queue->out > 0);
	queue->out--;
	if (queue->closed)
		pthread_cond_broadcast(&queue->filled);
	else
		wake(queue);
	pthread_mutex_unlock(&queue->lock);
}

void
queue_close(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->closed = true;
	pthread_cond_broadcast(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}

size_t
queue_depth(struct queue *queue)
{
	size_t n;

	pthread_mutex_lock(&queue->lock);
	n = queue->n;
	pthread_mutex_unlock(&queue->lock);
	return n;
}
