/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The set of quarantined members, fetched from keyd; see quarantine.h.  The
 * thread alone asks and replaces the set, whole and only when keyd answered for
 * both roles, so a half answer lets nobody in.  A set that cannot be written
 * down holds all the same.
 */

#include "certd/quarantine.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/store_quarantine.h"

#define REFRESH_MS 15000
#define HASTE_MS 2000 /* while they call */

struct set {
	char (*at)[CUSTODY_MEMBER_MAX]; /* in order */
	size_t n, max;
	bool is_short; /* memory ended */
};

struct quarantine {
	struct quarantine_config config;
	pthread_t thread;
	bool is_silent; /* keyd; the thread's own */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* mutex guards what follows; set is replaced by the thread alone */
	struct set set;
	int64_t asked_ns; /* when keyd was last asked */
	bool is_wanted, stopping;
};

static void
set_done(struct set *set)
{
	free(set->at);
	*set = (struct set){ 0 };
}

static void
set_add(void *ctx, const char *identity)
{
	struct set *set = ctx;

	if (set->n == set->max) {
		size_t max = set->max == 0 ? 8 : 2 * set->max;
		void *more = reallocarray(set->at, max, sizeof(set->at[0]));

		if (more == NULL) {
			set->is_short = true;
			return;
		}
		set->at = more;
		set->max = max;
	}
	memset(set->at[set->n], 0, sizeof(set->at[0]));
	(void)!snprintf(set->at[set->n++], sizeof(set->at[0]), "%s", identity);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool
set_has(const struct set *set, const char *identity)
{
	return set->n > 0 && bsearch(identity, set->at, set->n,
				 sizeof(set->at[0]), compare) != NULL;
}

/* ---- what keyd says ---- */

static void
take(void *ctx, const struct custody_member *member)
{
	if (member->quarantined)
		set_add(ctx, member->identity);
}

static struct status
fetch(struct quarantine *q, struct set *ret_set, char *ret_why)
{
	static const enum role ROLES[] = { ROLE_OPERATOR, ROLE_AUDITOR };
	struct status st = status_ok();

	for (size_t i = 0; i < sizeof(ROLES) / sizeof(ROLES[0]); i++)
		if (!failed(st))
			st = custody_each_member(q->config.custody, ROLES[i],
			    take, ret_set, ret_why);
	if (!failed(st) && ret_set->is_short)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	if (!failed(st) && ret_set->n > 0)
		qsort(ret_set->at, ret_set->n, sizeof(ret_set->at[0]), compare);
	return st;
}

/* The thread alone changes q->set: it may read it freely. */
static unsigned
tell_changes(const struct quarantine *q, const struct set *set)
{
	unsigned n = 0;

	for (size_t i = 0; i < set->n; i++)
		if (!set_has(&q->set, set->at[i])) {
			n++;
			log_warn("quarantined by keyd: nothing is done for "
				 "this member here either",
			    LOG_STR("identity", set->at[i]));
		}
	for (size_t i = 0; i < q->set.n; i++)
		if (!set_has(set, q->set.at[i])) {
			n++;
			log_info("released by keyd: this member is served "
				 "again",
			    LOG_STR("identity", q->set.at[i]));
		}
	return n;
}

static void
write_down(struct quarantine *q, const struct set *set)
{
	struct db_tx *tx;
	struct status st = store_write(q->config.store, &tx);

	if (!failed(st))
		st = store_commit(q->config.store, tx,
		    store_quarantine_put(tx,
			(const char(*)[CUSTODY_MEMBER_MAX])set->at, set->n));
	if (failed(st))
		log_error("whom keyd has quarantined cannot be written down; "
			  "until certd ends it holds all the same",
		    LOG_STATUS(st));
}

static void
refresh(struct quarantine *q)
{
	char why[CUSTODY_WHY_MAX] = "";
	struct set set = { 0 }, old;
	struct status st;

	pthread_mutex_lock(&q->mutex);
	q->asked_ns = clock_mono_ns();
	pthread_mutex_unlock(&q->mutex);
	st = fetch(q, &set, why);
	if (failed(st) && !q->is_silent)
		log_warn("keyd cannot be asked whom it has quarantined; what "
			 "it last said holds",
		    LOG_STR("code", status_name(st.code)),
		    LOG_STR("why", why[0] != 0 ? why : st.why));
	q->is_silent = failed(st);
	if (failed(st) || tell_changes(q, &set) == 0) {
		set_done(&set);
		return;
	}
	pthread_mutex_lock(&q->mutex);
	old = q->set;
	q->set = set;
	pthread_mutex_unlock(&q->mutex);
	set_done(&old);
	write_down(q, &set);
}

/* False when it is time to stop. */
static bool
wait_for_turn(struct quarantine *q)
{
	int64_t until_ns = clock_mono_ns() + q->config.refresh_ms * NS_PER_MS;
	bool stopping;

	pthread_mutex_lock(&q->mutex);
	while (!q->stopping && !q->is_wanted &&
	       clock_cond_wait(&q->changed, &q->mutex, until_ns))
		;
	q->is_wanted = false;
	stopping = q->stopping;
	pthread_mutex_unlock(&q->mutex);
	return !stopping;
}

static void *
run(void *arg)
{
	struct quarantine *q = arg;

	pthread_setname_np(pthread_self(), "quarantine");
	do
		refresh(q);
	while (wait_for_turn(q));
	return NULL;
}

/* ---- the door ---- */

STATUS
quarantine_check(struct quarantine *q, const struct caller *caller)
{
	bool is_member;

	if ((caller->is & (ALLOW_OPERATOR | ALLOW_AUDITOR)) == 0)
		return status_ok();
	pthread_mutex_lock(&q->mutex);
	is_member = set_has(&q->set, caller->actor);
	if (clock_mono_ns() - q->asked_ns >= q->config.haste_ms * NS_PER_MS) {
		q->is_wanted = true;
		pthread_cond_signal(&q->changed);
	}
	pthread_mutex_unlock(&q->mutex);
	if (is_member)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "this identity is quarantined: an operator can let it in "
		    "again with 'holdfast edge release'");
	return status_ok();
}

/* What keyd said when it was last asked, maybe long ago. */
static struct status
load(struct quarantine *q)
{
	struct db_tx *tx;
	struct status st = store_read(q->config.store, &tx);

	if (failed(st))
		return st;
	st = store_quarantine_each(tx, set_add, &q->set);
	db_end(tx);
	if (!failed(st) && q->set.is_short)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	return st;
}

static void
release(struct quarantine *q)
{
	set_done(&q->set);
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->mutex);
	free(q);
}

STATUS
quarantine_new(
    const struct quarantine_config *config, struct quarantine **ret_quarantine)
{
	struct quarantine *q = calloc(1, sizeof(*q));
	struct status st;

	if (q == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	q->config = *config;
	if (q->config.refresh_ms == 0)
		q->config.refresh_ms = REFRESH_MS;
	if (q->config.haste_ms == 0)
		q->config.haste_ms = HASTE_MS;
	q->asked_ns = clock_mono_ns();
	pthread_mutex_init(&q->mutex, NULL);
	clock_cond_init(&q->changed);
	st = load(q);
	if (!failed(st) && pthread_create(&q->thread, NULL, run, q) != 0)
		st = status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no thread to be had");
	if (failed(st)) {
		release(q);
		return st;
	}
	*ret_quarantine = q;
	return st;
}

void
quarantine_free(struct quarantine *q)
{
	if (q == NULL)
		return;
	pthread_mutex_lock(&q->mutex);
	q->stopping = true;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->mutex);
	pthread_join(q->thread, NULL);
	release(q);
}
