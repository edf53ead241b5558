/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registry's list of ledger keys, by number: which one signs now, and which
 * ones came before.  Rows are added, never changed, until a new ledger begins;
 * what they say stands in the ledger too, for those who trust nobody's
 * database.
 */

#include <stdlib.h>

#include "keyd/registry.h"
#include "keyd/registry_db.h"

/* Far more than anyone's rotations. */
#define KEYS_MAX 100000

static STATUS
insert(struct registry *db, const struct registry_ledger_key *key)
{
	return registry_run(db, NULL,
	    "INSERT INTO ledger_key (number, id, label, verifier_key,"
	    " from_entry, since_s) VALUES (?, ?, ?, ?, ?, ?)",
	    VALUES(value_int(key->number), value_blob(key->id.at, KEY_ID_LEN),
		value_text(key->label), value_text(key->verifier_key),
		value_int((int64_t)key->from_entry), value_int(key->since_s)));
}

STATUS
registry_ledger_key_add(
    struct registry *registry, const struct registry_ledger_key *key)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);

	return insert(db, key);
}

STATUS
registry_ledger_begin(
    struct registry *registry, const struct registry_ledger_key *first)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	struct status st = registry_begin(db);

	if (failed(st))
		return st;
	st = registry_run(db, NULL, "DELETE FROM ledger_key", NO_VALUES);
	if (!failed(st))
		st = insert(db, first);
	return registry_finish(db, st);
}

static STATUS
read_row(struct registry_rows *rows, struct registry_ledger_key *ret_key)
{
	size_t len = 0;

	ret_key->number = (unsigned)registry_column_int(rows, 0);
	if (!registry_column_blob(rows, 1, ret_key->id.at, KEY_ID_LEN, &len) ||
	    len != KEY_ID_LEN ||
	    !registry_column_text(
		rows, 2, ret_key->label, sizeof(ret_key->label)) ||
	    !registry_column_text(
		rows, 3, ret_key->verifier_key, sizeof(ret_key->verifier_key)))
		return registry_damaged_row();
	ret_key->from_entry = (uint64_t)registry_column_int(rows, 4);
	ret_key->since_s = registry_column_int(rows, 5);
	return status_ok();
}

STATUS
registry_ledger_keys(struct registry *registry,
    struct registry_ledger_key **ret_keys, size_t *ret_n)
{
	scoped(registry_unlock) struct registry *db = registry_lock(registry);
	scoped(registry_rows_free) struct registry_rows *rows = NULL;
	scoped(free) struct registry_ledger_key *keys = NULL;
	size_t n = 0;
	bool row = false;
	struct status st = registry_query(db, &rows,
	    "SELECT number, id, label, verifier_key, from_entry, since_s"
	    " FROM ledger_key ORDER BY number",
	    NO_VALUES);

	if (!failed(st))
		st = registry_next(rows, &row);
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
			st = registry_next(rows, &row);
		}
	}
	if (failed(st))
		return st;
	*ret_keys = keys;
	*ret_n = n;
	keys = NULL;
	return st;
}
