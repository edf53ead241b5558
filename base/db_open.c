/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A database's file: opened, brought to its schema, copied while it is in use,
 * closed.  It refuses a database of a newer schema and a file that others may
 * read, and never writes over a file with a backup.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/db_int.h"

#define READERS_DEFAULT 4
#define BUSY_MS 5000
#define BACKUP_PAGES 256 /* copied at a time */

static struct status
newer_schema(void)
{
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "the database was written by a newer version; run that one");
}

/* One step, in one transaction, since another process may be at it too. */
static struct status
migrate_once(struct db *db, const struct db_config *config, bool *ret_done)
{
	struct db_tx *tx;
	int64_t version = 0;
	char set[48];
	struct status st = db_write(db, &tx);

	if (failed(st))
		return st;
	st = db_number(tx, &version, "PRAGMA user_version", DB_NONE);
	if (!failed(st) &&
	    (version < 0 || version > (int64_t)config->n_migrations))
		st = newer_schema();
	*ret_done = version >= (int64_t)config->n_migrations;
	if (failed(st) || *ret_done)
		return db_commit(tx, st);
	st = db_int_execute(tx, config->migrations[version]);
	/* PRAGMA takes no bound values; this one is a number of ours. */
	snprintf(
	    set, sizeof(set), "PRAGMA user_version = %d", (int)version + 1);
	if (!failed(st))
		st = db_int_execute(tx, set);
	return db_commit(tx, st);
}

/* A file that is only read must be of this very schema. */
static struct status
check_schema(struct db *db, const struct db_config *config)
{
	int schema = 0;
	struct status st = db_schema(db, &schema);

	if (!failed(st) && schema > (int)config->n_migrations)
		return newer_schema();
	if (!failed(st) && schema < (int)config->n_migrations)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the database is of an older version; start the daemon "
		    "once, which brings it up to date");
	return st;
}

/* Made here with its mode, so that at no moment can others read it. */
static struct status
make_file(const char *path, int flags)
{
	scoped(close) int fd = open(path, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat sb;

	if (fd < 0 || fstat(fd, &sb) < 0)
		return status_fail_detail(STATUS_FAILED_PRECONDITION,
		    "the database's file cannot be opened or made; check the "
		    "folder's owner and mode",
		    (uint32_t)errno);
	if (!S_ISREG(sb.st_mode) || (sb.st_mode & 077) != 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the database must be a plain file of mode 0600");
	return status_ok();
}

static struct status
connect_one(struct db *db, struct db_tx *tx, const char *path, bool writes)
{
	int flags = (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
		    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;

	tx->db = db;
	tx->is_writer = writes;
	if (sqlite3_open_v2(path, &tx->handle, flags, NULL) != SQLITE_OK)
		return db_int_status(tx->handle);
	sqlite3_extended_result_codes(tx->handle, 1);
	sqlite3_busy_timeout(tx->handle, BUSY_MS);
	sqlite3_db_config(tx->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return db_int_execute(tx,
	    writes ? "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
		     "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		     /* Of what is deleted nothing stays in free pages. */
		     "PRAGMA secure_delete = ON;"
		     "PRAGMA foreign_keys = ON;"
		     /* In pages: a commit that writes the log back takes
		      * longest, and what changes often is written back once.
		      */
		     "PRAGMA wal_autocheckpoint = 4000"
		   : "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
		     "PRAGMA query_only = ON");
}

static struct status
open_all(struct db *db, const struct db_config *config)
{
	bool done = false;
	struct status st = status_ok();

	if (!config->read_only) {
		st = connect_one(db, &db->writer, config->path, true);
		while (!failed(st) && !done)
			st = migrate_once(db, config, &done);
	}
	for (unsigned i = 0; i < db->n_readers && !failed(st); i++)
		st = connect_one(db, &db->readers[i], config->path, false);
	if (config->read_only && !failed(st))
		st = check_schema(db, config);
	return st;
}

STATUS
db_open(const struct db_config *config, struct db **ret_db)
{
	struct status st = make_file(
	    config->path, config->read_only ? O_RDONLY : O_RDWR | O_CREAT);
	struct db *db;

	if (failed(st))
		return st;
	db = calloc(1, sizeof(*db));
	if (db == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	pthread_mutex_init(&db->writing, NULL);
	pthread_mutex_init(&db->mutex, NULL);
	pthread_cond_init(&db->returned, NULL);
	db->n_readers =
	    config->readers == 0 ? READERS_DEFAULT : config->readers;
	if (db->n_readers > DB_READERS_MAX)
		db->n_readers = DB_READERS_MAX;
	st = open_all(db, config);
	if (failed(st)) {
		db_close(db);
		return st;
	}
	*ret_db = db;
	return st;
}

static void
disconnect(struct db_tx *tx)
{
	for (size_t i = 0; i < tx->n_kept; i++)
		sqlite3_finalize(tx->kept[i]);
	sqlite3_close(tx->handle);
}

void
db_close(struct db *db)
{
	if (db == NULL)
		return;
	for (unsigned i = 0; i < db->n_readers; i++)
		disconnect(&db->readers[i]);
	/* Last, for who closes last cleans up the WAL. */
	disconnect(&db->writer);
	pthread_cond_destroy(&db->returned);
	pthread_mutex_destroy(&db->mutex);
	pthread_mutex_destroy(&db->writing);
	free(db);
}

STATUS
db_checkpoint(struct db *db)
{
	struct status st = status_ok();

	pthread_mutex_lock(&db->writing);
	if (sqlite3_wal_checkpoint_v2(db->writer.handle, NULL,
		SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) != SQLITE_OK)
		st = db_int_status(db->writer.handle);
	pthread_mutex_unlock(&db->writing);
	return st;
}

STATUS
db_schema(struct db *db, int *ret_schema)
{
	scoped(db_end) struct db_tx *tx = NULL;
	int64_t version = 0;
	struct status st = db_read(db, &tx);

	if (!failed(st))
		st = db_number(tx, &version, "PRAGMA user_version", DB_NONE);
	if (!failed(st))
		*ret_schema = (int)version;
	return st;
}

/* ---- backup ---- */

static struct status
copy_pages(sqlite3 *to, sqlite3 *from,
    void (*progress)(void *ctx, int done, int total), void *ctx)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
	int rc = SQLITE_OK;

	if (backup == NULL)
		return db_int_status(to);
	while (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED) {
		int total, left;

		rc = sqlite3_backup_step(backup, BACKUP_PAGES);
		total = sqlite3_backup_pagecount(backup);
		left = sqlite3_backup_remaining(backup);
		if (progress != NULL)
			progress(ctx, total - left, total);
	}
	(void)sqlite3_backup_finish(backup);
	return rc == SQLITE_DONE ? status_ok() : db_int_status(to);
}

static struct status
sync_file(const char *path)
{
	scoped(close) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		return status_fail_detail(STATUS_UNAVAILABLE,
		    "the backup could not be brought to the disk",
		    (uint32_t)errno);
	return status_ok();
}

static struct status
backup_to(struct db_tx *tx, const char *path,
    void (*progress)(void *ctx, int done, int total), void *ctx)
{
	sqlite3 *to = NULL;
	struct status st;

	if (sqlite3_open_v2(path, &to,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW,
		NULL) != SQLITE_OK)
		st = db_int_status(to);
	else
		st = copy_pages(to, tx->handle, progress, ctx);
	/* One file, that needs no WAL beside it. */
	if (!failed(st) && sqlite3_exec(to, "PRAGMA journal_mode = DELETE",
			       NULL, NULL, NULL) != SQLITE_OK)
		st = db_int_status(to);
	sqlite3_close(to);
	return failed(st) ? st : sync_file(path);
}

STATUS
db_backup(struct db *db, const char *path,
    void (*progress)(void *ctx, int done, int total), void *ctx)
{
	/* In one snapshot: what is written meanwhile does not start it anew. */
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = make_file(path, O_RDWR | O_CREAT | O_EXCL);

	if (failed(st))
		return st.detail == EEXIST
			   ? status_fail(STATUS_ALREADY_EXISTS,
				 "a file of that name is there; choose another")
			   : st;
	st = db_read(db, &tx);
	if (!failed(st))
		st = backup_to(tx, path, progress, ctx);
	if (failed(st))
		(void)unlink(path);
	return st;
}
