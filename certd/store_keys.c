/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys, intents and doomed keys in the database; see store_keys.h.  A row is
 * never taken while something uses it, and each step from intent to row to
 * doomed is one transaction: a crash leaves the key in exactly one of them.
 */

#include "certd/store_keys.h"

#include <string.h>

#include "certd/store.h"

static struct db_value
id_of(const struct key_id *id)
{
	return db_blob((struct bytes){ id->at, KEY_ID_LEN });
}

static struct status
damaged(void)
{
	return status_fail(STATUS_DATA_LOSS,
	    "a row of the database is damaged; restore it from a backup");
}

/* Does the statement answer a row? */
static struct status
exists(struct db_tx *tx, const char *sql, const struct key_id *id, bool *ret)
{
	int64_t one = 0;
	struct status st = db_number(tx, &one, sql, DB_VALUES(id_of(id)));

	if (st.code == STATUS_NOT_FOUND) {
		*ret = false;
		return status_ok();
	}
	if (!failed(st))
		*ret = true;
	return st;
}

/* ---- rows ---- */

static struct status
read_key(struct db_rows *rows, const struct key_id *id, struct store_key *ret)
{
	struct bytes spki = db_column_blob(rows, 7);
	struct store_key key = {
		.id = *id,
		.account = db_column_int(rows, 0),
		.alg = (enum key_alg)db_column_int(rows, 1),
		.origin = (int)db_column_int(rows, 2),
		.exposed = db_column_int(rows, 3) != 0,
		.spki_len = spki.len,
	};

	if (spki.len > sizeof(key.spki))
		return damaged();
	memcpy(key.spki, spki.at, spki.len);
	db_column_text(rows, 4, key.pool, sizeof(key.pool));
	db_column_text(rows, 5, key.network, sizeof(key.network));
	db_column_text(rows, 6, key.label, sizeof(key.label));
	*ret = key;
	return status_ok();
}

STATUS
store_keys_find(
    struct db_tx *tx, const struct key_id *id, struct store_key *ret_key)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT account, alg, origin, exposed, pool, network, label, spki"
	    " FROM key WHERE id = ?1",
	    DB_VALUES(id_of(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return store_no_such("there is no such key");
	return read_key(rows, id, ret_key);
}

STATUS
store_keys_insert(
    struct db_tx *tx, const struct store_key *key, const char *created_by)
{
	struct status st = db_run(tx, NULL,
	    "INSERT INTO key (id, account, alg, spki, pool, network, label,"
	    " origin, exposed, created_s, created_by)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	    DB_VALUES(id_of(&key->id), db_int(key->account), db_int(key->alg),
		db_blob((struct bytes){ key->spki, key->spki_len }),
		db_text(key->pool), db_text(key->network), db_text(key->label),
		db_int(key->origin), db_int(key->exposed),
		db_int(store_now_s()), db_text(created_by)));

	if (failed(st))
		return st;
	return store_keys_forget(tx, key->label);
}

STATUS
store_keys_expose(struct db_tx *tx, const struct key_id *id)
{
	return db_run(tx, NULL, "UPDATE key SET exposed = 1 WHERE id = ?1",
	    DB_VALUES(id_of(id)));
}

STATUS
store_keys_doom(struct db_tx *tx, const struct key_id *id)
{
	return db_run(tx, NULL,
	    "INSERT INTO key_doomed (id, since_s) VALUES (?1, ?2)"
	    " ON CONFLICT (id) DO NOTHING",
	    DB_VALUES(id_of(id), db_int(store_now_s())));
}

STATUS
store_keys_drop_unused(
    struct db_tx *tx, const struct key_id *id, bool *ret_doomed)
{
	int64_t dropped = 0;
	struct status st = db_run(tx, &dropped,
	    "DELETE FROM key WHERE id = ?1"
	    " AND NOT EXISTS (SELECT 1 FROM certificate WHERE key = ?1)"
	    " AND NOT EXISTS (SELECT 1 FROM request WHERE key = ?1)",
	    DB_VALUES(id_of(id)));

	if (!failed(st) && dropped > 0)
		st = store_keys_doom(tx, id);
	if (!failed(st))
		*ret_doomed = dropped > 0;
	return st;
}

/* ---- intents ---- */

STATUS
store_keys_intend(struct db_tx *tx, const char *label, int64_t account)
{
	return db_run(tx, NULL,
	    "INSERT INTO key_intent (label, account, since_s)"
	    " VALUES (?1, ?2, ?3)",
	    DB_VALUES(db_text(label), db_int(account), db_int(store_now_s())));
}

STATUS
store_keys_forget(struct db_tx *tx, const char *label)
{
	return db_run(tx, NULL, "DELETE FROM key_intent WHERE label = ?1",
	    DB_VALUES(db_text(label)));
}

STATUS
store_keys_claim(
    struct db_tx *tx, const char *label, int64_t account, bool *ret_claimed)
{
	int64_t claimed = 0;
	struct status st = db_run(tx, &claimed,
	    "UPDATE key_intent SET since_s = ?3"
	    " WHERE label = ?1 AND account = ?2",
	    DB_VALUES(db_text(label), db_int(account), db_int(store_now_s())));

	if (!failed(st))
		*ret_claimed = claimed > 0;
	return st;
}

STATUS
store_keys_abandon(struct db_tx *tx, const char *label, const struct key_id *id)
{
	bool used = false;
	struct status st =
	    exists(tx, "SELECT 1 FROM key WHERE id = ?1", id, &used);

	if (!failed(st) && !used)
		st = store_keys_doom(tx, id);
	if (failed(st))
		return st;
	return store_keys_forget(tx, label);
}

STATUS
store_keys_next_intent(struct db_tx *tx, const char *after, int64_t before_s,
    struct store_intent *ret_intent, bool *ret_found)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	/* Few there are: one for each key that is coming just now. */
	struct status st = db_query(tx, &rows,
	    "SELECT label, account, since_s FROM key_intent"
	    " WHERE label > ?1 AND since_s < ?2 ORDER BY label LIMIT 1",
	    DB_VALUES(db_text(after), db_int(before_s)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (row) {
		db_column_text(
		    rows, 0, ret_intent->label, sizeof(ret_intent->label));
		ret_intent->account = db_column_int(rows, 1);
		ret_intent->since_s = db_column_int(rows, 2);
	}
	*ret_found = row;
	return st;
}

STATUS
store_keys_end_intent(struct db_tx *tx, const struct store_intent *intent,
    const struct key_id *id)
{
	int64_t ended = 0;
	struct status st = db_run(tx, &ended,
	    "DELETE FROM key_intent WHERE label = ?1 AND since_s = ?2",
	    DB_VALUES(db_text(intent->label), db_int(intent->since_s)));

	if (failed(st) || ended == 0 || id == NULL)
		return st;
	return store_keys_abandon(tx, intent->label, id);
}

/* ---- doomed keys ---- */

STATUS
store_keys_is_doomed(
    struct db_tx *tx, const struct key_id *id, bool *ret_doomed)
{
	return exists(
	    tx, "SELECT 1 FROM key_doomed WHERE id = ?1", id, ret_doomed);
}

STATUS
store_keys_next_doomed(struct db_tx *tx, const struct key_id *after,
    struct store_doomed *ret_doomed, bool *ret_found)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct bytes id;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT id, waits_s FROM key_doomed WHERE id > ?1"
	    " ORDER BY id LIMIT 1",
	    DB_VALUES(after == NULL ? db_blob((struct bytes){ NULL, 0 })
				    : id_of(after)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (row) {
		id = db_column_blob(rows, 0);
		if (id.len != KEY_ID_LEN)
			return damaged();
		memcpy(ret_doomed->id.at, id.at, KEY_ID_LEN);
		ret_doomed->waits_s = db_column_int(rows, 1);
	}
	*ret_found = row;
	return st;
}

STATUS
store_keys_buried(struct db_tx *tx, const struct key_id *id)
{
	return db_run(tx, NULL, "DELETE FROM key_doomed WHERE id = ?1",
	    DB_VALUES(id_of(id)));
}

STATUS
store_keys_doomed_waits(struct db_tx *tx, const struct key_id *id)
{
	return db_run(tx, NULL,
	    "UPDATE key_doomed SET waits_s = ?2, problem = '' WHERE id = ?1",
	    DB_VALUES(id_of(id), db_int(store_now_s())));
}

STATUS
store_keys_doomed_problem(
    struct db_tx *tx, const struct key_id *id, const char *problem)
{
	return db_run(tx, NULL,
	    "UPDATE key_doomed SET problem = ?2"
	    " WHERE id = ?1 AND problem <> ?2",
	    DB_VALUES(id_of(id), db_text(problem)));
}
