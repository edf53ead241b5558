/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One array of entries and three ways through it: a list of those that wait, a
 * list per connection, and a heap by deadline.  An entry's index and generation
 * make its id towards keyd, so a reply is matched by two comparisons, and a
 * late reply to an entry that was used again is not taken for an answer.
 *
 * The mutex guards everything in struct pending.  Under it only memory is
 * touched; callers on the socket thread and on the streams' threads never wait
 * longer than one batch takes to copy.
 */

#include "edge/pending.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "edge/batch.h"

#define NONE UINT32_MAX
#define REQUESTS_MAX ((size_t)1 << 20)

enum {
	IN_QUEUE,
	IN_CONN,
	N_LISTS
};

struct link {
	uint32_t prev, next;
};

struct list {
	uint32_t head, tail;
};

struct entry {
	struct link link[N_LISTS];
	uint32_t generation;
	uint32_t heap_at;
	uint32_t owner; /* 0: no stream has it */
	bool used, queued;
	struct pending_request request;
	uint8_t *content; /* what request.content shows */
};

struct conn_slot {
	struct list entries;
	size_t count;
};

struct pending {
	pthread_mutex_t mutex;
	struct pending_limits limits;
	struct entry *entries;
	struct conn_slot *conns;
	uint32_t *heap; /* entry indices, the soonest deadline first */
	size_t count;
	struct list waiting;
	struct list unused; /* linked through IN_QUEUE */
};

static void
list_push_back(struct pending *p, struct list *list, int which, uint32_t i)
{
	p->entries[i].link[which] = (struct link){ list->tail, NONE };
	if (list->tail == NONE)
		list->head = i;
	else
		p->entries[list->tail].link[which].next = i;
	list->tail = i;
}

static void
list_push_front(struct pending *p, struct list *list, int which, uint32_t i)
{
	p->entries[i].link[which] = (struct link){ NONE, list->head };
	if (list->head == NONE)
		list->tail = i;
	else
		p->entries[list->head].link[which].prev = i;
	list->head = i;
}

static void
list_remove(struct pending *p, struct list *list, int which, uint32_t i)
{
	struct link link = p->entries[i].link[which];

	if (link.prev == NONE)
		list->head = link.next;
	else
		p->entries[link.prev].link[which].next = link.next;
	if (link.next == NONE)
		list->tail = link.prev;
	else
		p->entries[link.next].link[which].prev = link.prev;
}

static int64_t
heap_deadline(const struct pending *p, size_t at)
{
	return p->entries[p->heap[at]].request.deadline_ns;
}

static void
heap_swap(struct pending *p, size_t a, size_t b)
{
	uint32_t i = p->heap[a];

	p->heap[a] = p->heap[b];
	p->heap[b] = i;
	p->entries[p->heap[a]].heap_at = (uint32_t)a;
	p->entries[p->heap[b]].heap_at = (uint32_t)b;
}

static void
heap_up(struct pending *p, size_t at)
{
	while (
	    at > 0 && heap_deadline(p, at) < heap_deadline(p, (at - 1) / 2)) {
		heap_swap(p, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
}

static void
heap_down(struct pending *p, size_t at, size_t count)
{
	for (;;) {
		size_t least = at, child = 2 * at + 1;

		for (size_t i = child; i < child + 2 && i < count; i++)
			if (heap_deadline(p, i) < heap_deadline(p, least))
				least = i;
		if (least == at)
			return;
		heap_swap(p, at, least);
		at = least;
	}
}

static struct conn_slot *
slot_of(struct pending *p, uint64_t conn)
{
	uint32_t slot = (uint32_t)conn;

	assert(slot < p->limits.connections);
	return &p->conns[slot];
}

static void
insert(struct pending *p, uint32_t i)
{
	struct entry *entry = &p->entries[i];
	struct conn_slot *slot = slot_of(p, entry->request.conn);

	entry->used = entry->queued = true;
	entry->owner = 0;
	entry->heap_at = (uint32_t)p->count;
	p->heap[p->count] = i;
	heap_up(p, p->count++);
	list_push_back(p, &p->waiting, IN_QUEUE, i);
	list_push_back(p, &slot->entries, IN_CONN, i);
	slot->count++;
}

static void
unqueue(struct pending *p, uint32_t i)
{
	list_remove(p, &p->waiting, IN_QUEUE, i);
	p->entries[i].queued = false;
}

static void
take_out(struct pending *p, uint32_t i)
{
	struct entry *entry = &p->entries[i];
	struct conn_slot *slot = slot_of(p, entry->request.conn);
	size_t at = entry->heap_at, last = --p->count;

	if (at != last) {
		heap_swap(p, at, last);
		heap_down(p, at, last);
		heap_up(p, at);
	}
	if (entry->queued)
		unqueue(p, i);
	list_remove(p, &slot->entries, IN_CONN, i);
	slot->count--;
	free(entry->content);
	entry->content = NULL;
	entry->used = false;
	entry->owner = 0;
	entry->generation++;
	/* Last in, so that an index rests as long as it can. */
	list_push_back(p, &p->unused, IN_QUEUE, i);
}

static struct pending_done
done_of(const struct entry *entry)
{
	return (struct pending_done){
		.conn = entry->request.conn,
		.id = entry->request.id,
		.received_ns = entry->request.received_ns,
	};
}

STATUS
pending_new(const struct pending_limits *limits, struct pending **ret_pending)
{
	struct pending *p;

	if (limits->requests < 1 || limits->requests > REQUESTS_MAX ||
	    limits->connections < 1 || limits->connections >= NONE ||
	    limits->per_connection < 1)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "limits of the request table are out of range");
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	pthread_mutex_init(&p->mutex, NULL);
	p->limits = *limits;
	p->waiting = p->unused = (struct list){ NONE, NONE };
	p->entries = calloc(limits->requests, sizeof(*p->entries));
	p->conns = calloc(limits->connections, sizeof(*p->conns));
	p->heap = calloc(limits->requests, sizeof(*p->heap));
	if (p->entries == NULL || p->conns == NULL || p->heap == NULL) {
		pending_free(p);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	}
	for (size_t i = 0; i < limits->connections; i++)
		p->conns[i].entries = (struct list){ NONE, NONE };
	for (uint32_t i = 0; i < limits->requests; i++) {
		p->entries[i].generation = 1;
		list_push_back(p, &p->unused, IN_QUEUE, i);
	}
	*ret_pending = p;
	return status_ok();
}

void
pending_free(struct pending *pending)
{
	if (pending == NULL)
		return;
	for (size_t i = 0;
	     pending->entries != NULL && i < pending->limits.requests; i++)
		free(pending->entries[i].content);
	pthread_mutex_destroy(&pending->mutex);
	free(pending->entries);
	free(pending->conns);
	free(pending->heap);
	free(pending);
}

/* With the mutex held.  On success the entry owns copy. */
static struct status
add(struct pending *p, const struct pending_request *request, uint8_t *copy)
{
	uint32_t i = p->unused.head;

	if (i == NONE)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "edged has too many requests waiting (queue_max)");
	if (slot_of(p, request->conn)->count >= p->limits.per_connection)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "too many requests in flight on this connection");
	list_remove(p, &p->unused, IN_QUEUE, i);
	p->entries[i].request = *request;
	p->entries[i].request.content.at = copy;
	p->entries[i].content = copy;
	insert(p, i);
	return status_ok();
}

STATUS
pending_add(struct pending *pending, const struct pending_request *request)
{
	uint8_t *copy = malloc(request->content.len + 1);
	struct status st;

	if (copy == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	if (request->content.len > 0)
		memcpy(copy, request->content.at, request->content.len);
	pthread_mutex_lock(&pending->mutex);
	st = add(pending, request, copy);
	pthread_mutex_unlock(&pending->mutex);
	if (failed(st))
		free(copy);
	return st;
}

static uint64_t
id_of(const struct pending *p, uint32_t i)
{
	return (uint64_t)p->entries[i].generation << 32 | i;
}

static size_t
append(const struct pending *p, uint32_t i, int64_t now_ns, uint8_t *out,
    size_t out_max)
{
	const struct pending_request *request = &p->entries[i].request;
	int64_t left_ms = (request->deadline_ns - now_ns) / NS_PER_MS;

	return batch_append(
	    &(struct batch_request){
		.id = id_of(p, i),
		.key = &request->key,
		.scheme = request->scheme,
		.context = request->context,
		.content = request->content,
		/* 0 would mean keyd's default. */
		.timeout_ms = left_ms < 1 ? 1 : (uint32_t)left_ms,
	    },
	    out, out_max);
}

size_t
pending_fill(struct pending *pending, uint32_t owner, int64_t now_ns,
    uint8_t *out, size_t out_max, size_t *ret_count)
{
	size_t len = 0, count = 0;

	assert(owner != 0);
	if (out_max > BATCH_OCTETS_MAX)
		out_max = BATCH_OCTETS_MAX;
	pthread_mutex_lock(&pending->mutex);
	while (count < BATCH_REQUESTS_MAX && pending->waiting.head != NONE) {
		uint32_t i = pending->waiting.head;
		struct entry *entry = &pending->entries[i];

		/* Too late to be worth a signature; pending_expire has it. */
		if (entry->request.deadline_ns > now_ns) {
			size_t took = append(
			    pending, i, now_ns, out + len, out_max - len);

			if (took == 0)
				break;
			len += took;
			count++;
			entry->owner = owner;
		}
		unqueue(pending, i);
	}
	pthread_mutex_unlock(&pending->mutex);
	*ret_count = count;
	return len;
}

bool
pending_complete(struct pending *pending, uint32_t owner, uint64_t id,
    struct pending_done *ret_done)
{
	uint32_t i = (uint32_t)id;
	bool found;

	if (i >= pending->limits.requests)
		return false;
	pthread_mutex_lock(&pending->mutex);
	found = pending->entries[i].used &&
		pending->entries[i].owner == owner && id_of(pending, i) == id;
	if (found) {
		*ret_done = done_of(&pending->entries[i]);
		take_out(pending, i);
	}
	pthread_mutex_unlock(&pending->mutex);
	return found;
}

size_t
pending_return(struct pending *pending, uint32_t owner)
{
	size_t returned = 0;

	pthread_mutex_lock(&pending->mutex);
	for (uint32_t i = (uint32_t)pending->limits.requests; i-- > 0;) {
		struct entry *entry = &pending->entries[i];

		if (!entry->used || entry->owner != owner)
			continue;
		entry->owner = 0;
		entry->queued = true;
		list_push_front(pending, &pending->waiting, IN_QUEUE, i);
		returned++;
	}
	pthread_mutex_unlock(&pending->mutex);
	return returned;
}

bool
pending_expire(
    struct pending *pending, int64_t now_ns, struct pending_done *ret_done)
{
	bool found;

	pthread_mutex_lock(&pending->mutex);
	found = pending->count > 0 && heap_deadline(pending, 0) <= now_ns;
	if (found) {
		*ret_done = done_of(&pending->entries[pending->heap[0]]);
		take_out(pending, pending->heap[0]);
	}
	pthread_mutex_unlock(&pending->mutex);
	return found;
}

int64_t
pending_next_deadline(struct pending *pending)
{
	int64_t deadline_ns = INT64_MAX;

	pthread_mutex_lock(&pending->mutex);
	if (pending->count > 0)
		deadline_ns = heap_deadline(pending, 0);
	pthread_mutex_unlock(&pending->mutex);
	return deadline_ns;
}

void
pending_forget(struct pending *pending, uint64_t conn)
{
	struct conn_slot *slot;

	pthread_mutex_lock(&pending->mutex);
	slot = slot_of(pending, conn);
	while (slot->entries.head != NONE)
		take_out(pending, slot->entries.head);
	pthread_mutex_unlock(&pending->mutex);
}

size_t
pending_count(struct pending *pending)
{
	size_t count;

	pthread_mutex_lock(&pending->mutex);
	count = pending->count;
	pthread_mutex_unlock(&pending->mutex);
	return count;
}
