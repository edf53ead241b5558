/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The hub: one thread that waits for commits and sends what they changed to all
 * edges.  A round is one transaction that reads; every stream that is behind
 * and has room gets some chunks in it, which the streams share (chunks.h).  So
 * what a change costs the database does not grow with the edges, and a slow
 * edge keeps nobody else.  Before that come answers to challenges
 * (watch_challenges.c), for which a CA waits.  Beside it the hub writes down
 * when edges were heard of, and ends retirements that only time ends.
 *
 * Read: run, then pump.
 */

#include "certd/watch.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/store_edges.h"
#include "certd/store_edges_live.h"
#include "certd/watch_int.h"

#define CHUNKS_A_ROUND 4
#define FLUSH_NS (30 * NS_PER_S)
#define SETTLE_NS (60 * NS_PER_S)

/* How long until the next look, unless something is committed before. */
#define IDLE_MS 5000
#define FAILED_MS 1000
#define HELD_MS 500

/* ---- sending ---- */

/* Everything that it lacks and that it has room for; when to look again. */
static struct status
pump_one(struct watch *watch, struct watcher *w,
    const struct chunks_round *round, unsigned *ret_wait_ms)
{
	struct chunk chunk;
	struct status st;

	*ret_wait_ms = IDLE_MS;
	if (w->done_at == round->current)
		return status_ok();
	for (int n = 0; n < CHUNKS_A_ROUND; n++) {
		*ret_wait_ms = WATCH_NO_ROOM_MS;
		if (!rpc_stream_has_room(w->stream))
			return status_ok();
		st = chunks_get(watch->chunks, round, w->edge_group, &w->cursor,
		    w->as_of, &chunk);
		if (failed(st))
			return st;
		w->cursor = chunk.next;
		w->as_of = chunk.as_of;
		if (chunk.octets.len == 0) {
			*ret_wait_ms = chunk.is_held ? HELD_MS : IDLE_MS;
			w->done_at = chunk.is_held ? -1 : round->current;
			return st;
		}
		rpc_stream_send(w->stream, chunk.octets);
		metric_counter_add(watch->m_updates, 1);
		metric_counter_add(watch->m_octets, chunk.octets.len);
	}
	/* There may be more: at once, but in a transaction of its own. */
	*ret_wait_ms = 0;
	return status_ok();
}

static struct status
pump_all(
    struct watch *watch, const struct chunks_round *round, unsigned *wait_ms)
{
	unsigned one_ms;

	for (struct watcher *w = watch->watchers; w != NULL; w = w->next) {
		struct status st;

		if (!w->is_admitted || w->is_ended)
			continue;
		st = pump_one(watch, w, round, &one_ms);
		if (failed(st))
			return st;
		if (one_ms < *wait_ms)
			*wait_ms = one_ms;
	}
	return status_ok();
}

static void
pump(struct watch *watch, unsigned *wait_ms)
{
	scoped(db_end) struct db_tx *tx = NULL;
	uint8_t tag[STORE_TAG_LEN];
	struct chunks_round round = { .now_s = store_now_s(),
		.number = ++watch->round,
		.pending = watch->config.grants_pending,
		.ctx = watch->config.ctx };
	struct status st = store_read(watch->config.store, &tx);

	round.tx = tx;
	if (!failed(st))
		st = store_current_version(tx, &round.current, tag);
	if (!failed(st))
		st = pump_all(watch, &round, wait_ms);
	atomic_store(&watch->reads, chunks_read(watch->chunks));
	if (failed(st)) {
		log_error("edges cannot be told what changed; will try again",
		    LOG_STATUS(st));
		*wait_ms = FAILED_MS;
	}
}

/* ---- who is there ---- */

static void
watcher_free(struct watcher *w)
{
	watch_challenges_end(w);
	rpc_stream_unref(w->stream);
	free(w);
}

static void
take_incoming(struct watch *watch)
{
	struct watcher *incoming;

	pthread_mutex_lock(&watch->mutex);
	incoming = watch->incoming;
	watch->incoming = NULL;
	pthread_mutex_unlock(&watch->mutex);
	while (incoming != NULL) {
		struct watcher *w = incoming;

		incoming = w->next;
		w->next = watch->watchers;
		watch->watchers = w;
	}
}

static void
drop_closed(struct watch *watch)
{
	struct watcher **at = &watch->watchers;

	while (*at != NULL) {
		struct watcher *w = *at;

		if (atomic_load(&w->is_closed)) {
			*at = w->next;
			watcher_free(w);
		} else {
			at = &w->next;
		}
	}
}

static void
look_round(struct watch *watch)
{
	uint64_t changes = roster_changes(watch->config.roster);
	bool changed = changes != watch->roster_seen;

	take_incoming(watch);
	drop_closed(watch);
	for (struct watcher *w = watch->watchers; w != NULL; w = w->next) {
		if (w->is_ended)
			continue;
		if (w->is_admitted && changed)
			watch_recheck(watch, w);
		else if (!w->is_admitted && atomic_load(&w->is_asked))
			watch_admit(watch, w);
	}
	watch->roster_seen = changes;
}

/* ---- from time to time ---- */

static struct status
look_for_settled(struct store *store, bool *ret_can)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(store, &tx);

	return failed(st) ? st : edges_can_settle(tx, store_now_s(), ret_can);
}

/* An edge that went away for good holds no retirement up. */
static struct status
settle(struct store *store)
{
	unsigned n = 0;
	bool can = false;
	struct db_tx *tx;
	struct status st = look_for_settled(store, &can);

	if (failed(st) || !can)
		return st;
	st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = edges_settle(tx, 0, store_now_s(), &n);
	return store_commit(store, tx, st);
}

static struct status
count_held(struct watch *watch)
{
	scoped(db_end) struct db_tx *tx = NULL;
	int64_t n = 0;
	struct status st = store_read(watch->config.store, &tx);

	if (!failed(st))
		st = fleet_count_held(tx, &n);
	if (!failed(st))
		metric_gauge_set(watch->m_held, n);
	return st;
}

static void
keep_house(struct watch *watch)
{
	int64_t now_ns = clock_mono_ns();
	struct status st = status_ok();

	if (now_ns - watch->flushed_ns >= FLUSH_NS) {
		watch->flushed_ns = now_ns;
		st = heard_flush(watch->config.heard, watch->config.store);
		if (!failed(st))
			st = count_held(watch);
	}
	if (!failed(st) && now_ns - watch->settled_ns >= SETTLE_NS) {
		watch->settled_ns = now_ns;
		st = settle(watch->config.store);
	}
	if (failed(st))
		log_error("what edges reported cannot be written down; will "
			  "try again",
		    LOG_STATUS(st));
}

/* By its steps edges seem away that are not. */
static void
look_at_clock(void)
{
	if (edges_live_look_at_clock(store_now_s(), clock_mono_ns()))
		log_warn("the clock was set, or this machine slept: edges are "
			 "given time to be heard of again");
}

static void *
run(void *arg)
{
	struct watch *watch = arg;
	uint64_t seen = 0;

	pthread_setname_np(pthread_self(), "watch");
	while (!atomic_load(&watch->stopping)) {
		unsigned wait_ms = IDLE_MS;

		look_at_clock();
		look_round(watch);
		watch_challenges_pump(watch, &wait_ms);
		pump(watch, &wait_ms);
		keep_house(watch);
		seen = store_wait_calmly(watch->config.store, seen, wait_ms);
	}
	return NULL;
}

/* ---- the door ---- */

static void
make_metrics(struct watch *watch, struct metrics *m)
{
	watch->m_streams =
	    metrics_gauge(m, "certd_watch_streams", "Edges' open streams.", "");
	watch->m_held = metrics_gauge(m, "certd_edges_held_back",
	    "Edges that keep newer files than this database's; see "
	    "holdfast edge resync.",
	    "");
	watch->m_updates = metrics_counter(
	    m, "certd_watch_updates_total", "Updates sent to edges.", "");
	watch->m_octets = metrics_counter(m, "certd_watch_octets_total",
	    "Octets of the updates sent to edges.", "");
	watch->m_challenges =
	    metrics_counter(m, "certd_watch_challenge_updates_total",
		"Updates with answers to challenges sent to edges.", "");
}

static void
release(struct watch *watch)
{
	take_incoming(watch);
	while (watch->watchers != NULL) {
		struct watcher *w = watch->watchers;

		watch->watchers = w->next;
		watcher_free(w);
	}
	watch_challenges_done(watch);
	chunks_free(watch->chunks);
	pthread_mutex_destroy(&watch->mutex);
	free(watch);
}

/* The store outlives both. */
static void
on_challenges(void *ctx)
{
	store_wake(ctx);
}

STATUS
watch_new(const struct watch_config *config, struct watch **ret_watch)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	struct status st = status_ok();

	if (watch == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	watch->config = *config;
	(void)!snprintf(
	    watch->domain, sizeof(watch->domain), "%s", config->domain);
	watch->flushed_ns = watch->settled_ns = clock_mono_ns();
	make_metrics(watch, config->metrics);
	pthread_mutex_init(&watch->mutex, NULL);
	watch->chunks = chunks_new(CHUNKS_OCTETS_MAX);
	if (watch->chunks == NULL)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	if (config->challenges != NULL)
		http_challenges_on_change(
		    config->challenges, on_challenges, config->store);
	if (!failed(st) && pthread_create(&watch->hub, NULL, run, watch) != 0)
		st = status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no thread to be had");
	if (failed(st)) {
		release(watch);
		return st;
	}
	*ret_watch = watch;
	return st;
}

void
watch_free(struct watch *watch)
{
	struct status st;

	if (watch == NULL)
		return;
	atomic_store(&watch->stopping, true);
	store_wake(watch->config.store);
	pthread_join(watch->hub, NULL);
	st = heard_flush(watch->config.heard, watch->config.store);
	if (failed(st))
		log_warn("when edges were last heard of is not written down",
		    LOG_STATUS(st));
	release(watch);
}

void
watch_serve(struct watch *watch, struct rpc_server *server)
{
	rpc_server_add_stream(server, &holdfast__certd__v1__edges__descriptor,
	    "Watch", &watch_stream_ops, watch);
}

uint64_t
watch_reads(struct watch *watch)
{
	return atomic_load(&watch->reads);
}
