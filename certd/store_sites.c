/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sites for edges, read in order of (version, id); see store_sites.h.  A site
 * that a reader has passed and that changes afterwards gets a newer version,
 * and so comes again; a site that is gone leaves a row in site_gone.  A row of
 * site_gone does not count while the resource is in that group (again).
 */

#include "certd/store_sites.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/message.h"

#define REMOVED_MAX 2000 /* in one update */
#define HALF (STORE_TAG_LEN / 2)
#define RESYNC_META "resync_version"
/* So far at most is a restored database behind its edges: an edge that claims
 * more would use up the numbers that Resync goes on with. */
#define BEHIND_MAX (INT64_C(1) << 40)

typedef Holdfast__Certd__V1__WatchUpdate update_msg;
typedef Holdfast__Certd__V1__Site site_msg;
typedef Holdfast__Certd__V1__SiteCertificate certificate_msg;

/* ---- versions ---- */

void
sites_tag(const uint8_t tag[STORE_TAG_LEN], const char *edge_group,
    uint8_t ret_tag[STORE_TAG_LEN])
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	struct bytes group = bytes_of(edge_group);

	SHA256(group.at, group.len, hash);
	memcpy(ret_tag, tag, HALF);
	memcpy(ret_tag + HALF, hash, HALF);
}

/* The newest version there is of those before a limit. */
static struct status
version_before(struct db_tx *tx, int64_t limit, int64_t *ret_version,
    uint8_t ret_tag[STORE_TAG_LEN])
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT version, tag FROM edge_version WHERE version < ?1"
	    " ORDER BY version DESC LIMIT 1",
	    DB_VALUES(db_int(limit)));

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

static struct status
resync_version(struct db_tx *tx, int64_t *ret_version)
{
	char text[24] = "0";
	struct status st = store_meta_get(tx, RESYNC_META, text, sizeof(text));

	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	*ret_version = (int64_t)strtoll(text, NULL, 10);
	return status_ok();
}

STATUS
sites_resume(struct db_tx *tx, const char *edge_group, int64_t version,
    struct bytes tag, enum sites_resume *ret_resume)
{
	uint8_t known[STORE_TAG_LEN], expected[STORE_TAG_LEN];
	int64_t at = 0, resynced = 0;
	struct status st;

	*ret_resume = SITES_SNAPSHOT;
	if (version == 0)
		return status_ok();
	if (version < 0 || tag.len != STORE_TAG_LEN)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a version comes with the 8 octets of its tag");
	st = store_current_version(tx, &at, known);
	if (failed(st))
		return st;
	if (version > at && version - at > BEHIND_MAX)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "no certd has given a version as high as this; the edge's "
		    "state is damaged");
	st = version_before(tx, version + 1, &at, known);
	if (!failed(st))
		st = resync_version(tx, &resynced);
	if (failed(st))
		return st;
	sites_tag(known, edge_group, expected);
	if (at != version || memcmp(tag.at, expected, HALF) != 0)
		*ret_resume =
		    version < resynced ? SITES_SNAPSHOT : SITES_UNKNOWN;
	else if (memcmp(tag.at + HALF, expected + HALF, HALF) == 0)
		*ret_resume = SITES_DELTA;
	return st;
}

/* Put a version that this transaction made further up. */
static struct status
move_version(struct db_tx *tx, int64_t from, int64_t to)
{
	struct status st = db_run(tx, NULL,
	    "INSERT INTO edge_version (version, tag, at_s)"
	    " SELECT ?1, tag, at_s FROM edge_version WHERE version = ?2",
	    DB_VALUES(db_int(to), db_int(from)));

	if (!failed(st))
		st = db_run(tx, NULL,
		    "DELETE FROM edge_version WHERE version = ?1",
		    DB_VALUES(db_int(from)));
	db_set_mark(tx, to);
	return st;
}

STATUS
sites_resync(struct db_tx *tx, int64_t now_s, int64_t *ret_version)
{
	int64_t version = 0, reported = 0;
	char text[24];
	struct status st = store_new_version(tx, now_s, &version);

	if (!failed(st))
		st = db_number(tx, &reported,
		    "SELECT coalesce(max(max(applied_version, held_version)),"
		    " 0) FROM edge",
		    DB_NONE);
	if (!failed(st) && reported >= version) {
		st = move_version(tx, version, reported + 1);
		version = reported + 1;
	}
	(void)!snprintf(text, sizeof(text), "%lld", (long long)version);
	if (!failed(st))
		st = store_meta_set(tx, RESYNC_META, text);
	if (!failed(st))
		*ret_version = version;
	return st;
}

STATUS
sites_group_version(
    struct db_tx *tx, const char *edge_group, int64_t *ret_version)
{
	return db_number(tx, ret_version,
	    "SELECT max(coalesce((SELECT max(version) FROM resource"
	    "  WHERE edge_group = ?1), 0),"
	    " coalesce((SELECT max(version) FROM site_gone"
	    "  WHERE edge_group = ?1), 0))",
	    DB_VALUES(db_text(edge_group)));
}

/* ---- what is not to be sent yet ---- */

STATUS
sites_horizon(struct db_tx *tx, const char *edge_group, int64_t now_s,
    bool (*pending)(void *ctx, struct db_tx *tx, int64_t resource), void *ctx,
    int64_t *ret_horizon)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	int64_t settled = 0;
	bool row = false;
	struct status st;

	*ret_horizon = INT64_MAX;
	if (pending == NULL)
		return status_ok();
	/* One of the future is as good as old: the clock was set back. */
	st = db_number(tx, &settled,
	    "SELECT version FROM edge_version WHERE at_s <= ?1 OR at_s > ?2"
	    " ORDER BY version DESC LIMIT 1",
	    DB_VALUES(db_int(now_s - SITES_HOLD_S), db_int(now_s)));
	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	st = db_query(tx, &rows,
	    "SELECT version, id FROM resource"
	    " WHERE edge_group = ?1 AND version > ?2 ORDER BY version",
	    DB_VALUES(db_text(edge_group), db_int(settled)));
	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		if (pending(ctx, tx, db_column_int(rows, 1))) {
			*ret_horizon = db_column_int(rows, 0);
			break;
		}
		st = db_next(rows, &row);
	}
	return st;
}

/* ---- one site ---- */

static struct status
add_hostnames(struct db_tx *tx, site_msg *site)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	char name[256];
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT name FROM hostname WHERE resource = ?1 ORDER BY name",
	    DB_VALUES(db_int(site->id)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		db_column_text(rows, 0, name, sizeof(name));
		if (!message_append_text(
			&site->n_hostnames, &site->hostnames, name))
			return message_no_memory();
		st = db_next(rows, &row);
	}
	return st;
}

static struct status
fill_certificate(struct db_rows *rows, certificate_msg *to)
{
	if (to == NULL)
		return message_no_memory();
	to->id = db_column_int(rows, 0);
	to->not_after_s = db_column_int(rows, 1);
	to->chain_pem = db_column_dup(rows, 4);
	if (!message_bytes(&to->fingerprint, db_column_blob(rows, 2)) ||
	    !message_bytes(&to->spki, db_column_blob(rows, 3)) ||
	    to->chain_pem == NULL)
		return message_no_memory();
	return status_ok();
}

#define OF_CERTIFICATE                                                         \
	"SELECT c.id, c.not_after_s, c.fingerprint, k.spki, h.pem FROM "
#define WITH_CERTIFICATE                                                       \
	" JOIN key k ON k.id = c.key"                                          \
	" JOIN certificate_chain h ON h.certificate = c.id "

/* Where it is kept ready; what is served already is no standby. */
static struct status
add_standby(struct db_tx *tx, site_msg *site)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    OF_CERTIFICATE
	    "enrollment e CROSS JOIN renewal r ON r.enrollment = e.id"
	    " JOIN certificate c ON c.id = r.certificate" WITH_CERTIFICATE
	    "WHERE e.resource = ?1 AND r.purpose = 1 AND r.edge_group <> ''"
	    " AND NOT EXISTS (SELECT 1 FROM binding b"
	    "  WHERE b.resource = ?1 AND b.certificate = r.certificate)",
	    DB_VALUES(db_int(site->id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st) || !row)
		return st;
	site->standby = (certificate_msg *)(void *)message_new(
	    &holdfast__certd__v1__site_certificate__descriptor);
	return fill_certificate(rows, site->standby);
}

static struct status
add_certificates(struct db_tx *tx, site_msg *site)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    OF_CERTIFICATE "binding b JOIN certificate c ON c.id = "
			   "b.certificate" WITH_CERTIFICATE
			   "WHERE b.resource = ?1 ORDER BY b.slot",
	    DB_VALUES(db_int(site->id)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		st = fill_certificate(rows,
		    message_append(&site->n_certificates, &site->certificates,
			&holdfast__certd__v1__site_certificate__descriptor));
		if (!failed(st))
			st = db_next(rows, &row);
	}
	return st;
}

/* ---- reading ---- */

struct sites_cursor
sites_all(void)
{
	return (struct sites_cursor){ .is_snapshot = 1, .gone_version = -1 };
}

struct sites_cursor
sites_since(int64_t version)
{
	return (struct sites_cursor){ .version = version,
		.id = INT64_MAX,
		.gone_version = version,
		.gone_id = INT64_MAX };
}

static struct status
read_removed(struct db_tx *tx, const struct sites_ask *ask,
    struct sites_cursor *cursor, update_msg *update)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT g.version, g.resource FROM site_gone g"
	    " WHERE g.edge_group = ?1 AND (g.version, g.resource) > (?2, ?3)"
	    " AND g.version < ?4 AND NOT EXISTS (SELECT 1 FROM resource r"
	    "  WHERE r.id = g.resource AND r.edge_group = g.edge_group)"
	    " ORDER BY g.version, g.resource LIMIT 2000",
	    DB_VALUES(db_text(ask->edge_group), db_int(cursor->gone_version),
		db_int(cursor->gone_id), db_int(ask->horizon)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		cursor->gone_version = db_column_int(rows, 0);
		cursor->gone_id = db_column_int(rows, 1);
		if (!message_append_int64(
			&update->n_removed, &update->removed, cursor->gone_id))
			return message_no_memory();
		st = db_next(rows, &row);
	}
	return st;
}

/* Build the row's site at the end of update. */
static struct status
add_site(struct db_tx *tx, struct db_rows *rows, update_msg *update)
{
	site_msg *site = message_append(&update->n_sites, &update->sites,
	    &holdfast__certd__v1__site__descriptor);
	struct status st;

	if (site == NULL)
		return message_no_memory();
	site->id = db_column_int(rows, 0);
	site->version = db_column_int(rows, 1);
	st = add_hostnames(tx, site);
	if (!failed(st) && db_column_int(rows, 2) != 0)
		st = add_certificates(tx, site);
	if (!failed(st) && site->n_certificates > 0)
		st = add_standby(tx, site);
	return st;
}

static struct status
read_sites(struct db_tx *tx, const struct sites_ask *ask,
    struct sites_cursor *cursor, update_msg *update, bool *ret_more)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	size_t used = 0;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT id, version, https FROM resource"
	    " WHERE edge_group = ?1 AND (version, id) > (?2, ?3)"
	    " AND version < ?4 ORDER BY version, id",
	    DB_VALUES(db_text(ask->edge_group), db_int(cursor->version),
		db_int(cursor->id), db_int(ask->horizon)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		st = add_site(tx, rows, update);
		if (failed(st))
			return st;
		used += protobuf_c_message_get_packed_size(
		    &update->sites[update->n_sites - 1]->base);
		if (used > ask->octets_max && update->n_sites > 1) {
			message_free(&update->sites[--update->n_sites]->base);
			break;
		}
		cursor->id = db_column_int(rows, 0);
		cursor->version = db_column_int(rows, 1);
		st = db_next(rows, &row);
	}
	*ret_more = row;
	return st;
}

/* All was read up to the horizon: say where the edge then stands. */
static struct status
finish(struct db_tx *tx, const struct sites_ask *ask,
    struct sites_cursor *cursor, update_msg *update, bool *ret_is_empty)
{
	uint8_t tag[STORE_TAG_LEN], sent[STORE_TAG_LEN];
	bool was_snapshot = cursor->is_snapshot != 0;
	int64_t version = 0;
	struct status st = version_before(tx, ask->horizon, &version, tag);

	if (failed(st))
		return st;
	*ret_is_empty =
	    !was_snapshot && update->n_sites == 0 && update->n_removed == 0;
	/* Never back: what has been sent may come to wait afterwards. */
	if (was_snapshot || version > cursor->version)
		*cursor = sites_since(version);
	if (*ret_is_empty)
		return st;
	sites_tag(tag, ask->edge_group, sent);
	update->complete = true;
	update->version = version;
	if (!message_bytes(&update->tag, (struct bytes){ sent, sizeof(sent) }))
		return message_no_memory();
	return st;
}

STATUS
sites_read(struct db_tx *tx, const struct sites_ask *ask,
    struct sites_cursor *cursor, update_msg *update, bool *ret_is_empty)
{
	struct sites_cursor to = *cursor;
	uint8_t tag[STORE_TAG_LEN];
	bool more = false;
	struct status st = status_ok();

	*ret_is_empty = false;
	/* Removals count from when a snapshot begins. */
	if (to.gone_version < 0) {
		update->snapshot = true;
		to.gone_id = INT64_MAX;
		st = store_current_version(tx, &to.gone_version, tag);
	}
	if (!failed(st))
		st = read_removed(tx, ask, &to, update);
	if (!failed(st) && update->n_removed < REMOVED_MAX)
		st = read_sites(tx, ask, &to, update, &more);
	else
		more = true;
	/* A snapshot that has to wait is not complete without what waits. */
	if (!failed(st) && !more &&
	    (to.is_snapshot == 0 || ask->horizon == INT64_MAX))
		st = finish(tx, ask, &to, update, ret_is_empty);
	else if (!failed(st))
		*ret_is_empty = !update->snapshot && update->n_sites == 0 &&
				update->n_removed == 0;
	if (!failed(st))
		*cursor = to;
	return st;
}
