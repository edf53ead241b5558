/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Looking for occasions; see notice_source.h.  The history is looked at each
 * second, which costs one look-up when there is no news; the rest now and then.
 * Each look is idempotent: what was told is not told again, so it may be cut
 * off anywhere, and two certds may look at the same time.
 */

#include "certd/notices/notice_source.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/notices/notice_expiry.h"
#include "certd/notices/notice_history.h"
#include "certd/notices/notice_stands.h"
#include "certd/notices/notice_watch.h"
#include "proto/message.h"

#define LOOK_MS 1000
#define EXPIRY_S 10 /* it looks once a minute, by the wall clock */
#define WATCH_S 10
#define SWEEP_S 30
#define PRUNE_S 60
#define SWEEP_PAGE 100
#define SWEEP_PAGES 20
#define PRUNED 500
#define KEPT_S (400 * INT64_C(86400))

/* What is done now and then. */
struct errand {
	struct status (*run)(struct notice_source *source);
	int64_t every_s;
	int64_t due_ns; /* monotonic */
};
#define ERRANDS 4

struct notice_source {
	struct notice_source_config config;
	struct notice_watch *watch;
	struct errand errands[ERRANDS];
	int64_t swept[NOTICE_EVENTS]; /* up to that id */
	uint_least64_t
	    told; /* as the teller had it when the sender was woken */
	atomic_bool stopping;
	pthread_mutex_t mutex; /* of wake alone */
	pthread_cond_t wake;
	pthread_t thread;
	bool has_thread;
};

/* ---- what was dealt with before it was sent ---- */

struct sweep {
	struct notice_source *source;
	struct db_tx *tx;
	int64_t now_s, last;
	size_t n, n_gone;
	struct {
		int64_t id;
		const char *why;
	} gone[SWEEP_PAGE];
	struct status st;
};

static bool
sweep_one(void *ctx, const struct notice_row *row)
{
	struct sweep *sweep = ctx;
	const char *why = NULL;

	sweep->n++;
	sweep->last = row->id;
	sweep->st = notice_stands(sweep->tx, row, sweep->now_s, &why);
	if (failed(sweep->st))
		return false;
	if (why != NULL) {
		sweep->gone[sweep->n_gone].id = row->id;
		sweep->gone[sweep->n_gone++].why = why;
	}
	return true;
}

static struct status
cancel(struct sweep *sweep)
{
	struct store *store = sweep->source->config.store;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	for (size_t i = 0; i < sweep->n_gone && !failed(st); i++)
		st = store_notices_cancel(
		    tx, sweep->gone[i].id, sweep->gone[i].why);
	return store_commit(store, tx, st);
}

/* *ret_more: there is another page. */
static struct status
sweep_page(struct notice_source *source, int event, bool *ret_more)
{
	struct sweep sweep = {
		.source = source, .now_s = store_now_s(), .st = status_ok()
	};
	struct status st = store_read(source->config.store, &sweep.tx);

	if (failed(st))
		return st;
	st = store_notices_queued(sweep.tx, event, source->swept[event],
	    SWEEP_PAGE, sweep_one, &sweep);
	db_end(sweep.tx);
	if (failed(sweep.st))
		st = sweep.st;
	if (!failed(st) && sweep.n_gone > 0)
		st = cancel(&sweep);
	if (failed(st))
		return st;
	*ret_more = sweep.n == SWEEP_PAGE;
	source->swept[event] = *ret_more ? sweep.last : 0;
	return st;
}

static struct status
sweep(struct notice_source *source)
{
	static const int EVENTS[] = { NOTICE_EXPIRING, NOTICE_EXPIRED,
		NOTICE_RENEWAL_FAILED, NOTICE_CHANGE_NEEDS_YOU };
	struct status st = status_ok();

	for (size_t i = 0; i < sizeof(EVENTS) / sizeof(EVENTS[0]); i++) {
		bool more = true;

		for (int page = 0; page < SWEEP_PAGES && more && !failed(st);
		     page++)
			st = sweep_page(source, EVENTS[i], &more);
	}
	return st;
}

/* ---- the other errands ---- */

static struct status
look_at_expiry(struct notice_source *source)
{
	struct status st = notice_expiry_look(source->config.store,
	    source->config.teller, store_now_s(), &source->stopping);

	return st.code == STATUS_CANCELLED ? status_ok() : st;
}

static struct status
look_at_whole(struct notice_source *source)
{
	return notice_watch_look(source->watch, store_now_s());
}

static struct status
measure(struct notice_source *source)
{
	scoped(db_end) struct db_tx *tx = NULL;
	int64_t created_s = 0, n = 0;
	struct status st;

	if (source->config.oldest_s == NULL)
		return status_ok();
	st = store_read(source->config.store, &tx);
	for (int event = 1; event < NOTICE_EVENTS && !failed(st); event++) {
		st = store_notices_count_queued(tx, event, &n);
		if (!failed(st))
			metric_gauge_set(source->config.queued[event], n);
	}
	if (!failed(st))
		st = store_notices_oldest(tx, &created_s);
	if (!failed(st))
		metric_gauge_set(source->config.oldest_s,
		    created_s == 0 ? 0 : store_now_s() - created_s);
	return st;
}

static struct status
prune(struct notice_source *source)
{
	struct store *store = source->config.store;
	int64_t n = 0;
	struct db_tx *tx;
	struct status st = measure(source);

	if (!failed(st))
		st = store_write(store, &tx);
	if (failed(st))
		return st;
	/* What another configuration, or a clock that was ahead, put off. */
	st = store_notices_hurry(
	    tx, store_now_s(), store_now_s() + NOTICE_REST_MOST_S);
	if (!failed(st))
		st =
		    store_notices_prune(tx, store_now_s() - KEPT_S, PRUNED, &n);
	return store_commit(store, tx, st);
}

/* ---- all of it ---- */

static struct status
look_at_history(struct notice_source *source)
{
	bool more = true;
	struct status st = status_ok();

	while (more && !failed(st) && !atomic_load(&source->stopping))
		st = notice_history_look(
		    source->config.store, source->config.teller, &more);
	return st;
}

static void
complain(struct status st)
{
	if (failed(st))
		log_warn("occasions for notices could not be looked for",
		    LOG_STATUS(st));
}

static void
wake_sender(struct notice_source *source)
{
	uint_least64_t told = atomic_load(&source->config.teller->n_told);

	if (source->config.sender != NULL && told != source->told)
		notice_sender_wake(source->config.sender);
	source->told = told;
}

/* One that fails keeps no other from its turn. */
static void
look(struct notice_source *source)
{
	const int64_t now_ns = clock_mono_ns();

	complain(look_at_history(source));
	for (size_t i = 0; i < ERRANDS; i++) {
		struct errand *errand = &source->errands[i];

		if (now_ns < errand->due_ns || atomic_load(&source->stopping))
			continue;
		complain(errand->run(source));
		errand->due_ns = clock_mono_ns() + errand->every_s * NS_PER_S;
	}
	wake_sender(source);
}

STATUS
notice_source_look(struct notice_source *source)
{
	struct status st = look_at_history(source);

	for (size_t i = 0; i < ERRANDS && !failed(st); i++)
		st = source->errands[i].run(source);
	wake_sender(source);
	return st;
}

static void *
run(void *arg)
{
	struct notice_source *source = arg;

	while (!atomic_load(&source->stopping)) {
		int64_t until_ns;

		look(source);
		until_ns = clock_mono_ns() + LOOK_MS * NS_PER_MS;
		pthread_mutex_lock(&source->mutex);
		while (!atomic_load(&source->stopping) &&
		       clock_cond_wait(&source->wake, &source->mutex, until_ns))
			;
		pthread_mutex_unlock(&source->mutex);
	}
	return NULL;
}

/* ---- life ---- */

STATUS
notice_source_new(const struct notice_source_config *config,
    struct notice_source **ret_source)
{
	const struct notice_watch_config watch = { .store = config->store,
		.teller = config->teller,
		.edge_grace_s = config->edge_grace_s,
		.health = config->health,
		.health_ctx = config->health_ctx };
	struct notice_source *source = calloc(1, sizeof(*source));

	if (source == NULL)
		return message_no_memory();
	source->config = *config;
	pthread_mutex_init(&source->mutex, NULL);
	clock_cond_init(&source->wake);
	source->errands[0] = (struct errand){ look_at_expiry, EXPIRY_S, 0 };
	source->errands[1] = (struct errand){ look_at_whole, WATCH_S, 0 };
	source->errands[2] = (struct errand){ sweep, SWEEP_S, 0 };
	source->errands[3] = (struct errand){ prune, PRUNE_S, 0 };
	source->watch = notice_watch_new(&watch);
	if (source->watch == NULL) {
		notice_source_free(source);
		return message_no_memory();
	}
	*ret_source = source;
	return status_ok();
}

STATUS
notice_source_start(struct notice_source *source)
{
	if (pthread_create(&source->thread, NULL, run, source) != 0)
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "a thread could not be started");
	source->has_thread = true;
	return status_ok();
}

void
notice_source_stop(struct notice_source *source)
{
	if (source == NULL)
		return;
	pthread_mutex_lock(&source->mutex);
	atomic_store(&source->stopping, true);
	pthread_cond_broadcast(&source->wake);
	pthread_mutex_unlock(&source->mutex);
	if (source->has_thread)
		pthread_join(source->thread, NULL);
	source->has_thread = false;
}

void
notice_source_free(struct notice_source *source)
{
	if (source == NULL)
		return;
	notice_source_stop(source);
	notice_watch_free(source->watch);
	pthread_cond_destroy(&source->wake);
	pthread_mutex_destroy(&source->mutex);
	free(source);
}
