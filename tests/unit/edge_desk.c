/* SPDX-License-Identifier: Apache-2.0 */

/* A store with resources, for tests of what edges are told; edge_desk.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/db.h"
#include "certd/store_bindings.h"
#include "tests/unit/edge_desk.h"
#include "tests/unit/scratch.h"

#define EDGES_MAX 64

/* keyd, as far as edges go. */
struct custody {
	pthread_mutex_t mutex; /* guards all */
	struct custody_edge edges[EDGES_MAX];
	size_t n;
	bool away;
};

static atomic_uint refreshed;

STATUS
custody_each_edge(struct custody *custody,
    void (*each)(void *ctx, const struct custody_edge *edge), void *ctx,
    char *ret_why)
{
	struct custody_edge edges[EDGES_MAX];
	size_t n;
	bool away;

	pthread_mutex_lock(&custody->mutex);
	n = custody->n;
	memcpy(edges, custody->edges, sizeof(edges));
	away = custody->away;
	pthread_mutex_unlock(&custody->mutex);
	if (away) {
		snprintf(ret_why, CUSTODY_WHY_MAX, "keyd is away");
		return status_fail(STATUS_UNAVAILABLE, "keyd is away");
	}
	for (size_t i = 0; i < n; i++)
		each(ctx, &edges[i]);
	return status_ok();
}

STATUS
bindings_refresh_grants(struct db_tx *tx, const struct key_id *key)
{
	(void)tx;
	(void)key;
	atomic_fetch_add(&refreshed, 1);
	return status_ok();
}

unsigned
edge_desk_refreshed(void)
{
	return atomic_load(&refreshed);
}

void
edge_desk_edge(struct edge_desk *desk, const char *name, const char *edge_group,
    bool quarantined)
{
	struct custody *custody = desk->custody;
	struct custody_edge edge = { .quarantined = quarantined,
		.is_enrolled = true };
	size_t i = 0;

	snprintf(edge.name, sizeof(edge.name), "%s", name);
	snprintf(edge.edge_group, sizeof(edge.edge_group), "%s", edge_group);
	pthread_mutex_lock(&custody->mutex);
	while (i < custody->n && strcmp(custody->edges[i].name, name) != 0)
		i++;
	assert_true(i < EDGES_MAX);
	custody->edges[i] = edge;
	if (i == custody->n)
		custody->n++;
	pthread_mutex_unlock(&custody->mutex);
}

void
edge_desk_away(struct edge_desk *desk, bool away)
{
	pthread_mutex_lock(&desk->custody->mutex);
	desk->custody->away = away;
	pthread_mutex_unlock(&desk->custody->mutex);
}

/* ---- the store ---- */

static void
open_store(struct edge_desk *desk)
{
	const struct store_config config = { .state_dir = desk->dir };

	assert_int_equal(store_open(&config, &desk->store).code, STATUS_OK);
}

static void
remove_file(const struct edge_desk *desk, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", desk->dir, name);
	(void)unlink(path);
}

static void
remove_database(const struct edge_desk *desk)
{
	remove_file(desk, "certd.db");
	remove_file(desk, "certd.db-wal");
	remove_file(desk, "certd.db-shm");
}

int
edge_desk_set_up(void **state)
{
	struct edge_desk *desk = calloc(1, sizeof(*desk));

	assert_non_null(desk);
	desk->custody = calloc(1, sizeof(*desk->custody));
	assert_non_null(desk->custody);
	pthread_mutex_init(&desk->custody->mutex, NULL);
	assert_true(scratch_new(desk->dir, sizeof(desk->dir)));
	open_store(desk);
	edge_desk_run(desk, "INSERT INTO account (id, name, title, created_s)"
			    " VALUES (1, 'acme', '', 0)");
	atomic_store(&refreshed, 0);
	*state = desk;
	return 0;
}

int
edge_desk_tear_down(void **state)
{
	struct edge_desk *desk = *state;

	store_close(desk->store);
	assert_int_equal(scratch_remove(desk->dir), 0);
	pthread_mutex_destroy(&desk->custody->mutex);
	free(desk->custody);
	free(desk);
	return 0;
}

void
edge_desk_reopen(struct edge_desk *desk)
{
	store_close(desk->store);
	open_store(desk);
}

void
edge_desk_backup(struct edge_desk *desk)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/backup.db", desk->dir);
	assert_int_equal(
	    db_backup(store_db(desk->store), path, NULL, NULL).code, STATUS_OK);
}

void
edge_desk_restore(struct edge_desk *desk)
{
	char from[128], to[128];

	store_close(desk->store);
	remove_database(desk);
	snprintf(from, sizeof(from), "%s/backup.db", desk->dir);
	snprintf(to, sizeof(to), "%s/certd.db", desk->dir);
	assert_int_equal(rename(from, to), 0);
	open_store(desk);
}

/* ---- rows ---- */

static struct db_tx *
begin(struct edge_desk *desk)
{
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	return tx;
}

static void
commit(struct edge_desk *desk, struct db_tx *tx)
{
	assert_int_equal(
	    store_commit(desk->store, tx, status_ok()).code, STATUS_OK);
}

#define RUN(tx, sql, ...)                                                      \
	assert_int_equal(                                                      \
	    db_run((tx), NULL, (sql), DB_VALUES(__VA_ARGS__)).code, STATUS_OK)

void
edge_desk_run(struct edge_desk *desk, const char *sql)
{
	struct db_tx *tx = begin(desk);

	assert_int_equal(db_run(tx, NULL, sql, DB_NONE).code, STATUS_OK);
	commit(desk, tx);
}

int64_t
edge_desk_number(struct edge_desk *desk, const char *sql)
{
	struct db_tx *tx;
	int64_t number = -1;

	assert_int_equal(store_read(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(db_number(tx, &number, sql, DB_NONE).code, STATUS_OK);
	db_end(tx);
	return number;
}

int64_t
edge_desk_version(struct edge_desk *desk)
{
	return edge_desk_number(
	    desk, "SELECT coalesce(max(version), 0) FROM edge_version");
}

int64_t
edge_desk_version_of(struct edge_desk *desk, int64_t resource)
{
	char sql[96];

	snprintf(sql, sizeof(sql), "SELECT version FROM resource WHERE id = %d",
	    (int)resource);
	return edge_desk_number(desk, sql);
}

static int64_t
new_version(struct db_tx *tx)
{
	int64_t version = 0;

	assert_int_equal(
	    store_new_version(tx, store_now_s(), &version).code, STATUS_OK);
	return version;
}

int64_t
edge_desk_certificate(struct edge_desk *desk, const char *name)
{
	struct db_tx *tx = begin(desk);
	uint8_t id[32] = { 0 };
	struct bytes blob = { id, sizeof(id) };
	int64_t certificate;

	snprintf((char *)id, sizeof(id), "%s", name);
	RUN(tx,
	    "INSERT INTO key (id, account, alg, spki, pool, network, label,"
	    " origin, exposed, created_s, created_by)"
	    " VALUES (?1, 1, 1, ?1, 'standard', 'standard', ?2, 1, 0, 0, '')",
	    db_blob(blob), db_text(name));
	RUN(tx,
	    "INSERT INTO certificate (account, name, kind, key, fingerprint,"
	    " subject, issuer, serial, not_before_s, not_after_s, created_s,"
	    " created_by) VALUES (1, ?2, 1, ?1, ?1, '', '', '', 0, 4000000000,"
	    " 0, '')",
	    db_blob(blob), db_text(name));
	certificate = db_inserted(tx);
	RUN(tx,
	    "INSERT INTO certificate_chain (certificate, pem)"
	    " VALUES (?1, 'PEM of ' || ?2)",
	    db_int(certificate), db_text(name));
	commit(desk, tx);
	return certificate;
}

static int64_t
add_resource(struct db_tx *tx, const char *name, const char *edge_group)
{
	int64_t version = new_version(tx), id;

	RUN(tx,
	    "INSERT INTO resource (account, name, network, edge_group, target,"
	    " origin_host, origin_mode, https, mode, created_s, created_by,"
	    " changed_s, version) VALUES (1, ?1, 'standard', ?2, ?1, 'o', 1, 0,"
	    " 1, 0, '', 0, ?3)",
	    db_text(name), db_text(edge_group), db_int(version));
	id = db_inserted(tx);
	RUN(tx, "INSERT INTO hostname (name, resource) VALUES (?1, ?2)",
	    db_text(name), db_int(id));
	return id;
}

int64_t
edge_desk_resource(
    struct edge_desk *desk, const char *name, const char *edge_group)
{
	struct db_tx *tx = begin(desk);
	int64_t id = add_resource(tx, name, edge_group);

	commit(desk, tx);
	return id;
}

int64_t
edge_desk_resources(struct edge_desk *desk, const char *name,
    const char *edge_group, unsigned n)
{
	struct db_tx *tx = begin(desk);
	int64_t first = 0, id;
	char one[128];

	for (unsigned i = 0; i < n; i++) {
		snprintf(one, sizeof(one), "%s-%u", name, i);
		id = add_resource(tx, one, edge_group);
		first = i == 0 ? id : first;
	}
	commit(desk, tx);
	return first;
}

void
edge_desk_bind(struct edge_desk *desk, int64_t resource, int64_t certificate)
{
	struct db_tx *tx = begin(desk);
	int64_t version = new_version(tx);

	RUN(tx,
	    "INSERT INTO retirement (certificate, resource, edge_group,"
	    " version, since_s) SELECT b.certificate, r.id, r.edge_group, ?2, 0"
	    " FROM binding b JOIN resource r ON r.id = b.resource"
	    " WHERE r.id = ?1",
	    db_int(resource), db_int(version));
	RUN(tx,
	    "INSERT INTO binding (resource, slot, certificate, since_s)"
	    " VALUES (?1, 1, ?2, 0) ON CONFLICT (resource, slot) DO UPDATE SET"
	    " certificate = ?2",
	    db_int(resource), db_int(certificate));
	RUN(tx, "UPDATE resource SET version = ?2, https = 1 WHERE id = ?1",
	    db_int(resource), db_int(version));
	commit(desk, tx);
}

static void
leave_group(struct db_tx *tx, int64_t resource, int64_t version)
{
	RUN(tx,
	    "INSERT INTO site_gone (edge_group, resource, version)"
	    " SELECT edge_group, id, ?2 FROM resource WHERE id = ?1"
	    " ON CONFLICT (edge_group, resource) DO UPDATE SET version = ?2",
	    db_int(resource), db_int(version));
}

void
edge_desk_delete(struct edge_desk *desk, int64_t resource)
{
	struct db_tx *tx = begin(desk);

	leave_group(tx, resource, new_version(tx));
	RUN(tx, "DELETE FROM binding WHERE resource = ?1", db_int(resource));
	RUN(tx, "DELETE FROM hostname WHERE resource = ?1", db_int(resource));
	RUN(tx, "DELETE FROM resource WHERE id = ?1", db_int(resource));
	commit(desk, tx);
}

void
edge_desk_move(struct edge_desk *desk, int64_t resource, const char *edge_group)
{
	struct db_tx *tx = begin(desk);
	int64_t version = new_version(tx);

	leave_group(tx, resource, version);
	RUN(tx,
	    "UPDATE resource SET edge_group = ?2, version = ?3 WHERE id = ?1",
	    db_int(resource), db_text(edge_group), db_int(version));
	commit(desk, tx);
}
