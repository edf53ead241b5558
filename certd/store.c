/* SPDX-License-Identifier: Apache-2.0 */

/*
 * certd's database, opened, and what every store_*.c shares: transactions that
 * wake who waits, edge versions, history, etags.  What is kept of accounts,
 * certificates, resources and edges is in files of those names; the schema is
 * store_schema.c.
 */

#include "certd/store.h"

#include <limits.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "certd/store_schema.h"
#include "certd/token_uses.h"

#define EVENT_TEXT_MAX 201
#define CALM_MS 20

struct store {
	struct db *db;
	struct token_uses *token_uses;
	struct metric_counter *m_commits; /* or NULL */
	struct metric_histogram *m_latency;
	pthread_mutex_t mutex; /* guards commits */
	pthread_cond_t committed;
	pthread_cond_t calm; /* nobody signals it */
	uint64_t commits;
};

STATUS
store_open(const struct store_config *config, struct store **ret_store)
{
	char path[PATH_MAX];
	struct db_config to = { .path = path,
		.migrations = store_migrations,
		.n_migrations = store_n_migrations,
		.readers = 8,
		.read_only = config->read_only };
	struct store *store;
	struct status st;

	if (snprintf(path, sizeof(path), "%s/certd.db", config->state_dir) >=
	    (int)sizeof(path))
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "state_dir is too long a path");
	store = calloc(1, sizeof(*store));
	if (store == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	pthread_mutex_init(&store->mutex, NULL);
	clock_cond_init(&store->committed);
	clock_cond_init(&store->calm);
	st = db_open(&to, &store->db);
	if (!failed(st) && !config->read_only)
		st = token_uses_new(store->db, &store->token_uses);
	if (failed(st)) {
		store_close(store);
		return st;
	}
	*ret_store = store;
	return st;
}

void
store_close(struct store *store)
{
	if (store == NULL)
		return;
	token_uses_free(store->token_uses);
	db_close(store->db);
	pthread_cond_destroy(&store->committed);
	pthread_cond_destroy(&store->calm);
	pthread_mutex_destroy(&store->mutex);
	free(store);
}

struct db *
store_db(struct store *store)
{
	return store->db;
}

struct token_uses *
store_token_uses(struct store *store)
{
	return store->token_uses;
}

void
store_measure(struct store *store, struct metrics *metrics)
{
	store->m_commits = metrics_counter(metrics, "certd_store_commits_total",
	    "Transactions of the database that were written.", "");
	store->m_latency =
	    metrics_histogram(metrics, "certd_store_commit_seconds",
		"Time that a transaction took to be on disk.", "");
}

/* ---- transactions ---- */

STATUS
store_write(struct store *store, struct db_tx **ret_tx)
{
	return db_write(store->db, ret_tx);
}

STATUS
store_read(struct store *store, struct db_tx **ret_tx)
{
	return db_read(store->db, ret_tx);
}

void
store_wake(struct store *store)
{
	pthread_mutex_lock(&store->mutex);
	store->commits++;
	pthread_cond_broadcast(&store->committed);
	pthread_mutex_unlock(&store->mutex);
}

STATUS
store_commit(struct store *store, struct db_tx *tx, struct status st)
{
	int64_t began_ns = clock_mono_ns();
	bool is_good = !failed(st);

	st = db_commit(tx, st);
	if (is_good && store->m_commits != NULL) {
		metric_counter_add(store->m_commits, 1);
		metric_histogram_observe_ns(
		    store->m_latency, clock_mono_ns() - began_ns);
	}
	if (!failed(st))
		store_wake(store);
	return st;
}

uint64_t
store_wait(struct store *store, uint64_t seen, unsigned timeout_ms)
{
	int64_t until_ns = clock_mono_ns() + (int64_t)timeout_ms * NS_PER_MS;
	uint64_t commits;
	bool waits = true;

	pthread_mutex_lock(&store->mutex);
	while (store->commits == seen && waits)
		waits =
		    clock_cond_wait(&store->committed, &store->mutex, until_ns);
	commits = store->commits;
	pthread_mutex_unlock(&store->mutex);
	return commits;
}

uint64_t
store_wait_calmly(struct store *store, uint64_t seen, unsigned timeout_ms)
{
	unsigned rest_ms = timeout_ms < CALM_MS ? timeout_ms : CALM_MS;
	int64_t until_ns = clock_mono_ns() + rest_ms * NS_PER_MS;

	pthread_mutex_lock(&store->mutex);
	while (clock_cond_wait(&store->calm, &store->mutex, until_ns))
		;
	pthread_mutex_unlock(&store->mutex);
	return store_wait(store, seen, timeout_ms - rest_ms);
}

/* ---- meta ---- */

STATUS
store_meta_get(struct db_tx *tx, const char *name, char *ret_value, size_t max)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT value FROM meta WHERE name = ?1", DB_VALUES(db_text(name)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = status_fail(STATUS_NOT_FOUND, "no such value");
	if (!failed(st))
		db_column_text(rows, 0, ret_value, max);
	return st;
}

STATUS
store_meta_set(struct db_tx *tx, const char *name, const char *value)
{
	return db_run(tx, NULL,
	    "INSERT INTO meta (name, value) VALUES (?1, ?2)"
	    " ON CONFLICT (name) DO UPDATE SET value = ?2",
	    DB_VALUES(db_text(name), db_text(value)));
}

/* ---- edge versions ---- */

STATUS
store_new_version(struct db_tx *tx, int64_t now_s, int64_t *ret_version)
{
	uint8_t tag[STORE_TAG_LEN];
	struct status st;

	if (db_mark(tx) != 0) {
		*ret_version = db_mark(tx);
		return status_ok();
	}
	if (RAND_bytes(tag, sizeof(tag)) != 1)
		return status_fail(
		    STATUS_INTERNAL, "the random generator failed");
	st = db_run(tx, NULL,
	    "INSERT INTO edge_version (tag, at_s) VALUES (?1, ?2)",
	    DB_VALUES(
		db_blob((struct bytes){ tag, sizeof(tag) }), db_int(now_s)));
	if (failed(st))
		return st;
	*ret_version = db_inserted(tx);
	db_set_mark(tx, *ret_version);
	return st;
}

STATUS
store_current_version(
    struct db_tx *tx, int64_t *ret_version, uint8_t ret_tag[STORE_TAG_LEN])
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT version, tag FROM edge_version"
	    " ORDER BY version DESC LIMIT 1",
	    DB_NONE);

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	*ret_version = 0;
	memset(ret_tag, 0, STORE_TAG_LEN);
	if (row) {
		*ret_version = db_column_int(rows, 0);
		memcpy(ret_tag, db_column_blob(rows, 1).at, STORE_TAG_LEN);
	}
	return st;
}

/* ---- history ---- */

STATUS
store_event(struct db_tx *tx, int64_t account, const char *actor,
    const char *act, const char *object, const char *detail)
{
	char cut[EVENT_TEXT_MAX];

	snprintf(cut, sizeof(cut), "%s", detail);
	return db_run(tx, NULL,
	    "INSERT INTO event (at_s, account, actor, act, object, detail)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	    DB_VALUES(db_int(store_now_s()), db_int(account), db_text(actor),
		db_text(act), db_text(object), db_text(cut)));
}

/* ---- small things ---- */

int64_t
store_now_s(void)
{
	return clock_wall_s();
}

STATUS
store_page_size(uint32_t asked, uint32_t *ret_size)
{
	if (asked > STORE_PAGE_MAX)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "page_size is 1000 at most");
	*ret_size = asked == 0 ? STORE_PAGE_DEFAULT : asked;
	return status_ok();
}

void
store_etag_print(int64_t revision, char ret_etag[STORE_ETAG_MAX])
{
	snprintf(ret_etag, STORE_ETAG_MAX, "r%lld", (long long)revision);
}

STATUS
store_etag_check(const char *given, int64_t revision)
{
	char etag[STORE_ETAG_MAX];

	store_etag_print(revision, etag);
	if (given == NULL || given[0] == 0 || strcmp(given, etag) == 0)
		return status_ok();
	return status_fail(STATUS_ABORTED,
	    "somebody else has changed it meanwhile; read it again, and then "
	    "decide");
}

struct status
store_no_such(const char *why)
{
	return status_fail(STATUS_NOT_FOUND, why);
}
