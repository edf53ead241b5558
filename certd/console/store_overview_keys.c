/* SPDX-License-Identifier: Apache-2.0 */

/* What certd knows of keys that are shown: whose they are, and what uses them;
 * see store_overview.h. */

#include <string.h>

#include "certd/console/store_overview.h"
#include "certd/store.h"

static struct db_value
id_of(const struct key_id *id)
{
	return db_blob((struct bytes){ id->at, KEY_ID_LEN });
}

static struct status
no_memory(void)
{
	return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
}

STATUS
store_overview_keys(struct db_tx *tx, int64_t account,
    const struct overview_key *after, size_t max,
    bool (*each)(void *ctx, const struct overview_key *key), void *ctx)
{
	static const struct overview_key newest = { .created_s = INT64_MAX };
	const struct overview_key *from = after != NULL ? after : &newest;
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT k.id, a.name, k.created_s FROM key k"
	    " JOIN account a ON a.id = k.account WHERE k.account = ?1"
	    " AND (k.created_s, k.id) < (?2, ?3)"
	    " ORDER BY k.created_s DESC, k.id DESC LIMIT ?4",
	    DB_VALUES(db_int(account), db_int(from->created_s),
		id_of(&from->id), db_int((int64_t)max)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		struct overview_key key = { .created_s =
						db_column_int(rows, 2) };
		struct bytes id = db_column_blob(rows, 0);

		if (id.len == KEY_ID_LEN)
			memcpy(key.id.at, id.at, KEY_ID_LEN);
		db_column_text(rows, 1, key.account, sizeof(key.account));
		if (!each(ctx, &key))
			return no_memory();
		st = db_next(rows, &row);
	}
	return st;
}

STATUS
store_overview_key(struct db_tx *tx, const struct key_id *id,
    int64_t *ret_account, char ret_name[ACCOUNT_NAME_MAX])
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT a.id, a.name FROM key k JOIN account a ON a.id = k.account"
	    " WHERE k.id = ?1",
	    DB_VALUES(id_of(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return store_no_such("there is no such key");
	*ret_account = db_column_int(rows, 0);
	db_column_text(rows, 1, ret_name, ACCOUNT_NAME_MAX);
	return st;
}

/* Authorities are as many as certd.yaml names. */
STATUS
store_overview_key_uses(struct db_tx *tx, const struct key_id *id,
    bool (*each)(
	void *ctx, const char *kind, const char *use_id, const char *name),
    void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT 'certificate', CAST(id AS TEXT), name FROM certificate"
	    " WHERE key = ?1 UNION ALL"
	    " SELECT 'request', CAST(id AS TEXT), name FROM request"
	    " WHERE key = ?1 UNION ALL"
	    " SELECT 'authority', authority, authority FROM acme_account"
	    " WHERE key = ?1 OR key_next = ?1 LIMIT ?2",
	    DB_VALUES(id_of(id), db_int(OVERVIEW_USES_MAX)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		char kind[16], use_id[OVERVIEW_NAME_MAX];
		char name[OVERVIEW_NAME_MAX];

		db_column_text(rows, 0, kind, sizeof(kind));
		db_column_text(rows, 1, use_id, sizeof(use_id));
		db_column_text(rows, 2, name, sizeof(name));
		if (!each(ctx, kind, use_id, name))
			return no_memory();
		st = db_next(rows, &row);
	}
	return st;
}
