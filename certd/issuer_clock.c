/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The thread that finds what is to be done: changes that are due or were given
 * an input, renewals, certificates on their way out, revocations, and history
 * that is too old.  It looks
 * when something was committed and when the next row is due, along indexes of
 * due times alone, and asks nobody but the store.
 */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/issuer_history.h"
#include "certd/issuer_int.h"

#define IDLE_MS 60000
#define FAILED_MS 2000
/* Of the time since the last look a look takes a fiftieth at most. */
#define SHARE 50
#define PAUSE_MOST_NS (NS_PER_S / 20)
/* Renewals and what leaves are not looked at for each commit. */
#define LOOK_NS (NS_PER_S / 2)
/* The wall clock went back by more than a correction. */
#define SET_BACK_NS (INT64_C(300) * NS_PER_S)

struct watch {
	struct issuer *issuer;
	uint64_t seen;
	int64_t next_s;    /* when to look, by the wall clock; 0: not known */
	int64_t looked_ns; /* at renewals */
	int64_t next_look_s;
	struct issuer_history history;
	/* Of both clocks at the last look: how far they are apart. */
	int64_t apart_ns;
	bool has_failed;
	bool is_behind; /* renewals are to be looked at still */
};

static void
sooner(int64_t *at_s, int64_t then_s)
{
	if (then_s != 0 && (*at_s == 0 || then_s < *at_s))
		*at_s = then_s;
}

/* ---- changes ---- */

/* Wakes those in memory. */
static void
tell_given(struct issuer *issuer, const int64_t *ids, size_t n)
{
	pthread_mutex_lock(&issuer->mutex);
	for (size_t i = 0; i < n; i++) {
		struct run *run = issuer_find_run(issuer, ids[i]);

		if (run == NULL || run->must_look)
			continue;
		run->must_look = true;
		run->due_ns = clock_mono_ns();
		pthread_cond_signal(&issuer->changed);
	}
	pthread_mutex_unlock(&issuer->mutex);
}

static int
compare_ids(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* In ascending order. */
static size_t
list_runs(struct issuer *issuer, int64_t ret_ids[ISSUER_RUNS_MAX])
{
	size_t n;

	pthread_mutex_lock(&issuer->mutex);
	n = issuer->n_runs;
	for (size_t i = 0; i < n; i++)
		ret_ids[i] = issuer->runs[i]->id;
	pthread_mutex_unlock(&issuer->mutex);
	qsort(ret_ids, n, sizeof(*ret_ids), compare_ids);
	return n;
}

static void
add_runs(struct issuer *issuer, const int64_t *ids, size_t n)
{
	size_t n_runs;

	pthread_mutex_lock(&issuer->mutex);
	for (size_t i = 0; i < n; i++)
		if (issuer_find_run(issuer, ids[i]) == NULL)
			(void)issuer_add_run(issuer, ids[i]);
	n_runs = issuer->n_runs;
	pthread_mutex_unlock(&issuer->mutex);
	if (issuer->m_runs != NULL)
		metric_gauge_set(issuer->m_runs, (int64_t)n_runs);
}

struct found {
	int64_t given[ISSUER_RUNS_MAX], due[ISSUER_RUNS_MAX];
	size_t n_given, n_due;
};

static struct status
find_changes(struct watch *watch, int64_t now_s, struct found *found)
{
	int64_t skip[ISSUER_RUNS_MAX], next_s = 0;
	size_t n_skip = list_runs(watch->issuer, skip);
	/* Many at a time, for those in memory are passed over each time. */
	size_t room = n_skip < ISSUER_RUNS_MANY ? ISSUER_RUNS_MAX - n_skip : 0;
	struct db_tx *tx;
	struct status st = store_read(watch->issuer->config.store, &tx);

	if (failed(st))
		return st;
	st = store_changes_given(
	    tx, found->given, ISSUER_RUNS_MAX, &found->n_given);
	if (!failed(st) && room > 0)
		st = store_changes_due(tx, now_s, skip, n_skip, found->due,
		    room, &found->n_due, &next_s);
	db_end(tx);
	/* Where there is no room, who leaves wakes us. */
	if (!failed(st) && found->n_due < room)
		sooner(&watch->next_s, next_s);
	return st;
}

static struct status
look_at_changes(struct watch *watch, int64_t now_s)
{
	struct found found = { .n_given = 0 };
	struct status st = find_changes(watch, now_s, &found);

	if (failed(st))
		return st;
	tell_given(watch->issuer, found.given, found.n_given);
	add_runs(watch->issuer, found.due, found.n_due);
	return st;
}

/* ---- renewals, revocations, what leaves ---- */

/* What finds no room is put off already, and comes again. */
static void
send(struct issuer *issuer, const struct errand *errand)
{
	pthread_mutex_lock(&issuer->mutex);
	if (issuer->n_errands < ISSUER_ERRANDS_MAX) {
		size_t at = (issuer->first_errand + issuer->n_errands) %
			    ISSUER_ERRANDS_MAX;

		issuer->errands[at] = *errand;
		issuer->n_errands++;
		pthread_cond_signal(&issuer->changed);
	}
	pthread_mutex_unlock(&issuer->mutex);
}

static struct status
look_at_renewals(struct watch *watch, int64_t now_s)
{
	struct issuer *issuer = watch->issuer;
	scoped(free) struct renewals_ticked *ticked =
	    calloc(1, sizeof(*ticked));
	struct status st;

	if (ticked == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = renewals_tick(issuer->config.store, now_s, ticked);
	if (failed(st))
		return st;
	for (size_t i = 0; i < ticked->n_asks; i++)
		send(issuer, &(struct errand){ .ask = ticked->asks[i] });
	if (issuer->m_due != NULL)
		metric_gauge_set(issuer->m_due, (int64_t)ticked->n_due);
	sooner(&watch->next_look_s, ticked->next_s);
	return st;
}

static struct status
look_at_revocations(struct watch *watch, int64_t now_s)
{
	int64_t taken[ISSUE_REVOKE_MAX], next_s = 0;
	size_t n = 0;
	struct status st = issue_revoke_take(
	    watch->issuer->config.store, now_s, taken, &n, &next_s);

	for (size_t i = 0; i < n && !failed(st); i++)
		send(watch->issuer, &(struct errand){ .is_revocation = true,
					.certificate = taken[i] });
	sooner(&watch->next_look_s, next_s);
	return st;
}

static struct status
look_at_rest(struct watch *watch, int64_t now_s)
{
	int64_t next_s = 0;
	struct status st;

	watch->looked_ns = clock_mono_ns();
	watch->next_look_s = 0;
	st = look_at_renewals(watch, now_s);
	if (!failed(st))
		st = look_at_revocations(watch, now_s);
	if (!failed(st))
		st = issue_leave_sweep(
		    watch->issuer->config.store, now_s, &next_s);
	sooner(&watch->next_look_s, next_s);
	if (!failed(st))
		st = issuer_history_look(watch->issuer->config.store,
		    &watch->history, now_s, &next_s);
	sooner(&watch->next_look_s, next_s);
	return st;
}

/* ---- the clock itself ---- */

/* Rows of a time that was ahead of this one are brought back to it. */
static struct status
look_at_clock(struct watch *watch, int64_t now_s)
{
	int64_t apart_ns = clock_wall_ns() - clock_mono_ns();
	bool is_first = watch->apart_ns == 0;
	bool went_back = apart_ns < watch->apart_ns - SET_BACK_NS;

	watch->apart_ns = apart_ns;
	if (!is_first && !went_back)
		return status_ok();
	if (went_back)
		log_warn("the clock was set back; what is due is looked at "
			 "again");
	return renewals_clamp(watch->issuer->config.store, now_s);
}

static void
look(struct watch *watch)
{
	const int64_t now_s = store_now_s();
	struct status st = look_at_clock(watch, now_s);

	watch->next_s = 0;
	if (!failed(st))
		st = look_at_changes(watch, now_s);
	watch->is_behind = clock_mono_ns() - watch->looked_ns < LOOK_NS;
	if (!failed(st) && !watch->is_behind)
		st = look_at_rest(watch, now_s);
	watch->has_failed = failed(st);
	if (failed(st))
		log_warn("what is due could not be looked at", LOG_STATUS(st));
}

/* How long nothing comes by itself. */
static unsigned
rest_ms(const struct watch *watch)
{
	int64_t next_s = watch->next_s, ms;

	if (watch->has_failed)
		return FAILED_MS;
	if (watch->is_behind)
		return LOOK_NS / NS_PER_MS;
	sooner(&next_s, watch->next_look_s);
	if (next_s == 0)
		return IDLE_MS;
	ms = next_s * 1000 - clock_wall_ns() / NS_PER_MS;
	if (ms < 1)
		return 1;
	return ms < IDLE_MS ? (unsigned)ms : IDLE_MS;
}

/* Commits come by the hundred when much is done, and each would be looked at.
 * True: it is to end. */
static bool
pause_after(struct issuer *issuer, int64_t began_ns)
{
	const int64_t now_ns = clock_mono_ns();
	int64_t pause_ns = (now_ns - began_ns) * SHARE;
	bool stops;

	if (pause_ns > PAUSE_MOST_NS)
		pause_ns = PAUSE_MOST_NS;
	pthread_mutex_lock(&issuer->mutex);
	while (!issuer->stops && clock_cond_wait(&issuer->stopped,
				     &issuer->mutex, now_ns + pause_ns))
		;
	stops = issuer->stops;
	pthread_mutex_unlock(&issuer->mutex);
	return stops;
}

void *
issuer_clock(void *ctx)
{
	struct issuer *issuer = ctx;
	struct watch watch = { .issuer = issuer };
	bool stops = false;

	while (!stops) {
		const int64_t began_ns = clock_mono_ns();
		unsigned ms;

		/* What is committed from here on is seen by the rest. */
		watch.seen = store_wait(issuer->config.store, watch.seen, 0);
		look(&watch);
		ms = rest_ms(&watch);
		stops = pause_after(issuer, began_ns);
		if (!stops)
			(void)store_wait(issuer->config.store, watch.seen, ms);
	}
	return NULL;
}
