/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registry's approvals: acts that wait, and the votes on them.  A vote is
 * one transaction that looks at state, time and who voted before it is written,
 * and an end is one UPDATE from pending, so that nobody votes twice and nothing
 * ends twice, however many calls are at it.  The one vote that may replace
 * another is the "no" of whoever asked, which takes the request back.
 */

#include <stdlib.h>
#include <string.h>

#include "keyd/registry.h"
#include "keyd/registry_rows.h"

#define APPROVAL_COLUMNS                                                       \
	"id, act, method, request, key, requested_by, requested_s, expires_s," \
	" quorum, state, comment, outcome"

static const char BY_ID[] =
    "SELECT " APPROVAL_COLUMNS " FROM approval WHERE id = ?";

static const char ENDED[] =
    "this approval has ended; 'holdfast approval show' tells how";

static struct status
no_such_approval(void)
{
	return status_fail(STATUS_NOT_FOUND,
	    "there is no such approval; 'holdfast approval list --all' shows "
	    "those there are");
}

/* ---- rows ---- */

static bool
take_approval(struct db_rows *rows, struct registry_approval *a)
{
	int64_t state = db_column_int(rows, 9);

	if (!db_column_text(rows, 1, a->act, sizeof(a->act)) ||
	    !db_column_text(rows, 2, a->method, sizeof(a->method)) ||
	    !registry_take_blob(
		rows, 3, a->request, sizeof(a->request), &a->request_len) ||
	    !registry_take_id(rows, 4, &a->key) ||
	    !db_column_text(
		rows, 5, a->requested_by, sizeof(a->requested_by)) ||
	    state < APPROVAL_PENDING || state > APPROVAL_FAILED ||
	    !db_column_text(rows, 10, a->comment, sizeof(a->comment)) ||
	    !db_column_text(rows, 11, a->outcome, sizeof(a->outcome)))
		return false;
	a->id = db_column_int(rows, 0);
	a->requested_s = db_column_int(rows, 6);
	a->expires_s = db_column_int(rows, 7);
	a->quorum = (unsigned)db_column_int(rows, 8);
	a->state = (enum approval_state)state;
	a->n_votes = 0;
	return true;
}

static struct status
take_votes(struct db_tx *tx, struct registry_approval *a)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = true;
	struct status st = db_query(tx, &rows,
	    "SELECT operator, approve, at_s, comment FROM vote"
	    " WHERE approval = ? ORDER BY at_s, operator LIMIT ?",
	    DB_VALUES(db_int(a->id), db_int(APPROVAL_VOTES_MAX)));

	a->n_votes = 0;
	while (!failed(st)) {
		struct registry_vote *vote = &a->votes[a->n_votes];

		st = db_next(rows, &row);
		if (failed(st) || !row)
			break;
		if (!db_column_text(
			rows, 0, vote->operator, sizeof(vote->operator)) ||
		    !db_column_text(
			rows, 3, vote->comment, sizeof(vote->comment)))
			return registry_damaged_row();
		vote->approve = db_column_int(rows, 1) != 0;
		vote->at_s = db_column_int(rows, 2);
		a->n_votes++;
	}
	return st;
}

/* sql names one by its only value. */
static struct status
read_one(struct db_tx *tx, const char *sql, int64_t value,
    struct registry_approval *ret_approval)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows, sql, DB_VALUES(db_int(value)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (failed(st))
		return st;
	if (!row)
		return no_such_approval();
	if (!take_approval(rows, ret_approval))
		return registry_damaged_row();
	return take_votes(tx, ret_approval);
}

static struct status
get_one(struct registry *registry, const char *sql, int64_t value,
    struct registry_approval *ret_approval)
{
	scoped(db_end) struct db_tx *tx = NULL;
	scoped(free) struct registry_approval *a = calloc(1, sizeof(*a));
	struct status st;

	if (a == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = db_read(registry->db, &tx);
	if (!failed(st))
		st = read_one(tx, sql, value, a);
	if (!failed(st))
		*ret_approval = *a;
	return st;
}

STATUS
registry_approval_get(struct registry *registry, int64_t id,
    struct registry_approval *ret_approval)
{
	return get_one(registry, BY_ID, id, ret_approval);
}

STATUS
registry_approval_overdue(struct registry *registry, int64_t now_s,
    struct registry_approval *ret_approval)
{
	return get_one(registry,
	    "SELECT " APPROVAL_COLUMNS " FROM approval"
	    " WHERE state = 1 AND expires_s <= ? ORDER BY expires_s LIMIT 1",
	    now_s, ret_approval);
}

static struct status
add_row(struct db_rows *rows, struct registry_approval **list, size_t *n,
    size_t *room)
{
	if (*n == *room) {
		size_t wanted = *room == 0 ? 16 : 2 * *room;
		struct registry_approval *more =
		    reallocarray(*list, wanted, sizeof(**list));

		if (more == NULL)
			return status_fail(
			    STATUS_RESOURCE_EXHAUSTED, "no memory");
		*list = more;
		*room = wanted;
	}
	if (!take_approval(rows, &(*list)[*n]))
		return registry_damaged_row();
	++*n;
	return status_ok();
}

static struct status
list_rows(struct db_tx *tx, bool all, size_t max,
    struct registry_approval **list, size_t *n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = true;
	size_t room = 0;
	struct status st = db_query(tx, &rows,
	    all ? "SELECT " APPROVAL_COLUMNS " FROM approval"
		  " ORDER BY id DESC LIMIT ?"
		: "SELECT " APPROVAL_COLUMNS " FROM approval"
		  " WHERE state = 1 ORDER BY id DESC LIMIT ?",
	    DB_VALUES(db_int((int64_t)max)));

	while (!failed(st)) {
		st = db_next(rows, &row);
		if (failed(st) || !row)
			break;
		st = add_row(rows, list, n, &room);
	}
	return st;
}

STATUS
registry_approvals(struct registry *registry, bool all, size_t max,
    struct registry_approval **ret_approvals, size_t *ret_n)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct registry_approval *list = NULL;
	size_t n = 0;
	struct status st = db_read(registry->db, &tx);

	if (!failed(st))
		st = list_rows(tx, all, max, &list, &n);
	for (size_t i = 0; !failed(st) && i < n; i++)
		st = take_votes(tx, &list[i]);
	if (failed(st)) {
		free(list);
		return st;
	}
	*ret_approvals = list;
	*ret_n = n;
	return st;
}

STATUS
registry_approvals_pending(struct registry *registry, unsigned *ret_n)
{
	scoped(db_end) struct db_tx *tx = NULL;
	int64_t n = 0;
	struct status st = db_read(registry->db, &tx);

	if (!failed(st))
		st = db_number(tx, &n,
		    "SELECT count(*) FROM approval WHERE state = 1", DB_NONE);
	if (!failed(st))
		*ret_n = (unsigned)n;
	return st;
}

STATUS
registry_joined_since(struct registry *registry, enum role role,
    const char *name, int64_t *ret_since_s)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = db_read(registry->db, &tx);

	if (!failed(st))
		st = db_number(tx, ret_since_s,
		    "SELECT max(created_s, coalesce((SELECT max(used_s)"
		    "  FROM invite WHERE role = ?1 AND name = ?2), 0))"
		    " FROM identity WHERE role = ?1 AND name = ?2"
		    " ORDER BY 1 DESC LIMIT 1",
		    DB_VALUES(db_int(role), db_text(name)));
	if (st.code == STATUS_NOT_FOUND)
		st.why = "there is no such identity";
	return st;
}

/* ---- asking ---- */

static struct status
put_vote(struct db_tx *tx, int64_t id, const struct registry_vote *vote)
{
	return db_run(tx, NULL,
	    "INSERT INTO vote (approval, operator, approve, at_s, comment)"
	    " VALUES (?, ?, ?, ?, ?)"
	    " ON CONFLICT (approval, operator) DO UPDATE"
	    " SET approve = excluded.approve, at_s = excluded.at_s,"
	    " comment = excluded.comment",
	    DB_VALUES(db_int(id), db_text(vote->operator),
		db_int(vote->approve), db_int(vote->at_s),
		db_text(vote->comment)));
}

static struct status
refuse_twin(struct db_tx *tx, const struct registry_approval *a)
{
	int64_t twin = 0;
	struct status st = db_number(tx, &twin,
	    "SELECT id FROM approval WHERE state = 1 AND expires_s > ?"
	    " AND method = ? AND key = ? AND act = ?",
	    DB_VALUES(db_int(a->requested_s), db_text(a->method),
		value_key(&a->key), db_text(a->act)));

	if (st.code == STATUS_NOT_FOUND)
		return status_ok();
	if (failed(st))
		return st;
	return status_fail(STATUS_ALREADY_EXISTS,
	    "this was asked for and waits for approval: 'holdfast approval "
	    "list' shows it");
}

static struct status
add_approval(
    struct db_tx *tx, const struct registry_approval *a, int64_t *ret_id)
{
	struct registry_vote vote = { .approve = true, .at_s = a->requested_s };
	struct status st = refuse_twin(tx, a);

	if (failed(st))
		return st;
	st = db_run(tx, NULL,
	    "INSERT INTO approval (act, method, request, key, requested_by,"
	    " requested_s, expires_s, quorum, state, comment)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	    DB_VALUES(db_text(a->act), db_text(a->method),
		db_blob((struct bytes){ a->request, a->request_len }),
		value_key(&a->key), db_text(a->requested_by),
		db_int(a->requested_s), db_int(a->expires_s), db_int(a->quorum),
		db_int(APPROVAL_PENDING), db_text(a->comment)));
	if (failed(st))
		return st;
	*ret_id = db_inserted(tx);
	memcpy(vote.operator, a->requested_by, sizeof(vote.operator));
	memcpy(vote.comment, a->comment, sizeof(vote.comment));
	return put_vote(tx, *ret_id, &vote);
}

STATUS
registry_approval_add(struct registry *registry,
    const struct registry_approval *approval, int64_t *ret_id)
{
	struct db_tx *tx;
	int64_t id = 0;
	struct status st = db_write(registry->db, &tx);

	if (failed(st))
		return st;
	st = db_commit(tx, add_approval(tx, approval, &id));
	if (!failed(st))
		*ret_id = id;
	return st;
}

/* ---- voting ---- */

STATUS
registry_approval_end(struct registry *registry, int64_t id,
    enum approval_state state, const char *outcome)
{
	int64_t changed = 0;
	struct status st = registry_act(registry, &changed,
	    "UPDATE approval SET state = ?, outcome = ?"
	    " WHERE id = ? AND state = ?",
	    DB_VALUES(db_int(state), db_text(outcome), db_int(id),
		db_int(APPROVAL_PENDING)));

	if (!failed(st) && changed == 0)
		st = status_fail(STATUS_FAILED_PRECONDITION, ENDED);
	return st;
}

static struct status
may_vote(const struct registry_approval *a, const struct registry_vote *vote)
{
	if (a->state == APPROVAL_EXPIRED ||
	    (a->state == APPROVAL_PENDING && a->expires_s <= vote->at_s))
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this request has expired; ask again");
	if (a->state != APPROVAL_PENDING)
		return status_fail(STATUS_FAILED_PRECONDITION, ENDED);
	if (!vote->approve && strcmp(a->requested_by, vote->operator) == 0)
		return status_ok();
	for (size_t i = 0; i < a->n_votes; i++)
		if (strcmp(a->votes[i].operator, vote->operator) == 0)
			return status_fail(STATUS_FAILED_PRECONDITION,
			    "this operator has voted; another operator's vote "
			    "is needed");
	if (a->n_votes >= APPROVAL_VOTES_MAX)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "this approval has as many votes as there may be");
	return status_ok();
}

static struct status
vote_on(struct db_tx *tx, int64_t id, const struct registry_vote *vote,
    struct registry_approval *a)
{
	struct status st = read_one(tx, BY_ID, id, a);

	if (!failed(st))
		st = may_vote(a, vote);
	if (!failed(st))
		st = put_vote(tx, id, vote);
	return failed(st) ? st : read_one(tx, BY_ID, id, a);
}

STATUS
registry_approval_vote(struct registry *registry, int64_t id,
    const struct registry_vote *vote, struct registry_approval *ret_approval)
{
	scoped(free) struct registry_approval *a = calloc(1, sizeof(*a));
	struct db_tx *tx;
	struct status st;

	if (a == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	st = db_write(registry->db, &tx);
	if (failed(st))
		return st;
	st = db_commit(tx, vote_on(tx, id, vote, a));
	if (!failed(st))
		*ret_approval = *a;
	return st;
}
