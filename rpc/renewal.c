/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The thread that renews edged's certificate.  It looks at the clock often
 * rather than sleeping to a computed moment, so that a clock that was set, or a
 * machine that was suspended, does not make it miss.  A failed renewal loses
 * nothing while the old certificate lives; how soon it is tried again, and how
 * loudly it complains, follow from how much life is left.
 */

#include "edge/renewal.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

#define RENEW_TIMEOUT_MS 10000
#define LOOK_MAX_S 60

struct renewal {
	struct renewal_config config;
	struct enroll_identity *identity; /* the thread's */
	int64_t due_s;                    /* the thread's */
	pthread_t thread;
	struct metric_gauge *m_not_after;
	struct metric_counter *m_renewed, *m_failed;
	pthread_mutex_t mutex; /* guards stopping */
	pthread_cond_t changed;
	bool stopping;
};

/* False when it is time to stop. */
static bool
sleep_s(struct renewal *r, int64_t seconds)
{
	int64_t until_ns = clock_mono_ns() + seconds * NS_PER_S;
	bool stopping;

	pthread_mutex_lock(&r->mutex);
	while (!r->stopping && clock_mono_ns() < until_ns)
		pthread_cond_timedwait(&r->changed, &r->mutex,
		    &(struct timespec){ .tv_sec = until_ns / NS_PER_S,
			.tv_nsec = until_ns % NS_PER_S });
	stopping = r->stopping;
	pthread_mutex_unlock(&r->mutex);
	return !stopping;
}

static int64_t
clamp(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

static int64_t
half_way(int64_t from_s, int64_t to_s)
{
	return from_s + (to_s - from_s) / 2;
}

static void
complain(struct renewal *r, struct status st, const char *why)
{
	const struct enroll_identity *identity = r->identity;
	int64_t left_s = identity->not_after_s - clock_wall_s();
	int64_t life_s = identity->not_after_s - identity->not_before_s;
	enum log_level level = left_s < life_s / 4 ? LOG_ERROR : LOG_WARN;

	metric_counter_add(r->m_failed, 1);
	log_write(level,
	    left_s > 0
		? "certificate could not be renewed; will try again"
		: "certificate has expired and cannot be renewed; run edged "
		  "join with a new join file, then restart edged",
	    (const struct log_field[]){ LOG_STR("identity", identity->identity),
		LOG_INT("expires_in_s", left_s),
		LOG_STR("code", status_name(st.code)),
		LOG_STR("why", *why != '\0' ? why : st.why), { .key = NULL } });
}

/* Renew, store, load again, hand on.  Says what went wrong itself. */
static bool
renew(struct renewal *r)
{
	char why[RPC_WHY_MAX] = "";
	struct enroll_identity *mine = NULL, *theirs = NULL;
	struct enroll_identity from = *r->identity; /* borrows all */
	struct status st;

	if (r->config.n_endpoints > 0) {
		from.endpoints = r->config.endpoints;
		from.n_endpoints = r->config.n_endpoints;
	}
	st = enroll_renew(r->config.state_dir, &from, RENEW_TIMEOUT_MS, why);
	if (!failed(st))
		st = enroll_load(r->config.state_dir, &mine, why);
	if (!failed(st))
		st = enroll_load(r->config.state_dir, &theirs, why);
	if (failed(st)) {
		enroll_identity_free(mine);
		complain(r, st, why);
		return false;
	}
	enroll_identity_free(r->identity);
	r->identity = mine;
	r->due_s = half_way(clock_wall_s(), mine->not_after_s);
	metric_counter_add(r->m_renewed, 1);
	metric_gauge_set(r->m_not_after, mine->not_after_s);
	log_info("certificate renewed", LOG_STR("identity", mine->identity),
	    LOG_INT("expires_in_s", mine->not_after_s - clock_wall_s()));
	r->config.renewed(r->config.ctx, theirs);
	return true;
}

static void *
run(void *arg)
{
	struct renewal *r = arg;
	int64_t wait_s = 0;

	while (sleep_s(r, wait_s)) {
		int64_t now_s = clock_wall_s();

		if (now_s >= r->due_s && !renew(r))
			wait_s = clamp((r->identity->not_after_s - now_s) / 20,
			    1, LOOK_MAX_S);
		else
			wait_s =
			    clamp(r->due_s - clock_wall_s(), 1, LOOK_MAX_S);
	}
	return NULL;
}

static void
renewal_free(struct renewal *r)
{
	enroll_identity_free(r->identity);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->mutex);
	free(r);
}

STATUS
renewal_start(const struct renewal_config *config, struct renewal **ret_renewal)
{
	struct renewal *r = calloc(1, sizeof(*r));
	char why[RPC_WHY_MAX] = "";
	pthread_condattr_t attr;
	struct status st;

	if (r == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	r->config = *config;
	pthread_mutex_init(&r->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->changed, &attr);
	pthread_condattr_destroy(&attr);
	r->m_not_after = metrics_gauge(config->metrics,
	    "edged_certificate_not_after_seconds",
	    "When edged's own certificate expires, seconds since 1970.", "");
	r->m_renewed = metrics_counter(config->metrics,
	    "edged_certificate_renewals_total", "Renewals that succeeded.", "");
	r->m_failed = metrics_counter(config->metrics,
	    "edged_certificate_renewal_failures_total", "Renewals that failed.",
	    "");
	st = enroll_load(config->state_dir, &r->identity, why);
	if (!failed(st)) {
		/* Later ones count from when they came: keyd dates them back,
		 * for clocks that are behind its own. */
		r->due_s = half_way(
		    r->identity->not_before_s, r->identity->not_after_s);
		metric_gauge_set(r->m_not_after, r->identity->not_after_s);
		if (pthread_create(&r->thread, NULL, run, r) != 0)
			st = status_fail(
			    STATUS_RESOURCE_EXHAUSTED, "no thread to be had");
	}
	if (failed(st)) {
		renewal_free(r);
		return st;
	}
	*ret_renewal = r;
	return status_ok();
}

void
renewal_stop(struct renewal *r)
{
	if (r == NULL)
		return;
	pthread_mutex_lock(&r->mutex);
	r->stopping = true;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->mutex);
	pthread_join(r->thread, NULL);
	renewal_free(r);
}
