/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who looks on, who must make room, and what is said.  A viewer knows of its
 * account's row alone (store_live.h), and of topics that its role and scopes
 * may read; who sees all has the row of all.  Read live_look.c for how it comes
 * to know.
 */

#include "certd/console/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "certd/console/live_int.h"

static const char *const names[LIVE_TOPICS] = {
	[LIVE_CERTIFICATES] = "certificates",
	[LIVE_RESOURCES] = "resources",
	[LIVE_CHANGES] = "changes",
	[LIVE_ENROLLMENTS] = "enrollments",
	[LIVE_EDGES] = "edges",
	[LIVE_NOTICES] = "notices",
	[LIVE_HISTORY] = "history",
	[LIVE_KEYS] = "keys",
};

/* ---- life ---- */

STATUS
live_new(const struct live_config *config, struct live **ret_live)
{
	struct live *live = calloc(1, sizeof(*live));

	if (live == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	live->config = *config;
	if (live->config.look_ms == 0)
		live->config.look_ms = 500;
	if (live->config.beat_ms == 0)
		live->config.beat_ms = 10000;
	if (live->config.check_ms == 0)
		live->config.check_ms = 15000;
	pthread_mutex_init(&live->mutex, NULL);
	clock_cond_init(&live->changed);
	TAILQ_INIT(&live->viewers);
	live->has_thread =
	    pthread_create(&live->thread, NULL, live_look, live) == 0;
	if (!live->has_thread) {
		live_free(live);
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no memory for live pages");
	}
	*ret_live = live;
	return status_ok();
}

void
live_stop(struct live *live)
{
	struct live_viewer *viewer;
	struct live_calls calls = { .n = 0 };
	bool has_thread;

	if (live == NULL)
		return;
	pthread_mutex_lock(&live->mutex);
	has_thread = live->has_thread;
	live->has_thread = false;
	live->is_stopping = true;
	pthread_cond_broadcast(&live->changed);
	pthread_mutex_unlock(&live->mutex);
	if (!has_thread)
		return;
	store_wake(live->config.store);
	pthread_join(live->thread, NULL);
	pthread_mutex_lock(&live->mutex);
	TAILQ_FOREACH(viewer, &live->viewers, by_age)
	{
		if (!viewer->is_over)
			live_calls_note(&calls, viewer);
		live_end(viewer);
	}
	pthread_mutex_unlock(&live->mutex);
	live_calls_wake(&calls);
}

void
live_free(struct live *live)
{
	if (live == NULL)
		return;
	live_stop(live);
	pthread_cond_destroy(&live->changed);
	pthread_mutex_destroy(&live->mutex);
	free(live);
}

/* ---- coming and going ---- */

/* With the mutex held: the oldest of that caller if it has so many, else of
 * the account that has most, when there is no room; NULL: there is. */
static struct live_viewer *
whose_turn_it_is(struct live *live, const struct live_viewer *comer)
{
	struct live_viewer *viewer, *other, *oldest = NULL, *most = NULL;
	size_t n = 0, n_most = 0;

	TAILQ_FOREACH(viewer, &live->viewers, by_age)
	{
		size_t n_account = 0;

		if (viewer->is_over)
			continue;
		if (viewer->account == comer->account &&
		    strcmp(viewer->actor, comer->actor) == 0 && n++ == 0)
			oldest = viewer;
		TAILQ_FOREACH(other, &live->viewers, by_age)
		n_account +=
		    !other->is_over && other->account == viewer->account;
		if (n_account > n_most) {
			n_most = n_account;
			most = viewer;
		}
	}
	if (n >= LIVE_OF_CALLER_MAX)
		return oldest;
	return live->n >= LIVE_VIEWERS_MAX ? most : NULL;
}

static STATUS
enter(struct live *live, struct live_viewer *viewer, struct live_calls *calls)
{
	struct live_viewer *leaves;

	if (live->is_stopping)
		return status_fail(STATUS_UNAVAILABLE, "certd is stopping");
	leaves = whose_turn_it_is(live, viewer);
	if (leaves != NULL) {
		live_end(leaves);
		live_calls_note(calls, leaves);
	}
	TAILQ_INSERT_TAIL(&live->viewers, viewer, by_age);
	live->n++;
	pthread_cond_broadcast(&live->changed);
	return status_ok();
}

STATUS
live_join(struct live *live, const struct caller *caller, const char *position,
    const struct live_ops *ops, void *ctx, struct live_viewer **ret_viewer)
{
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(free) struct live_viewer *viewer = calloc(1, sizeof(*viewer));
	struct live_calls calls = { .n = 0 };
	struct status st;

	if (viewer == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	viewer->live = live;
	viewer->ops = ops;
	viewer->ctx = ctx;
	viewer->account = caller->account;
	memcpy(viewer->actor, caller->actor, sizeof(viewer->actor));
	viewer->topics = live_topics_of(caller);
	viewer->said_ns = viewer->checked_ns = clock_mono_ns();
	st = store_read(live->config.store, &tx);
	if (!failed(st))
		st = store_live_read(tx, caller->account, viewer->at);
	if (!failed(st) && position != NULL)
		st = live_position_since(
		    position, viewer->topics, viewer->at, &viewer->news);
	if (failed(st))
		return st;
	pthread_mutex_lock(&live->mutex);
	st = enter(live, viewer, &calls);
	pthread_mutex_unlock(&live->mutex);
	live_calls_wake(&calls);
	if (failed(st))
		return st;
	*ret_viewer = viewer;
	viewer = NULL;
	return st;
}

void
live_leave(struct live_viewer *viewer)
{
	struct live *live;
	bool is_last;

	if (viewer == NULL)
		return;
	live = viewer->live;
	pthread_mutex_lock(&live->mutex);
	live_end(viewer);
	viewer->has_left = true;
	TAILQ_REMOVE(&live->viewers, viewer, by_age);
	is_last = viewer->n_uses == 0;
	pthread_mutex_unlock(&live->mutex);
	if (is_last)
		live_calls_destroy(viewer);
}

/* ---- what is said ---- */

static size_t
print_news(unsigned news, char *to, size_t max)
{
	size_t n =
	    (size_t)snprintf(to, max, "event: changed\ndata: {\"topics\":[");
	const char *comma = "";

	for (unsigned i = 0; i < LIVE_TOPICS; i++) {
		if ((news & LIVE_BIT(i)) == 0)
			continue;
		n += (size_t)snprintf(
		    to + n, max - n, "%s\"%s\"", comma, names[i]);
		comma = ",";
	}
	return n + (size_t)snprintf(to + n, max - n, "]}\n\n");
}

size_t
live_read(struct live_viewer *viewer, char *to, size_t max)
{
	struct live *live = viewer->live;
	int64_t now_ns = clock_mono_ns();
	size_t n = 0;

	pthread_mutex_lock(&live->mutex);
	if (viewer->is_over) {
		n = 0;
	} else if (!viewer->has_begun) {
		n = (size_t)snprintf(to, max, "retry: 3000\n\n");
		viewer->has_begun = true;
	} else if (viewer->news != 0) {
		n = print_news(viewer->news, to, max);
		viewer->news = 0;
	} else if (live_is_silent(viewer, now_ns)) {
		n = (size_t)snprintf(to, max, ":\n\n");
	}
	if (n > 0)
		viewer->said_ns = now_ns;
	pthread_mutex_unlock(&live->mutex);
	return n;
}

bool
live_is_over(struct live_viewer *viewer)
{
	bool is_over;

	pthread_mutex_lock(&viewer->live->mutex);
	is_over = viewer->is_over;
	pthread_mutex_unlock(&viewer->live->mutex);
	return is_over;
}
