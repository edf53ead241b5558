/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The thread that looks for viewers.  It waits for a commit, looks once for
 * each account that viewers are of (store_live.h), notes which topics went on
 * for whom, and wakes those; so a burst of commits is told once.  Now and then
 * it asks whether they may look on still.
 */

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/console/live_int.h"

#define TICK_MS 1000 /* at most, between looks while nothing is committed */

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
			news |= LIVE_BIT(i);
	memcpy(viewer->at, at, sizeof(viewer->at));
	return news & viewer->topics;
}

static void
tell(struct live *live, const struct look *look, struct live_calls *calls)
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
		if (viewer->news != 0 || live_is_silent(viewer, now_ns))
			live_calls_note(calls, viewer);
	}
	pthread_mutex_unlock(&live->mutex);
}

/* ---- whether they may stay ---- */

static void
take_due(struct live *live, struct live_calls *calls)
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
		live_calls_note(calls, viewer);
	}
	pthread_mutex_unlock(&live->mutex);
}

static void
check(struct live *live, struct live_calls *calls)
{
	take_due(live, calls);
	for (size_t i = 0; i < calls->n; i++) {
		struct live_viewer *viewer = calls->of[i];

		if (!viewer->ops->may_stay(viewer->ctx)) {
			pthread_mutex_lock(&live->mutex);
			live_end(viewer);
			pthread_mutex_unlock(&live->mutex);
			viewer->ops->wake(viewer->ctx);
		}
		live_calls_made(viewer);
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

void *
live_look(void *arg)
{
	struct look look = { .n = 0 };
	struct live_calls calls = { .n = 0 };
	struct live *live = arg;
	uint64_t seen = 0;
	int64_t until_ns = 0;

	while (rest_until(live, until_ns)) {
		seen = store_wait(
		    live->config.store, seen, tick_ms(&live->config));
		take_accounts(live, &look);
		read_accounts(live, &look);
		tell(live, &look, &calls);
		live_calls_wake(&calls);
		check(live, &calls);
		until_ns = clock_mono_ns() + live->config.look_ms * NS_PER_MS;
	}
	return NULL;
}
