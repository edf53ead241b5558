/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registry's blobs of wrapped keys, and the tokens' wrapping keys.  A blob
 * is worth nothing without the token that wrapped it; that it is the key of its
 * row is for the token to find out (hsm.h compares public keys), not for this
 * file.  Read by every lane that has not got the key at hand, so the statement
 * touches one row of each table by its primary key.
 */

#include <stdlib.h>
#include <string.h>

#include "keyd/registry.h"
#include "keyd/registry_rows.h"

static struct status
add_both(struct db_tx *tx, const struct registry_key *key,
    const struct hsm_blob *blob)
{
	struct status st = registry_key_insert(tx, key);

	if (failed(st))
		return st;
	return db_run(tx, NULL, "INSERT INTO blob (key, octets) VALUES (?, ?)",
	    DB_VALUES(value_key(&key->id),
		db_blob((struct bytes){ blob->at, blob->len })));
}

STATUS
registry_key_add_wrapped(struct registry *registry,
    const struct registry_key *key, const struct hsm_blob *blob,
    const struct registry_grant *grant)
{
	struct db_tx *tx;
	struct status st;

	if (!key->wrapped || blob->len == 0 || blob->len > HSM_BLOB_MAX)
		return status_fail(
		    STATUS_INTERNAL, "a wrapped key comes with its blob");
	st = db_write(registry->db, &tx);
	if (failed(st))
		return st;
	st = add_both(tx, key, blob);
	if (!failed(st))
		st = registry_grant_insert(tx, &key->id, grant);
	return db_commit(tx, st);
}

STATUS
registry_blob(struct registry *registry, const struct key_id *id,
    struct hsm_blob *ret_blob)
{
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	int64_t alg;
	struct status st = db_read(registry->db, &tx);

	if (!failed(st))
		st = db_query(tx, &rows,
		    "SELECT key.alg, key.spki, blob.octets FROM blob"
		    " JOIN key ON key.id = blob.key WHERE blob.key = ?",
		    DB_VALUES(value_key(id)));
	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return status_fail(
		    STATUS_NOT_FOUND, "the registry holds no blob of this key");
	alg = db_column_int(rows, 0);
	if (alg <= KEY_ALG_NONE || alg > KEY_ALG_ED25519 ||
	    !registry_take_blob(rows, 1, ret_blob->spki, sizeof(ret_blob->spki),
		&ret_blob->spki_len) ||
	    !registry_take_blob(
		rows, 2, ret_blob->at, sizeof(ret_blob->at), &ret_blob->len) ||
	    ret_blob->len == 0)
		return registry_damaged_row();
	ret_blob->alg = (enum key_alg)alg;
	return st;
}

/* ---- wrapping keys ---- */

#define WRAPPING_COLUMNS "id, label, pool, created_s, accepted_until_s"

static struct status
add_newest(
    struct db_tx *tx, const struct registry_wrapping *wrapping, int64_t grace_s)
{
	struct status st = db_run(tx, NULL,
	    "UPDATE wrapping SET accepted_until_s = ?"
	    " WHERE pool = ? AND accepted_until_s = 0 AND id <> ?",
	    DB_VALUES(db_int(wrapping->created_s + grace_s),
		db_text(wrapping->pool), value_key(&wrapping->id)));

	if (failed(st))
		return st;
	return db_run(tx, NULL,
	    "INSERT INTO wrapping (" WRAPPING_COLUMNS ") VALUES (?, ?, ?, ?, 0)"
	    " ON CONFLICT (id) DO NOTHING",
	    DB_VALUES(value_key(&wrapping->id), db_text(wrapping->label),
		db_text(wrapping->pool), db_int(wrapping->created_s)));
}

STATUS
registry_wrapping_add(struct registry *registry,
    const struct registry_wrapping *wrapping, int64_t grace_s)
{
	struct db_tx *tx;
	struct status st = db_write(registry->db, &tx);

	if (failed(st))
		return st;
	return db_commit(tx, add_newest(tx, wrapping, grace_s));
}

static struct status
one_wrapping(struct registry *registry, const char *sql,
    const struct db_value *values, size_t n,
    struct registry_wrapping *ret_wrapping)
{
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct registry_wrapping wrapping;
	bool row = false;
	struct status st = db_read(registry->db, &tx);

	if (!failed(st))
		st = db_query(tx, &rows, sql, values, n);
	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return status_fail(
		    STATUS_NOT_FOUND, "there is no such wrapping key");
	if (!registry_take_id(rows, 0, &wrapping.id) ||
	    !db_column_text(rows, 1, wrapping.label, sizeof(wrapping.label)) ||
	    !db_column_text(rows, 2, wrapping.pool, sizeof(wrapping.pool)))
		return registry_damaged_row();
	wrapping.created_s = db_column_int(rows, 3);
	wrapping.accepted_until_s = db_column_int(rows, 4);
	*ret_wrapping = wrapping;
	return st;
}

STATUS
registry_wrapping_newest(struct registry *registry, const char *pool,
    struct registry_wrapping *ret_wrapping)
{
	return one_wrapping(registry,
	    "SELECT " WRAPPING_COLUMNS " FROM wrapping"
	    " WHERE pool = ? AND accepted_until_s = 0",
	    DB_VALUES(db_text(pool)), ret_wrapping);
}

STATUS
registry_wrapping_get(struct registry *registry, const struct key_id *id,
    struct registry_wrapping *ret_wrapping)
{
	return one_wrapping(registry,
	    "SELECT " WRAPPING_COLUMNS " FROM wrapping WHERE id = ?",
	    DB_VALUES(value_key(id)), ret_wrapping);
}

STATUS
registry_wrapping_due(struct registry *registry, int64_t now_s,
    const struct key_id *after, struct registry_wrapping *ret_wrapping)
{
	return one_wrapping(registry,
	    "SELECT " WRAPPING_COLUMNS " FROM wrapping"
	    " WHERE accepted_until_s > 0 AND accepted_until_s <= ? AND id > ?"
	    " ORDER BY id LIMIT 1",
	    DB_VALUES(db_int(now_s), value_key(after)), ret_wrapping);
}

STATUS
registry_wrapping_remove(struct registry *registry, const struct key_id *id)
{
	return registry_act(registry, NULL, "DELETE FROM wrapping WHERE id = ?",
	    DB_VALUES(value_key(id)));
}
