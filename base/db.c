/* SPDX-License-Identifier: Apache-2.0 */

/*
 * SQLite behind base/db.h: statements, columns, transactions.  Writers take
 * turns by a mutex, so they never meet SQLITE_BUSY among themselves; readers
 * have connections of their own and see snapshots.  Statements are kept
 * prepared by their text.  Opening and backups are in base/db_open.c.
 */

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/db_int.h"

struct db_rows {
	struct db_tx *tx;
	sqlite3_stmt *stmt;
	int kept; /* its place at its connection; NOT_KEPT: is finalized */
};

#define NOT_KEPT (-1)

/* SQLite's errors, in our vocabulary. */
struct status
db_int_status(sqlite3 *handle)
{
	int code = sqlite3_extended_errcode(handle);
	uint32_t detail = (uint32_t)code;

	if (code == SQLITE_CONSTRAINT_UNIQUE ||
	    code == SQLITE_CONSTRAINT_PRIMARYKEY)
		return status_fail_detail(STATUS_ALREADY_EXISTS,
		    "the database has such a row already", detail);
	if (code == SQLITE_CONSTRAINT_FOREIGNKEY)
		return status_fail_detail(STATUS_FAILED_PRECONDITION,
		    "something else in the database still refers to this",
		    detail);
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return status_fail_detail(STATUS_UNAVAILABLE,
		    "the database is busy in another process; try again",
		    detail);
	case SQLITE_FULL:
		return status_fail_detail(STATUS_RESOURCE_EXHAUSTED,
		    "the disk of the database is full; make room in state_dir",
		    detail);
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return status_fail_detail(STATUS_FAILED_PRECONDITION,
		    "the database cannot be written; check the owner and mode "
		    "of state_dir",
		    detail);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return status_fail_detail(STATUS_DATA_LOSS,
		    "the database is damaged; restore it from a backup",
		    detail);
	case SQLITE_IOERR:
		return status_fail_detail(STATUS_UNAVAILABLE,
		    "the disk of the database fails to read or write", detail);
	default:
		return status_fail_detail(STATUS_INTERNAL,
		    "the database refused a statement", detail);
	}
}

/* ---- statements ---- */

/* The place of one of those kept that nobody has taken. */
static int
find_kept(const struct db_tx *tx, const char *sql)
{
	for (size_t i = 0; i < tx->n_kept; i++)
		if (!tx->is_taken[i] &&
		    strcmp(sqlite3_sql(tx->kept[i]), sql) == 0)
			return (int)i;
	return NOT_KEPT;
}

/* Keep it if there is room, or in place of an idle one. */
static int
keep(struct db_tx *tx, sqlite3_stmt *stmt)
{
	size_t at = tx->next_victim;

	if (tx->n_kept < DB_KEPT_MAX) {
		tx->kept[tx->n_kept] = stmt;
		return (int)tx->n_kept++;
	}
	tx->next_victim = (at + 1) % DB_KEPT_MAX;
	if (tx->is_taken[at])
		return NOT_KEPT;
	sqlite3_finalize(tx->kept[at]);
	tx->kept[at] = stmt;
	return (int)at;
}

static void
release(struct db_rows *rows)
{
	if (rows->kept != NOT_KEPT) {
		sqlite3_reset(rows->stmt);
		sqlite3_clear_bindings(rows->stmt);
		rows->tx->is_taken[rows->kept] = false;
	} else {
		sqlite3_finalize(rows->stmt);
	}
}

static int
bind(sqlite3_stmt *stmt, int at, const struct db_value *v)
{
	switch (v->type) {
	case DB_INT:
		return sqlite3_bind_int64(stmt, at, v->number);
	case DB_TEXT:
		return sqlite3_bind_text64(stmt, at, (const char *)v->bytes.at,
		    v->bytes.len, SQLITE_STATIC, SQLITE_UTF8);
	case DB_BLOB:
		/* Zero octets are not NULL. */
		return v->bytes.len == 0
			   ? sqlite3_bind_zeroblob(stmt, at, 0)
			   : sqlite3_bind_blob64(stmt, at, v->bytes.at,
				 v->bytes.len, SQLITE_STATIC);
	case DB_NULL:
	default:
		return sqlite3_bind_null(stmt, at);
	}
}

static struct status
prepare(struct db_tx *tx, const char *sql, const struct db_value *values,
    size_t n_values, struct db_rows *ret)
{
	struct db_rows rows = { tx, NULL, find_kept(tx, sql) };

	if (rows.kept != NOT_KEPT)
		rows.stmt = tx->kept[rows.kept];
	else if (sqlite3_prepare_v3(tx->handle, sql, -1,
		     SQLITE_PREPARE_PERSISTENT, &rows.stmt, NULL) != SQLITE_OK)
		return db_int_status(tx->handle);
	else
		rows.kept = keep(tx, rows.stmt);
	if (rows.kept != NOT_KEPT)
		tx->is_taken[rows.kept] = true;
	for (size_t i = 0; i < n_values; i++)
		if (bind(rows.stmt, (int)i + 1, &values[i]) != SQLITE_OK) {
			struct status st = db_int_status(tx->handle);

			release(&rows);
			return st;
		}
	*ret = rows;
	return status_ok();
}

static struct status
step(struct db_rows *rows, bool *ret_row)
{
	int rc = sqlite3_step(rows->stmt);

	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return db_int_status(rows->tx->handle);
	*ret_row = rc == SQLITE_ROW;
	return status_ok();
}

STATUS
db_run(struct db_tx *tx, int64_t *ret_changed, const char *sql,
    const struct db_value *values, size_t n_values)
{
	struct db_rows rows;
	struct status st = prepare(tx, sql, values, n_values, &rows);
	bool row = false;

	if (failed(st))
		return st;
	st = step(&rows, &row);
	if (!failed(st) && ret_changed != NULL)
		*ret_changed = sqlite3_changes64(tx->handle);
	release(&rows);
	return st;
}

int64_t
db_mark(const struct db_tx *tx)
{
	return tx->mark;
}

void
db_set_mark(struct db_tx *tx, int64_t mark)
{
	tx->mark = mark;
}

int64_t
db_inserted(const struct db_tx *tx)
{
	return sqlite3_last_insert_rowid(tx->handle);
}

STATUS
db_number(struct db_tx *tx, int64_t *ret_number, const char *sql,
    const struct db_value *values, size_t n_values)
{
	struct db_rows rows;
	struct status st = prepare(tx, sql, values, n_values, &rows);
	bool row = false;

	if (failed(st))
		return st;
	st = step(&rows, &row);
	if (!failed(st) &&
	    (!row || sqlite3_column_type(rows.stmt, 0) == SQLITE_NULL))
		st = status_fail(STATUS_NOT_FOUND, "no such row");
	if (!failed(st))
		*ret_number = sqlite3_column_int64(rows.stmt, 0);
	release(&rows);
	return st;
}

STATUS
db_query(struct db_tx *tx, struct db_rows **ret_rows, const char *sql,
    const struct db_value *values, size_t n_values)
{
	struct db_rows *rows = calloc(1, sizeof(*rows));
	struct status st;

	if (rows == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = prepare(tx, sql, values, n_values, rows);
	if (failed(st)) {
		free(rows);
		return st;
	}
	*ret_rows = rows;
	return st;
}

void
db_rows_free(struct db_rows *rows)
{
	if (rows == NULL)
		return;
	release(rows);
	free(rows);
}

STATUS
db_next(struct db_rows *rows, bool *ret_row)
{
	return step(rows, ret_row);
}

/* ---- columns ---- */

int64_t
db_column_int(struct db_rows *rows, int column)
{
	return sqlite3_column_int64(rows->stmt, column);
}

bool
db_column_is_null(struct db_rows *rows, int column)
{
	return sqlite3_column_type(rows->stmt, column) == SQLITE_NULL;
}

static struct bytes
text_of(struct db_rows *rows, int column)
{
	const unsigned char *text = sqlite3_column_text(rows->stmt, column);

	if (text == NULL)
		return bytes_of("");
	return (struct bytes){ text,
		(size_t)sqlite3_column_bytes(rows->stmt, column) };
}

bool
db_column_text(struct db_rows *rows, int column, char *ret_text, size_t max)
{
	struct bytes text = text_of(rows, column);
	size_t len = text.len < max ? text.len : max - 1;

	memcpy(ret_text, text.at, len);
	ret_text[len] = 0;
	return len == text.len && memchr(text.at, 0, len) == NULL &&
	       !db_column_is_null(rows, column);
}

char *
db_column_dup(struct db_rows *rows, int column)
{
	struct bytes text = text_of(rows, column);
	char *copy = malloc(text.len + 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, text.at, text.len);
	copy[text.len] = 0;
	return copy;
}

struct bytes
db_column_blob(struct db_rows *rows, int column)
{
	const void *at = sqlite3_column_blob(rows->stmt, column);

	return (struct bytes){ at,
		(size_t)sqlite3_column_bytes(rows->stmt, column) };
}

/* ---- transactions ---- */

STATUS
db_int_execute(struct db_tx *tx, const char *sql)
{
	if (sqlite3_exec(tx->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_int_status(tx->handle);
	return status_ok();
}

STATUS
db_write(struct db *db, struct db_tx **ret_tx)
{
	struct status st;

	pthread_mutex_lock(&db->writing);
	st = db_int_execute(&db->writer, "BEGIN IMMEDIATE");
	if (failed(st)) {
		pthread_mutex_unlock(&db->writing);
		return st;
	}
	db->writer.mark = 0;
	*ret_tx = &db->writer;
	return st;
}

static struct db_tx *
take_reader(struct db *db)
{
	pthread_mutex_lock(&db->mutex);
	for (;;) {
		for (unsigned i = 0; i < db->n_readers; i++)
			if (!db->readers[i].in_use) {
				db->readers[i].in_use = true;
				pthread_mutex_unlock(&db->mutex);
				return &db->readers[i];
			}
		pthread_cond_wait(&db->returned, &db->mutex);
	}
}

/* The connection is the next one's. */
static void
give_back(struct db_tx *tx)
{
	struct db *db = tx->db;

	if (tx->is_writer) {
		pthread_mutex_unlock(&db->writing);
		return;
	}
	pthread_mutex_lock(&db->mutex);
	tx->in_use = false;
	pthread_cond_signal(&db->returned);
	pthread_mutex_unlock(&db->mutex);
}

STATUS
db_read(struct db *db, struct db_tx **ret_tx)
{
	struct db_tx *tx = take_reader(db);
	struct status st = db_int_execute(tx, "BEGIN");

	if (failed(st)) {
		give_back(tx);
		return st;
	}
	tx->mark = 0;
	*ret_tx = tx;
	return st;
}

STATUS
db_commit(struct db_tx *tx, struct status st)
{
	if (!failed(st))
		st = db_int_execute(tx, "COMMIT");
	if (failed(st))
		(void)sqlite3_exec(tx->handle, "ROLLBACK", NULL, NULL, NULL);
	give_back(tx);
	return st;
}

void
db_end(struct db_tx *tx)
{
	if (tx == NULL)
		return;
	(void)sqlite3_exec(tx->handle, "ROLLBACK", NULL, NULL, NULL);
	give_back(tx);
}
