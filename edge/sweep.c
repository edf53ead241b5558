/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Some threads and one question: which site is next?  They share nothing but
 * the count of wakes, by which a thread that is about to sleep notices that it
 * was woken while it asked.
 */

#include "edge/sweep.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

struct sweep {
	const struct sweep_ops *ops;
	void *ctx;
	pthread_t threads[SWEEP_THREADS];
	unsigned n_threads;
	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t changed;
	unsigned wakes;
	bool stopping;
};

/* False when it is time to stop. */
static bool
sleep_until(struct sweep *sweep, unsigned wakes, int64_t until_ns)
{
	bool stopping;

	pthread_mutex_lock(&sweep->mutex);
	while (!sweep->stopping && sweep->wakes == wakes &&
	       clock_mono_ns() < until_ns) {
		if (until_ns == INT64_MAX)
			pthread_cond_wait(&sweep->changed, &sweep->mutex);
		else
			(void)clock_cond_wait(
			    &sweep->changed, &sweep->mutex, until_ns);
	}
	stopping = sweep->stopping;
	pthread_mutex_unlock(&sweep->mutex);
	return !stopping;
}

static unsigned
count_wakes(struct sweep *sweep)
{
	unsigned wakes;

	pthread_mutex_lock(&sweep->mutex);
	wakes = sweep->wakes;
	pthread_mutex_unlock(&sweep->mutex);
	return wakes;
}

static void *
run(void *arg)
{
	struct sweep *sweep = arg;
	int64_t next_ns = 0;
	unsigned wakes = 0;

	while (sleep_until(sweep, wakes, next_ns)) {
		struct site *site;

		wakes = count_wakes(sweep);
		next_ns = INT64_MAX;
		site = sweep->ops->take(sweep->ctx, clock_mono_ns(), &next_ns);
		if (site == NULL)
			continue;
		sweep->ops->look(sweep->ctx, site);
		site_unref(site);
		next_ns = 0;
	}
	return NULL;
}

void
sweep_wake(struct sweep *sweep)
{
	pthread_mutex_lock(&sweep->mutex);
	sweep->wakes++;
	pthread_cond_broadcast(&sweep->changed);
	pthread_mutex_unlock(&sweep->mutex);
}

STATUS
sweep_new(unsigned threads, const struct sweep_ops *ops, void *ctx,
    struct sweep **ret_sweep)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep));

	if (sweep == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	sweep->ops = ops;
	sweep->ctx = ctx;
	pthread_mutex_init(&sweep->mutex, NULL);
	clock_cond_init(&sweep->changed);
	if (threads == 0 || threads > SWEEP_THREADS)
		threads = SWEEP_THREADS;
	while (sweep->n_threads < threads &&
	       pthread_create(
		   &sweep->threads[sweep->n_threads], NULL, run, sweep) == 0)
		sweep->n_threads++;
	if (sweep->n_threads == 0) {
		sweep_free(sweep);
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no thread to be had");
	}
	*ret_sweep = sweep;
	return status_ok();
}

void
sweep_free(struct sweep *sweep)
{
	if (sweep == NULL)
		return;
	pthread_mutex_lock(&sweep->mutex);
	sweep->stopping = true;
	pthread_cond_broadcast(&sweep->changed);
	pthread_mutex_unlock(&sweep->mutex);
	if (sweep->n_threads > 0)
		sweep->ops->stop(sweep->ctx);
	for (unsigned i = 0; i < sweep->n_threads; i++)
		pthread_join(sweep->threads[i], NULL);
	pthread_cond_destroy(&sweep->changed);
	pthread_mutex_destroy(&sweep->mutex);
	free(sweep);
}
