/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The thread that does what time brings.  It asks the registry what is due by
 * the wall clock instead of keeping timers, so a restart, a clock that was set
 * and a key that was cancelled need no care here.  It decides nothing:
 * custody_destroy_due and approvals_tick do.
 */

#include "keyd/reaper.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

#define LOOK_EVERY_NS (INT64_C(1) * NS_PER_S)
#define WAIT_MAX_NS (INT64_C(60) * NS_PER_S)

struct reaper {
	struct reaper_config config;
	pthread_t thread;
	pthread_mutex_t mutex; /* guards is_ending */
	pthread_cond_t ending;
	bool is_ending;
};

/* False when it is time to end. */
static bool
sleep_a_while(struct reaper *reaper)
{
	int64_t until_ns = clock_mono_ns() + LOOK_EVERY_NS;
	bool is_ending;
	bool waits = true;

	pthread_mutex_lock(&reaper->mutex);
	while (!reaper->is_ending && waits)
		waits =
		    clock_cond_wait(&reaper->ending, &reaper->mutex, until_ns);
	is_ending = reaper->is_ending;
	pthread_mutex_unlock(&reaper->mutex);
	return !is_ending;
}

static void *
reap(void *ctx)
{
	struct reaper *reaper = ctx;
	const struct reaper_config *config = &reaper->config;
	int64_t wait_ns = LOOK_EVERY_NS, next_ns = 0;

	do {
		approvals_tick(config->approvals);
		if (clock_mono_ns() < next_ns)
			continue;
		if (failed(
			custody_destroy_due(config->custody, config->self))) {
			wait_ns = 2 * wait_ns < WAIT_MAX_NS ? 2 * wait_ns
							    : WAIT_MAX_NS;
			next_ns = clock_mono_ns() + wait_ns;
		} else {
			wait_ns = LOOK_EVERY_NS;
		}
	} while (sleep_a_while(reaper));
	return NULL;
}

STATUS
reaper_new(const struct reaper_config *config, struct reaper **ret_reaper)
{
	struct reaper *reaper = calloc(1, sizeof(*reaper));
	int error;

	if (reaper == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	reaper->config = *config;
	pthread_mutex_init(&reaper->mutex, NULL);
	clock_cond_init(&reaper->ending);
	error = pthread_create(&reaper->thread, NULL, reap, reaper);
	if (error != 0) {
		pthread_cond_destroy(&reaper->ending);
		pthread_mutex_destroy(&reaper->mutex);
		free(reaper);
		return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
		    "no thread for keys that are due", (uint32_t)error);
	}
	*ret_reaper = reaper;
	return status_ok();
}

void
reaper_free(struct reaper *reaper)
{
	if (reaper == NULL)
		return;
	pthread_mutex_lock(&reaper->mutex);
	reaper->is_ending = true;
	pthread_cond_signal(&reaper->ending);
	pthread_mutex_unlock(&reaper->mutex);
	/* Thousands may be due, and each takes the token a while. */
	custody_destroy_stop(reaper->config.custody);
	pthread_join(reaper->thread, NULL);
	pthread_cond_destroy(&reaper->ending);
	pthread_mutex_destroy(&reaper->mutex);
	free(reaper);
}
