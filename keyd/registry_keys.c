/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registry's keys.  A row is written once and told from then on; what may
 * change in it is in registry_life.c, who may use the key in registry_grants.c.
 * A row that does not read as a key is damage and is told, never guessed at.
 */

#include <stdlib.h>
#include <string.h>

#include "keyd/registry.h"
#include "keyd/registry_rows.h"

struct status
registry_no_such_key(void)
{
	return status_fail(STATUS_NOT_FOUND,
	    "there is no such key; 'holdfast key list' shows those there are");
}

STATUS
registry_key_insert(struct db_tx *tx, const struct registry_key *key)
{
	enum key_state state = key->state == 0 ? KEY_ACTIVE : key->state;
	enum key_origin origin =
	    key->origin == 0 ? ORIGIN_GENERATED : key->origin;
	int64_t state_s = key->state_s == 0 ? key->created_s : key->state_s;
	struct status st = db_run(tx, NULL,
	    "INSERT INTO key (" KEY_COLUMNS ") VALUES"
	    " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	    DB_VALUES(value_key(&key->id), db_text(key->label),
		db_int(key->alg), db_text(key->pool),
		db_blob((struct bytes){ key->spki, key->spki_len }),
		db_int(key->created_s), db_text(key->created_by),
		db_int(key->attributes), db_int(state), db_int(state_s),
		db_int(key->destroy_at_s), db_int(origin), db_int(key->wrapped),
		db_text(""), db_text(key->owner), db_text(key->notes),
		db_int(key->replaceable)));

	if (st.code == STATUS_ALREADY_EXISTS)
		st.why = "there is a key with this label; choose another label";
	if (failed(st) || key->group[0] == 0)
		return st;
	st = registry_join_group(tx, &key->id, key->group);
	if (failed(st))
		return st;
	return db_run(tx, NULL, "UPDATE key SET grp = ? WHERE id = ?",
	    DB_VALUES(db_text(key->group), value_key(&key->id)));
}

STATUS
registry_key_add(struct registry *registry, const struct registry_key *key,
    const struct registry_grant *grant)
{
	struct db_tx *tx;
	struct status st = db_write(registry->db, &tx);

	if (failed(st))
		return st;
	st = registry_key_insert(tx, key);
	if (!failed(st))
		st = registry_grant_insert(tx, &key->id, grant);
	return db_commit(tx, st);
}

static bool
take_texts(struct db_rows *rows, struct registry_key *key)
{
	return db_column_text(rows, 1, key->label, sizeof(key->label)) &&
	       db_column_text(rows, 3, key->pool, sizeof(key->pool)) &&
	       db_column_text(
		   rows, 6, key->created_by, sizeof(key->created_by)) &&
	       db_column_text(rows, 13, key->group, sizeof(key->group)) &&
	       db_column_text(rows, 14, key->owner, sizeof(key->owner)) &&
	       db_column_text(rows, 15, key->notes, sizeof(key->notes));
}

bool
registry_take_key(struct db_rows *rows, struct registry_key *ret_key)
{
	struct registry_key *key = ret_key;
	int64_t alg = db_column_int(rows, 2);
	int64_t state = db_column_int(rows, 8);
	int64_t origin = db_column_int(rows, 11);

	if (!registry_take_id(rows, 0, &key->id) || !take_texts(rows, key) ||
	    !registry_take_blob(
		rows, 4, key->spki, sizeof(key->spki), &key->spki_len) ||
	    alg <= KEY_ALG_NONE || alg > KEY_ALG_ED25519 ||
	    state < KEY_ACTIVE || state > KEY_DESTROYED ||
	    origin < ORIGIN_GENERATED || origin > ORIGIN_IMPORTED_CERTD)
		return false;
	key->alg = (enum key_alg)alg;
	key->created_s = db_column_int(rows, 5);
	key->attributes = (unsigned)db_column_int(rows, 7);
	key->state = (enum key_state)state;
	key->state_s = db_column_int(rows, 9);
	key->destroy_at_s = db_column_int(rows, 10);
	key->origin = (enum key_origin)origin;
	key->wrapped = db_column_int(rows, 12) != 0;
	key->replaceable = db_column_int(rows, 16) != 0;
	return true;
}

static struct status
one_key(struct registry *registry, const char *sql, struct db_value value,
    struct registry_key *ret_key)
{
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct registry_key key;
	bool row = false;
	struct status st = db_read(registry->db, &tx);

	if (!failed(st))
		st = db_query(tx, &rows, sql, &value, 1);
	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return registry_no_such_key();
	if (!registry_take_key(rows, &key))
		return registry_damaged_row();
	*ret_key = key;
	return st;
}

STATUS
registry_key_get(struct registry *registry, const struct key_id *id,
    struct registry_key *ret_key)
{
	return one_key(registry, "SELECT " KEY_COLUMNS " FROM key WHERE id = ?",
	    value_key(id), ret_key);
}

STATUS
registry_key_by_label(
    struct registry *registry, const char *label, struct registry_key *ret_key)
{
	return one_key(registry,
	    "SELECT " KEY_COLUMNS " FROM key WHERE label = ?", db_text(label),
	    ret_key);
}

STATUS
registry_keys(struct registry *registry, const char *after_label, size_t max,
    struct registry_key *ret_keys, size_t *ret_n)
{
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = true;
	size_t n = 0;
	struct status st = db_read(registry->db, &tx);

	if (!failed(st))
		st = db_query(tx, &rows,
		    "SELECT " KEY_COLUMNS " FROM key WHERE label > ?"
		    " ORDER BY label LIMIT ?",
		    DB_VALUES(db_text(after_label), db_int((int64_t)max)));
	while (!failed(st) && n < max) {
		st = db_next(rows, &row);
		if (failed(st) || !row)
			break;
		if (!registry_take_key(rows, &ret_keys[n++]))
			st = registry_damaged_row();
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}
