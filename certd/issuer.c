/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Threads that bring changes about; see issuer.h.  Each takes the change that
 * is furthest of those that are due, does its steps until it has to wait, and
 * puts it back: what was begun ends before more is begun, so that few orders
 * are open at a CA, and few challenges in place, however many changes wait.
 * Where no change is due, it runs an errand to a CA.  Nothing here sleeps for a
 * fixed time: who waits is woken by what is found, or by the next moment there
 * is.
 */

#include "certd/issuer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/issuer_int.h"

/* Of so many turns one is an errand's, where there is one. */
#define ERRAND_TURN 8

/* ---- runs, with the mutex held ---- */

struct run *
issuer_find_run(struct issuer *issuer, int64_t id)
{
	for (size_t i = 0; i < issuer->n_runs; i++)
		if (issuer->runs[i]->id == id)
			return issuer->runs[i];
	return NULL;
}

bool
issuer_add_run(struct issuer *issuer, int64_t id)
{
	struct run *run;

	if (issuer->n_runs == ISSUER_RUNS_MAX)
		return false;
	run = calloc(1, sizeof(*run));
	if (run == NULL)
		return false;
	run->id = id;
	run->due_ns = clock_mono_ns();
	issue_init(&run->issue, &issuer->config, issuer->writer,
	    &issuer->metrics, issuer->delays, id);
	issuer->runs[issuer->n_runs++] = run;
	pthread_cond_signal(&issuer->changed);
	return true;
}

static void
drop_run(struct issuer *issuer, const struct run *run)
{
	for (size_t i = 0; i < issuer->n_runs; i++)
		if (issuer->runs[i] == run) {
			issuer->runs[i] = issuer->runs[--issuer->n_runs];
			return;
		}
}

/* NULL: of none, or of more CAs than are told apart. */
static struct crowd *
find_crowd(struct issuer *issuer, const char *authority)
{
	struct crowd *crowd = issuer->crowds;

	if (authority[0] == 0)
		return NULL;
	for (; crowd < issuer->crowds + issuer->n_crowds; crowd++)
		if (strcmp(crowd->authority, authority) == 0)
			return crowd;
	if (issuer->n_crowds == ISSUER_CROWDS_MAX)
		return NULL;
	issuer->n_crowds++;
	(void)!snprintf(
	    crowd->authority, sizeof(crowd->authority), "%s", authority);
	return crowd;
}

/* Where there are other CAs, a quarter of the workers is for those: one that is
 * slow holds up its own changes alone. */
static bool
is_crowded(const struct issuer *issuer, const struct crowd *crowd)
{
	const size_t n = issuer->config.config->acme.workers;
	const size_t others = n / 4 > 0 ? n / 4 : 1;

	return crowd != NULL && n > 1 && crowd->working >= n - others &&
	       authorities_count(issuer->config.authorities) > 1;
}

/* Is a to be taken before b? */
static bool
is_before(const struct run *a, const struct run *b, int64_t now_ns)
{
	const bool is_due = a->due_ns <= now_ns;

	if (is_due != (b->due_ns <= now_ns))
		return is_due;
	if (is_due && a->state != b->state)
		return a->state > b->state;
	return a->due_ns < b->due_ns;
}

/* Few there are: of those that nobody works on the furthest that is due, else
 * the earliest; of those whose CA has a worker to spare. */
static struct run *
find_next(struct issuer *issuer, int64_t now_ns)
{
	struct run *next = NULL;

	for (size_t i = 0; i < issuer->n_runs; i++) {
		struct run *run = issuer->runs[i];

		if (!run->is_working && !is_crowded(issuer, run->crowd) &&
		    (next == NULL || is_before(run, next, now_ns)))
			next = run;
	}
	return next;
}

/* ---- a turn ---- */

static bool
must_stop(struct issuer *issuer)
{
	bool stops;

	pthread_mutex_lock(&issuer->mutex);
	stops = issuer->stops;
	pthread_mutex_unlock(&issuer->mutex);
	return stops;
}

/* Is it at another CA now than it was taken for? */
static bool
has_moved(const struct run *run)
{
	const char *was = run->crowd == NULL ? "" : run->crowd->authority;

	return strcmp(run->issue.row.authority, was) != 0;
}

static struct pace
take_steps(struct issuer *issuer, struct run *run)
{
	struct pace pace;

	do
		pace = issue_step(&run->issue);
	while (pace.how == PACE_ON && !has_moved(run) && !must_stop(issuer));
	issue_rest(&run->issue);
	return pace;
}

/* With the mutex held, which is let go of meanwhile. */
static void
work_on(struct issuer *issuer, struct run *run)
{
	struct pace pace;

	run->is_working = true;
	run->issue.must_look |= run->must_look;
	run->must_look = false;
	if (run->crowd != NULL)
		run->crowd->working++;
	pthread_mutex_unlock(&issuer->mutex);
	pace = take_steps(issuer, run);
	if (pace.how == PACE_AWAY)
		issue_done(&run->issue);
	pthread_mutex_lock(&issuer->mutex);
	if (run->crowd != NULL)
		run->crowd->working--;
	run->is_working = false;
	run->state = run->issue.row.state;
	if (pace.how == PACE_AWAY) {
		drop_run(issuer, run);
		free(run);
		/* There is room, and it may be due again. */
		pthread_mutex_unlock(&issuer->mutex);
		store_wake(issuer->config.store);
		pthread_mutex_lock(&issuer->mutex);
		return;
	}
	run->crowd = find_crowd(issuer, run->issue.row.authority);
	run->due_ns = clock_mono_ns();
	if (!run->must_look)
		run->due_ns += pace.wait_ms * NS_PER_MS;
	/* It may be earlier than what others wait for. */
	pthread_cond_signal(&issuer->changed);
}

static void
run_errand(struct issuer *issuer)
{
	const struct errand errand = issuer->errands[issuer->first_errand];

	issuer->first_errand = (issuer->first_errand + 1) % ISSUER_ERRANDS_MAX;
	issuer->n_errands--;
	pthread_mutex_unlock(&issuer->mutex);
	if (errand.is_revocation)
		issue_revoke(&issuer->config, errand.certificate);
	else
		renewals_ask(&issuer->config, issuer->writer, &errand.ask);
	pthread_mutex_lock(&issuer->mutex);
}

/* However many changes are due, errands come to their turn. */
static bool
is_for_errands(struct issuer *issuer)
{
	return issuer->n_errands > 0 && ++issuer->turns % ERRAND_TURN == 0;
}

/* One waits for the next moment there is, and the others to be woken; next may
 * be NULL. */
static void
idle(struct issuer *issuer, const struct run *next)
{
	const int64_t due_ns = next == NULL ? INT64_MAX : next->due_ns;

	if (due_ns >= issuer->kept_ns) {
		pthread_cond_wait(&issuer->changed, &issuer->mutex);
		return;
	}
	issuer->kept_ns = due_ns;
	(void)clock_cond_wait(&issuer->changed, &issuer->mutex, due_ns);
	if (issuer->kept_ns == due_ns)
		issuer->kept_ns = INT64_MAX;
	/* Who comes after waits for the next one. */
	pthread_cond_signal(&issuer->changed);
}

static void *
work(void *ctx)
{
	struct issuer *issuer = ctx;

	pthread_mutex_lock(&issuer->mutex);
	while (!issuer->stops) {
		const int64_t now_ns = clock_mono_ns();
		struct run *run = find_next(issuer, now_ns);

		if (run != NULL && run->due_ns <= now_ns &&
		    !is_for_errands(issuer))
			work_on(issuer, run);
		else if (issuer->n_errands > 0)
			run_errand(issuer);
		else
			idle(issuer, run);
	}
	pthread_mutex_unlock(&issuer->mutex);
	return NULL;
}

/* ---- life ---- */

static void
measure(struct issuer *issuer)
{
	static const char name[] = "certd_changes_total";
	static const char help[] = "Changes that have ended, by outcome.";
	struct metrics *metrics = issuer->config.metrics;

	if (metrics == NULL)
		return;
	issuer->metrics = (struct issue_metrics){
		.done = metrics_counter(metrics, name, help, "state=\"done\""),
		.failed =
		    metrics_counter(metrics, name, help, "state=\"failed\""),
		.cancelled =
		    metrics_counter(metrics, name, help, "state=\"cancelled\""),
		.expired =
		    metrics_counter(metrics, name, help, "state=\"expired\""),
		.seconds = metrics_histogram(metrics, "certd_issue_seconds",
		    "From the begin of a change to its certificate.", ""),
	};
	issuer->m_runs = metrics_gauge(metrics, "certd_changes_in_memory",
	    "Changes that are worked on.", "");
	issuer->m_due = metrics_gauge(metrics, "certd_renewals_due",
	    "Renewals that the last look found due.", "");
}

static struct status
start_threads(struct issuer *issuer)
{
	const struct status st =
	    status_fail(STATUS_RESOURCE_EXHAUSTED, "no thread for the issuer");
	size_t n = issuer->config.config->acme.workers;

	issuer->workers = calloc(n + 1, sizeof(*issuer->workers));
	if (issuer->workers == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	for (; issuer->n_workers < n; issuer->n_workers++)
		if (pthread_create(&issuer->workers[issuer->n_workers], NULL,
			work, issuer) != 0)
			return st;
	if (pthread_create(&issuer->clock, NULL, issuer_clock, issuer) != 0)
		return st;
	issuer->has_clock = true;
	return status_ok();
}

STATUS
issuer_start(const struct issuer_config *config, struct issuer **ret_issuer)
{
	struct issuer *issuer = calloc(1, sizeof(*issuer));
	struct status st;

	if (issuer == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	issuer->config = *config;
	issuer->kept_ns = INT64_MAX;
	pthread_mutex_init(&issuer->mutex, NULL);
	clock_cond_init(&issuer->changed);
	clock_cond_init(&issuer->stopped);
	measure(issuer);
	st = issuer_restore(config);
	if (!failed(st))
		st = writer_new(config->store, &issuer->writer);
	if (!failed(st))
		st = delays_new(&issuer->delays);
	if (!failed(st))
		st = start_threads(issuer);
	if (failed(st)) {
		issuer_stop(issuer);
		return st;
	}
	*ret_issuer = issuer;
	return st;
}

void
issuer_stop(struct issuer *issuer)
{
	if (issuer == NULL)
		return;
	pthread_mutex_lock(&issuer->mutex);
	issuer->stops = true;
	pthread_cond_broadcast(&issuer->changed);
	pthread_cond_broadcast(&issuer->stopped);
	pthread_mutex_unlock(&issuer->mutex);
	store_wake(issuer->config.store);
	if (issuer->has_clock)
		pthread_join(issuer->clock, NULL);
	for (size_t i = 0; i < issuer->n_workers; i++)
		pthread_join(issuer->workers[i], NULL);
	for (size_t i = 0; i < issuer->n_runs; i++) {
		issue_done(&issuer->runs[i]->issue);
		free(issuer->runs[i]);
	}
	writer_free(issuer->writer);
	delays_free(issuer->delays);
	pthread_cond_destroy(&issuer->changed);
	pthread_cond_destroy(&issuer->stopped);
	pthread_mutex_destroy(&issuer->mutex);
	free(issuer->workers);
	free(issuer);
}
