/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Accounts at CAs in the database; see store_acme_accounts.h.  How much a CA
 * was asked is read off the changes, of which only the youngest are looked at.
 */

#include "certd/store_acme_accounts.h"

#include <stdlib.h>
#include <string.h>

#include "certd/store_changes.h"

/* A change may have begun this long before it fails. */
#define BEGUN_BEFORE_S (7 * 86400)

static struct db_value
id_of(const struct key_id *id)
{
	return db_blob((struct bytes){ id->at, KEY_ID_LEN });
}

static struct status
damaged(void)
{
	return status_fail(STATUS_DATA_LOSS,
	    "a row of the database is damaged; restore it from a backup");
}

static bool
read_id(struct db_rows *rows, int column, struct key_id *ret_id)
{
	struct bytes id = db_column_blob(rows, column);

	if (id.len != KEY_ID_LEN)
		return false;
	memcpy(ret_id->at, id.at, KEY_ID_LEN);
	return true;
}

static struct status
read_row(struct db_rows *rows, struct acme_account_row *ret_row)
{
	struct acme_account_row row = { .has_next = !db_column_is_null(rows, 3),
		.created_s = db_column_int(rows, 7) };

	if (!db_column_text(rows, 0, row.authority, sizeof(row.authority)) ||
	    !db_column_text(rows, 1, row.directory, sizeof(row.directory)) ||
	    !read_id(rows, 2, &row.key) ||
	    (row.has_next && !read_id(rows, 3, &row.key_next)) ||
	    !db_column_text(rows, 4, row.url, sizeof(row.url)) ||
	    !db_column_text(rows, 5, row.thumbprint, sizeof(row.thumbprint)) ||
	    !db_column_text(rows, 6, row.contacts, sizeof(row.contacts)))
		return damaged();
	*ret_row = row;
	return status_ok();
}

STATUS
store_acme_accounts_load(
    struct db_tx *tx, const char *authority, struct acme_account_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool has_row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT authority, directory, key, key_next, url, thumbprint,"
	    " contacts, created_s FROM acme_account WHERE authority = ?1",
	    DB_VALUES(db_text(authority)));

	if (!failed(st))
		st = db_next(rows, &has_row);
	if (failed(st))
		return st;
	if (!has_row)
		return status_fail(
		    STATUS_NOT_FOUND, "there is no account at this CA yet");
	return read_row(rows, ret_row);
}

STATUS
store_acme_accounts_save(struct db_tx *tx, const struct acme_account_row *row)
{
	return db_run(tx, NULL,
	    "INSERT INTO acme_account (authority, directory, key, key_next,"
	    " url, thumbprint, contacts, created_s)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
	    " ON CONFLICT (authority) DO UPDATE SET directory = ?2, key = ?3,"
	    " key_next = ?4, url = ?5, thumbprint = ?6, contacts = ?7,"
	    " created_s = ?8",
	    DB_VALUES(db_text(row->authority), db_text(row->directory),
		id_of(&row->key),
		row->has_next ? id_of(&row->key_next) : db_null(),
		db_text(row->url), db_text(row->thumbprint),
		db_text(row->contacts), db_int(row->created_s)));
}

/* ---- how much CAs were asked ---- */

STATUS
store_acme_accounts_orders(struct db_tx *tx, const char *authority,
    int64_t since_s,
    void (*each)(void *ctx, int64_t at_s, int kind, const char *hostnames),
    void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool has_row = true;
	struct status st = db_query(tx, &rows,
	    "SELECT created_s, kind, hostnames FROM change"
	    " WHERE created_s >= ?2 AND authority = ?1 AND order_url <> ''"
	    " ORDER BY created_s",
	    DB_VALUES(db_text(authority), db_int(since_s)));

	while (!failed(st) && has_row) {
		scoped(free) char *hostnames = NULL;

		st = db_next(rows, &has_row);
		if (failed(st) || !has_row)
			break;
		hostnames = db_column_dup(rows, 2);
		if (hostnames == NULL)
			return status_fail(
			    STATUS_RESOURCE_EXHAUSTED, "no memory");
		each(ctx, db_column_int(rows, 0), (int)db_column_int(rows, 1),
		    hostnames);
	}
	return st;
}

STATUS
store_acme_accounts_failures(struct db_tx *tx, const char *authority,
    int64_t since_s,
    void (*each)(void *ctx, int64_t at_s, const char *hostname), void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool has_row = true;
	char hostname[256];
	struct status st = db_query(tx, &rows,
	    "SELECT change.ended_s, challenge.hostname"
	    " FROM change JOIN challenge ON challenge.change = change.id"
	    " WHERE change.created_s >= ?3 AND change.authority = ?1"
	    " AND change.ended_s >= ?2 AND challenge.state = ?4"
	    " ORDER BY change.created_s",
	    DB_VALUES(db_text(authority), db_int(since_s),
		db_int(since_s - BEGUN_BEFORE_S), db_int(CHALLENGE_INVALID)));

	while (!failed(st) && has_row) {
		st = db_next(rows, &has_row);
		if (failed(st) || !has_row)
			break;
		db_column_text(rows, 1, hostname, sizeof(hostname));
		each(ctx, db_column_int(rows, 0), hostname);
	}
	return st;
}
