/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_DB_H
#define BASE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"

/*
 * A daemon's database in one SQLite file (WAL, synchronous=FULL): one
 * connection that writes, some that read at the same time, numbered migrations,
 * statements with bound values.  No SQL is ever put together from foreign text.
 *
 * Any thread.  A connection belongs to one thread from db_write or db_read
 * until db_commit or db_end; a thread holds at most one.
 */
struct db;
struct db_tx; /* one transaction */

struct db_config {
	/* Made with mode 0600 when it is missing; one that others may read is
	 * refused. */
	const char *path;
	/* Step n brings the schema from n to n + 1.  Borrowed. */
	const char *const *migrations;
	size_t n_migrations;
	unsigned readers; /* connections that only read, 1..16; 0: 4 */
	/* A person's program beside the daemon: reads, makes nothing. */
	bool read_only;
};

STATUS db_open(const struct db_config *config, struct db **ret_db);
/* No transaction may be open.  NULL is allowed. */
void db_close(struct db *db);
SCOPED_RELEASE(db_close, struct db *);

/*
 * Wait for the writer's turn (one at a time in this process; 5 s at most for
 * other processes) and begin.  What was read in it stays true until db_commit.
 */
STATUS db_write(struct db *db, struct db_tx **ret_tx);
/* A snapshot: reads the same however long it takes; beside writers. */
STATUS db_read(struct db *db, struct db_tx **ret_tx);
/*
 * Ends the transaction: commits when st is OK, else rolls back; gives the first
 * failure.  On disk when it says OK.
 */
STATUS db_commit(struct db_tx *tx, struct status st);
/* Ends it; what was written is undone.  NULL is allowed. */
void db_end(struct db_tx *tx);
SCOPED_RELEASE(db_end, struct db_tx *);

/* One value for one '?' or '?n' of a statement; borrowed until it has run. */
struct db_value {
	enum {
		DB_INT,
		DB_TEXT,
		DB_BLOB,
		DB_NULL
	} type;
	int64_t number;
	struct bytes bytes;
};

static inline struct db_value
db_int(int64_t number)
{
	return (struct db_value){ .type = DB_INT, .number = number };
}

/* NULL is the empty text. */
static inline struct db_value
db_text(const char *text)
{
	return (struct db_value){ .type = DB_TEXT,
		.bytes = bytes_of(text == NULL ? "" : text) };
}

static inline struct db_value
db_blob(struct bytes bytes)
{
	return (struct db_value){ .type = DB_BLOB, .bytes = bytes };
}

static inline struct db_value
db_null(void)
{
	return (struct db_value){ .type = DB_NULL };
}

/* 0 as NULL: for references that may be absent. */
static inline struct db_value
db_ref(int64_t id)
{
	return id == 0 ? db_null() : db_int(id);
}

/* The last two arguments of the functions below: values and their number. */
#define DB_VALUES(...)                                                         \
	(const struct db_value[]){ __VA_ARGS__ },                              \
	    sizeof((const struct db_value[]){ __VA_ARGS__ }) /                 \
		sizeof(struct db_value)
#define DB_NONE NULL, 0

/*
 * A statement that answers nothing; *ret_changed (or NULL) counts rows.
 * ALREADY_EXISTS: a row of that key is there.  FAILED_PRECONDITION: a reference
 * would dangle.
 */
STATUS db_run(struct db_tx *tx, int64_t *ret_changed, const char *sql,
    const struct db_value *values, size_t n_values);
/* A number that the caller remembers with the transaction; 0 at its begin. */
int64_t db_mark(const struct db_tx *tx);
void db_set_mark(struct db_tx *tx, int64_t mark);
/* The rowid of the last row that this transaction inserted. */
int64_t db_inserted(const struct db_tx *tx);

/* A statement that answers one number; NOT_FOUND when it answers nothing, and
 * for NULL. */
STATUS db_number(struct db_tx *tx, int64_t *ret_number, const char *sql,
    const struct db_value *values, size_t n_values);

/* A statement that answers rows; release them before the transaction ends. */
struct db_rows;
STATUS db_query(struct db_tx *tx, struct db_rows **ret_rows, const char *sql,
    const struct db_value *values, size_t n_values);
void db_rows_free(struct db_rows *rows); /* NULL is allowed */
SCOPED_RELEASE(db_rows_free, struct db_rows *);
/* *ret_row = false after the last one. */
STATUS db_next(struct db_rows *rows, bool *ret_row);

/* Columns of the row there is, from 0. */
int64_t db_column_int(struct db_rows *rows, int column);
bool db_column_is_null(struct db_rows *rows, int column);
/* Cut at max - 1 octets and closed with a zero.  False: not the whole text, for
 * it was cut, has a zero inside or is NULL. */
bool db_column_text(
    struct db_rows *rows, int column, char *ret_text, size_t max);
/* malloc'd, zero-terminated; NULL when memory ends. */
char *db_column_dup(struct db_rows *rows, int column);
/* Borrowed until the next row. */
struct bytes db_column_blob(struct db_rows *rows, int column);

/*
 * Write the log back into the file and empty it, so that what was deleted is in
 * neither.  Waits for readers, 5 s at most; UNAVAILABLE: one reads on, and it
 * is done when the log is next written back.
 */
STATUS db_checkpoint(struct db *db);

/* The schema's number, and the one that this program makes. */
STATUS db_schema(struct db *db, int *ret_schema);

/*
 * A copy of the database as of now, beside what goes on in it, to a new file of
 * mode 0600, on disk on return.  progress (may be NULL) is told of pages.
 */
STATUS db_backup(struct db *db, const char *path,
    void (*progress)(void *ctx, int done, int total), void *ctx);

#endif
