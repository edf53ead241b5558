/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registry's database in SQLite; the only file that knows it.  What is kept
 * and asked is in registry_keys.c and registry_members.c.  Values are always
 * bound: no SQL is ever put together from text.  It refuses a database of a
 * newer schema and a file that others may read.  Read MIGRATIONS first: it is
 * the schema.
 */

#include "keyd/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "keyd/registry_db.h"

/* Step n brings PRAGMA user_version from n to n + 1.  Never edit one: add. */
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
};
#define SCHEMA ((int)(sizeof(MIGRATIONS) / sizeof(MIGRATIONS[0])))

struct registry {
	pthread_mutex_t mutex; /* guards db */
	sqlite3 *db;
};

/* The statement itself; named so that nobody else needs SQLite's header. */
struct registry_rows {
	struct registry *db;
	sqlite3_stmt *stmt;
};

static inline void
scoped_finalize(sqlite3_stmt **at)
{
	sqlite3_finalize(*at);
}

/* SQLite's errors, in our vocabulary. */
static struct status
db_status(sqlite3 *db)
{
	int code = sqlite3_extended_errcode(db);
	uint32_t detail = (uint32_t)code;

	if (code == SQLITE_CONSTRAINT_UNIQUE ||
	    code == SQLITE_CONSTRAINT_PRIMARYKEY)
		return status_fail_detail(STATUS_ALREADY_EXISTS,
		    "the registry has such a row already", detail);
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return status_fail_detail(STATUS_UNAVAILABLE,
		    "the registry is busy in another process; try again",
		    detail);
	case SQLITE_FULL:
		return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
		    "the disk of the registry is full; make room in state_dir",
		    detail);
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return status_fail_detail(STATUS_FAILED_PRECONDITION,
		    "the registry cannot be written; check the owner and "
		    "mode of state_dir",
		    detail);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return status_fail_detail(STATUS_DATA_LOSS,
		    "the registry is damaged; restore registry.db from a "
		    "backup",
		    detail);
	case SQLITE_IOERR:
		return status_fail_detail(STATUS_UNAVAILABLE,
		    "the disk of the registry fails to read or write", detail);
	default:
		return status_fail_detail(STATUS_INTERNAL,
		    "the registry refused a statement", detail);
	}
}

struct status
registry_damaged_row(void)
{
	return status_fail(STATUS_DATA_LOSS,
	    "a row of the registry is damaged; restore registry.db from a "
	    "backup");
}

struct registry *
registry_lock(struct registry *registry)
{
	pthread_mutex_lock(&registry->mutex);
	return registry;
}

void
registry_unlock(struct registry *db)
{
	pthread_mutex_unlock(&db->mutex);
}

static struct status
prepare(struct registry *db, const char *sql,
    const struct registry_value *values, size_t n_values,
    sqlite3_stmt **ret_stmt)
{
	if (sqlite3_prepare_v2(db->db, sql, -1, ret_stmt, NULL) != SQLITE_OK)
		return db_status(db->db);
	for (size_t i = 0; i < n_values; i++) {
		const struct registry_value *v = &values[i];
		int at = (int)i + 1, rc;

		if (v->type == VALUE_INT)
			rc = sqlite3_bind_int64(*ret_stmt, at, v->number);
		else if (v->type == VALUE_TEXT)
			rc = sqlite3_bind_text(*ret_stmt, at,
			    (const char *)v->bytes.at, (int)v->bytes.len,
			    SQLITE_STATIC);
		else
			rc = sqlite3_bind_blob(*ret_stmt, at, v->bytes.at,
			    (int)v->bytes.len, SQLITE_STATIC);
		if (rc != SQLITE_OK)
			return db_status(db->db);
	}
	return status_ok();
}

static struct status
step(struct registry *db, sqlite3_stmt *stmt, bool *ret_row)
{
	int rc = sqlite3_step(stmt);

	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return db_status(db->db);
	*ret_row = rc == SQLITE_ROW;
	return status_ok();
}

STATUS
registry_run(struct registry *db, int *ret_changed, const char *sql,
    const struct registry_value *values, size_t n_values)
{
	scoped(finalize) sqlite3_stmt *stmt = NULL;
	struct status st = prepare(db, sql, values, n_values, &stmt);
	bool row = false;

	if (!failed(st))
		st = step(db, stmt, &row);
	if (!failed(st) && ret_changed != NULL)
		*ret_changed = sqlite3_changes(db->db);
	return st;
}

STATUS
registry_number(struct registry *db, int64_t *ret_number, const char *sql,
    const struct registry_value *values, size_t n_values)
{
	scoped(finalize) sqlite3_stmt *stmt = NULL;
	struct status st = prepare(db, sql, values, n_values, &stmt);
	bool row = false;

	if (!failed(st))
		st = step(db, stmt, &row);
	if (!failed(st) && !row)
		st = status_fail(STATUS_NOT_FOUND, "no such row");
	if (!failed(st))
		*ret_number = sqlite3_column_int64(stmt, 0);
	return st;
}

STATUS
registry_query(struct registry *db, struct registry_rows **ret_rows,
    const char *sql, const struct registry_value *values, size_t n_values)
{
	scoped(registry_rows_free) struct registry_rows *rows =
	    calloc(1, sizeof(*rows));
	struct status st;

	if (rows == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	rows->db = db;
	st = prepare(db, sql, values, n_values, &rows->stmt);
	if (failed(st))
		return st;
	*ret_rows = rows;
	rows = NULL;
	return st;
}

void
registry_rows_free(struct registry_rows *rows)
{
	if (rows == NULL)
		return;
	sqlite3_finalize(rows->stmt);
	free(rows);
}

STATUS
registry_next(struct registry_rows *rows, bool *ret_row)
{
	return step(rows->db, rows->stmt, ret_row);
}

int64_t
registry_column_int(struct registry_rows *rows, int column)
{
	return sqlite3_column_int64(rows->stmt, column);
}

bool
registry_column_text(
    struct registry_rows *rows, int column, char *ret_text, size_t max)
{
	const unsigned char *text = sqlite3_column_text(rows->stmt, column);
	size_t len = (size_t)sqlite3_column_bytes(rows->stmt, column);

	if (text == NULL || len >= max || memchr(text, 0, len) != NULL)
		return false;
	memcpy(ret_text, text, len);
	ret_text[len] = 0;
	return true;
}

bool
registry_column_blob(struct registry_rows *rows, int column, uint8_t *ret_at,
    size_t max, size_t *ret_len)
{
	const void *at = sqlite3_column_blob(rows->stmt, column);
	size_t len = (size_t)sqlite3_column_bytes(rows->stmt, column);

	if (at == NULL || len > max)
		return false;
	memcpy(ret_at, at, len);
	*ret_len = len;
	return true;
}

static struct status
execute(struct registry *db, const char *sql)
{
	if (sqlite3_exec(db->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_status(db->db);
	return status_ok();
}

STATUS
registry_begin(struct registry *db)
{
	return execute(db, "BEGIN IMMEDIATE");
}

STATUS
registry_finish(struct registry *db, struct status st)
{
	if (!failed(st))
		st = execute(db, "COMMIT");
	if (failed(st))
		(void)sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
	return st;
}

/* One step, in one transaction, since another process may be at it too. */
static struct status
migrate_once(struct registry *db, bool *ret_done)
{
	int64_t version = 0;
	char set[48];
	struct status st = registry_begin(db);

	if (failed(st))
		return st;
	st = registry_number(db, &version, "PRAGMA user_version", NO_VALUES);
	if (!failed(st) && (version < 0 || version > SCHEMA))
		st = status_fail(STATUS_FAILED_PRECONDITION,
		    "the registry was written by a newer keyd; run that "
		    "version");
	*ret_done = version >= SCHEMA;
	if (failed(st) || *ret_done)
		return registry_finish(db, st);
	st = execute(db, MIGRATIONS[version]);
	/* PRAGMA takes no bound values; this one is a number of ours. */
	snprintf(
	    set, sizeof(set), "PRAGMA user_version = %d", (int)version + 1);
	if (!failed(st))
		st = execute(db, set);
	return registry_finish(db, st);
}

/* Made here with its mode, so that at no moment can others read it. */
static struct status
make_file(const char *path)
{
	scoped(close) int fd =
	    open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat sb;

	if (fd < 0 || fstat(fd, &sb) < 0)
		return status_fail_detail(STATUS_FAILED_PRECONDITION,
		    "registry.db cannot be opened or made in state_dir; check "
		    "the folder's owner and mode",
		    (uint32_t)errno);
	if (!S_ISREG(sb.st_mode) || (sb.st_mode & 077) != 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "registry.db must be a plain file of mode 0600");
	return status_ok();
}

static struct status
open_file(struct registry *db, const char *path)
{
	bool done = false;
	struct status st;

	if (sqlite3_open_v2(path, &db->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
		    SQLITE_OPEN_NOFOLLOW,
		NULL) != SQLITE_OK)
		return db_status(db->db);
	sqlite3_extended_result_codes(db->db, 1);
	sqlite3_busy_timeout(db->db, 5000);
	sqlite3_db_config(db->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	st = execute(db,
	    "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
	    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
	    /* Of a destroyed key's blob nothing stays behind in free pages. */
	    "PRAGMA secure_delete = ON;"
	    "PRAGMA foreign_keys = ON");
	while (!failed(st) && !done)
		st = migrate_once(db, &done);
	return st;
}

STATUS
registry_open(const char *path, struct registry **ret_registry)
{
	struct status st = make_file(path);
	struct registry *registry;

	if (failed(st))
		return st;
	registry = calloc(1, sizeof(*registry));
	if (registry == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	pthread_mutex_init(&registry->mutex, NULL);
	st = open_file(registry, path);
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
	sqlite3_close(registry->db);
	pthread_mutex_destroy(&registry->mutex);
	free(registry);
}
