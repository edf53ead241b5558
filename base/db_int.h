/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_DB_INT_H
#define BASE_DB_INT_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/db.h"

/* What base/db.c and base/db_open.c share; nobody else includes it. */

#define DB_READERS_MAX 16
#define DB_KEPT_MAX 128 /* prepared statements of a connection */

struct db_tx {
	struct db *db;
	sqlite3 *handle;
	bool is_writer;
	int64_t mark; /* the caller's, of this transaction */
	bool in_use;  /* readers; guarded by db->mutex */
	sqlite3_stmt *kept[DB_KEPT_MAX];
	/* By who has not given it back: SQLite knows of a statement only that
	 * it stands at a row. */
	bool is_taken[DB_KEPT_MAX];
	size_t n_kept, next_victim;
};

struct db {
	pthread_mutex_t writing; /* held from db_write to db_commit */
	pthread_mutex_t mutex;   /* guards in_use of readers */
	pthread_cond_t returned;
	struct db_tx writer;
	struct db_tx readers[DB_READERS_MAX];
	unsigned n_readers;
};

/* SQLite's error of this connection, in our vocabulary. */
struct status db_int_status(sqlite3 *handle);
/* Statements without values, one after the other. */
STATUS db_int_execute(struct db_tx *tx, const char *sql);

#endif
