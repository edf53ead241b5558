/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Signs of life; see heard.h.  A hash table of edges by name that only grows:
 * names come from certificates that keyd gave, so there are as many as keyd
 * has ever invited.
 */

#include "certd/heard.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/store_edges_live.h"

#define BUCKETS 1024
/* Beyond what passes between two flushes, before an edge counts as away. */
#define DUE_S (EDGE_LIVE_S * 2 / 3)

struct one {
	struct one *next;
	char name[FLEET_NAME_MAX];
	int64_t at_s, written_s;
	bool is_decided, agreed;
	bool has_stream;
	bool is_kept; /* the two below were written */
	int64_t applied_version;
	char problem[FLEET_PROBLEM_MAX];
	bool has_served; /* the two below are known */
	int64_t served, served_version;
};

struct heard {
	pthread_mutex_t mutex; /* guards all */
	pthread_cond_t decided;
	struct one *buckets[BUCKETS];
};

struct heard *
heard_new(void)
{
	struct heard *heard = calloc(1, sizeof(*heard));

	if (heard == NULL)
		return NULL;
	pthread_mutex_init(&heard->mutex, NULL);
	clock_cond_init(&heard->decided);
	return heard;
}

void
heard_free(struct heard *heard)
{
	if (heard == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (heard->buckets[i] != NULL) {
			struct one *one = heard->buckets[i];

			heard->buckets[i] = one->next;
			free(one);
		}
	pthread_cond_destroy(&heard->decided);
	pthread_mutex_destroy(&heard->mutex);
	free(heard);
}

/* With the mutex held; NULL when it is not there. */
static struct one *
find(const struct heard *heard, const char *name, size_t *ret_bucket)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	struct one *one;

	for (const char *at = name; *at != 0; at++)
		hash = (hash ^ (uint8_t)*at) * UINT64_C(1099511628211);
	*ret_bucket = (size_t)(hash % BUCKETS);
	for (one = heard->buckets[*ret_bucket]; one != NULL; one = one->next)
		if (strcmp(one->name, name) == 0)
			break;
	return one;
}

/* Locked, with the edge there; NULL, and not locked, when memory ends. */
static struct one *
lock_on(struct heard *heard, const char *name)
{
	struct one *one;
	size_t bucket;

	pthread_mutex_lock(&heard->mutex);
	one = find(heard, name, &bucket);
	if (one != NULL)
		return one;
	one = calloc(1, sizeof(*one));
	if (one == NULL) {
		pthread_mutex_unlock(&heard->mutex);
		return NULL;
	}
	(void)!snprintf(one->name, sizeof(one->name), "%s", name);
	one->next = heard->buckets[bucket];
	heard->buckets[bucket] = one;
	return one;
}

static struct status
no_memory(void)
{
	return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
}

STATUS
heard_agreed(struct heard *heard, const char *name, bool agreed)
{
	struct one *one = lock_on(heard, name);

	if (one == NULL)
		return no_memory();
	one->is_decided = true;
	one->agreed = agreed;
	pthread_cond_broadcast(&heard->decided);
	one->is_kept = false;
	one->has_served = false;
	pthread_mutex_unlock(&heard->mutex);
	return status_ok();
}

bool
heard_is_agreed(struct heard *heard, const char *name, unsigned timeout_ms)
{
	int64_t until_ns = clock_mono_ns() + (int64_t)timeout_ms * NS_PER_MS;
	struct one *one = lock_on(heard, name);
	bool agreed;

	if (one == NULL)
		return false;
	while (!one->is_decided &&
	       clock_cond_wait(&heard->decided, &heard->mutex, until_ns))
		;
	agreed = one->agreed;
	pthread_mutex_unlock(&heard->mutex);
	return agreed;
}

void
heard_stream(struct heard *heard, const char *name, bool has)
{
	struct one *one = lock_on(heard, name);

	if (one == NULL)
		return;
	one->has_stream = has;
	pthread_mutex_unlock(&heard->mutex);
}

bool
heard_has_stream(struct heard *heard, const char *name)
{
	struct one *one = lock_on(heard, name);
	bool has;

	if (one == NULL)
		return false;
	has = one->has_stream;
	pthread_mutex_unlock(&heard->mutex);
	return has;
}

STATUS
heard_now(
    struct heard *heard, const char *name, int64_t now_s, bool *ret_is_due)
{
	struct one *one = lock_on(heard, name);

	if (one == NULL)
		return no_memory();
	one->at_s = now_s;
	*ret_is_due = now_s - one->written_s > DUE_S;
	pthread_mutex_unlock(&heard->mutex);
	return status_ok();
}

void
heard_is_written(struct heard *heard, const char *name, int64_t at_s)
{
	struct one *one = lock_on(heard, name);

	if (one == NULL)
		return;
	one->written_s = at_s;
	pthread_mutex_unlock(&heard->mutex);
}

int64_t
heard_at(struct heard *heard, const char *name)
{
	struct one *one = lock_on(heard, name);
	int64_t at_s;

	if (one == NULL)
		return 0;
	at_s = one->at_s;
	pthread_mutex_unlock(&heard->mutex);
	return at_s;
}

/* Problems are compared as far as they are kept. */
static bool
same_problem(const struct one *one, const char *problem)
{
	return strncmp(one->problem, problem, sizeof(one->problem) - 1) == 0;
}

bool
heard_is_news(struct heard *heard, const char *name, int64_t applied_version,
    const char *problem)
{
	struct one *one = lock_on(heard, name);
	bool news;

	if (one == NULL)
		return true;
	news = !one->is_kept || one->applied_version != applied_version ||
	       !same_problem(one, problem);
	pthread_mutex_unlock(&heard->mutex);
	return news;
}

void
heard_keep(struct heard *heard, const char *name, int64_t applied_version,
    const char *problem)
{
	struct one *one = lock_on(heard, name);

	if (one == NULL)
		return;
	one->is_kept = true;
	one->applied_version = applied_version;
	(void)!snprintf(one->problem, sizeof(one->problem), "%s", problem);
	pthread_mutex_unlock(&heard->mutex);
}

bool
heard_served(
    struct heard *heard, const char *name, int64_t version, int64_t *ret_n)
{
	struct one *one = lock_on(heard, name);
	bool known;

	if (one == NULL)
		return false;
	known = one->has_served && one->served_version == version;
	if (known)
		*ret_n = one->served;
	pthread_mutex_unlock(&heard->mutex);
	return known;
}

void
heard_keep_served(
    struct heard *heard, const char *name, int64_t version, int64_t n)
{
	struct one *one = lock_on(heard, name);

	if (one == NULL)
		return;
	one->has_served = true;
	one->served = n;
	one->served_version = version;
	pthread_mutex_unlock(&heard->mutex);
}

void
heard_forget_served(struct heard *heard, const char *name)
{
	struct one *one = lock_on(heard, name);

	if (one == NULL)
		return;
	one->has_served = false;
	pthread_mutex_unlock(&heard->mutex);
}

/* ---- writing it down ---- */

struct due {
	char name[FLEET_NAME_MAX];
	int64_t at_s;
};

/* Copied, for no lock is held while the disk is waited for. */
static size_t
gather(struct heard *heard, struct due **ret_due)
{
	struct due *due = NULL;
	size_t n = 0, at = 0;

	pthread_mutex_lock(&heard->mutex);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct one *o = heard->buckets[i]; o != NULL; o = o->next)
			n += o->at_s != o->written_s;
	if (n > 0)
		due = calloc(n, sizeof(*due));
	for (size_t i = 0; due != NULL && i < BUCKETS; i++)
		for (struct one *o = heard->buckets[i]; o != NULL; o = o->next)
			if (o->at_s != o->written_s) {
				memcpy(due[at].name, o->name, sizeof(o->name));
				due[at++].at_s = o->at_s;
			}
	pthread_mutex_unlock(&heard->mutex);
	*ret_due = due;
	return at;
}

static void
mark_written(struct heard *heard, const struct due *due, size_t n)
{
	size_t bucket;

	pthread_mutex_lock(&heard->mutex);
	for (size_t i = 0; i < n; i++) {
		struct one *one = find(heard, due[i].name, &bucket);

		if (one != NULL)
			one->written_s = due[i].at_s;
	}
	pthread_mutex_unlock(&heard->mutex);
}

STATUS
heard_flush(struct heard *heard, struct store *store)
{
	scoped(free) struct due *due = NULL;
	size_t n = gather(heard, &due);
	struct db_tx *tx;
	struct status st;

	if (n == 0)
		return status_ok();
	st = store_write(store, &tx);
	if (failed(st))
		return st;
	for (size_t i = 0; i < n && !failed(st); i++)
		st = fleet_seen(tx, due[i].name, due[i].at_s);
	st = store_commit(store, tx, st);
	if (!failed(st))
		mark_written(heard, due, n);
	return st;
}
