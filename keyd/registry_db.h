/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_REGISTRY_DB_H
#define KEYD_REGISTRY_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "keyd/registry.h"

/*
 * The database beneath the registry, for keyd/registry_*.c only: statements
 * with bound values, rows, transactions.  The caller holds the registry's lock:
 *
 *     scoped(registry_unlock) struct registry *db = registry_lock(registry);
 */
struct registry *registry_lock(struct registry *registry);
void registry_unlock(struct registry *db);
SCOPED_RELEASE(registry_unlock, struct registry *);

/* One value for one '?' of a statement; borrowed until it has run. */
struct registry_value {
	enum {
		VALUE_INT,
		VALUE_TEXT,
		VALUE_BLOB
	} type;
	int64_t number;
	struct bytes bytes;
};

static inline struct registry_value
value_int(int64_t number)
{
	return (struct registry_value){ .type = VALUE_INT, .number = number };
}

static inline struct registry_value
value_text(const char *text)
{
	return (struct registry_value){ .type = VALUE_TEXT,
		.bytes = bytes_of(text) };
}

static inline struct registry_value
value_blob(const uint8_t *at, size_t len)
{
	return (
	    struct registry_value){ .type = VALUE_BLOB, .bytes = { at, len } };
}

/* The last two arguments of the functions below: values and their number. */
#define VALUES(...)                                                            \
	(const struct registry_value[]){ __VA_ARGS__ },                        \
	    sizeof((const struct registry_value[]){ __VA_ARGS__ }) /           \
		sizeof(struct registry_value)
#define NO_VALUES NULL, 0

/* A statement that answers nothing; *ret_changed (or NULL) counts rows. */
STATUS registry_run(struct registry *db, int *ret_changed, const char *sql,
    const struct registry_value *values, size_t n_values);

/* A statement that answers one number; NOT_FOUND when it answers nothing. */
STATUS registry_number(struct registry *db, int64_t *ret_number,
    const char *sql, const struct registry_value *values, size_t n_values);

/* A statement that answers rows; release before the lock. */
struct registry_rows;
STATUS registry_query(struct registry *db, struct registry_rows **ret_rows,
    const char *sql, const struct registry_value *values, size_t n_values);
void registry_rows_free(struct registry_rows *rows); /* NULL is allowed */
SCOPED_RELEASE(registry_rows_free, struct registry_rows *);
/* *ret_row = false after the last one. */
STATUS registry_next(struct registry_rows *rows, bool *ret_row);
int64_t registry_column_int(struct registry_rows *rows, int column);
/* False when the column does not fit: the row is then none of ours. */
bool registry_column_text(
    struct registry_rows *rows, int column, char *ret_text, size_t max);
bool registry_column_blob(struct registry_rows *rows, int column,
    uint8_t *ret_at, size_t max, size_t *ret_len);
/* What to say of such a row. */
struct status registry_damaged_row(void);

STATUS registry_begin(struct registry *db);
/* Commits when st is OK, else rolls back; returns the first failure. */
STATUS registry_finish(struct registry *db, struct status st);

#endif
