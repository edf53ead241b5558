/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Challenges of changes in the database; see store_changes.h.  One row for each
 * host name of a change, which it keeps as long as the change is known: what a
 * person was shown stays true.
 */

#include <stdlib.h>

#include "certd/store.h"
#include "certd/store_changes.h"
#include "proto/message.h"

#define COLUMNS                                                                \
	"SELECT change, hostname, type, authorization_url, url, token,"        \
	" key_authorization, dns_name, dns_target, dns_value, presented,"      \
	" state, problem FROM challenge"

static void
take_row(struct db_rows *rows, struct challenge_row *to)
{
	*to = (struct challenge_row){ .change = db_column_int(rows, 0),
		.presented = db_column_int(rows, 10) != 0,
		.state = (int)db_column_int(rows, 11) };
	db_column_text(rows, 1, to->hostname, sizeof(to->hostname));
	db_column_text(rows, 2, to->type, sizeof(to->type));
	db_column_text(
	    rows, 3, to->authorization_url, sizeof(to->authorization_url));
	db_column_text(rows, 4, to->url, sizeof(to->url));
	db_column_text(rows, 5, to->token, sizeof(to->token));
	db_column_text(
	    rows, 6, to->key_authorization, sizeof(to->key_authorization));
	db_column_text(rows, 7, to->dns_name, sizeof(to->dns_name));
	db_column_text(rows, 8, to->dns_target, sizeof(to->dns_target));
	db_column_text(rows, 9, to->dns_value, sizeof(to->dns_value));
	db_column_text(rows, 12, to->problem, sizeof(to->problem));
}

STATUS
store_challenges_put(struct db_tx *tx, const struct challenge_row *row)
{
	return db_run(tx, NULL,
	    "INSERT INTO challenge (change, hostname, type, authorization_url,"
	    " url, token, key_authorization, dns_name, dns_target, dns_value,"
	    " presented, state, problem) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
	    " ?8, ?9, ?10, ?11, ?12, ?13)"
	    " ON CONFLICT (change, hostname) DO UPDATE SET type = ?3,"
	    " authorization_url = ?4, url = ?5, token = ?6,"
	    " key_authorization = ?7, dns_name = ?8, dns_target = ?9,"
	    " dns_value = ?10, presented = ?11, state = ?12, problem = ?13",
	    DB_VALUES(db_int(row->change), db_text(row->hostname),
		db_text(row->type), db_text(row->authorization_url),
		db_text(row->url), db_text(row->token),
		db_text(row->key_authorization), db_text(row->dns_name),
		db_text(row->dns_target), db_text(row->dns_value),
		db_int(row->presented), db_int(row->state),
		db_text(row->problem)));
}

STATUS
store_challenges_of(struct db_tx *tx, int64_t change,
    struct challenge_row **ret_rows, size_t *ret_n)
{
	scoped(free) struct challenge_row *found = NULL;
	scoped(db_rows_free) struct db_rows *rows = NULL;
	int64_t n = 0;
	size_t i = 0;
	bool row = false;
	struct status st = db_number(tx, &n,
	    "SELECT count(*) FROM challenge WHERE change = ?1",
	    DB_VALUES(db_int(change)));

	if (failed(st))
		return st;
	found = calloc((size_t)n + 1, sizeof(*found));
	if (found == NULL)
		return message_no_memory();
	st = db_query(tx, &rows, COLUMNS " WHERE change = ?1 ORDER BY hostname",
	    DB_VALUES(db_int(change)));
	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row && i < (size_t)n) {
		take_row(rows, &found[i++]);
		st = db_next(rows, &row);
	}
	if (failed(st))
		return st;
	*ret_rows = found;
	*ret_n = i;
	found = NULL;
	return st;
}

STATUS
store_challenges_use(struct db_tx *tx, const char *authorization_url,
    int64_t account, enum challenge_use *ret_use)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false, proven = false, others = false, now = false;
	struct status st = db_query(tx, &rows,
	    "SELECT c.account, c.ended_s, h.state FROM challenge h"
	    " JOIN change c ON c.id = h.change WHERE h.authorization_url = ?1",
	    DB_VALUES(db_text(authorization_url)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		bool own = db_column_int(rows, 0) == account;
		int64_t state = db_column_int(rows, 2);

		/* From VALIDATING on it was seen in place. */
		proven = proven || (own && (state == CHALLENGE_VALIDATING ||
					       state == CHALLENGE_VALID));
		others = others || !own;
		now = now || (!own && db_column_int(rows, 1) == 0);
		st = db_next(rows, &row);
	}
	if (failed(st))
		return st;
	*ret_use = proven   ? CHALLENGE_USE_PROVEN
		   : now    ? CHALLENGE_USE_OTHERS_NOW
		   : others ? CHALLENGE_USE_OTHERS
			    : CHALLENGE_USE_NONE;
	return st;
}

STATUS
store_challenges_presented(struct db_tx *tx, const char *type,
    bool (*each)(void *ctx, const struct challenge_row *row), void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st =
	    db_query(tx, &rows, COLUMNS " WHERE type = ?1 AND presented = 1",
		DB_VALUES(db_text(type)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		struct challenge_row challenge;

		take_row(rows, &challenge);
		if (!each(ctx, &challenge))
			return message_no_memory();
		st = db_next(rows, &row);
	}
	return st;
}
