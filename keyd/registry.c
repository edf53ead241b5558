/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registry's schema, its file, and how a row of it is read.  What is kept
 * and asked is in registry_keys.c, registry_members.c and so on; how SQLite is
 * used is in base/db.c.  A row that does not read as one of ours is refused as
 * damage, never cut to fit.  Read MIGRATIONS first.
 */

#include "keyd/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/db.h"
#include "keyd/registry_rows.h"

/* Step n brings the schema from n to n + 1.  Never edit one: add. */
static const char *const MIGRATIONS[] = {
	"CREATE TABLE key ("
	" id BLOB PRIMARY KEY CHECK (length(id) = 32),"
	" label TEXT NOT NULL UNIQUE,"
	" alg INTEGER NOT NULL,"
	" pool TEXT NOT NULL,"
	" spki BLOB NOT NULL,"
	" created_s INTEGER NOT NULL,"
	" created_by TEXT NOT NULL,"
	" attributes INTEGER NOT NULL,"
	/* Every context it was ever granted: raw and TLS never meet in it. */
	" uses INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE TABLE grant_ ("
	" key BLOB NOT NULL REFERENCES key (id),"
	" pattern TEXT NOT NULL,"
	" contexts INTEGER NOT NULL,"
	" PRIMARY KEY (key, pattern)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE invite ("
	" hash BLOB PRIMARY KEY CHECK (length(hash) = 32),"
	" role INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" created_s INTEGER NOT NULL,"
	" expires_s INTEGER NOT NULL,"
	" used_s INTEGER) STRICT, WITHOUT ROWID;"
	"CREATE TABLE identity ("
	" spiffe_id TEXT PRIMARY KEY,"
	" role INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" serial TEXT NOT NULL,"
	" not_after_s INTEGER NOT NULL,"
	" created_s INTEGER NOT NULL) STRICT, WITHOUT ROWID;",

	/* Key life, groups, budgets; approvals; wrapped keys; ledger keys. */
	"ALTER TABLE key ADD state INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE key ADD state_s INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE key ADD destroy_at_s INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE key ADD origin INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE key ADD wrapped INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE key ADD grp TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE key ADD owner TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE key ADD notes TEXT NOT NULL DEFAULT '';"
	"CREATE INDEX key_by_group ON key (grp) WHERE grp <> '';"
	"CREATE INDEX key_due ON key (destroy_at_s) WHERE destroy_at_s > 0;"
	"ALTER TABLE grant_ ADD rate INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE grant_ ADD burst INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE grant_ ADD beyond INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE group_grant ("
	" grp TEXT NOT NULL,"
	" pattern TEXT NOT NULL,"
	" contexts INTEGER NOT NULL,"
	" rate INTEGER NOT NULL DEFAULT 0,"
	" burst INTEGER NOT NULL DEFAULT 0,"
	" beyond INTEGER NOT NULL DEFAULT 0,"
	" PRIMARY KEY (grp, pattern)) STRICT, WITHOUT ROWID;"
	"ALTER TABLE invite ADD grp TEXT NOT NULL DEFAULT 'standard';"
	"ALTER TABLE identity ADD grp TEXT NOT NULL DEFAULT 'standard';"
	"CREATE TABLE quarantine ("
	" role INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" since_s INTEGER NOT NULL,"
	" reason TEXT NOT NULL,"
	" PRIMARY KEY (role, name)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE approval ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" act TEXT NOT NULL,"
	" method TEXT NOT NULL,"
	" request BLOB NOT NULL,"
	" key BLOB NOT NULL,"
	" requested_by TEXT NOT NULL,"
	" requested_s INTEGER NOT NULL,"
	" expires_s INTEGER NOT NULL,"
	" quorum INTEGER NOT NULL,"
	" state INTEGER NOT NULL,"
	" comment TEXT NOT NULL,"
	" outcome TEXT NOT NULL DEFAULT '') STRICT;"
	"CREATE INDEX approval_pending ON approval (expires_s) WHERE state = 1;"
	"CREATE TABLE vote ("
	" approval INTEGER NOT NULL REFERENCES approval (id),"
	" operator TEXT NOT NULL,"
	" approve INTEGER NOT NULL,"
	" at_s INTEGER NOT NULL,"
	" comment TEXT NOT NULL,"
	" PRIMARY KEY (approval, operator)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE blob ("
	" key BLOB PRIMARY KEY REFERENCES key (id),"
	" octets BLOB NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE wrapping ("
	" id BLOB PRIMARY KEY CHECK (length(id) = 32),"
	" label TEXT NOT NULL,"
	" pool TEXT NOT NULL,"
	" created_s INTEGER NOT NULL,"
	" accepted_until_s INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE ledger_key ("
	" number INTEGER PRIMARY KEY,"
	" id BLOB NOT NULL CHECK (length(id) = 32),"
	" label TEXT NOT NULL,"
	" verifier_key TEXT NOT NULL,"
	" from_entry INTEGER NOT NULL,"
	" since_s INTEGER NOT NULL) STRICT;",

	"ALTER TABLE key ADD replaceable INTEGER NOT NULL DEFAULT 0;",
};

STATUS
registry_open(const char *path, struct registry **ret_registry)
{
	const struct db_config config = { .path = path,
		.migrations = MIGRATIONS,
		.n_migrations = sizeof(MIGRATIONS) / sizeof(MIGRATIONS[0]) };
	struct registry *registry = calloc(1, sizeof(*registry));
	struct status st;

	if (registry == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = db_open(&config, &registry->db);
	if (failed(st)) {
		registry_close(registry);
		return st;
	}
	*ret_registry = registry;
	return st;
}

void
registry_close(struct registry *registry)
{
	if (registry == NULL)
		return;
	db_close(registry->db);
	free(registry);
}

/* ---- for keyd/registry_*.c ---- */

STATUS
registry_act(struct registry *registry, int64_t *ret_changed, const char *sql,
    const struct db_value *values, size_t n_values)
{
	struct db_tx *tx;
	struct status st = db_write(registry->db, &tx);

	if (failed(st))
		return st;
	return db_commit(tx, db_run(tx, ret_changed, sql, values, n_values));
}

struct status
registry_damaged_row(void)
{
	return status_fail(STATUS_DATA_LOSS,
	    "a row of the registry is damaged; restore registry.db from a "
	    "backup");
}

bool
registry_take_blob(struct db_rows *rows, int column, uint8_t *ret_at,
    size_t max, size_t *ret_len)
{
	struct bytes octets = db_column_blob(rows, column);

	if (octets.at == NULL || octets.len > max)
		return false;
	memcpy(ret_at, octets.at, octets.len);
	*ret_len = octets.len;
	return true;
}

bool
registry_take_id(struct db_rows *rows, int column, struct key_id *ret_id)
{
	size_t len = 0;

	return registry_take_blob(rows, column, ret_id->at, KEY_ID_LEN, &len) &&
	       len == KEY_ID_LEN;
}
