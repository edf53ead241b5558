/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Rules in the database; see store_rules.h.  Lists of a rule (days, addresses,
 * webhooks) are short, always read whole, and so stand in one text each.
 */

#include "certd/notices/store_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/store.h"

#define LIST_TEXT_MAX (RULE_EMAILS_MAX * STORE_EMAIL_MAX)
#define SELECT                                                                 \
	"SELECT r.id, r.account, coalesce(a.name, ''), r.event, r.days,"       \
	" r.told, r.emails, r.webhooks, r.disabled, r.revision"                \
	" FROM notice_rule r LEFT JOIN account a ON a.id = r.account "

/* ---- lists in one text ---- */

/* The next word, of at most max - 1 octets; NULL after the last. */
static const char *
take_word(const char *at, char *ret_word, size_t max)
{
	size_t len;

	at += strspn(at, " ");
	len = strcspn(at, " ");
	if (len == 0)
		return NULL;
	snprintf(ret_word, max, "%.*s", (int)len, at);
	return at + len;
}

size_t
store_rules_days(const char *text, int ret_days[RULE_DAYS_MAX])
{
	char word[12];
	size_t n = 0;

	while (n < RULE_DAYS_MAX &&
	       (text = take_word(text, word, sizeof(word))) != NULL)
		if (word[0] >= '0' && word[0] <= '9')
			ret_days[n++] = (int)strtol(word, NULL, 10);
	return n;
}

static void
read_emails(const char *text, struct rule_row *ret)
{
	while (ret->n_emails < RULE_EMAILS_MAX &&
	       (text = take_word(
		    text, ret->emails[ret->n_emails], STORE_EMAIL_MAX)) != NULL)
		ret->n_emails++;
}

static void
read_webhooks(const char *text, struct rule_row *ret)
{
	char word[24];

	while (ret->n_webhooks < RULE_WEBHOOKS_MAX &&
	       (text = take_word(text, word, sizeof(word))) != NULL)
		ret->webhooks[ret->n_webhooks++] = strtoll(word, NULL, 10);
}

struct texts {
	char days[RULE_DAYS_TEXT_MAX];
	char emails[LIST_TEXT_MAX];
	char webhooks[RULE_WEBHOOKS_MAX * 21];
};

static void
add_word(char *to, size_t max, const char *word)
{
	size_t used = strlen(to);

	snprintf(to + used, max - used, "%s%s", used == 0 ? "" : " ", word);
}

static void
print_texts(const struct rule_row *row, struct texts *to)
{
	char number[24];

	memset(to, 0, sizeof(*to));
	for (size_t i = 0; i < row->n_days; i++) {
		snprintf(number, sizeof(number), "%d", row->days[i]);
		add_word(to->days, sizeof(to->days), number);
	}
	for (size_t i = 0; i < row->n_emails; i++)
		add_word(to->emails, sizeof(to->emails), row->emails[i]);
	for (size_t i = 0; i < row->n_webhooks; i++) {
		snprintf(number, sizeof(number), "%lld",
		    (long long)row->webhooks[i]);
		add_word(to->webhooks, sizeof(to->webhooks), number);
	}
}

/* ---- rows ---- */

static void
read_row(struct db_rows *rows, struct rule_row *ret)
{
	struct texts text;

	memset(ret, 0, sizeof(*ret));
	ret->id = db_column_int(rows, 0);
	ret->account = db_column_int(rows, 1);
	db_column_text(rows, 2, ret->account_name, sizeof(ret->account_name));
	ret->event = (int)db_column_int(rows, 3);
	db_column_text(rows, 4, text.days, sizeof(text.days));
	ret->told = (unsigned)db_column_int(rows, 5);
	db_column_text(rows, 6, text.emails, sizeof(text.emails));
	db_column_text(rows, 7, text.webhooks, sizeof(text.webhooks));
	ret->disabled = db_column_int(rows, 8) != 0;
	ret->revision = db_column_int(rows, 9);
	ret->n_days = store_rules_days(text.days, ret->days);
	read_emails(text.emails, ret);
	read_webhooks(text.webhooks, ret);
}

STATUS
store_rules_load(struct db_tx *tx, int64_t id, struct rule_row *ret_row)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(
	    tx, &rows, SELECT "WHERE r.id = ?1", DB_VALUES(db_int(id)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = store_no_such("there is no such rule");
	if (!failed(st))
		read_row(rows, ret_row);
	return st;
}

STATUS
store_rules_insert(struct db_tx *tx, struct rule_row *row)
{
	struct texts text;
	struct status st;

	print_texts(row, &text);
	st = db_run(tx, NULL,
	    "INSERT INTO notice_rule (account, event, days, told, emails,"
	    " webhooks, disabled) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	    DB_VALUES(db_int(row->account), db_int(row->event),
		db_text(text.days), db_int(row->told), db_text(text.emails),
		db_text(text.webhooks), db_int(row->disabled)));
	if (failed(st))
		return st;
	row->id = db_inserted(tx);
	row->revision = 1;
	return st;
}

STATUS
store_rules_save(struct db_tx *tx, struct rule_row *row)
{
	struct texts text;
	struct status st;

	print_texts(row, &text);
	st = db_run(tx, NULL,
	    "UPDATE notice_rule SET days = ?2, told = ?3, emails = ?4,"
	    " webhooks = ?5, disabled = ?6, revision = revision + 1"
	    " WHERE id = ?1",
	    DB_VALUES(db_int(row->id), db_text(text.days), db_int(row->told),
		db_text(text.emails), db_text(text.webhooks),
		db_int(row->disabled)));
	if (!failed(st))
		row->revision++;
	return st;
}

STATUS
store_rules_delete(struct db_tx *tx, int64_t id)
{
	return db_run(tx, NULL, "DELETE FROM notice_rule WHERE id = ?1",
	    DB_VALUES(db_int(id)));
}

STATUS
store_rules_count(struct db_tx *tx, int64_t account, int64_t *ret_n)
{
	return db_number(tx, ret_n,
	    "SELECT count(*) FROM notice_rule WHERE account = ?1",
	    DB_VALUES(db_int(account)));
}

/* ---- lists ---- */

struct show {
	bool (*each)(void *ctx, const struct rule_row *row);
	void *ctx;
};

static bool
show(void *ctx, struct db_rows *row)
{
	const struct show *to = ctx;
	struct rule_row rule;

	read_row(row, &rule);
	return to->each(to->ctx, &rule);
}

STATUS
store_rules_list(struct db_tx *tx, const struct page *page, bool whole,
    bool (*each)(void *ctx, const struct rule_row *row), void *ctx,
    bool *ret_more)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct show to = { each, ctx };
	/* An account's are few (its limit), so their order may be made. */
	struct status st =
	    page->account != 0 || whole
		? db_query(tx, &rows,
		      SELECT "WHERE r.account = ?1 AND r.id > ?2"
			     " ORDER BY r.id LIMIT ?3",
		      DB_VALUES(db_int(whole ? 0 : page->account),
			  db_int(page->from), db_int((int64_t)page->size + 1)))
		: db_query(tx, &rows,
		      SELECT "WHERE r.id > ?1 AND r.account <> 0"
			     " ORDER BY r.id LIMIT ?2",
		      DB_VALUES(
			  db_int(page->from), db_int((int64_t)page->size + 1)));

	return failed(st) ? st
			  : page_rows(rows, page->size, show, &to, ret_more);
}

STATUS
store_rules_each(struct db_tx *tx, int64_t account, int event,
    bool (*each)(void *ctx, const struct rule_row *row), void *ctx)
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	struct rule_row rule;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    SELECT "WHERE r.account = ?1 AND r.event = ?2 AND r.disabled = 0"
		   " ORDER BY r.id",
	    DB_VALUES(db_int(account), db_int(event)));

	if (!failed(st))
		st = db_next(rows, &row);
	while (!failed(st) && row) {
		read_row(rows, &rule);
		if (!each(ctx, &rule))
			break;
		st = db_next(rows, &row);
	}
	return st;
}

STATUS
store_rules_next_days(struct db_tx *tx, int event, const char *after,
    char ret_days[RULE_DAYS_TEXT_MAX])
{
	scoped(db_rows_free) struct db_rows *rows = NULL;
	bool row = false;
	struct status st = db_query(tx, &rows,
	    "SELECT days FROM notice_rule WHERE event = ?1 AND days > ?2"
	    " AND disabled = 0 ORDER BY days LIMIT 1",
	    DB_VALUES(db_int(event), db_text(after)));

	if (!failed(st))
		st = db_next(rows, &row);
	if (!failed(st) && !row)
		st = store_no_such("there are no more");
	if (!failed(st))
		db_column_text(rows, 0, ret_days, RULE_DAYS_TEXT_MAX);
	return st;
}
