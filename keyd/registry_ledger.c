/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registry's list of ledger keys, by number: which one signs now, and which
 * ones came before.  Rows are added, never changed, until a new ledger begins;
 * what they say stands in the ledger too, for those who trust nobody's
 * database.
 */

#include <stdlib.h>

#include "keyd/registry.h"
#include "keyd/registry_rows.h"

/* Far more than anyone's rotations. */
#define KEYS_MAX 100000

static STATUS
insert(struct db_tx *tx, const struct registry_ledger_key *key)
{
	return db_run(tx, NULL,
	    "INSERT INTO ledger_key (number, id, label, verifier_key,"
	    " from_entry, since_s) VALUES (?, ?, ?, ?, ?, ?)",
	    DB_VALUES(db_int(key->number), value_key(&key->id),
		db_text(key->label), db_text(key->verifier_key),
		db_int((int64_t)key->from_entry), db_int(key->since_s)));
}

STATUS
registry_ledger_key_add(
    struct registry *registry, const struct registry_ledger_key *key)
{
	struct db_tx *tx;
	struct status st = db_write(registry->db, &tx);

	if (failed(st))
		return st;
	return db_commit(tx, insert(tx, key));
}

STATUS
registry_ledger_begin(
    struct registry *registry, const struct registry_ledger_key *first)
{
	struct db_tx *tx;
	struct status st = db_write(registry->db, &tx);

	if (failed(st))
		return st;
	st = db_run(tx, NULL, "DELETE FROM ledger_key", DB_NONE);
	if (!failed(st))
		st = insert(tx, first);
	return db_commit(tx, st);
}

static STATUS
read_row(struct db_rows *rows, struct registry_ledger_key *ret_key)
{
	ret_key->number = (unsigned)db_column_int(rows, 0);
	if (!registry_take_id(rows, 1, &ret_key->id) ||
	    !db_column_text(rows, 2, ret_key->label, sizeof(ret_key->label)) ||
	    !db_column_text(
		rows, 3, ret_key->verifier_key, sizeof(ret_key->verifier_key)))
		return registry_damaged_row();
	ret_key->from_entry = (uint64_t)db_column_int(rows, 4);
	ret_key->since_s = db_column_int(rows, 5);
	return status_ok();
}

STATUS
registry_ledger_keys(struct registry *registry,
    struct registry_ledger_key **ret_keys, size_t *ret_n)
{
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(db_rows_free) struct db_rows *rows = NULL;
	scoped(free) struct registry_ledger_key *keys = NULL;
	size_t n = 0;
	bool row = false;
	struct status st = db_read(registry->db, &tx);

	if (!failed(st))
		st = db_query(tx, &rows,
		    "SELECT number, id, label, verifier_key, from_entry,"
		    " since_s FROM ledger_key ORDER BY number",
		    DB_NONE);
	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row && n < KEYS_MAX) {
		struct registry_ledger_key *more =
		    realloc(keys, (n + 1) * sizeof(*keys));

		if (more == NULL)
			return status_fail(
			    STATUS_RESOURCE_EXHAUSTED, "no memory");
		keys = more;
		st = read_row(rows, &keys[n]);
		if (!failed(st)) {
			n++;
			st = db_next(rows, &row);
		}
	}
	if (failed(st))
		return st;
	*ret_keys = keys;
	*ret_n = n;
	keys = NULL;
	return st;
}
