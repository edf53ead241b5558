/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Changes in the database: rows, and inputs to them; see store_changes.h.  What
 * is due is found along an index of due times of those that have not ended, so
 * history costs nothing.  Lists are in store_changes_list.c, what the end of
 * one brings with it in store_changes_end.c.
 */

#include <stdlib.h>
#include <string.h>

#include "certd/page.h"
#include "certd/store.h"
#include "certd/store_changes_int.h"
#include "proto/message.h"

unsigned
store_changes_percent(int state)
{
	static const unsigned char percent[] = {
		[CHANGE_QUEUED] = 0,
		[CHANGE_CHECKING] = 5,
		[CHANGE_ORDERING] = 10,
		[CHANGE_PRESENTING] = 20,
		[CHANGE_AWAITING_VERIFY] = 30,
		[CHANGE_VALIDATING] = 40,
		[CHANGE_AWAITING_ISSUE] = 60,
		[CHANGE_FINALIZING] = 65,
		[CHANGE_INSTALLING] = 85,
		[CHANGE_PROVING] = 90,
		[CHANGE_DONE] = 100,
	};

	return state >= 0 && (size_t)state < sizeof(percent) ? percent[state]
							     : 0;
}

struct status
store_changes_none(void)
{
	return store_no_such("there is no such change");
}

/* ---- reading ---- */

void
store_changes_take(struct db_rows *rows, struct change_row *to)
{
	struct bytes key = db_column_blob(rows, 20);

	*to = (struct change_row){ .id = db_column_int(rows, 0),
		.enrollment = db_column_int(rows, 1),
		.account = db_column_int(rows, 2),
		.resource = db_column_int(rows, 3),
		.plan = db_column_int(rows, 4),
		.purpose = (int)db_column_int(rows, 5),
		.kind = (int)db_column_int(rows, 6),
		.state = (int)db_column_int(rows, 7),
		.due_s = db_column_int(rows, 8),
		.input = (int)db_column_int(rows, 9),
		.attempts = (unsigned)db_column_int(rows, 10),
		.percent = (unsigned)db_column_int(rows, 11),
		.expires_s = db_column_int(rows, 18),
		.has_key = key.len == KEY_ID_LEN,
		.replaces = db_column_int(rows, 21),
		.certificate = db_column_int(rows, 22),
		.diagnosis = db_column_int(rows, 23),
		.is_outdated = db_column_int(rows, 24) != 0,
		.created_s = db_column_int(rows, 25),
		.ended_s = db_column_int(rows, 26) };
	if (to->has_key)
		memcpy(to->key.at, key.at, KEY_ID_LEN);
	db_column_text(rows, 12, to->doing, sizeof(to->doing));
	db_column_text(rows, 13, to->problem, sizeof(to->problem));
	db_column_text(rows, 14, to->authority, sizeof(to->authority));
	db_column_text(rows, 15, to->order_url, sizeof(to->order_url));
	db_column_text(rows, 16, to->finalize_url, sizeof(to->finalize_url));
	db_column_text(
	    rows, 17, to->certificate_url, sizeof(to->certificate_url));
	db_column_text(rows, 19, to->key_label, sizeof(to->key_label));
	db_column_text(rows, 27, to->created_by, sizeof(to->created_by));
	db_column_text(
	    rows, 28, to->wanted_authority, sizeof(to->wanted_authority));
}

static struct status
load_one(struct db_tx *tx, const char *sql, int64_t id, int purpose,
    struct change_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st =
	    db_query(tx, &rows, sql, DB_VALUES(db_int(id), db_int(purpose)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = store_changes_none();
	if (!failed(st))
		store_changes_take(rows, ret_row);
	return st;
}

STATUS
store_changes_load(struct db_tx *tx, int64_t id, struct change_row *ret_row)
{
	return load_one(
	    tx, CHANGES_COLUMNS " WHERE id = ?1 AND ?2 = 0", id, 0, ret_row);
}

STATUS
store_changes_alive(struct db_tx *tx, int64_t enrollment, int purpose,
    struct change_row *ret_row)
{
	return load_one(tx,
	    CHANGES_COLUMNS " WHERE enrollment = ?1 AND purpose = ?2"
			    " AND ended_s = 0",
	    enrollment, purpose, ret_row);
}

/* One begins when none is under way: that one is the newest. */
STATUS
store_changes_newest(struct db_tx *tx, int64_t enrollment, int purpose,
    struct change_row *ret_row)
{
	return load_one(tx,
	    CHANGES_COLUMNS " WHERE enrollment = ?1 AND purpose = ?2"
			    " ORDER BY id DESC LIMIT 1",
	    enrollment, purpose, ret_row);
}

STATUS
store_changes_of_resource(
    struct db_tx *tx, int64_t resource, struct change_row *ret_row)
{
	int64_t enrollment = 0;
	struct status st = db_number(tx, &enrollment,
	    "SELECT id FROM enrollment WHERE resource = ?1",
	    DB_VALUES(db_int(resource)));

	if (st.code == STATUS_NOT_FOUND)
		return store_changes_none();
	return failed(st) ? st
			  : store_changes_newest(
				tx, enrollment, PURPOSE_MAIN, ret_row);
}

STATUS
store_changes_names(struct db_tx *tx, int64_t id, struct names *ret_names)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	scoped(free) char *text = NULL;
	bool row = false;
	struct status st =
	    db_query(tx, &rows, "SELECT hostnames FROM change WHERE id = ?1",
		DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = store_changes_none();
	if (failed(st))
		return st;
	text = db_column_dup(rows, 0);
	return text == NULL ? message_no_memory()
			    : names_parse(text, ret_names);
}

/* ---- writing ---- */

STATUS
store_changes_event(
    struct db_tx *tx, int64_t change, int state, const char *text)
{
	return db_run(tx, NULL,
	    "INSERT INTO change_event (change, at_s, state, text)"
	    " VALUES (?1, ?2, ?3, ?4)",
	    DB_VALUES(db_int(change), db_int(store_now_s()), db_int(state),
		db_text(text)));
}

/* The first line of its history. */
static const char *
why_begun(const struct change_row *row)
{
	if (row->purpose == PURPOSE_STANDBY)
		return "A standby certificate is to be had.";
	switch (row->kind) {
	case CHANGE_KIND_RENEWAL:
		return "The certificate is to be renewed.";
	case CHANGE_KIND_REISSUE:
		return "Host names, key or validation were changed: another "
		       "certificate is to be had.";
	case CHANGE_KIND_REPLACEMENT:
		return "The certificate is to be replaced.";
	default:
		return "A certificate was asked for.";
	}
}

static struct status
insert_row(struct db_tx *tx, const struct change_row *row)
{
	return db_run(tx, NULL,
	    "INSERT INTO change (enrollment, account, resource, plan, purpose,"
	    " kind, hostnames, state, due_s, percent, doing, authority,"
	    " replaces, created_s, created_by, wanted_authority)"
	    " SELECT ?1, ?2, ?3, ?4, ?5, ?6, hostnames, ?7, ?8, ?9, ?10, ?11,"
	    " ?12, ?13, ?14, ?15 FROM enrollment WHERE id = ?1",
	    DB_VALUES(db_int(row->enrollment), db_int(row->account),
		db_int(row->resource), db_int(row->plan), db_int(row->purpose),
		db_int(row->kind), db_int(row->state), db_int(row->due_s),
		db_int(row->percent), db_text(row->doing),
		db_text(row->authority), db_int(row->replaces),
		db_int(row->created_s), db_text(row->created_by),
		db_text(row->wanted_authority)));
}

STATUS
store_changes_insert(
    struct db_tx *tx, struct change_row *row, int64_t *ret_other)
{
	struct change_row other;
	struct status st =
	    store_changes_alive(tx, row->enrollment, row->purpose, &other);

	if (!failed(st)) {
		*ret_other = other.id;
		return status_fail(STATUS_ALREADY_EXISTS,
		    "a change of the enrollment is under way");
	}
	if (st.code != STATUS_NOT_FOUND)
		return st;
	row->state = CHANGE_QUEUED;
	row->created_s = row->due_s = store_now_s();
	if (row->doing[0] == 0)
		memcpy(row->doing, "waits for its turn",
		    sizeof("waits for its turn"));
	st = insert_row(tx, row);
	if (failed(st))
		return st;
	row->id = db_inserted(tx);
	return store_changes_event(tx, row->id, row->state, why_begun(row));
}

/* What is decided here: dates and percent. */
static void
settle(struct change_row *row)
{
	unsigned least = store_changes_percent(row->state);

	if (row->percent < least)
		row->percent = least;
	if (!change_has_ended(row))
		return;
	row->due_s = 0;
	if (row->ended_s == 0)
		row->ended_s = store_now_s();
}

static struct status
update_row(struct db_tx *tx, const struct change_row *row)
{
	struct db_value key =
	    row->has_key ? db_blob((struct bytes){ row->key.at, KEY_ID_LEN })
			 : db_null();

	return db_run(tx, NULL,
	    "UPDATE change SET kind = ?2, state = ?3,"
	    " due_s = CASE WHEN input <> 0 AND ?4 = 0 THEN ?5 ELSE ?6 END,"
	    " attempts = ?7, percent = max(percent, ?8), doing = ?9,"
	    " problem = ?10, authority = ?11, order_url = ?12,"
	    " finalize_url = ?13, certificate_url = ?14, expires_s = ?15,"
	    " key_label = ?16, key = ?17, replaces = ?18, certificate = ?19,"
	    " diagnosis = ?20, ended_s = ?4, plan = ?21 WHERE id = ?1",
	    DB_VALUES(db_int(row->id), db_int(row->kind), db_int(row->state),
		db_int(row->ended_s), db_int(store_now_s()), db_int(row->due_s),
		db_int(row->attempts), db_int(row->percent),
		db_text(row->doing), db_text(row->problem),
		db_text(row->authority), db_text(row->order_url),
		db_text(row->finalize_url), db_text(row->certificate_url),
		db_int(row->expires_s), db_text(row->key_label), key,
		db_int(row->replaces), db_int(row->certificate),
		db_int(row->diagnosis), db_int(row->plan)));
}

STATUS
store_changes_save(struct db_tx *tx, struct change_row *row, const char *text)
{
	bool was_alive = row->ended_s == 0;
	struct status st;

	settle(row);
	st = update_row(tx, row);
	if (!failed(st) && text != NULL)
		st = store_changes_event(tx, row->id, row->state, text);
	if (!failed(st) && was_alive && change_has_ended(row))
		st = store_changes_ended(tx, row);
	return st;
}

/* ---- inputs ---- */

STATUS
store_changes_give_input(struct db_tx *tx, int64_t id, int input)
{
	return db_run(tx, NULL,
	    "UPDATE change SET due_s = ?3,"
	    " outdated = CASE WHEN ?2 = 4 THEN 0 ELSE outdated END,"
	    " input = CASE WHEN input = 4 THEN 4 ELSE ?2 END"
	    " WHERE id = ?1 AND ended_s = 0",
	    DB_VALUES(db_int(id), db_int(input), db_int(store_now_s())));
}

_Static_assert(CHANGE_INPUT_CANCEL == 4 && CHANGE_ORDERING == 3 &&
		   CHANGE_AWAITING_VERIFY == 5 && CHANGE_AWAITING_ISSUE == 7 &&
		   CHANGE_INSTALLING == 9,
    "as the statements here have it");

STATUS
store_changes_given(
    struct db_tx *tx, int64_t *ret_ids, size_t max, size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	size_t n = 0;
	struct status st = db_query(tx, &rows,
	    "SELECT id FROM change WHERE input > 0 AND ended_s = 0"
	    " ORDER BY input, id",
	    DB_NONE);

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row && n < max) {
		ret_ids[n++] = db_column_int(rows, 0);
		st = db_next(rows, &row);
	}
	if (!failed(st))
		*ret_n = n;
	return st;
}

STATUS
store_changes_take_input(struct db_tx *tx, struct change_row *row)
{
	struct status st = db_run(tx, NULL,
	    "UPDATE change SET input = 0 WHERE id = ?1 AND input = ?2",
	    DB_VALUES(db_int(row->id), db_int(row->input)));

	if (!failed(st))
		row->input = 0;
	return st;
}

STATUS
store_changes_outdate(struct db_tx *tx, int64_t id)
{
	return db_run(tx, NULL,
	    "UPDATE change SET outdated = 1,"
	    " input = CASE WHEN state < 9 THEN 4 ELSE input END,"
	    " due_s = CASE WHEN state < 9 THEN ?2 ELSE due_s END"
	    " WHERE id = ?1 AND ended_s = 0",
	    DB_VALUES(db_int(id), db_int(store_now_s())));
}

/* ---- what is due ---- */

static int
compare_ids(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static bool
is_among(const int64_t *ids, size_t n, int64_t id)
{
	return n > 0 && bsearch(&id, ids, n, sizeof(id), compare_ids) != NULL;
}

STATUS
store_changes_due(struct db_tx *tx, int64_t now_s, const int64_t *skip,
    size_t n_skip, int64_t *ret_ids, size_t max, size_t *ret_n,
    int64_t *ret_next_s)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	int64_t next_s = 0;
	bool row = false;
	size_t n = 0;
	struct status st = db_query(tx, &rows,
	    "SELECT id, due_s FROM change WHERE ended_s = 0 AND due_s > 0"
	    " ORDER BY due_s",
	    DB_NONE);

	/* Row by row along the index; what is read is what is due, and one. */
	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row && next_s == 0) {
		int64_t id = db_column_int(rows, 0);
		int64_t due_s = db_column_int(rows, 1);

		if (!is_among(skip, n_skip, id)) {
			if (n == max || due_s > now_s)
				next_s = due_s;
			else
				ret_ids[n++] = id;
		}
		st = db_next(rows, &row);
	}
	if (failed(st))
		return st;
	*ret_n = n;
	*ret_next_s = next_s;
	return st;
}

/*
 * Those that await a person are due when their order ends.  A pause of ours is
 * of an hour and a bit, one that a CA asked for of a day, so a shorter one is
 * only touched where history has been written in what is the future now.
 */
STATUS
store_changes_clamp(struct db_tx *tx, int64_t now_s)
{
	return db_run(tx, NULL,
	    "UPDATE change SET due_s = ?1 WHERE ended_s = 0 AND due_s > 0"
	    " AND due_s > ?1 AND state <> 5 AND state <> 7"
	    " AND (due_s > ?1 + 90000 OR (due_s > ?1 + 4500 AND EXISTS"
	    "  (SELECT 1 FROM change_event WHERE at_s > ?1 AND id ="
	    "   (SELECT max(id) FROM change_event))))",
	    DB_VALUES(db_int(now_s)));
}

STATUS
store_changes_same_names(
    struct db_tx *tx, const struct change_row *row, int64_t *ret_other)
{
	int64_t other = 0;
	struct status st = db_number(tx, &other,
	    "SELECT id FROM change WHERE ended_s = 0 AND id <> ?1"
	    " AND hostnames = (SELECT hostnames FROM change WHERE id = ?1)"
	    " AND authority = ?2 AND state BETWEEN 3 AND 9 ORDER BY id LIMIT 1",
	    DB_VALUES(db_int(row->id), db_text(row->authority)));

	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	*ret_other = failed(st) ? 0 : other;
	return status_ok();
}
