/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The thread that looks at running plans: after every commit, for changes end
 * with one, yet not too often, and when the next of a plan is due.  While none
 * runs it sleeps.
 */

#include "base/clock.h"
#include "base/log.h"
#include "certd/plans_int.h"

/* Looks are so far apart at least, however much is committed. */
#define LOOK_NS (500 * NS_PER_MS)
#define FAILED_MS 5000

/* False: it is time to stop. */
static bool
rest(struct plans *plans, int64_t until_ns)
{
	bool goes_on;

	pthread_mutex_lock(&plans->mutex);
	while (!plans->stops && !plans->is_told && clock_mono_ns() < until_ns) {
		if (until_ns == INT64_MAX)
			pthread_cond_wait(&plans->changed, &plans->mutex);
		else
			(void)clock_cond_wait(
			    &plans->changed, &plans->mutex, until_ns);
	}
	plans->is_told = false;
	goes_on = !plans->stops;
	pthread_mutex_unlock(&plans->mutex);
	return goes_on;
}

static void *
run(void *ctx)
{
	struct plans *plans = ctx;
	uint64_t seen = 0;
	bool goes_on = true;

	while (goes_on) {
		int64_t next_ms = -1;
		struct status st;

		/* What is committed from here on is seen by the rest. */
		seen = store_wait(plans->config.store, seen, 0);
		st = plans_step(plans, &next_ms);
		if (failed(st)) {
			log_warn("running plans could not be looked at",
			    LOG_STATUS(st));
			next_ms = FAILED_MS;
		}
		/* With none running, who starts one says so. */
		goes_on = rest(
		    plans, next_ms < 0 ? INT64_MAX : clock_mono_ns() + LOOK_NS);
		if (goes_on && next_ms > LOOK_NS / NS_PER_MS)
			(void)store_wait(plans->config.store, seen,
			    (unsigned)(next_ms - LOOK_NS / NS_PER_MS));
	}
	return NULL;
}

void
plans_wake(struct plans *plans)
{
	pthread_mutex_lock(&plans->mutex);
	plans->is_told = true;
	pthread_cond_signal(&plans->changed);
	pthread_mutex_unlock(&plans->mutex);
}

STATUS
plans_start(struct plans *plans)
{
	if (pthread_create(&plans->thread, NULL, run, plans) != 0)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no thread for plans");
	plans->has_thread = true;
	return status_ok();
}

void
plans_stop(struct plans *plans)
{
	if (plans == NULL || !plans->has_thread)
		return;
	pthread_mutex_lock(&plans->mutex);
	plans->stops = true;
	pthread_cond_signal(&plans->changed);
	pthread_mutex_unlock(&plans->mutex);
	store_wake(plans->config.store);
	pthread_join(plans->thread, NULL);
	plans->has_thread = false;
}
