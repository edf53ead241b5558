/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From an occasion to rows; see notice_tell.h.  Whom it concerns is asked
 * first, so that nothing is read and written out for nobody.  Mails have no
 * payload, and webhooks nothing else.  Mails that may go out together wait a
 * moment for others.  When an account has told an address very often within a
 * day, no text is kept of those that follow, which are lines of lists then; of
 * events that are never joined they are put down and not sent.
 */

#include "certd/notices/notice_tell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/notices/notice_told.h"
#include "certd/notices/store_notices.h"
#include "certd/store.h"
#include "certd/store_accounts.h"
#include "proto/message.h"

#define DAY_S INT64_C(86400)
#define FLOOD                                                                  \
	"the address was told of such things 500 times within a day, which "   \
	"are the most"

static struct status
fill_row(struct db_tx *tx, const struct notice_occasion *occasion,
    struct notice_row *row)
{
	struct store_account account = { .name = "" };
	struct status st = status_ok();

	*row = (struct notice_row){ .account = occasion->account,
		.event = occasion->event,
		.days = occasion->days };
	snprintf(row->object, sizeof(row->object), "%s", occasion->object);
	snprintf(
	    row->occasion, sizeof(row->occasion), "%s", occasion->occasion);
	if (occasion->account != 0)
		st = store_accounts_get(tx, occasion->account, &account);
	memcpy(row->account_name, account.name, sizeof(row->account_name));
	return st;
}

/* *ret_is_new false: nothing is to be sent. */
static struct status
put_mail(struct db_tx *tx, int64_t gather_s, struct notice_row *row,
    const struct notice_body *body, bool *ret_is_new)
{
	char none[] = "";
	const struct notice_body nothing = { none, none, none };
	const int64_t now_s = store_now_s();
	const bool is_joined = notice_event_is_joined(row->event);
	bool is_often = false, is_new = false;
	struct status st = status_ok();

	row->next_s = is_joined ? now_s + gather_s : 0;
	if (row->account != 0)
		st = store_notices_is_often(tx, row, now_s - DAY_S, &is_often);
	if (!failed(st))
		st = store_notices_put(
		    tx, row, is_often ? &nothing : body, &is_new);
	if (failed(st) || !is_new || !is_often || is_joined) {
		*ret_is_new = is_new;
		return st;
	}
	*ret_is_new = false;
	return store_notices_cancel(tx, row->id, FLOOD);
}

/* A row for each; mails and webhooks have their own halves of what is written.
 */
static struct status
put_all(struct db_tx *tx, int64_t gather_s, const struct told *told,
    struct notice_row *row, const struct notice_body *body, size_t *ret_n)
{
	char none[] = "";
	const struct notice_body mail = { body->text, body->html, none };
	const struct notice_body hook = { none, none, body->payload };
	struct status st = status_ok();

	for (size_t i = 0; i < told->n && !failed(st); i++) {
		bool is_new = false;

		row->webhook = told->at[i].webhook;
		row->next_s = 0;
		memcpy(row->recipient, told->at[i].recipient,
		    sizeof(row->recipient));
		st = row->webhook == 0
			 ? put_mail(tx, gather_s, row, &mail, &is_new)
			 : store_notices_put(tx, row, &hook, &is_new);
		*ret_n += is_new;
	}
	return st;
}

/* Half of what is left at most: what ends meanwhile is told no more. */
static int64_t
gather_of(
    const struct notice_teller *teller, const struct notice_occasion *occasion)
{
	const int64_t left_s = occasion->end_s - store_now_s();

	return left_s > 0 && left_s / 2 < teller->gather_s ? left_s / 2
							   : teller->gather_s;
}

static struct status
tell_them(struct db_tx *tx, struct notice_teller *teller,
    const struct notice_occasion *occasion, const struct told *told,
    size_t *ret_n)
{
	scoped(notice_text_free) struct notice_text *text =
	    notice_text_new(teller->console_url);
	scoped(notice_body_done) struct notice_body body = { 0 };
	struct notice_row row;
	struct status st;

	if (text == NULL)
		return message_no_memory();
	st = fill_row(tx, occasion, &row);
	if (!failed(st))
		st = occasion->write(occasion->ctx, tx, text);
	if (failed(st))
		return st;
	if (!notice_text_end(text, &row, &body))
		return message_no_memory();
	snprintf(
	    row.subject, sizeof(row.subject), "%s", notice_text_title(text));
	return put_all(
	    tx, gather_of(teller, occasion), told, &row, &body, ret_n);
}

STATUS
notice_tell(struct db_tx *tx, struct notice_teller *teller,
    const struct notice_occasion *occasion, size_t *ret_n)
{
	const struct told_ask ask = { .account = occasion->account,
		.event = occasion->event,
		.rule = occasion->rule,
		.contacts = occasion->contacts,
		.n_contacts = occasion->n_contacts,
		.operators = teller->operators };
	scoped(free) struct told *told = malloc(sizeof(*told));
	size_t n = 0;
	struct status st;

	if (told == NULL)
		return message_no_memory();
	st = notice_told(tx, &ask, told);
	if (!failed(st) && told->n > 0)
		st = tell_them(tx, teller, occasion, told, &n);
	if (failed(st))
		return st;
	if (n > 0 && teller->told[occasion->event] != NULL)
		metric_counter_add(teller->told[occasion->event], n);
	atomic_fetch_add(&teller->n_told, n);
	*ret_n = n;
	return st;
}
