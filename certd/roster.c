/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The list of edges, fetched from keyd; see roster.h.  The thread alone asks
 * and replaces the list, whole, after the store has it.
 */

#include "certd/roster.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define REFRESH_NS (30 * NS_PER_S)

struct list {
	struct roster_edge *at; /* by name */
	size_t n, max;
	bool is_short; /* memory ended */
};

struct roster {
	struct store *store;
	struct custody *custody;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* mutex guards what follows; list is replaced by the thread alone */
	struct list list;
	uint64_t changes;
	bool is_wanted, stopping;
	/* When the last question was put that keyd answered, or did not. */
	int64_t answered_ns, failed_ns;
};

static void
list_done(struct list *list)
{
	free(list->at);
	*list = (struct list){ 0 };
}

static void
list_add(struct list *list, const char *name, const char *edge_group,
    bool quarantined)
{
	struct roster_edge *to;

	if (list->n == list->max) {
		size_t max = list->max == 0 ? 64 : 2 * list->max;
		struct roster_edge *more =
		    reallocarray(list->at, max, sizeof(*more));

		if (more == NULL) {
			list->is_short = true;
			return;
		}
		list->at = more;
		list->max = max;
	}
	to = &list->at[list->n++];
	memset(to, 0, sizeof(*to)); /* compared whole */
	(void)!snprintf(to->name, sizeof(to->name), "%s", name);
	(void)!snprintf(
	    to->edge_group, sizeof(to->edge_group), "%s", edge_group);
	to->quarantined = quarantined;
}

static int
by_name(const void *a, const void *b)
{
	const struct roster_edge *one = a, *other = b;

	return strcmp(one->name, other->name);
}

static const struct roster_edge *
list_find(const struct list *list, const char *name)
{
	struct roster_edge key = { 0 };

	(void)!snprintf(key.name, sizeof(key.name), "%s", name);
	return list->n == 0
		   ? NULL
		   : bsearch(&key, list->at, list->n, sizeof(key), by_name);
}

static bool
same(const struct list *a, const struct list *b)
{
	return a->n == b->n &&
	       (a->n == 0 || memcmp(a->at, b->at, a->n * sizeof(*a->at)) == 0);
}

/* ---- what keyd says ---- */

static void
take(void *ctx, const struct custody_edge *edge)
{
	list_add(ctx, edge->name, edge->edge_group, edge->quarantined);
}

static bool
is_listed(void *ctx, const char *name)
{
	return list_find(ctx, name) != NULL;
}

static struct status
write_down(struct roster *r, struct list *list)
{
	struct db_tx *tx;
	struct status st = store_write(r->store, &tx);
	int64_t now_s = store_now_s();

	if (failed(st))
		return st;
	for (size_t i = 0; i < list->n && !failed(st); i++)
		st = fleet_put(tx, list->at[i].name, list->at[i].edge_group,
		    list->at[i].quarantined, now_s);
	if (!failed(st))
		st = fleet_prune(tx, is_listed, list);
	return store_commit(r->store, tx, st);
}

static struct status
fetch(struct roster *r, struct list *ret_list, char *ret_why)
{
	struct status st =
	    custody_each_edge(r->custody, take, ret_list, ret_why);

	if (!failed(st) && ret_list->is_short)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	if (failed(st))
		return st;
	if (ret_list->n > 0)
		qsort(
		    ret_list->at, ret_list->n, sizeof(*ret_list->at), by_name);
	return st;
}

static void
note_failure(
    struct roster *r, int64_t asked_ns, struct status st, const char *why)
{
	bool is_first;

	pthread_mutex_lock(&r->mutex);
	is_first = r->failed_ns < 0 || r->failed_ns < r->answered_ns;
	r->failed_ns = asked_ns;
	pthread_mutex_unlock(&r->mutex);
	if (is_first)
		log_warn("keyd cannot be asked which edges there are; going "
			 "on with those known",
		    LOG_STR("code", status_name(st.code)),
		    LOG_STR("why", why[0] != 0 ? why : st.why));
}

static void
refresh(struct roster *r)
{
	int64_t asked_ns = clock_mono_ns();
	char why[CUSTODY_WHY_MAX] = "";
	struct list list = { 0 };
	struct status st = fetch(r, &list, why);
	bool is_same = !failed(st) && same(&r->list, &list);

	if (!failed(st) && !is_same)
		st = write_down(r, &list);
	if (failed(st)) {
		note_failure(r, asked_ns, st, why);
		list_done(&list);
		return;
	}
	pthread_mutex_lock(&r->mutex);
	r->answered_ns = asked_ns;
	if (!is_same) {
		struct list old = r->list;

		r->list = list;
		list = old;
		r->changes++;
	}
	pthread_mutex_unlock(&r->mutex);
	list_done(&list);
}

/* False when it is time to stop. */
static bool
wait_for_turn(struct roster *r)
{
	int64_t until_ns = clock_mono_ns() + REFRESH_NS;
	bool stopping;

	pthread_mutex_lock(&r->mutex);
	while (!r->stopping && !r->is_wanted && clock_mono_ns() < until_ns)
		(void)clock_cond_wait(&r->changed, &r->mutex, until_ns);
	r->is_wanted = false;
	stopping = r->stopping;
	pthread_mutex_unlock(&r->mutex);
	return !stopping;
}

static void *
run(void *arg)
{
	struct roster *r = arg;

	pthread_setname_np(pthread_self(), "roster");
	do {
		refresh(r);
		/* Whoever waits for an answer looks again, whatever it is. */
		store_wake(r->store);
	} while (wait_for_turn(r));
	return NULL;
}

/* ---- the door ---- */

STATUS
roster_find(struct roster *r, const char *name, int64_t since_ns,
    struct roster_edge *ret_edge)
{
	const struct roster_edge *edge;
	struct status st = status_ok();

	pthread_mutex_lock(&r->mutex);
	edge = list_find(&r->list, name);
	if (edge != NULL) {
		*ret_edge = *edge;
	} else if (r->answered_ns >= since_ns) {
		st = status_fail(STATUS_NOT_FOUND,
		    "keyd does not know this edge; invite it: holdfast edge "
		    "invite NAME");
	} else if (r->failed_ns >= since_ns) {
		st = status_fail(STATUS_UNAVAILABLE,
		    "keyd, who knows this edge's group, does not answer; try "
		    "again later");
	} else {
		st = status_fail(STATUS_ABORTED, "keyd is being asked");
		r->is_wanted = true;
		pthread_cond_signal(&r->changed);
	}
	pthread_mutex_unlock(&r->mutex);
	return st;
}

uint64_t
roster_changes(struct roster *r)
{
	uint64_t changes;

	pthread_mutex_lock(&r->mutex);
	changes = r->changes;
	pthread_mutex_unlock(&r->mutex);
	return changes;
}

static bool
load_one(void *ctx, const struct fleet_edge *edge)
{
	list_add(ctx, edge->name, edge->edge_group, edge->quarantined);
	return true;
}

/* What keyd said when it was last asked, maybe long ago. */
static struct status
load(struct roster *r)
{
	struct db_tx *tx;
	struct status st = store_read(r->store, &tx);

	if (failed(st))
		return st;
	st = fleet_list(tx, "", "", SIZE_MAX / 2, load_one, &r->list);
	db_end(tx);
	if (!failed(st) && r->list.is_short)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	return st;
}

static void
release(struct roster *r)
{
	list_done(&r->list);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->mutex);
	free(r);
}

STATUS
roster_new(
    struct store *store, struct custody *custody, struct roster **ret_roster)
{
	struct roster *r = calloc(1, sizeof(*r));
	struct status st;

	if (r == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	r->store = store;
	r->custody = custody;
	pthread_mutex_init(&r->mutex, NULL);
	clock_cond_init(&r->changed);
	r->answered_ns = r->failed_ns = -1;
	st = load(r);
	if (!failed(st) && pthread_create(&r->thread, NULL, run, r) != 0)
		st = status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no thread to be had");
	if (failed(st)) {
		release(r);
		return st;
	}
	*ret_roster = r;
	return st;
}

void
roster_free(struct roster *r)
{
	if (r == NULL)
		return;
	pthread_mutex_lock(&r->mutex);
	r->stopping = true;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->mutex);
	pthread_join(r->thread, NULL);
	release(r);
}
