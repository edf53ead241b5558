/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What sending does to notices: they are claimed for a while, so that of two
 * certds on one database one sends it, and how it went is put down while the
 * claim holds.  Nothing is looked at but what is due.
 */

#include "certd/notices/notice_event.h"
#include "certd/notices/store_notices.h"
#include "certd/notices/store_notices_int.h"
#include "certd/page.h"
#include "certd/store.h"

#define MAIL "n.next_s IS NOT NULL AND n.webhook = 0"
#define HOOK "n.next_s IS NOT NULL AND n.webhook <> 0"
/* Looked at in turn for one with mail that is due. */
#define ACCOUNTS_AT_A_CLAIM 64

/* ---- when ---- */

/* The first webhook after that one with anything queued, and when its first
 * notice is due; NOT_FOUND: there is none. */
static struct status
next_webhook(
    struct db_tx *tx, int64_t after, int64_t *ret_webhook, int64_t *ret_next_s)
{
	struct status st = db_number(tx, ret_webhook,
	    "SELECT n.webhook FROM notice n INDEXED BY notice_webhook_due"
	    " WHERE n.webhook > ?1 AND " HOOK " ORDER BY n.webhook LIMIT 1",
	    DB_VALUES(db_int(after)));

	return failed(st) ? st
			  : db_number(tx, ret_next_s,
				"SELECT max(n.next_s, coalesce((SELECT"
				" w.rests_s FROM webhook w"
				" WHERE w.id = ?1), 0)) FROM notice n"
				" INDEXED BY notice_webhook_due"
				" WHERE n.webhook = ?1 AND " HOOK
				" ORDER BY n.next_s LIMIT 1",
				DB_VALUES(db_int(*ret_webhook)));
}

static struct status
next_hook(struct db_tx *tx, int64_t *ret_next_s)
{
	int64_t webhook = 0, next_s = 0, first_s = 0;
	struct status st = next_webhook(tx, 0, &webhook, &next_s);

	while (!failed(st)) {
		if (first_s == 0 || next_s < first_s)
			first_s = next_s;
		st = next_webhook(tx, webhook, &webhook, &next_s);
	}
	if (st.code != STATUS_NOT_FOUND)
		return st;
	*ret_next_s = first_s;
	return status_ok();
}

STATUS
store_notices_next(struct db_tx *tx, bool mail, int64_t *ret_next_s)
{
	struct status st;

	if (!mail)
		return next_hook(tx, ret_next_s);
	st = db_number(tx, ret_next_s,
	    "SELECT n.next_s FROM notice n INDEXED BY notice_mail_due"
	    " WHERE " MAIL " ORDER BY n.next_s LIMIT 1",
	    DB_NONE);
	if (st.code != STATUS_NOT_FOUND)
		return st;
	*ret_next_s = 0;
	return status_ok();
}

STATUS
store_notices_is_due(struct db_tx *tx, bool mail, int64_t now_s, bool *ret_is)
{
	int64_t next_s = 0;
	struct status st = store_notices_next(tx, mail, &next_s);

	if (!failed(st))
		*ret_is = next_s != 0 && next_s <= now_s;
	return st;
}

/* ---- claims ---- */

static struct status
claim(struct db_tx *tx, int64_t until_s, struct notice_row *row)
{
	row->claimed_until_s = until_s;
	return db_run(tx, NULL,
	    "UPDATE notice SET claimed_until_s = ?2 WHERE id = ?1",
	    DB_VALUES(db_int(row->id), db_int(until_s)));
}

/* Of all, the one that is due for the longest time. */
static struct status
oldest_mail(struct db_tx *tx, int64_t now_s, struct notice_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = db_query(tx, &rows,
	    STORE_NOTICES_COLUMNS
	    " FROM notice n INDEXED BY notice_mail_due"
	    " LEFT JOIN account a ON a.id = n.account"
	    " WHERE " MAIL " AND n.next_s <= ?1 AND (n.claimed_until_s <= ?1"
	    " OR n.claimed_until_s > ?2) ORDER BY n.next_s LIMIT 1",
	    DB_VALUES(db_int(now_s), db_int(now_s + NOTICE_CLAIM_MOST_S)));

	return failed(st) ? st : store_notices_first(rows, ret_row);
}

/* The same of an account. */
static struct status
mail_of(struct db_tx *tx, int64_t account, int64_t now_s,
    struct notice_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = db_query(tx, &rows,
	    STORE_NOTICES_COLUMNS
	    " FROM notice n INDEXED BY notice_mail_by_account"
	    " LEFT JOIN account a ON a.id = n.account"
	    " WHERE n.account = ?3 AND " MAIL " AND n.next_s <= ?1"
	    " AND (n.claimed_until_s <= ?1 OR n.claimed_until_s > ?2)"
	    " ORDER BY n.next_s LIMIT 1",
	    DB_VALUES(db_int(now_s), db_int(now_s + NOTICE_CLAIM_MOST_S),
		db_int(account)));

	return failed(st) ? st : store_notices_first(rows, ret_row);
}

/* Of accounts after bounds[0], up to and with bounds[1]; *steps are left. */
static struct status
mail_in_turn(struct db_tx *tx, const int64_t bounds[2], int64_t now_s,
    unsigned *steps, struct notice_row *ret_row)
{
	int64_t account = bounds[0];
	struct status st = store_no_such("nothing is due");

	while (st.code == STATUS_NOT_FOUND && *steps > 0) {
		--*steps;
		st = db_number(tx, &account,
		    "SELECT n.account FROM notice n"
		    " INDEXED BY notice_mail_by_account WHERE n.account > ?1"
		    " AND n.account <= ?2 AND " MAIL
		    " ORDER BY n.account LIMIT 1",
		    DB_VALUES(db_int(account), db_int(bounds[1])));
		if (failed(st))
			return st;
		st = mail_of(tx, account, now_s, ret_row);
	}
	return st;
}

STATUS
store_notices_claim_mail(struct db_tx *tx, int64_t now_s, int64_t until_s,
    int64_t after, struct notice_row *ret_row)
{
	const int64_t rest[2] = { after, INT64_MAX }, begin[2] = { 0, after };
	unsigned steps = ACCOUNTS_AT_A_CLAIM;
	struct notice_row row;
	struct status st = mail_of(tx, 0, now_s, &row);

	if (st.code == STATUS_NOT_FOUND)
		st = mail_in_turn(tx, rest, now_s, &steps, &row);
	if (st.code == STATUS_NOT_FOUND)
		st = mail_in_turn(tx, begin, now_s, &steps, &row);
	/* So many have none that is due: whoever has. */
	if (st.code == STATUS_NOT_FOUND)
		st = oldest_mail(tx, now_s, &row);
	if (!failed(st))
		st = claim(tx, until_s, &row);
	if (!failed(st))
		*ret_row = row;
	return st;
}

struct claiming {
	struct notice_row *rows;
	size_t n;
};

static bool
add_row(void *ctx, struct db_rows *row)
{
	struct claiming *to = ctx;

	store_notices_read(row, &to->rows[to->n++]);
	return true;
}

STATUS
store_notices_claim_with(struct db_tx *tx, const struct notice_row *row,
    int64_t due_s, size_t max, struct notice_row *ret_rows, size_t *ret_n)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	const int64_t now_s = store_now_s();
	struct claiming to = { ret_rows, 0 };
	bool more = false;
	struct status st = db_query(tx, &rows,
	    STORE_NOTICES_COLUMNS
	    " FROM notice n INDEXED BY notice_mail_together"
	    " LEFT JOIN account a ON a.id = n.account"
	    " WHERE n.account = ?1 AND n.recipient = ?2 AND n.event = ?3"
	    " AND " MAIL " AND n.next_s <= ?4 AND n.id <> ?5"
	    " AND (n.claimed_until_s <= ?6 OR n.claimed_until_s > ?7)"
	    " ORDER BY n.next_s LIMIT ?8",
	    DB_VALUES(db_int(row->account), db_text(row->recipient),
		db_int(row->event), db_int(due_s), db_int(row->id),
		db_int(now_s), db_int(now_s + NOTICE_CLAIM_MOST_S),
		db_int((int64_t)max)));

	if (!failed(st))
		st = page_rows(rows, (uint32_t)max, add_row, &to, &more);
	for (size_t i = 0; i < to.n && !failed(st); i++)
		st = claim(tx, row->claimed_until_s, &ret_rows[i]);
	if (!failed(st))
		*ret_n = to.n;
	return st;
}

/* A webhook's first one, unless another of it is being sent: in their order,
 * one at a time. */
static struct status
first_of_webhook(struct db_tx *tx, int64_t webhook, struct notice_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct status st = db_query(tx, &rows,
	    STORE_NOTICES_COLUMNS " FROM notice n INDEXED BY notice_webhook_due"
				  " LEFT JOIN account a ON a.id = n.account"
				  " WHERE n.webhook = ?1 AND " HOOK
				  " ORDER BY n.next_s LIMIT 1",
	    DB_VALUES(db_int(webhook)));

	return failed(st) ? st : store_notices_first(rows, ret_row);
}

/* Webhooks after from, up to and with to. */
static struct status
go_round(struct db_tx *tx, const struct store_notices_turn *turn, int64_t from,
    int64_t to, struct notice_row *ret_row)
{
	int64_t webhook = 0, next_s = 0;
	struct status st = next_webhook(tx, from, &webhook, &next_s);

	while (!failed(st) && webhook <= to) {
		if (next_s <= turn->now_s &&
		    turn->may_take(turn->ctx, tx, webhook)) {
			st = first_of_webhook(tx, webhook, ret_row);
			if (failed(st) ||
			    ret_row->claimed_until_s <= turn->now_s ||
			    ret_row->claimed_until_s >
				turn->now_s + NOTICE_CLAIM_MOST_S)
				return failed(st)
					   ? st
					   : claim(tx, turn->until_s, ret_row);
		}
		st = next_webhook(tx, webhook, &webhook, &next_s);
	}
	return failed(st) ? st : store_no_such("nothing is due");
}

STATUS
store_notices_claim_webhook(struct db_tx *tx,
    const struct store_notices_turn *turn, struct notice_row *ret_row)
{
	struct status st = go_round(tx, turn, turn->after, INT64_MAX, ret_row);

	return st.code == STATUS_NOT_FOUND
		   ? go_round(tx, turn, 0, turn->after, ret_row)
		   : st;
}

/* ---- how it went ---- */

STATUS
store_notices_save(struct db_tx *tx, const struct notice_row *row)
{
	return db_run(tx, NULL,
	    "UPDATE notice SET state = ?3, next_s = ?4, sent_s = ?5,"
	    " attempts = ?6, problem = ?7, claimed_until_s = 0,"
	    " html = CASE WHEN ?3 = ?8 THEN '' ELSE html END, mail = ?9"
	    " WHERE id = ?1 AND claimed_until_s = ?2"
	    " AND (next_s IS NOT NULL OR ?3 = ?8)",
	    DB_VALUES(db_int(row->id), db_int(row->claimed_until_s),
		db_int(row->state), db_ref(row->next_s), db_int(row->sent_s),
		db_int(row->attempts), db_text(row->problem),
		db_int(NOTICE_SENT), db_int(row->mail)));
}

STATUS
store_notices_again(struct db_tx *tx, int64_t id, int64_t now_s)
{
	return db_run(tx, NULL,
	    "UPDATE notice SET state = ?2, next_s = ?3, give_up_s = ?4,"
	    " attempts = 0 WHERE id = ?1",
	    DB_VALUES(db_int(id), db_int(NOTICE_QUEUED), db_int(now_s),
		db_int(now_s + NOTICE_PATIENCE_S)));
}

STATUS
store_notices_hurry(struct db_tx *tx, int64_t now_s, int64_t till_s)
{
	static const char *const SQL[] = {
		"UPDATE notice INDEXED BY notice_mail_due SET next_s = ?1"
		" WHERE webhook = 0 AND next_s IS NOT NULL AND next_s > ?2",
		"UPDATE notice INDEXED BY notice_webhook_due SET next_s = ?1"
		" WHERE webhook > 0 AND webhook <> 0 AND next_s IS NOT NULL"
		" AND next_s > ?2",
		"UPDATE webhook INDEXED BY webhook_by_rest SET rests_s = 0"
		" WHERE rests_s > 0 AND rests_s > ?2 AND ?1 > 0",
	};
	struct status st = status_ok();

	for (size_t i = 0; i < sizeof(SQL) / sizeof(SQL[0]) && !failed(st); i++)
		st = db_run(
		    tx, NULL, SQL[i], DB_VALUES(db_int(now_s), db_int(till_s)));
	return st;
}

STATUS
store_notices_give_up(struct db_tx *tx, int64_t now_s, const char *why)
{
	return db_run(tx, NULL,
	    "UPDATE notice SET state = ?1, next_s = NULL, problem = ?2"
	    " WHERE id IN (SELECT id FROM notice INDEXED BY notice_mail_due"
	    "  WHERE webhook = 0 AND next_s IS NOT NULL AND next_s <= ?3"
	    "  AND give_up_s <= ?4 ORDER BY next_s LIMIT 500)",
	    DB_VALUES(db_int(NOTICE_FAILED), db_text(why),
		db_int(now_s - NOTICE_PATIENCE_S), db_int(now_s)));
}
