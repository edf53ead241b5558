/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The beginning and end of a pool, and what it says about itself.  Everything
 * in the caller's configuration is copied and bounded here, so that no later
 * step can fail for it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "hsm/hsm_int.h"

#define CACHE_DEFAULT 10000

static bool
text_ok(const char *text, size_t max)
{
	return text != NULL && text[0] != '\0' && strnlen(text, max + 1) <= max;
}

static STATUS
check_config(const struct hsm_config *config)
{
	const size_t path_max = WIRE_TEXT_MAX - 1;

	if (config->workers < 1 || config->workers > LANES_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a pool has 1 to 64 workers: check hsm.workers");
	if (!text_ok(config->token_label, 32))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a token's label has 1 to 32 octets: check hsm.token");
	if (!text_ok(config->module, path_max) ||
	    !text_ok(config->pin_file, path_max) ||
	    !text_ok(config->lock_file, path_max) ||
	    !text_ok(config->pool, 64) || config->worker_argv == NULL ||
	    config->worker_argv[0] == NULL)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "module, PIN file and lock file must be paths of at most "
		    "4,095 octets");
	return status_ok();
}

static char **
copy_argv(const char *const *argv)
{
	size_t n = 0;
	char **copy;

	while (argv[n] != NULL)
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy != NULL && i < n; i++) {
		copy[i] = strdup(argv[i]);
		if (copy[i] == NULL) {
			lane_environment_free(copy);
			return NULL;
		}
	}
	return copy;
}

/* Runs on a supervisor. */
static void
lane_changed(struct lane_pool *pool, unsigned index)
{
	struct hsm *hsm = (struct hsm *)(void *)pool;
	struct hsm_lane_status now;

	_Static_assert(offsetof(struct hsm, pool) == 0, "a pool is its hsm");
	if (hsm->measured) {
		struct lane_metrics *m = &hsm->per_lane[index];

		hsm_lane_status(hsm, index, &now);
		metric_counter_add(
		    m->restarts, now.restarts - m->restarts_counted);
		m->restarts_counted = now.restarts;
		metric_gauge_set(m->ready, strcmp(now.state, "ready") == 0);
	}
	if (hsm->lane_changed != NULL)
		hsm->lane_changed(hsm->lane_changed_ctx, hsm, index);
}

static void
make_metrics(struct hsm *hsm, const char *pool, struct metrics *metrics)
{
	char labels[128];

	for (unsigned i = 0; i < hsm->pool.n; i++) {
		snprintf(
		    labels, sizeof(labels), "pool=\"%s\",lane=\"%u\"", pool, i);
		hsm->per_lane[i].signatures =
		    metrics_counter(metrics, "holdfast_hsm_signatures_total",
			"Signatures made by the token.", labels);
	}
	for (unsigned i = 0; i < hsm->pool.n; i++) {
		snprintf(
		    labels, sizeof(labels), "pool=\"%s\",lane=\"%u\"", pool, i);
		hsm->per_lane[i].restarts = metrics_counter(metrics,
		    "holdfast_hsm_worker_restarts_total",
		    "Signing workers that ended and were buried.", labels);
	}
	for (unsigned i = 0; i < hsm->pool.n; i++) {
		snprintf(
		    labels, sizeof(labels), "pool=\"%s\",lane=\"%u\"", pool, i);
		hsm->per_lane[i].ready =
		    metrics_gauge(metrics, "holdfast_hsm_lane_ready",
			"1 when the lane's worker is logged in to the token.",
			labels);
	}
	snprintf(labels, sizeof(labels), "pool=\"%s\"", pool);
	hsm->batch_seconds =
	    metrics_histogram(metrics, "holdfast_hsm_batch_seconds",
		"Time from handing a batch to a worker to its reply.", labels);
	hsm->retries = metrics_counter(metrics, "holdfast_hsm_retries_total",
	    "Signatures tried again on another lane.", labels);
	if (hsm->blob != NULL)
		hsm->unwrapped = metrics_counter(metrics,
		    "holdfast_hsm_unwrapped_keys_total",
		    "Wrapped keys handed to a worker that did not hold them.",
		    labels);
	hsm->measured = true;
}

static void
init_locks(struct lane_pool *pool)
{
	pthread_mutex_init(&pool->lock, NULL);
	clock_cond_init(&pool->idle);
	clock_cond_init(&pool->changed);
}

static bool
copy_config(struct hsm *hsm, const struct hsm_config *config)
{
	struct lane_pool *pool = &hsm->pool;

	hsm->texts[0] = strdup(config->module);
	hsm->texts[1] = strdup(config->token_label);
	hsm->texts[2] = strdup(config->pin_file);
	hsm->texts[3] = strdup(config->lock_file);
	pool->config = (struct wire_config){
		.session_copies = config->session_copies,
		.wrapped = config->blob != NULL,
		.cache = config->cache > 0 ? config->cache : CACHE_DEFAULT,
		.module = hsm->texts[0],
		.token_label = hsm->texts[1],
		.pin_file = hsm->texts[2],
		.lock_file = hsm->texts[3],
	};
	hsm->blob = config->blob;
	hsm->blob_ctx = config->blob_ctx;
	pool->argv = copy_argv(config->worker_argv);
	pool->environment = lane_environment(config->worker_env);
	/* A lane's buffers are large and aligned. */
	pool->lanes = calloc(config->workers, sizeof(*pool->lanes));
	pool->sign_limit_ns = config->sign_limit_ns > 0 ? config->sign_limit_ns
							: LANE_SIGN_LIMIT_NS;
	pool->lane_changed = lane_changed;
	hsm->lane_changed = config->lane_changed;
	hsm->lane_changed_ctx = config->lane_changed_ctx;
	for (size_t i = 0; i < 4; i++) {
		if (hsm->texts[i] == NULL)
			return false;
	}
	return pool->argv != NULL && pool->environment != NULL &&
	       pool->lanes != NULL;
}

static void
stop_lanes(struct lane_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->n; i++)
		lane_stop(&pool->lanes[i]);
	for (unsigned i = 0; i < pool->n; i++)
		lane_done(&pool->lanes[i]);
}

STATUS
hsm_open(const struct hsm_config *config, struct hsm **ret_hsm)
{
	struct status st = check_config(config);
	struct hsm *hsm;

	if (failed(st))
		return st;
	hsm = calloc(1, sizeof(*hsm));
	if (hsm == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	init_locks(&hsm->pool);
	forgotten_init(&hsm->forgotten);
	births_init(&hsm->births);
	if (!copy_config(hsm, config)) {
		hsm_close(hsm);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	}
	hsm->pool.n = config->workers;
	if (config->metrics != NULL)
		make_metrics(hsm, config->pool, config->metrics);
	/* All are hopeful before the first supervisor looks at its peers. */
	for (unsigned i = 0; i < config->workers && !failed(st); i++)
		st = lane_init(&hsm->pool.lanes[i], &hsm->pool, i);
	for (unsigned i = 0; i < config->workers && !failed(st); i++)
		st = lane_start(&hsm->pool.lanes[i]);
	if (failed(st)) {
		hsm_close(hsm);
		return st;
	}
	*ret_hsm = hsm;
	return st;
}

void
hsm_close(struct hsm *hsm)
{
	if (hsm == NULL)
		return;
	stop_lanes(&hsm->pool);
	forgotten_done(&hsm->forgotten);
	births_done(&hsm->births);
	pthread_cond_destroy(&hsm->pool.idle);
	pthread_cond_destroy(&hsm->pool.changed);
	pthread_mutex_destroy(&hsm->pool.lock);
	for (size_t i = 0; i < 4; i++)
		free(hsm->texts[i]);
	lane_environment_free(hsm->pool.argv);
	lane_environment_free(hsm->pool.environment);
	free(hsm->pool.lanes);
	free(hsm);
}

STATUS
hsm_wait_ready(struct hsm *hsm, int64_t timeout_ns)
{
	int64_t deadline_ns = clock_mono_ns() + timeout_ns;
	struct lane_pool *pool = &hsm->pool;
	struct status st = status_ok();
	bool waiting = true;

	pthread_mutex_lock(&pool->lock);
	while (waiting) {
		unsigned refused = 0;

		for (unsigned i = 0; i < pool->n; i++) {
			const struct lane *lane = &pool->lanes[i];

			refused += lane->state == LANE_PIN_REFUSED;
			st = reason_status(lane->reason, lane->detail);
			if (lane->state == LANE_READY)
				break;
		}
		/* A refused PIN does not come right by waiting. */
		if (!failed(st) || refused == pool->n)
			break;
		waiting =
		    clock_cond_wait(&pool->changed, &pool->lock, deadline_ns);
	}
	pthread_mutex_unlock(&pool->lock);
	return st;
}

void
hsm_lane_status(
    const struct hsm *hsm, unsigned index, struct hsm_lane_status *ret_status)
{
	static const char *const names[] = {
		[LANE_STARTING] = "starting",
		[LANE_READY] = "ready",
		[LANE_PROBING] = "probing",
		[LANE_PIN_REFUSED] = "pin-refused",
	};
	const struct lane *lane = &hsm->pool.lanes[index];
	/* Looking takes the lock, which is not part of what is const. */
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&hsm->pool.lock;

	pthread_mutex_lock(lock);
	*ret_status = (struct hsm_lane_status){
		.state = names[lane->state],
		.why = lane->state == LANE_READY
			   ? ""
			   : reason_status(lane->reason, 0).why,
		.detail = lane->detail,
		.pid = lane->running ? lane->pid : 0,
		.restarts = lane->restarts,
		.signatures = atomic_load(&lane->signatures),
		.keys = lane->keys,
	};
	pthread_mutex_unlock(lock);
}
