/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The reconciler's thread.  Each round tells keyd of the rows that wait, those
 * to be taken away first, a few at a time, and writes down what became of them.
 * A row that keyd refuses does not hold up the others and is tried again in a
 * minute; while keyd is away nothing is asked until the pause is over, but what
 * waits is told why, so nobody waits for it.  A grant whose answer was lost
 * counts as given: it is taken away when it is not wanted.
 */

#include "certd/grants.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/store_grants.h"

#define AT_ONCE 16
#define RETRY_MS 1000
#define RETRY_MAX_MS 30000
#define REST_MS 20
#define REFUSED_MS 60000
#define COMPARE_S 3600
#define SETTLE_S 120
#define IDLE_MS 60000

struct grants {
	struct grants_config config;
	pthread_t thread;
	bool is_running;

	/* The thread's own. */
	unsigned pause_ms; /* 0: keyd is there */
	int64_t retry_ns;  /* 0: nothing to be tried again */
	int64_t compare_ns;
	int64_t settled_ns;
	char away[CUSTODY_WHY_MAX];

	pthread_mutex_t mutex; /* guards what is below */
	pthread_cond_t round;
	pthread_cond_t called; /* for the thread */
	bool stops;
	uint64_t asked, done; /* rounds */
};

STATUS
grants_pending(struct db_tx *tx, int64_t resource, bool *ret_pending)
{
	return store_grants_pending(tx, resource, ret_pending);
}

static bool
stops(struct grants *grants)
{
	bool it_does;

	pthread_mutex_lock(&grants->mutex);
	it_does = grants->stops;
	pthread_mutex_unlock(&grants->mutex);
	return it_does;
}

/* ---- one row ---- */

struct outcome {
	struct status st;
	char why[CUSTODY_WHY_MAX];
};

/* Would keyd answer the same about any other row? */
static bool
is_away(struct status st)
{
	switch (st.code) {
	case STATUS_UNAVAILABLE:
	case STATUS_DEADLINE_EXCEEDED:
	case STATUS_CANCELLED:
	case STATUS_UNAUTHENTICATED:
		return true;
	default:
		return false;
	}
}

/* May it have been done nevertheless? */
static bool
is_uncertain(struct status st)
{
	switch (st.code) {
	case STATUS_OK:
	case STATUS_INVALID_ARGUMENT:
	case STATUS_NOT_FOUND:
	case STATUS_ALREADY_EXISTS:
	case STATUS_PERMISSION_DENIED:
	case STATUS_FAILED_PRECONDITION:
	case STATUS_RESOURCE_EXHAUSTED:
	case STATUS_UNAUTHENTICATED:
		return false;
	default:
		return true;
	}
}

static void
ask(struct grants *grants, const struct grant_row *row, struct outcome *outcome)
{
	struct custody *custody = grants->config.custody;

	outcome->why[0] = 0;
	outcome->st = row->wanted ? custody_grant(custody, &row->key,
					row->edge_group, outcome->why)
				  : custody_revoke(custody, &row->key,
					row->edge_group, outcome->why);
	if (failed(outcome->st) && outcome->why[0] == 0)
		(void)!snprintf(
		    outcome->why, sizeof(outcome->why), "%s", outcome->st.why);
}

static struct status
write_down(struct db_tx *tx, const struct grant_row *row,
    const struct outcome *outcome)
{
	int granted = row->granted;

	if (!failed(outcome->st))
		return store_grants_told(
		    tx, row, row->wanted ? GRANT_YES : GRANT_NO);
	/* It may have been done, and the answer lost. */
	if (row->wanted && is_uncertain(outcome->st))
		granted = GRANT_PERHAPS;
	return store_grants_refused(tx, row, granted, outcome->why);
}

/* ---- one round ---- */

static struct status
write_all(struct grants *grants, const struct grant_row *rows,
    const struct outcome *outcomes, size_t n)
{
	struct db_tx *tx;
	struct status st = store_write(grants->config.store, &tx);

	if (failed(st))
		return st;
	for (size_t i = 0; i < n && !failed(st); i++)
		st = write_down(tx, &rows[i], &outcomes[i]);
	return store_commit(grants->config.store, tx, st);
}

static void
log_refusal(const struct grant_row *row, const struct outcome *outcome)
{
	char key[KEY_ID_TEXT_MAX];

	key_id_print(&row->key, key);
	log_warn("keyd refused a change of who may sign", LOG_STR("key", key),
	    LOG_STR("edge_group", row->edge_group),
	    LOG_STR("code", status_name(outcome->st.code)),
	    LOG_STR("why", outcome->why));
}

static void
keyd_is_away(struct grants *grants, const char *why)
{
	unsigned first =
	    grants->config.retry_ms > 0 ? grants->config.retry_ms : RETRY_MS;

	if (grants->pause_ms == 0)
		log_warn("keyd is away; rights to sign wait for it",
		    LOG_STR("why", why));
	grants->pause_ms = grants->pause_ms == 0 ? first : 2 * grants->pause_ms;
	if (grants->pause_ms > RETRY_MAX_MS)
		grants->pause_ms = RETRY_MAX_MS;
	grants->retry_ns = clock_mono_ns() + grants->pause_ms * NS_PER_MS;
	(void)!snprintf(grants->away, sizeof(grants->away), "%s", why);
}

static void
keyd_is_back(struct grants *grants)
{
	if (grants->pause_ms > 0)
		log_info("keyd is back");
	grants->pause_ms = 0;
}

/* The rows given; false when keyd is away. */
static bool
ask_all(struct grants *grants, const struct grant_row *rows,
    struct outcome *outcomes, size_t n, size_t *ret_asked)
{
	for (size_t i = 0; i < n; i++) {
		ask(grants, &rows[i], &outcomes[i]);
		*ret_asked = i + 1;
		if (is_away(outcomes[i].st)) {
			keyd_is_away(grants, outcomes[i].why);
			return false;
		}
		keyd_is_back(grants);
		if (!failed(outcomes[i].st))
			continue;
		log_refusal(&rows[i], &outcomes[i]);
		if (grants->retry_ns == 0)
			grants->retry_ns =
			    clock_mono_ns() + REFUSED_MS * NS_PER_MS;
	}
	return true;
}

/* Up to AT_ONCE rows behind *at; *ret_more: there may be others. */
static struct status
some_rows(struct grants *grants, bool with_trouble, struct grant_row *at,
    bool *ret_more)
{
	struct grant_row rows[AT_ONCE];
	struct outcome outcomes[AT_ONCE];
	size_t n = 0, asked = 0;
	struct db_tx *tx;
	bool is_there;
	struct status st = store_read(grants->config.store, &tx);

	if (failed(st))
		return st;
	st = store_grants_waiting(tx, at, with_trouble, rows, AT_ONCE, &n);
	db_end(tx);
	*ret_more = false;
	if (failed(st) || n == 0)
		return st;
	is_there = ask_all(grants, rows, outcomes, n, &asked);
	st = write_all(grants, rows, outcomes, asked);
	*at = rows[n - 1];
	*ret_more = is_there && n == AT_ONCE;
	return st;
}

/* What waits and has no word yet of why. */
static struct status
tell_why(struct grants *grants)
{
	struct grant_row row;
	size_t n = 0;
	struct db_tx *tx;
	struct status st = store_read(grants->config.store, &tx);

	if (failed(st))
		return st;
	st = store_grants_waiting(tx, NULL, false, &row, 1, &n);
	db_end(tx);
	if (failed(st) || n == 0)
		return st;
	st = store_write(grants->config.store, &tx);
	if (failed(st))
		return st;
	return store_commit(
	    grants->config.store, tx, store_grants_away(tx, grants->away));
}

static struct status
do_round(struct grants *grants)
{
	bool retries =
	    grants->retry_ns != 0 && clock_mono_ns() >= grants->retry_ns;
	struct grant_row at = { .wanted = false };
	bool more = grants->pause_ms == 0 || retries;
	struct status st = status_ok();

	if (retries)
		grants->retry_ns = 0;
	while (more && !failed(st) && !stops(grants))
		st = some_rows(grants, retries, &at, &more);
	if (!failed(st) && grants->pause_ms > 0)
		st = tell_why(grants);
	/* There was nothing left to be asked. */
	if (!failed(st) && retries && grants->retry_ns == 0)
		grants->pause_ms = 0;
	return st;
}

/* ---- comparing ---- */

static struct status
may_take_away(struct grants *grants, bool *ret_may)
{
	bool held = true;
	struct db_tx *tx;
	struct status st;

	*ret_may = false;
	if (clock_mono_ns() < grants->settled_ns)
		return status_ok();
	st = store_read(grants->config.store, &tx);
	if (failed(st))
		return st;
	st = store_grants_edge_held_back(tx, store_now_s(), &held);
	db_end(tx);
	*ret_may = !held;
	return st;
}

static void
compare(struct grants *grants)
{
	unsigned every_s =
	    grants->config.compare_s > 0 ? grants->config.compare_s : COMPARE_S;
	char why[CUSTODY_WHY_MAX];
	bool may = false;
	struct status st = may_take_away(grants, &may);

	if (!failed(st))
		st = grants_compare(
		    grants->config.store, grants->config.custody, may, why);
	grants->compare_ns = clock_mono_ns() + every_s * NS_PER_S;
	if (failed(st)) {
		log_warn("keyd's grants could not be compared with what is "
			 "bound; later again",
		    LOG_STATUS(st));
		grants->compare_ns = clock_mono_ns() + RETRY_MAX_MS * NS_PER_MS;
	}
	/* The first one that may take away comes as soon as it may. */
	if (grants->compare_ns > grants->settled_ns &&
	    grants->settled_ns > clock_mono_ns())
		grants->compare_ns = grants->settled_ns;
}

/* ---- the thread ---- */

static unsigned
wait_ms(const struct grants *grants)
{
	int64_t now_ns = clock_mono_ns();
	int64_t until_ns = now_ns + IDLE_MS * NS_PER_MS;

	if (grants->compare_ns < until_ns)
		until_ns = grants->compare_ns;
	if (grants->retry_ns != 0 && grants->retry_ns < until_ns)
		until_ns = grants->retry_ns;
	if (until_ns <= now_ns)
		return 0;
	return (unsigned)((until_ns - now_ns) / NS_PER_MS) + 1;
}

static uint64_t
begin(struct grants *grants)
{
	uint64_t asked;

	pthread_mutex_lock(&grants->mutex);
	asked = grants->asked;
	pthread_mutex_unlock(&grants->mutex);
	return asked;
}

static void
end(struct grants *grants, uint64_t asked)
{
	pthread_mutex_lock(&grants->mutex);
	grants->done = asked;
	pthread_cond_broadcast(&grants->round);
	pthread_mutex_unlock(&grants->mutex);
}

/* Commits come by the hundred when much is done; it is enough to look now and
 * then, unless somebody waits for it. */
static void
rest(struct grants *grants)
{
	const int64_t until_ns = clock_mono_ns() + REST_MS * NS_PER_MS;

	pthread_mutex_lock(&grants->mutex);
	while (!grants->stops && grants->asked == grants->done &&
	       clock_cond_wait(&grants->called, &grants->mutex, until_ns))
		;
	pthread_mutex_unlock(&grants->mutex);
}

static void *
run(void *ctx)
{
	struct grants *grants = ctx;
	/* Never a count that there is: the first wait is none. */
	uint64_t seen = UINT64_MAX;

	while (!stops(grants)) {
		uint64_t asked;
		struct status st;

		seen = store_wait(grants->config.store, seen, wait_ms(grants));
		asked = begin(grants);
		if (clock_mono_ns() >= grants->compare_ns)
			compare(grants);
		st = do_round(grants);
		if (failed(st)) {
			log_error("who may sign could not be kept up to date; "
				  "later again",
			    LOG_STATUS(st));
			grants->retry_ns =
			    clock_mono_ns() + RETRY_MAX_MS * NS_PER_MS;
		}
		end(grants, asked);
		rest(grants);
	}
	return NULL;
}

void
grants_wait(struct grants *grants, unsigned timeout_ms)
{
	int64_t until_ns = clock_mono_ns() + timeout_ms * NS_PER_MS;
	uint64_t round;
	bool waits = true;

	pthread_mutex_lock(&grants->mutex);
	round = ++grants->asked;
	pthread_cond_signal(&grants->called);
	pthread_mutex_unlock(&grants->mutex);
	store_wake(grants->config.store);
	pthread_mutex_lock(&grants->mutex);
	while (grants->done < round && !grants->stops && waits)
		waits =
		    clock_cond_wait(&grants->round, &grants->mutex, until_ns);
	pthread_mutex_unlock(&grants->mutex);
}

STATUS
grants_new(const struct grants_config *config, struct grants **ret)
{
	struct grants *grants = calloc(1, sizeof(*grants));
	unsigned settle_s = config->settle_s > 0 ? config->settle_s : SETTLE_S;

	if (grants == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	grants->config = *config;
	/* What a process before this one had trouble with is tried at once. */
	grants->retry_ns = clock_mono_ns();
	grants->settled_ns = clock_mono_ns() + settle_s * NS_PER_S;
	pthread_mutex_init(&grants->mutex, NULL);
	clock_cond_init(&grants->round);
	clock_cond_init(&grants->called);
	if (pthread_create(&grants->thread, NULL, run, grants) != 0) {
		grants_free(grants);
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "a thread cannot be made");
	}
	grants->is_running = true;
	*ret = grants;
	return status_ok();
}

void
grants_free(struct grants *grants)
{
	if (grants == NULL)
		return;
	pthread_mutex_lock(&grants->mutex);
	grants->stops = true;
	pthread_cond_broadcast(&grants->round);
	pthread_cond_signal(&grants->called);
	pthread_mutex_unlock(&grants->mutex);
	store_wake(grants->config.store);
	if (grants->is_running)
		pthread_join(grants->thread, NULL);
	pthread_cond_destroy(&grants->round);
	pthread_cond_destroy(&grants->called);
	pthread_mutex_destroy(&grants->mutex);
	free(grants);
}
