/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Destroys keys that nothing uses; see key_janitor.h.  One that keyd does not
 * destroy yet, because it refuses or waits for approval, is suspended there.
 * keyd is never asked within a transaction, so each answer is written only if
 * what was asked about still holds: an intent that was claimed meanwhile stays,
 * a doomed key that has a row after all is let live.  What keyd refuses stays
 * on record with its reason, and is asked again; it does not keep the others
 * waiting.  A key whose destruction waits for approval stays doomed: were it
 * used again meanwhile, it would be destroyed in use.
 */

#include "certd/key_janitor.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/store_keys.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"

#define SCHEDULED HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_SCHEDULED
#define INTENT_S 600
/* What an earlier process asked of keyd is done or given up by then. */
#define ASKED_S 90
/* A request for approval was turned down, or has expired: once more. */
#define ASK_AGAIN_S 86400
#define IDLE_MS 60000
#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MOST_MS 300000
#define ACTIVE ((int)HOLDFAST__KEYD__V1__KEY_STATE__KEY_STATE_ACTIVE)
#define COMMENT "no certificate uses it any more"

struct key_janitor {
	struct key_janitor_config config;
	int64_t started_s;
	pthread_t thread;
	atomic_bool stops;
};

static bool
must_stop(const struct key_janitor_config *config)
{
	return config->stops != NULL && *config->stops;
}

/* keyd did not answer: whoever is asked next would not be answered either. */
static bool
is_away(struct status st)
{
	return st.code == STATUS_UNAVAILABLE ||
	       st.code == STATUS_DEADLINE_EXCEEDED ||
	       st.code == STATUS_CANCELLED;
}

/* ---- intents that were left over ---- */

static struct status
next_intent(struct store *store, const char *after, int64_t before_s,
    struct store_intent *ret_intent, bool *ret_found)
{
	struct db_tx *tx;
	struct status st = store_read(store, &tx);

	if (failed(st))
		return st;
	st = store_keys_next_intent(tx, after, before_s, ret_intent, ret_found);
	db_end(tx);
	return st;
}

static struct status
end_intent(struct store *store, const struct store_intent *intent,
    const struct key_id *id)
{
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	return store_commit(store, tx, store_keys_end_intent(tx, intent, id));
}

static struct status
settle_intent(
    const struct key_janitor_config *config, const struct store_intent *intent)
{
	char why[CUSTODY_WHY_MAX] = "";
	struct custody_key key;
	struct status st =
	    custody_find_label(config->custody, intent->label, &key, why);

	if (st.code == STATUS_NOT_FOUND)
		return end_intent(config->store, intent, NULL);
	if (failed(st)) {
		log_warn("what became of a key cannot be found out yet",
		    LOG_STR("label", intent->label), LOG_STATUS(st),
		    LOG_STR("keyd", why));
		return st;
	}
	log_info("a key came and was not kept; it will be destroyed",
	    LOG_STR("label", intent->label));
	return end_intent(config->store, intent, &key.id);
}

static struct status
sweep_intents(
    const struct key_janitor_config *config, int64_t before_s, size_t *ret_left)
{
	struct store_intent intent = { .label = "" };
	bool found = false;
	struct status st =
	    next_intent(config->store, "", before_s, &intent, &found);

	while (!failed(st) && found && !must_stop(config)) {
		st = settle_intent(config, &intent);
		if (failed(st) && !is_away(st)) {
			(*ret_left)++;
			st = status_ok();
		}
		if (!failed(st))
			st = next_intent(config->store, intent.label, before_s,
			    &intent, &found);
	}
	return st;
}

/* ---- doomed keys ---- */

/* The next one, and whether a row uses it after all. */
static struct status
next_doomed(struct store *store, const struct key_id *after,
    struct store_doomed *ret_doomed, bool *ret_found, bool *ret_is_used)
{
	struct store_key key;
	struct store_doomed doomed;
	struct db_tx *tx;
	struct status st = store_read(store, &tx);

	if (failed(st))
		return st;
	st = store_keys_next_doomed(tx, after, &doomed, ret_found);
	if (!failed(st) && *ret_found) {
		struct status row = store_keys_find(tx, &doomed.id, &key);

		*ret_doomed = doomed;
		*ret_is_used = !failed(row);
		if (failed(row) && row.code != STATUS_NOT_FOUND)
			st = row;
	}
	db_end(tx);
	return st;
}

/* problem NULL: it is done with. */
static struct status
write_doomed(struct store *store, const struct key_id *id, const char *problem)
{
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	st = problem == NULL ? store_keys_buried(tx, id)
			     : store_keys_doomed_problem(tx, id, problem);
	return store_commit(store, tx, st);
}

/* It lives on for a while, but nothing shall be signed with it.  Looked at
 * first: keyd keeps a record of each act, and this may be asked often. */
static struct status
suspend(const struct key_janitor_config *config, const struct key_id *id,
    const char *key)
{
	char why[CUSTODY_WHY_MAX] = "";
	struct custody_key found;
	struct status st = custody_find(config->custody, id, &found, why);

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (!failed(st) && found.state != ACTIVE)
		return st;
	if (!failed(st))
		st = custody_suspend(config->custody, id, COMMENT, why);
	if (failed(st))
		log_warn("a key that nothing uses could not be suspended",
		    LOG_STR("key", key), LOG_STATUS(st), LOG_STR("keyd", why));
	return st;
}

/* keyd's refusal stays on record; asked again later. */
static struct status
refused(const struct key_janitor_config *config, const struct key_id *id,
    struct status st, const char *why)
{
	char key[KEY_ID_TEXT_MAX];
	struct status written = write_doomed(config->store, id, why);

	if (failed(written) || is_away(st))
		return failed(written) ? written : st;
	key_id_print(id, key);
	log_warn("keyd did not destroy a key that nothing uses; it is "
		 "suspended, and keyd asked again later",
	    LOG_STR("key", key), LOG_STR("code", status_name(st.code)),
	    LOG_STR("keyd", why));
	written = suspend(config, id, key);
	return is_away(written) ? written : st;
}

static struct status
write_waits(struct store *store, const struct key_id *id)
{
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	return failed(st)
		   ? st
		   : store_commit(store, tx, store_keys_doomed_waits(tx, id));
}

static struct status
destroy(const struct key_janitor_config *config, const struct key_id *id)
{
	char why[CUSTODY_WHY_MAX] = "", key[KEY_ID_TEXT_MAX];
	bool waits = false;
	struct status st =
	    custody_destroy(config->custody, id, COMMENT, &waits, why);

	if (failed(st))
		return refused(config, id, st, why[0] != 0 ? why : st.why);
	key_id_print(id, key);
	if (waits) {
		log_info("the destruction of a key waits for approval at keyd",
		    LOG_STR("key", key));
		st = suspend(config, id, key);
		if (is_away(st))
			return st;
	} else {
		log_info("a key that nothing uses is scheduled for destruction",
		    LOG_STR("key", key));
	}
	return waits ? write_waits(config->store, id)
		     : write_doomed(config->store, id, NULL);
}

/* Once it is approved the key is keyd's alone. */
static struct status
look_after(
    const struct key_janitor_config *config, const struct store_doomed *doomed)
{
	char why[CUSTODY_WHY_MAX] = "";
	struct custody_key key;
	struct status st =
	    custody_find(config->custody, &doomed->id, &key, why);

	if (st.code == STATUS_NOT_FOUND ||
	    (!failed(st) && key.state == SCHEDULED))
		return write_doomed(config->store, &doomed->id, NULL);
	if (failed(st) || store_now_s() - doomed->waits_s < ASK_AGAIN_S)
		return st;
	return destroy(config, &doomed->id);
}

static struct status
sweep_doomed(const struct key_janitor_config *config, size_t *ret_left)
{
	struct store_doomed doomed;
	bool found = false, is_used = false;
	struct status st =
	    next_doomed(config->store, NULL, &doomed, &found, &is_used);

	while (!failed(st) && found && !must_stop(config)) {
		if (is_used)
			st = write_doomed(config->store, &doomed.id, NULL);
		else if (doomed.waits_s != 0)
			st = look_after(config, &doomed);
		else
			st = destroy(config, &doomed.id);
		if (failed(st) && !is_away(st)) {
			(*ret_left)++;
			st = status_ok();
		}
		if (!failed(st))
			st = next_doomed(config->store, &doomed.id, &doomed,
			    &found, &is_used);
	}
	return st;
}

STATUS
key_janitor_sweep(
    const struct key_janitor_config *config, int64_t before_s, size_t *ret_left)
{
	size_t left = 0;
	struct status st = sweep_intents(config, before_s, &left);

	if (!failed(st))
		st = sweep_doomed(config, &left);
	*ret_left = left;
	return st;
}

/* ---- the thread ---- */

/* Those from before this process, and those that take too long. */
static int64_t
before_s(const struct key_janitor *janitor)
{
	int64_t now_s = store_now_s();
	int64_t late_s = now_s - janitor->config.intent_s;
	int64_t left_s = now_s - ASKED_S;

	if (left_s > janitor->started_s)
		left_s = janitor->started_s;
	return late_s > left_s ? late_s : left_s;
}

/* Until ms have passed or it must stop; a commit wakes it early if it may. */
static void
rest(struct key_janitor *janitor, uint64_t *seen, unsigned ms, bool wakes)
{
	int64_t until_ns = clock_mono_ns() + (int64_t)ms * NS_PER_MS;
	int64_t left_ns = (int64_t)ms * NS_PER_MS;

	while (left_ns > 0 && !must_stop(&janitor->config)) {
		uint64_t now = store_wait_calmly(janitor->config.store, *seen,
		    (unsigned)(left_ns / NS_PER_MS) + 1);

		if (wakes && now != *seen) {
			*seen = now;
			return;
		}
		*seen = now;
		left_ns = until_ns - clock_mono_ns();
	}
}

static void *
run(void *ctx)
{
	struct key_janitor *janitor = ctx;
	unsigned backoff_ms = 0;
	uint64_t seen = 0;

	while (!must_stop(&janitor->config)) {
		size_t left = 0;
		struct status st;

		/* What is committed from here on is seen by the rest. */
		seen = store_wait(janitor->config.store, seen, 0);
		st = key_janitor_sweep(
		    &janitor->config, before_s(janitor), &left);
		if (!failed(st) && left == 0)
			backoff_ms = 0;
		else
			backoff_ms = backoff_ms == 0
					 ? BACKOFF_FIRST_MS
					 : (2 * backoff_ms < BACKOFF_MOST_MS
						   ? 2 * backoff_ms
						   : BACKOFF_MOST_MS);
		rest(janitor, &seen, backoff_ms == 0 ? IDLE_MS : backoff_ms,
		    backoff_ms == 0);
	}
	return NULL;
}

STATUS
key_janitor_start(
    const struct key_janitor_config *config, struct key_janitor **ret_janitor)
{
	struct key_janitor *janitor = calloc(1, sizeof(*janitor));

	if (janitor == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	janitor->config = *config;
	if (janitor->config.intent_s == 0)
		janitor->config.intent_s = INTENT_S;
	janitor->started_s = store_now_s();
	janitor->config.stops = &janitor->stops;
	if (pthread_create(&janitor->thread, NULL, run, janitor) != 0) {
		free(janitor);
		return status_fail(
		    STATUS_RESOURCE_EXHAUSTED, "no thread for the janitor");
	}
	*ret_janitor = janitor;
	return status_ok();
}

void
key_janitor_stop(struct key_janitor *janitor)
{
	if (janitor == NULL)
		return;
	janitor->stops = true;
	store_wake(janitor->config.store);
	pthread_join(janitor->thread, NULL);
	free(janitor);
}
