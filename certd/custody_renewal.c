/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The thread that renews certd's certificate at half its life, and puts new
 * clients in place of the old ones.  It looks at the clock often rather than
 * sleeping to a computed moment, so that a clock that was set does not make it
 * miss.  A renewal that fails loses nothing while the old certificate lives; it
 * is tried again, and said, the louder the less life is left.
 */

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/custody_int.h"

#define RENEW_TIMEOUT_MS 10000
#define LOOK_MAX_S 60

/* False when it is time to stop. */
static bool
sleep_s(struct custody *custody, int64_t seconds)
{
	int64_t until_ns = clock_mono_ns() + seconds * NS_PER_S;
	const struct timespec until = { .tv_sec = until_ns / NS_PER_S,
		.tv_nsec = until_ns % NS_PER_S };
	bool stopping;

	pthread_mutex_lock(&custody->mutex);
	while (!custody->stopping && clock_mono_ns() < until_ns)
		pthread_cond_timedwait(
		    &custody->changed, &custody->mutex, &until);
	stopping = custody->stopping;
	pthread_mutex_unlock(&custody->mutex);
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
set_trouble(struct custody *custody, const char *text)
{
	pthread_mutex_lock(&custody->mutex);
	(void)!snprintf(custody->renewal_trouble,
	    sizeof(custody->renewal_trouble), "%s", text);
	pthread_mutex_unlock(&custody->mutex);
}

static void
complain(struct custody *custody, const struct enroll_identity *identity,
    struct status st, const char *why)
{
	int64_t left_s = identity->not_after_s - clock_wall_s();
	int64_t life_s = identity->not_after_s - identity->not_before_s;
	const char *said = left_s > 0
			       ? "certd's own certificate could not be "
				 "renewed; will try again"
			       : "certd's own certificate has expired; run "
				 "certd join with a new join file, then "
				 "restart certd";

	/* The first failures are no trouble yet. */
	if (left_s < life_s / 4)
		set_trouble(custody, said);
	log_write(left_s < life_s / 4 ? LOG_ERROR : LOG_WARN, said,
	    (const struct log_field[]){ LOG_STR("identity", identity->identity),
		LOG_INT("expires_in_s", left_s),
		LOG_STR("code", status_name(st.code)),
		LOG_STR("why", *why != 0 ? why : st.why), { .key = NULL } });
}

/* New clients from the next call on; calls under way keep the old ones. */
static void
put(struct custody *custody, struct custody_links *links)
{
	struct custody_links *old;
	bool is_last;

	pthread_mutex_lock(&custody->mutex);
	old = custody->links;
	custody->links = links;
	custody->serial++;
	is_last = --old->refs == 0;
	pthread_mutex_unlock(&custody->mutex);
	if (is_last)
		custody_unlink(old);
}

/* This thread alone changes custody->links: it may read them freely. */
static bool
renew(struct custody *custody, int64_t *ret_due_s)
{
	struct enroll_identity from = *custody->links->identity; /* borrows */
	struct enroll_identity *fresh = NULL;
	struct custody_links *links = NULL;
	char why[RPC_WHY_MAX] = "";
	struct status st;

	from.endpoints = custody->endpoints;
	from.n_endpoints = custody->n_endpoints;
	st = enroll_renew(custody->state_dir, &from, RENEW_TIMEOUT_MS, why);
	if (!failed(st))
		st = enroll_load(custody->state_dir, &fresh, why);
	if (!failed(st))
		st = custody_link(custody, fresh, &links);
	if (failed(st)) {
		complain(custody, custody->links->identity, st, why);
		return false;
	}
	/* From when it came: keyd dates certificates back, for clocks that are
	 * behind its own. */
	*ret_due_s = half_way(clock_wall_s(), fresh->not_after_s);
	log_info("certificate renewed", LOG_STR("identity", fresh->identity),
	    LOG_INT("expires_in_s", fresh->not_after_s - clock_wall_s()));
	put(custody, links);
	set_trouble(custody, "");
	return true;
}

static void *
run(void *arg)
{
	struct custody *custody = arg;
	const struct enroll_identity *first = custody->links->identity;
	int64_t due_s = half_way(first->not_before_s, first->not_after_s);
	int64_t wait_s = 0;

	pthread_setname_np(pthread_self(), "renewal");
	while (sleep_s(custody, wait_s)) {
		int64_t now_s = clock_wall_s();

		if (now_s >= due_s && !renew(custody, &due_s))
			wait_s = clamp(
			    (custody->links->identity->not_after_s - now_s) /
				20,
			    1, LOOK_MAX_S);
		else
			wait_s = clamp(due_s - clock_wall_s(), 1, LOOK_MAX_S);
	}
	return NULL;
}

STATUS
custody_renewal_start(struct custody *custody)
{
	if (pthread_create(&custody->renewal, NULL, run, custody) != 0)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no thread to be had");
	custody->is_renewing = true;
	return status_ok();
}
