/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Wrapping keys come and go.  Their rows say which there are; the token is
 * asked only to make one, to show its public half and to destroy it.  A row is
 * removed after its key, so a crash in between leaves a row and a second try,
 * never a key that nobody knows of.  Refuses a wrapping key whose time is over,
 * even while it still stands in the token.
 */

#include "keyd/import_rotation.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define DESTROY_MAX_NS (INT64_C(30) * NS_PER_S)
#define TICK_MAX_S 60

/* On record before and after, like every act of custody. */
static struct status
record(const struct import_rotation_config *config, const char *peer,
    const struct registry_wrapping *wrapping, const char *verb,
    struct status outcome, enum entry_stage stage)
{
	char act[AUDIT_TEXT_MAX];
	const struct audit_entry entry = {
		.kind = AUDIT_CUSTODY,
		.peer = peer,
		.key = wrapping->id,
		.code = outcome.code,
		.why = outcome.why,
		.act = act,
		.stage = stage,
	};

	snprintf(act, sizeof(act), "%s wrapping key label=%s pool=%s", verb,
	    wrapping->label, wrapping->pool);
	return audit_record(config->audit, &entry, 1);
}

/* ---- making ---- */

static struct status
make(const struct import_rotation_config *config, size_t pool, const char *peer,
    int64_t deadline_ns, struct hsm_wrapping *ret_wrapping)
{
	struct registry_wrapping row = { .created_s = clock_wall_s() };
	struct status st, recorded;

	snprintf(row.label, sizeof(row.label), "import-%lld",
	    (long long)row.created_s);
	snprintf(row.pool, sizeof(row.pool), "%s", config->pool_names[pool]);
	st = record(config, peer, &row, "make", status_ok(), ENTRY_ASKED);
	if (failed(st))
		return st;
	st = hsm_wrapping_key(
	    config->pools[pool], row.label, deadline_ns, ret_wrapping);
	row.id = ret_wrapping->id;
	if (!failed(st))
		st = registry_wrapping_add(
		    config->registry, &row, config->grace_s);
	recorded = record(config, peer, &row, "make", st,
	    failed(st) ? ENTRY_FAILED : ENTRY_DONE);
	return failed(st) ? st : recorded;
}

STATUS
import_rotation_newest(const struct import_rotation_config *config, size_t pool,
    const char *peer, int64_t deadline_ns, struct hsm_wrapping *ret_wrapping,
    int64_t *ret_until_s)
{
	struct hsm_wrapping found = { .spki_len = 0 };
	struct registry_wrapping row;
	int64_t now_s = clock_wall_s();
	struct status st = registry_wrapping_newest(
	    config->registry, config->pool_names[pool], &row);
	bool is_good = false;

	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	if (!failed(st) && now_s < row.created_s + config->rotate_s) {
		st = hsm_wrapping_key(
		    config->pools[pool], row.label, deadline_ns, &found);
		if (failed(st))
			return st;
		/* Another one of this label: the token was replaced. */
		is_good = key_id_equal(&found.id, &row.id);
	}
	if (!is_good) {
		st = make(config, pool, peer, deadline_ns, &found);
		if (failed(st))
			return st;
		row.created_s = now_s;
	}
	*ret_wrapping = found;
	*ret_until_s = row.created_s + config->rotate_s + config->grace_s;
	return status_ok();
}

/* The newest has no end of its own while nobody asks for a newer one. */
static int64_t
accepted_until_s(const struct import_rotation_config *config,
    const struct registry_wrapping *row)
{
	if (row->accepted_until_s != 0)
		return row->accepted_until_s;
	return row->created_s + config->rotate_s + config->grace_s;
}

STATUS
import_rotation_accepts(const struct import_rotation_config *config,
    size_t pool, const struct key_id *id, int64_t now_s,
    struct registry_wrapping *ret_wrapping)
{
	struct registry_wrapping row;
	struct status st = registry_wrapping_get(config->registry, id, &row);

	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	if (failed(st) || strcmp(row.pool, config->pool_names[pool]) != 0 ||
	    now_s >= accepted_until_s(config, &row))
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this wrapping key is not one of the pool's, or its time "
		    "is over; ask for the import parameters again and wrap "
		    "the key anew");
	*ret_wrapping = row;
	return st;
}

/* ---- destroying ---- */

static struct status
destroy(const struct import_rotation_config *config,
    const struct registry_wrapping *row)
{
	struct status st, recorded;
	size_t pool = 0;

	while (pool < config->n_pools &&
	       strcmp(config->pool_names[pool], row->pool) != 0)
		pool++;
	/* A pool that is configured no more: its token is out of reach. */
	if (pool == config->n_pools)
		return registry_wrapping_remove(config->registry, &row->id);
	/* A token that is away for a week must not fill the ledger. */
	st = hsm_wait_ready(config->pools[pool], 0);
	if (!failed(st))
		st = record(
		    config, "keyd", row, "destroy", status_ok(), ENTRY_ASKED);
	if (failed(st))
		return st;
	st = hsm_destroy(
	    config->pools[pool], &row->id, clock_mono_ns() + DESTROY_MAX_NS);
	if (!failed(st))
		st = registry_wrapping_remove(config->registry, &row->id);
	recorded = record(config, "keyd", row, "destroy", st,
	    failed(st) ? ENTRY_FAILED : ENTRY_DONE);
	return failed(st) ? st : recorded;
}

STATUS
import_rotation_sweep(
    const struct import_rotation_config *config, int64_t now_s)
{
	struct status first = status_ok();
	struct key_id after = { .at = { 0 } };
	struct registry_wrapping row;
	struct status st;

	for (size_t i = 0; i < config->n_pools; i++) {
		st = registry_wrapping_newest(
		    config->registry, config->pool_names[i], &row);
		if (failed(st) || now_s < accepted_until_s(config, &row))
			continue;
		st = destroy(config, &row);
		if (failed(st) && !failed(first))
			first = st;
	}
	for (;;) {
		st = registry_wrapping_due(
		    config->registry, now_s, &after, &row);
		if (st.code == STATUS_NOT_FOUND)
			return first;
		if (failed(st))
			return failed(first) ? first : st;
		/* One that fails now is for the next sweep, and keeps no other
		 * token's keys from going. */
		after = row.id;
		st = destroy(config, &row);
		if (failed(st) && !failed(first))
			first = st;
	}
}

/* ---- the thread ---- */

struct import_rotation {
	struct import_rotation_config config;
	pthread_t thread;
	pthread_mutex_t mutex; /* guards is_stopping */
	pthread_cond_t stopping;
	bool is_stopping;
};

/* Often enough that a short grace is kept, seldom enough to cost nothing. */
static int64_t
tick_s(const struct import_rotation_config *config)
{
	int64_t s = (config->rotate_s + config->grace_s) / 8;

	return s < 1 ? 1 : s > TICK_MAX_S ? TICK_MAX_S : s;
}

static bool
wait_tick(struct import_rotation *rotation)
{
	struct timespec until;
	bool is_stopping;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)tick_s(&rotation->config);
	pthread_mutex_lock(&rotation->mutex);
	while (!rotation->is_stopping &&
	       pthread_cond_timedwait(
		   &rotation->stopping, &rotation->mutex, &until) == 0)
		;
	is_stopping = rotation->is_stopping;
	pthread_mutex_unlock(&rotation->mutex);
	return !is_stopping;
}

static void *
run(void *ctx)
{
	struct import_rotation *rotation = ctx;
	bool was_bad = false;

	while (wait_tick(rotation)) {
		struct status st =
		    import_rotation_sweep(&rotation->config, clock_wall_s());

		/* Once, not every minute of an outage. */
		if (failed(st) && !was_bad)
			log_warn("a wrapping key whose time is over could not "
				 "be destroyed yet; it is not accepted",
			    LOG_STATUS(st));
		was_bad = failed(st);
	}
	return NULL;
}

STATUS
import_rotation_start(const struct import_rotation_config *config,
    struct import_rotation **ret_rotation)
{
	struct import_rotation *rotation = calloc(1, sizeof(*rotation));

	if (rotation == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	rotation->config = *config;
	pthread_mutex_init(&rotation->mutex, NULL);
	clock_cond_init(&rotation->stopping);
	if (pthread_create(&rotation->thread, NULL, run, rotation) != 0) {
		pthread_cond_destroy(&rotation->stopping);
		pthread_mutex_destroy(&rotation->mutex);
		free(rotation);
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no thread can be made");
	}
	*ret_rotation = rotation;
	return status_ok();
}

void
import_rotation_stop(struct import_rotation *rotation)
{
	if (rotation == NULL)
		return;
	pthread_mutex_lock(&rotation->mutex);
	rotation->is_stopping = true;
	pthread_cond_signal(&rotation->stopping);
	pthread_mutex_unlock(&rotation->mutex);
	pthread_join(rotation->thread, NULL);
	pthread_cond_destroy(&rotation->stopping);
	pthread_mutex_destroy(&rotation->mutex);
	free(rotation);
}
