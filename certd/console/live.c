/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Viewers, and the thread that looks for them.  It waits for a commit, looks
 * once for each account that viewers are of (store_live.h), notes which topics
 * went on for whom, and wakes those; so a burst of commits is told once. Owners
 * are called with no lock held: a viewer that is being called is kept until
 * then, though it has left (n_uses).
 *
 * A viewer knows of its account's row alone, and of topics that its role and
 * scopes may read; who sees all has the row of all.
 */

#include "certd/console/live.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/console/store_live.h"

#define TICK_MS 1000 /* at most, between looks while nothing is committed */

#define BIT(topic) (1U << (topic))

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

struct live_viewer {
	TAILQ_ENTRY(live_viewer) by_age;
	struct live *live;
	const struct live_ops *ops;
	void *ctx;
	int64_t account;
	char actor[ACTOR_MAX];
	unsigned topics; /* that it may be told of */
	int64_t at[LIVE_TOPICS];
	unsigned news;
	bool has_begun, has_left, is_over;
	unsigned n_uses; /* calls of its owner under way */
	int64_t said_ns, checked_ns;
};
TAILQ_HEAD(live_viewers, live_viewer);

struct live {
	struct live_config config;
	pthread_mutex_t mutex; /* guards what follows, and viewers */
	pthread_cond_t changed;
	struct live_viewers viewers; /* the oldest first */
	size_t n;                    /* of them, those that are not over */
	bool is_stopping, has_thread;
	pthread_t thread;
};

/* ---- who may be told of what ---- */

static unsigned
topics_of(const struct caller *caller)
{
	unsigned scopes = caller->scopes == 0 ? ~0U : caller->scopes;
	unsigned topics = 0;

	if ((scopes & SCOPE_CERTIFICATES_READ) != 0)
		topics |= BIT(LIVE_CERTIFICATES) | BIT(LIVE_CHANGES) |
			  BIT(LIVE_ENROLLMENTS) | BIT(LIVE_KEYS);
	if ((scopes & SCOPE_RESOURCES_READ) != 0)
		topics |= BIT(LIVE_RESOURCES) | BIT(LIVE_EDGES);
	if ((scopes & SCOPE_ACCOUNT_READ) != 0)
		topics |= BIT(LIVE_NOTICES);
	if ((scopes & SCOPE_ACCOUNT_READ) != 0 &&
	    (caller->is & ALLOW_MANAGE_READ) != 0)
		topics |= BIT(LIVE_HISTORY);
	return topics;
}

/* ---- viewers; with the mutex held ---- */

static void
end(struct live_viewer *viewer)
{
	if (!viewer->is_over)
		viewer->live->n--;
	viewer->is_over = true;
}

/* Calls of owners that are to be made, once the mutex is let go of. */
struct calls {
	struct live_viewer *of[LIVE_VIEWERS_MAX];
	size_t n;
};

static void
note_call(struct calls *calls, struct live_viewer *viewer)
{
	if (viewer->has_left || calls->n == LIVE_VIEWERS_MAX)
		return;
	viewer->n_uses++;
	calls->of[calls->n++] = viewer;
}

/* ---- calling owners; without it ---- */

static void
destroy(struct live_viewer *viewer)
{
	viewer->ops->done(viewer->ctx);
	free(viewer);
}

static void
end_use(struct live_viewer *viewer)
{
	bool is_last;

	pthread_mutex_lock(&viewer->live->mutex);
	is_last = --viewer->n_uses == 0 && viewer->has_left;
	pthread_mutex_unlock(&viewer->live->mutex);
	if (is_last)
		destroy(viewer);
}

static void
wake(struct calls *calls)
{
	for (size_t i = 0; i < calls->n; i++) {
		calls->of[i]->ops->wake(calls->of[i]->ctx);
		end_use(calls->of[i]);
	}
	calls->n = 0;
}

/* ---- a look ---- */

struct look {
	struct {
		int64_t account, at[LIVE_TOPICS];
		bool is_known;
	} of[LIVE_VIEWERS_MAX];
	size_t n;
};

static size_t
place_of(const struct look *look, int64_t account)
{
	size_t i = 0;

	while (i < look->n && look->of[i].account != account)
		i++;
	return i;
}

static void
take_accounts(struct live *live, struct look *look)
{
	struct live_viewer *viewer;

	look->n = 0;
	pthread_mutex_lock(&live->mutex);
	TAILQ_FOREACH(viewer, &live->viewers, by_age)
	if (!viewer->is_over && look->n < LIVE_VIEWERS_MAX &&
	    place_of(look, viewer->account) == look->n)
		look->of[look->n++].account = viewer->account;
	pthread_mutex_unlock(&live->mutex);
}

/* What cannot be read now is told with the next look. */
static void
read_accounts(struct live *live, struct look *look)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(live->config.store, &tx);

	for (size_t i = 0; i < look->n; i++) {
		struct status of = st;

		if (!failed(of))
			of = store_live_read(
			    tx, look->of[i].account, look->of[i].at);
		look->of[i].is_known = !failed(of);
	}
	if (failed(st))
		log_debug("live viewers cannot be told now", LOG_STATUS(st));
}

static unsigned
news_of(struct live_viewer *viewer, const int64_t at[LIVE_TOPICS])
{
	unsigned news = 0;

	for (unsigned i = 0; i < LIVE_TOPICS; i++)
		if (viewer->at[i] != at[i])
			news |= BIT(i);
	memcpy(viewer->at, at, sizeof(viewer->at));
	return news & viewer->topics;
}

static bool
is_silent(const struct live_viewer *viewer, int64_t now_ns)
{
	return now_ns - viewer->said_ns >=
	       viewer->live->config.beat_ms * NS_PER_MS;
}

static void
tell(struct live *live, const struct look *look, struct calls *calls)
{
	int64_t now_ns = clock_mono_ns();
	struct live_viewer *viewer;

	pthread_mutex_lock(&live->mutex);
	TAILQ_FOREACH(viewer, &live->viewers, by_age)
	{
		size_t i = place_of(look, viewer->account);

		if (viewer->is_over)
			continue;
		if (i < look->n && look->of[i].is_known)
			viewer->news |= news_of(viewer, look->of[i].at);
		if (viewer->news != 0 || is_silent(viewer, now_ns))
			note_call(calls, viewer);
	}
	pthread_mutex_unlock(&live->mutex);
}

/* ---- whether they may stay ---- */

static void
take_due(struct live *live, struct calls *calls)
{
	int64_t now_ns = clock_mono_ns();
	struct live_viewer *viewer;

	pthread_mutex_lock(&live->mutex);
	TAILQ_FOREACH(viewer, &live->viewers, by_age)
	{
		if (viewer->is_over || now_ns - viewer->checked_ns <
					   live->config.check_ms * NS_PER_MS)
			continue;
		viewer->checked_ns = now_ns;
		note_call(calls, viewer);
	}
	pthread_mutex_unlock(&live->mutex);
}

static void
check(struct live *live, struct calls *calls)
{
	take_due(live, calls);
	for (size_t i = 0; i < calls->n; i++) {
		struct live_viewer *viewer = calls->of[i];

		if (!viewer->ops->may_stay(viewer->ctx)) {
			pthread_mutex_lock(&live->mutex);
			end(viewer);
			pthread_mutex_unlock(&live->mutex);
			viewer->ops->wake(viewer->ctx);
		}
		end_use(viewer);
	}
	calls->n = 0;
}

/* ---- the thread ---- */

/* Until there are viewers, and look_ms after the last look; false: stop. */
static bool
rest_until(struct live *live, int64_t until_ns)
{
	bool waits = true, is_stopping;

	pthread_mutex_lock(&live->mutex);
	while (!live->is_stopping && (live->n == 0 || waits)) {
		if (live->n == 0)
			pthread_cond_wait(&live->changed, &live->mutex);
		else
			waits = clock_cond_wait(
			    &live->changed, &live->mutex, until_ns);
	}
	is_stopping = live->is_stopping;
	pthread_mutex_unlock(&live->mutex);
	return !is_stopping;
}

static unsigned
tick_ms(const struct live_config *config)
{
	unsigned ms = TICK_MS;

	if (config->beat_ms < ms)
		ms = config->beat_ms;
	return config->check_ms < ms ? config->check_ms : ms;
}

static void *
run(void *arg)
{
	struct look look = { .n = 0 };
	struct calls calls = { .n = 0 };
	struct live *live = arg;
	uint64_t seen = 0;
	int64_t until_ns = 0;

	while (rest_until(live, until_ns)) {
		seen = store_wait(
		    live->config.store, seen, tick_ms(&live->config));
		take_accounts(live, &look);
		read_accounts(live, &look);
		tell(live, &look, &calls);
		wake(&calls);
		check(live, &calls);
		until_ns = clock_mono_ns() + live->config.look_ms * NS_PER_MS;
	}
	return NULL;
}

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
	live->has_thread = pthread_create(&live->thread, NULL, run, live) == 0;
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
	struct calls calls = { .n = 0 };
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
			note_call(&calls, viewer);
		end(viewer);
	}
	pthread_mutex_unlock(&live->mutex);
	wake(&calls);
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
enter(struct live *live, struct live_viewer *viewer, struct calls *calls)
{
	struct live_viewer *leaves;

	if (live->is_stopping)
		return status_fail(STATUS_UNAVAILABLE, "certd is stopping");
	leaves = whose_turn_it_is(live, viewer);
	if (leaves != NULL) {
		end(leaves);
		note_call(calls, leaves);
	}
	TAILQ_INSERT_TAIL(&live->viewers, viewer, by_age);
	live->n++;
	pthread_cond_broadcast(&live->changed);
	return status_ok();
}

STATUS
live_join(struct live *live, const struct caller *caller,
    const struct live_ops *ops, void *ctx, struct live_viewer **ret_viewer)
{
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(free) struct live_viewer *viewer = calloc(1, sizeof(*viewer));
	struct calls calls = { .n = 0 };
	struct status st;

	if (viewer == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	viewer->live = live;
	viewer->ops = ops;
	viewer->ctx = ctx;
	viewer->account = caller->account;
	memcpy(viewer->actor, caller->actor, sizeof(viewer->actor));
	viewer->topics = topics_of(caller);
	viewer->said_ns = viewer->checked_ns = clock_mono_ns();
	st = store_read(live->config.store, &tx);
	if (!failed(st))
		st = store_live_read(tx, caller->account, viewer->at);
	if (failed(st))
		return st;
	pthread_mutex_lock(&live->mutex);
	st = enter(live, viewer, &calls);
	pthread_mutex_unlock(&live->mutex);
	wake(&calls);
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
	end(viewer);
	viewer->has_left = true;
	TAILQ_REMOVE(&live->viewers, viewer, by_age);
	is_last = viewer->n_uses == 0;
	pthread_mutex_unlock(&live->mutex);
	if (is_last)
		destroy(viewer);
}

/* ---- what is said ---- */

static size_t
print_news(unsigned news, char *to, size_t max)
{
	size_t n =
	    (size_t)snprintf(to, max, "event: changed\ndata: {\"topics\":[");
	const char *comma = "";

	for (unsigned i = 0; i < LIVE_TOPICS; i++) {
		if ((news & BIT(i)) == 0)
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
	} else if (is_silent(viewer, now_ns)) {
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
