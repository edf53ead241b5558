/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The thread that renews a daemon's certificate.  It looks at the clock often
 * rather than sleeping to a computed moment, so that a clock that was set, or a
 * machine that was suspended, does not make it miss.  A failed renewal loses
 * nothing while the old certificate lives; how soon it is tried again, and how
 * loudly it complains, follow from how much life is left.
 */

#include "rpc/renewal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

#define RENEW_TIMEOUT_MS 10000
#define LOOK_MAX_S 60
#define TEXT_MAX 160

struct renewal {
	struct renewal_config config;
	struct enroll_identity *identity; /* the thread's */
	int64_t due_s;                    /* the thread's */
	pthread_t thread;
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
		(void)clock_cond_wait(&r->changed, &r->mutex, until_ns);
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
tell(struct renewal *r, const char *text)
{
	if (r->config.trouble != NULL)
		r->config.trouble(r->config.ctx, text);
}

static void
complain(struct renewal *r, struct status st, const char *why)
{
	const struct enroll_identity *identity = r->identity;
	const char *program = r->config.program;
	int64_t left_s = identity->not_after_s - clock_wall_s();
	int64_t life_s = identity->not_after_s - identity->not_before_s;
	bool is_serious = left_s < life_s / 4;
	char text[TEXT_MAX];

	if (left_s > 0)
		(void)!snprintf(text, sizeof(text),
		    "%s's own certificate could not be renewed; will try again",
		    program);
	else
		(void)!snprintf(text, sizeof(text),
		    "%s's own certificate has expired and cannot be renewed; "
		    "run %s join with a new join file, then restart %s",
		    program, program, program);
	/* The first failures are no trouble yet. */
	if (is_serious)
		tell(r, text);
	log_write(is_serious ? LOG_ERROR : LOG_WARN, text,
	    (const struct log_field[]){ LOG_STR("identity", identity->identity),
		LOG_INT("expires_in_s", left_s),
		LOG_STR("code", status_name(st.code)),
		LOG_STR("why", *why != '\0' ? why : st.why), { .key = NULL } });
}

static void
count(struct metric_counter *counter)
{
	if (counter != NULL)
		metric_counter_add(counter, 1);
}

static void
measure(const struct renewal *r)
{
	if (r->config.metrics.not_after_s != NULL)
		metric_gauge_set(
		    r->config.metrics.not_after_s, r->identity->not_after_s);
}

/* Renew, store, load again, hand on. */
static struct status
try(struct renewal *r, char *ret_why)
{
	scoped(enroll_identity_free) struct enroll_identity *mine = NULL;
	struct enroll_identity *theirs = NULL;
	struct enroll_identity from = *r->identity; /* borrows all */
	struct status st;

	if (r->config.n_endpoints > 0) {
		from.endpoints = r->config.endpoints;
		from.n_endpoints = r->config.n_endpoints;
	}
	st =
	    enroll_renew(r->config.state_dir, &from, RENEW_TIMEOUT_MS, ret_why);
	if (!failed(st))
		st = enroll_load(r->config.state_dir, &mine, ret_why);
	if (!failed(st))
		st = enroll_load(r->config.state_dir, &theirs, ret_why);
	if (!failed(st))
		st = r->config.renewed(r->config.ctx, theirs);
	if (failed(st))
		return st;
	enroll_identity_free(r->identity);
	r->identity = mine;
	mine = NULL;
	return st;
}

/* Says what went wrong itself. */
static bool
renew(struct renewal *r)
{
	char why[RPC_WHY_MAX] = "";
	struct status st = try(r, why);
	int64_t now_s = clock_wall_s();

	count(
	    failed(st) ? r->config.metrics.failed : r->config.metrics.renewed);
	if (failed(st)) {
		complain(r, st, why);
		return false;
	}
	/* From when it came: keyd dates certificates back, for clocks that are
	 * behind its own. */
	r->due_s = half_way(now_s, r->identity->not_after_s);
	measure(r);
	log_info("certificate renewed",
	    LOG_STR("identity", r->identity->identity),
	    LOG_INT("expires_in_s", r->identity->not_after_s - now_s));
	tell(r, "");
	return true;
}

static void *
run(void *arg)
{
	struct renewal *r = arg;
	int64_t wait_s = 0;

	pthread_setname_np(pthread_self(), "renewal");
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
	struct status st;

	if (r == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	r->config = *config;
	pthread_mutex_init(&r->mutex, NULL);
	clock_cond_init(&r->changed);
	st = enroll_load(config->state_dir, &r->identity, why);
	if (!failed(st)) {
		r->due_s = half_way(
		    r->identity->not_before_s, r->identity->not_after_s);
		measure(r);
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
