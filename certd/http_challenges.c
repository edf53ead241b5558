/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Answers to http-01 challenges: a hash table by token, whose rows also stand
 * in a list in the order of their marks, so that a stream finds what is new at
 * the list's end.  Of what was removed a ring remembers the newest; who missed
 * more is given everything again.  Edges are few and stand in an array.
 *
 * Who walks it gets a copy: nobody is called with the lock held.
 */

#include "certd/http_challenges.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define BUCKETS 4096
#define GONE_MAX 4096 /* removals that are remembered */
#define ANSWERS_MAX 100000

struct answer {
	TAILQ_ENTRY(answer) by_mark;
	LIST_ENTRY(answer) by_token;
	uint64_t mark;
	char token[ACME_TOKEN_MAX];
	char text[ACME_KEY_AUTHORIZATION_MAX];
};
TAILQ_HEAD(answer_list, answer);
LIST_HEAD(answer_bucket, answer);

struct gone {
	uint64_t mark;
	char token[ACME_TOKEN_MAX];
};

struct edge {
	char *name, *group;
	uint64_t mark;
};

struct http_challenges {
	/* Before threads. */
	void (*changed)(void *ctx);
	void *ctx;
	pthread_mutex_t mutex; /* guards what follows */
	uint64_t mark;
	size_t n_answers;
	struct answer_list list;
	struct answer_bucket buckets[BUCKETS];
	uint64_t n_gone;            /* ever */
	struct gone gone[GONE_MAX]; /* a ring of the newest */
	struct edge *edges;
	size_t n_edges, max_edges;
};

/* What a walk gives. */
struct step {
	uint64_t mark;
	bool is_gone;
	char token[ACME_TOKEN_MAX];
	char text[ACME_KEY_AUTHORIZATION_MAX];
};

static struct answer_bucket *
bucket_of(struct http_challenges *c, const char *token)
{
	uint32_t hash = 2166136261u; /* FNV-1a; tokens are random */

	for (; *token != 0; token++)
		hash = (hash ^ (unsigned char)*token) * 16777619u;
	return &c->buckets[hash % BUCKETS];
}

static struct answer *
find(struct http_challenges *c, const char *token)
{
	struct answer *at = LIST_FIRST(bucket_of(c, token));

	while (at != NULL && strcmp(at->token, token) != 0)
		at = LIST_NEXT(at, by_token);
	return at;
}

static void
drop(struct http_challenges *c, struct answer *at)
{
	TAILQ_REMOVE(&c->list, at, by_mark);
	LIST_REMOVE(at, by_token);
	c->n_answers--;
	free(at);
}

static void
tell(struct http_challenges *c)
{
	if (c->changed != NULL)
		c->changed(c->ctx);
}

/* ---- what is answered ---- */

STATUS
http_challenges_new(struct http_challenges **ret_challenges)
{
	struct http_challenges *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	pthread_mutex_init(&c->mutex, NULL);
	TAILQ_INIT(&c->list);
	c->mark = 1; /* 0 is the mark of who has nothing */
	*ret_challenges = c;
	return status_ok();
}

void
http_challenges_free(struct http_challenges *c)
{
	if (c == NULL)
		return;
	while (!TAILQ_EMPTY(&c->list))
		drop(c, TAILQ_FIRST(&c->list));
	for (size_t i = 0; i < c->n_edges; i++) {
		free(c->edges[i].name);
		free(c->edges[i].group);
	}
	free(c->edges);
	pthread_mutex_destroy(&c->mutex);
	free(c);
}

/* The mutex is held. */
static struct status
put(struct http_challenges *c, const char *token, const char *text,
    bool *ret_is_new)
{
	struct answer *at = find(c, token);

	*ret_is_new = false;
	if (at != NULL && strcmp(at->text, text) == 0)
		return status_ok();
	if (at == NULL && c->n_answers >= ANSWERS_MAX)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "too many http-01 challenges are in place at once");
	if (at != NULL) {
		TAILQ_REMOVE(&c->list, at, by_mark);
	} else {
		at = calloc(1, sizeof(*at));
		if (at == NULL)
			return status_fail(
			    STATUS_RESOURCE_EXHAUSTED, "out of memory");
		(void)!snprintf(at->token, sizeof(at->token), "%s", token);
		LIST_INSERT_HEAD(bucket_of(c, token), at, by_token);
		c->n_answers++;
	}
	(void)!snprintf(at->text, sizeof(at->text), "%s", text);
	at->mark = ++c->mark;
	TAILQ_INSERT_TAIL(&c->list, at, by_mark);
	*ret_is_new = true;
	return status_ok();
}

STATUS
http_challenges_add(
    struct http_challenges *c, const char *token, const char *key_authorization)
{
	struct status st;
	bool is_new = false;

	if (token[0] == 0 || strlen(token) >= ACME_TOKEN_MAX ||
	    strlen(key_authorization) >= ACME_KEY_AUTHORIZATION_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "an http-01 challenge has no token, or one that is too "
		    "long");
	pthread_mutex_lock(&c->mutex);
	st = put(c, token, key_authorization, &is_new);
	pthread_mutex_unlock(&c->mutex);
	if (is_new)
		tell(c);
	return st;
}

void
http_challenges_remove(struct http_challenges *c, const char *token)
{
	struct answer *at;
	bool was_there;

	pthread_mutex_lock(&c->mutex);
	at = find(c, token);
	was_there = at != NULL;
	if (was_there) {
		struct gone *gone = &c->gone[c->n_gone++ % GONE_MAX];

		gone->mark = ++c->mark;
		memcpy(gone->token, at->token, sizeof(gone->token));
		drop(c, at);
	}
	pthread_mutex_unlock(&c->mutex);
	if (was_there)
		tell(c);
}

bool
http_challenges_find(struct http_challenges *c, const char *token,
    char ret_text[ACME_KEY_AUTHORIZATION_MAX])
{
	const struct answer *at;

	pthread_mutex_lock(&c->mutex);
	at = find(c, token);
	if (at != NULL)
		memcpy(ret_text, at->text, sizeof(at->text));
	pthread_mutex_unlock(&c->mutex);
	return at != NULL;
}

/* ---- the streams to edges ---- */

uint64_t
http_challenges_mark(struct http_challenges *c)
{
	uint64_t mark;

	pthread_mutex_lock(&c->mutex);
	mark = c->mark;
	pthread_mutex_unlock(&c->mutex);
	return mark;
}

void
http_challenges_on_change(
    struct http_challenges *c, void (*changed)(void *ctx), void *ctx)
{
	c->changed = changed;
	c->ctx = ctx;
}

/* Is a removal since then forgotten?  Or is since of an earlier life?  The
 * mutex is held. */
static bool
needs_reset(const struct http_challenges *c, uint64_t since)
{
	if (since == 0 || since > c->mark)
		return true;
	/* The oldest that is known follows the newest that is not: with it
	 * seen, or seen up to it, nothing is missed. */
	return c->n_gone > GONE_MAX &&
	       since < c->gone[c->n_gone % GONE_MAX].mark;
}

static int
by_mark(const void *a, const void *b)
{
	const struct step *one = a, *other = b;

	return (one->mark > other->mark) - (one->mark < other->mark);
}

/* The newest is the first.  The mutex is held here and below. */
static const struct gone *
nth_gone(const struct http_challenges *c, size_t i)
{
	if (i >= GONE_MAX || i >= c->n_gone)
		return NULL;
	return &c->gone[(c->n_gone - 1 - i) % GONE_MAX];
}

/* What was removed is of no interest to who forgets all. */
static struct status
copy(struct http_challenges *c, uint64_t since, bool with_gone,
    struct step **ret_steps, size_t *ret_n)
{
	const struct answer *at = TAILQ_LAST(&c->list, answer_list);
	const struct gone *gone;
	struct step *steps;
	size_t n = 0, n_gone = 0;

	for (; at != NULL && at->mark > since; n++)
		at = TAILQ_PREV(at, answer_list, by_mark);
	while (with_gone && (gone = nth_gone(c, n_gone)) != NULL &&
	       gone->mark > since)
		n_gone++;
	steps = calloc(n + n_gone + 1, sizeof(struct step));
	if (steps == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	at = TAILQ_LAST(&c->list, answer_list);
	for (size_t i = 0; i < n; i++) {
		steps[i].mark = at->mark;
		memcpy(steps[i].token, at->token, sizeof(at->token));
		memcpy(steps[i].text, at->text, sizeof(at->text));
		at = TAILQ_PREV(at, answer_list, by_mark);
	}
	for (size_t i = 0; i < n_gone; i++) {
		gone = nth_gone(c, i);
		steps[n + i].mark = gone->mark;
		steps[n + i].is_gone = true;
		memcpy(steps[n + i].token, gone->token, sizeof(gone->token));
	}
	qsort(steps, n + n_gone, sizeof(*steps), by_mark);
	*ret_steps = steps;
	*ret_n = n + n_gone;
	return status_ok();
}

STATUS
http_challenges_since(struct http_challenges *c, uint64_t since,
    bool (*each)(void *ctx, const char *token, const char *key_authorization),
    void *ctx, bool *ret_reset, uint64_t *ret_mark)
{
	scoped(free) struct step *steps = NULL;
	struct status st;
	uint64_t mark;
	size_t n = 0;
	bool reset;

	pthread_mutex_lock(&c->mutex);
	mark = c->mark;
	reset = needs_reset(c, since);
	st = copy(c, reset ? 0 : since, !reset, &steps, &n);
	pthread_mutex_unlock(&c->mutex);
	if (failed(st))
		return st;
	for (size_t i = 0; i < n; i++) {
		if (each(ctx, steps[i].token,
			steps[i].is_gone ? NULL : steps[i].text))
			continue;
		/* The walk ends before this one. */
		mark = steps[i].mark - 1;
		break;
	}
	*ret_reset = reset;
	*ret_mark = mark;
	return st;
}

/* ---- what edges have ---- */

/* The mutex is held. */
static struct edge *
find_edge(struct http_challenges *c, const char *name)
{
	for (size_t i = 0; i < c->n_edges; i++)
		if (strcmp(c->edges[i].name, name) == 0)
			return &c->edges[i];
	return NULL;
}

/* The mutex is held.  NULL: no memory, and the edge does not count. */
static struct edge *
add_edge(struct http_challenges *c, const char *name)
{
	struct edge *edge;

	if (c->n_edges == c->max_edges) {
		size_t max = c->max_edges == 0 ? 16 : 2 * c->max_edges;
		struct edge *more = reallocarray(c->edges, max, sizeof(*more));

		if (more == NULL)
			return NULL;
		c->edges = more;
		c->max_edges = max;
	}
	edge = &c->edges[c->n_edges];
	*edge = (struct edge){ .name = strdup(name) };
	if (edge->name == NULL)
		return NULL;
	c->n_edges++;
	return edge;
}

void
http_challenges_edge(struct http_challenges *c, const char *name,
    const char *edge_group, uint64_t mark)
{
	struct edge *edge;

	pthread_mutex_lock(&c->mutex);
	edge = find_edge(c, name);
	if (edge == NULL)
		edge = add_edge(c, name);
	if (edge != NULL) {
		edge->mark = mark;
		if (edge->group == NULL ||
		    strcmp(edge->group, edge_group) != 0) {
			free(edge->group);
			edge->group = strdup(edge_group);
		}
	}
	pthread_mutex_unlock(&c->mutex);
}

void
http_challenges_edge_gone(struct http_challenges *c, const char *name)
{
	struct edge *edge;

	pthread_mutex_lock(&c->mutex);
	edge = find_edge(c, name);
	if (edge != NULL) {
		free(edge->name);
		free(edge->group);
		*edge = c->edges[--c->n_edges];
	}
	pthread_mutex_unlock(&c->mutex);
}

static bool
is_of(const struct edge *edge, const char *edge_group)
{
	return edge_group == NULL ||
	       (edge->group != NULL && strcmp(edge->group, edge_group) == 0);
}

/* "fra-1, fra-2 and 3 more"; the mutex is held. */
static void
name_missing(const struct http_challenges *c, const char *edge_group,
    uint64_t mark, char *ret_why, size_t max)
{
	size_t len = 0, left = 0;

	ret_why[0] = 0;
	for (size_t i = 0; i < c->n_edges; i++) {
		const struct edge *edge = &c->edges[i];
		size_t need = strlen(edge->name) + 2;

		if (!is_of(edge, edge_group) || edge->mark >= mark)
			continue;
		/* "and 4294967295 more" has its place. */
		if (len + need + 24 >= max) {
			left++;
			continue;
		}
		len += (size_t)snprintf(ret_why + len, max - len, "%s%s",
		    len > 0 ? ", " : "", edge->name);
	}
	if (left > 0)
		(void)!snprintf(
		    ret_why + len, max - len, " and %zu more", left);
}

/* Edges of the group, and those of them that have the answer; the mutex is
 * held.
 */
static void
count(const struct http_challenges *c, const struct answer *at,
    const char *edge_group, size_t *ret_n, size_t *ret_n_have)
{
	*ret_n = *ret_n_have = 0;
	for (size_t i = 0; i < c->n_edges; i++) {
		if (!is_of(&c->edges[i], edge_group))
			continue;
		++*ret_n;
		if (at != NULL && c->edges[i].mark >= at->mark)
			++*ret_n_have;
	}
}

bool
http_challenges_in_force(struct http_challenges *c, const char *token,
    const char *edge_group, size_t *ret_n_edges, char *ret_why, size_t max)
{
	const struct answer *at;
	size_t n_have;

	pthread_mutex_lock(&c->mutex);
	at = find(c, token);
	count(c, at, edge_group, ret_n_edges, &n_have);
	if (at == NULL)
		(void)!snprintf(ret_why, max, "the answer is not given");
	else
		name_missing(c, edge_group, at->mark, ret_why, max);
	pthread_mutex_unlock(&c->mutex);
	return at != NULL && n_have == *ret_n_edges;
}

size_t
http_challenges_have(
    struct http_challenges *c, const char *token, const char *edge_group)
{
	size_t n, n_have;

	pthread_mutex_lock(&c->mutex);
	count(c, find(c, token), edge_group, &n, &n_have);
	pthread_mutex_unlock(&c->mutex);
	return n_have;
}
