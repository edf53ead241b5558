/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sending one mail; see notice_sender.h.  Accounts take turns, and what is
 * about the whole goes before them.  What may be told in one mail is claimed
 * together, and ends as that mail does; what a server says of one recipient is
 * that mail's alone.  When it takes no mail at all, all of them rest, and one
 * is tried from time to time: five minutes where a person must see to it, else
 * a minute, doubled up to five.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "certd/notices/notice_digest.h"
#include "certd/notices/notice_event.h"
#include "certd/notices/notice_link.h"
#include "certd/notices/notice_sender_int.h"
#include "certd/notices/notice_text.h"
#include "certd/query.h"
#include "proto/message.h"

#define CONFIG_REST_S 300
#define FAILURE_REST_S 60
#define FAILURES 3 /* in a row: it is not the recipients */
#define PUT_OFF 50 /* single mails, in a row: nor is it then */
#define URL_MAX (NOTICE_TOKEN_MAX + 400)

/* ---- claiming ---- */

static bool
rests(struct notice_sender *sender)
{
	bool is;

	pthread_mutex_lock(&sender->mutex);
	is = clock_mono_ns() < sender->mail_rests_until_ns;
	pthread_mutex_unlock(&sender->mutex);
	return is;
}

/* Whose turn it was; it is that account's now, unless it is 0. */
static int64_t
take_turn(struct notice_sender *sender, int64_t account)
{
	int64_t last;

	pthread_mutex_lock(&sender->mutex);
	last = sender->last_account;
	if (account > 0)
		sender->last_account = account;
	pthread_mutex_unlock(&sender->mutex);
	return last;
}

/* What goes along; all of it is cancelled when the day's mails are sent. */
static struct status
claim_with(struct db_tx *tx, int64_t gather_s, struct notice_digest *to,
    bool *ret_stands)
{
	const int64_t now_s = store_now_s();
	bool is_flood = false;
	size_t n = 0;
	struct status st;

	to->n = 1;
	if (!notice_event_is_joined(to->rows[0].event))
		return status_ok();
	st = store_notices_claim_with(tx, &to->rows[0], now_s + gather_s,
	    NOTICE_DIGEST_MAX - 1, &to->rows[1], &n);
	to->n += failed(st) ? 0 : n;
	if (!failed(st))
		st = store_notices_is_flood(
		    tx, &to->rows[0], now_s - 86400, &is_flood);
	for (size_t i = 0; i < to->n && is_flood && !failed(st); i++)
		st = store_notices_cancel(tx, to->rows[i].id,
		    "the address was sent 500 mails of such things within a "
		    "day, which are the most");
	*ret_stands = !is_flood;
	return st;
}

static struct status
claim_in(struct notice_sender *sender, struct db_tx *tx,
    struct notice_digest *to, bool *ret_stands)
{
	struct notice_row *row = &to->rows[0];
	const int64_t now_s = store_now_s();
	struct status st = store_notices_claim_mail(
	    tx, now_s, now_s + SENDER_CLAIM_S, take_turn(sender, 0), row);

	if (!failed(st))
		take_turn(sender, row->account);
	if (!failed(st))
		st = notice_sender_check(tx, row, ret_stands);
	if (!failed(st) && *ret_stands)
		st = claim_with(tx, sender->config.gather_s, to, ret_stands);
	return st;
}

static struct status
claim(struct notice_sender *sender, struct notice_digest *to, bool *ret_stands)
{
	struct db_tx *tx;
	struct status st = store_write(sender->config.store, &tx);

	return failed(st) ? st
			  : store_commit(sender->config.store, tx,
				claim_in(sender, tx, to, ret_stands));
}

/* ---- the mail ---- */

struct letter {
	char *text, *html;
	char id[NOTICE_NAME_MAX + 24], thread[NOTICE_NAME_MAX + 2];
	char url[URL_MAX]; /* "": none */
};

static void
letter_done(struct letter *letter)
{
	free(letter->text);
	free(letter->html);
}

/* Where such mails are stopped: not those about the whole. */
static struct status
make_url(const struct notice_sender *sender, const struct notice_row *row,
    struct letter *letter)
{
	struct notice_token token = { .account = row->account,
		.event = row->event };
	char text[NOTICE_TOKEN_MAX];
	struct status st;

	letter->url[0] = 0;
	if (row->account == 0 || sender->config.console_url[0] == 0)
		return status_ok();
	memcpy(token.recipient, row->recipient, sizeof(token.recipient));
	st = notice_link_make(sender->config.secrets, &token, text);
	if (!failed(st))
		snprintf(letter->url, sizeof(letter->url),
		    "%s/console/unsubscribe?token=%s",
		    sender->config.console_url, text);
	return st;
}

/* What the mail is of: so that a mail that is sent again has the same name, and
 * one with another list does not; some servers drop what has a name they saw.
 */
static void
print_notices(const struct notice_digest *to, char *text, size_t max)
{
	size_t used = 0;

	for (size_t i = 0; i < to->n_entries && used < max; i++)
		used += (size_t)snprintf(text + used, max - used,
		    "%" PRId64 " ", to->rows[to->entries[i].row].id);
}

static struct status
make_id(const struct notice_sender *sender, const struct notice_digest *to,
    struct letter *letter)
{
	const struct notice_row *row = notice_digest_lead(to);
	char of[NOTICE_DIGEST_MAX * 21 + STORE_EMAIL_MAX + 64],
	    name[NOTICE_NAME_MAX];
	struct status st;
	size_t used;

	print_notices(to, of, sizeof(of));
	used = strlen(of);
	snprintf(of + used, sizeof(of) - used, "%" PRId64 " %s", row->created_s,
	    row->recipient);
	st = notice_link_name(sender->config.secrets, "message-id", of, name);
	if (!failed(st))
		snprintf(letter->id, sizeof(letter->id), "n%" PRId64 ".%.16s",
		    row->id, name);
	return st;
}

/* Mails of one certificate are in a thread, and so are lists of an account. */
static struct status
make_thread(const struct notice_sender *sender, const struct notice_digest *to,
    struct letter *letter)
{
	const struct notice_row *row = notice_digest_lead(to);
	char of[NOTICE_OBJECT_MAX + 64], name[NOTICE_NAME_MAX];
	struct status st;

	snprintf(of, sizeof(of), "%" PRId64 " %s", row->account,
	    to->n_lines == 1 ? row->object : notice_event_name(row->event));
	st = notice_link_name(sender->config.secrets, "thread", of, name);
	if (!failed(st))
		snprintf(
		    letter->thread, sizeof(letter->thread), "t%.24s", name);
	return st;
}

static void
print_foot(const struct notice_row *row, char *to, size_t max)
{
	if (row->account == 0)
		snprintf(to, max,
		    "You get this as an operator of this Holdfast: "
		    "notices.operators of certd.yaml, or a rule about the "
		    "whole, names your address.");
	else
		snprintf(to, max,
		    "You get this because a rule of the account %s tells you "
		    "of %s.",
		    row->account_name, notice_event_title(row->event));
}

static struct status
make_letter(const struct notice_sender *sender, const struct notice_digest *to,
    struct letter *letter)
{
	const struct notice_row *row = notice_digest_lead(to);
	char foot[256], plain[320];
	struct status st = make_url(sender, row, letter);

	if (!failed(st))
		st = make_id(sender, to, letter);
	if (!failed(st))
		st = make_thread(sender, to, letter);
	if (failed(st))
		return st;
	print_foot(row, foot, sizeof(foot));
	snprintf(plain, sizeof(plain), "%s%s", foot,
	    letter->url[0] != 0 ? " To stop these mails:" : "");
	letter->text = notice_text_foot(to->body.text, plain, letter->url);
	letter->html = notice_text_foot_html(
	    to->body.html, foot, "Stop these mails", letter->url);
	return letter->text == NULL || letter->html == NULL
		   ? message_no_memory()
		   : st;
}

/* When the last of them was told. */
static int64_t
date_s(const struct notice_digest *to)
{
	int64_t newest_s = 0;

	for (size_t i = 0; i < to->n_entries; i++) {
		int64_t at_s = to->rows[to->entries[i].row].created_s;

		newest_s = at_s > newest_s ? at_s : newest_s;
	}
	return newest_s;
}

static struct status
send(struct notice_sender *sender, const struct notice_digest *to,
    struct notice_post_result *ret_result)
{
	const struct notice_row *row = notice_digest_lead(to);
	struct letter letter = { .text = NULL };
	struct status st = make_letter(sender, to, &letter);

	if (!failed(st))
		notice_post_mail(sender->config.post,
		    &(struct notice_post_mail){ .to = row->recipient,
			.subject = to->subject,
			.text = letter.text,
			.html = letter.html,
			.date_s = date_s(to),
			.id = letter.id,
			.thread = letter.thread,
			.unsubscribe_url =
			    letter.url[0] != 0 ? letter.url : NULL },
		    ret_result);
	letter_done(&letter);
	return st;
}

/* ---- what came of it, for all of them ---- */

/* With the mutex held. */
static void
rest_all(struct notice_sender *sender, const char *why, int64_t rest_s)
{
	if (strcmp(sender->trouble, why) != 0)
		log_error("mail is not sent", LOG_STR("why", why));
	snprintf(sender->trouble, sizeof(sender->trouble), "%s", why);
	sender->mail_rests_until_ns = clock_mono_ns() + rest_s * NS_PER_S;
}

/* With the mutex held. */
static void
count_failure(
    struct notice_sender *sender, unsigned *n, unsigned most, const char *why)
{
	if (++*n < most)
		return;
	rest_all(sender, why,
	    *n - most < 2 ? FAILURE_REST_S << (*n - most) : CONFIG_REST_S);
}

static void
learn(struct notice_sender *sender, const struct notice_post_result *result)
{
	pthread_mutex_lock(&sender->mutex);
	switch (result->end) {
	case POST_SENT:
	case POST_PERMANENT:
		if (sender->trouble[0] != 0)
			log_info("mail is sent again");
		sender->trouble[0] = 0;
		sender->mail_failures = sender->mail_putting_off = 0;
		sender->mail_rests_until_ns = 0;
		break;
	case POST_CONFIG:
		rest_all(sender, result->why, CONFIG_REST_S);
		break;
	case POST_TEMPORARY:
		if (result->is_of_message)
			count_failure(sender, &sender->mail_putting_off,
			    PUT_OFF, result->why);
		else
			count_failure(sender, &sender->mail_failures, FAILURES,
			    result->why);
	}
	pthread_mutex_unlock(&sender->mutex);
}

/* That no mail goes at all is not this one's fault: it is tried when the others
 * are. */
static void
settle(struct notice_row *row, const struct notice_post_result *result)
{
	const int64_t now_s = store_now_s();

	notice_sender_settle(row, result, now_s);
	if (result->end != POST_CONFIG)
		return;
	row->attempts--;
	if (row->next_s != 0)
		row->next_s = now_s + CONFIG_REST_S;
}

/* All that are in it by the one outcome, and tried again together. */
static void
settle_all(struct notice_digest *to, const struct notice_post_result *result)
{
	const int64_t mail = notice_digest_lead(to)->id;
	int64_t next_s = 0;

	for (size_t i = 0; i < to->n_entries; i++) {
		struct notice_row *row = &to->rows[to->entries[i].row];

		settle(row, result);
		row->mail = row->state == NOTICE_SENT ? mail : 0;
		next_s = row->next_s > next_s ? row->next_s : next_s;
	}
	for (size_t i = 0; i < to->n_entries; i++) {
		struct notice_row *row = &to->rows[to->entries[i].row];

		row->next_s = row->next_s == 0 ? 0 : next_s;
	}
}

static void
count_all(struct notice_sender *sender, const struct notice_digest *to)
{
	const struct notice_row *first = NULL;
	size_t n_failed = 0;

	for (size_t i = 0; i < to->n_entries; i++) {
		const struct notice_row *row = &to->rows[to->entries[i].row];

		notice_sender_count(sender, row);
		if (row->state == NOTICE_FAILED && n_failed++ == 0)
			first = row;
	}
	notice_sender_log_failed(first, n_failed);
}

/* What was left for the next mail is saved as it was, and is free again. */
static struct status
keep(struct notice_sender *sender, const struct notice_digest *to)
{
	struct db_tx *tx;
	struct status st = store_write(sender->config.store, &tx);

	if (failed(st))
		return st;
	for (size_t i = 0; i < to->n && !failed(st); i++)
		st = to->why_not[i] == NULL
			 ? store_notices_save(tx, &to->rows[i])
			 : store_notices_cancel(
			       tx, to->rows[i].id, to->why_not[i]);
	st = store_commit(sender->config.store, tx, st);
	if (!failed(st))
		count_all(sender, to);
	return st;
}

static struct status
compose(struct notice_sender *sender, struct notice_digest *to)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(sender->config.store, &tx);

	return failed(st)
		   ? st
		   : notice_digest_write(tx, sender->config.console_url, to);
}

static struct status
deliver(struct notice_sender *sender, struct notice_digest *to, bool *ret_did)
{
	struct notice_post_result result;
	bool stands = false;
	struct status st = claim(sender, to, &stands);

	if (failed(st))
		return st.code == STATUS_NOT_FOUND ? status_ok() : st;
	*ret_did = true;
	if (stands)
		st = compose(sender, to);
	if (failed(st) || !stands)
		return st;
	if (to->n_entries > 0) {
		st = send(sender, to, &result);
		if (failed(st))
			return st;
		learn(sender, &result);
		settle_all(to, &result);
	}
	return keep(sender, to);
}

/* Without a server all that is done is to give up what waited for long. */
static struct status
give_up(struct notice_sender *sender)
{
	struct db_tx *tx;
	struct status st;

	pthread_mutex_lock(&sender->mutex);
	sender->mail_rests_until_ns =
	    clock_mono_ns() + CONFIG_REST_S * NS_PER_S;
	pthread_mutex_unlock(&sender->mutex);
	st = store_write(sender->config.store, &tx);
	return failed(st) ? st
			  : store_commit(sender->config.store, tx,
				store_notices_give_up(tx, store_now_s(),
				    "no mail server is configured"));
}

STATUS
notice_sender_mail(struct notice_sender *sender, bool *ret_did)
{
	struct notice_digest *to;
	bool due = false;
	struct status st;

	*ret_did = false;
	if (rests(sender))
		return status_ok();
	if (!notice_post_has_mail(sender->config.post))
		return give_up(sender);
	st = notice_sender_is_due(sender, true, &due);
	if (failed(st))
		return st;
	if (!due) {
		notice_post_rest(sender->config.post);
		return st;
	}
	to = calloc(1, sizeof(*to));
	if (to == NULL)
		return message_no_memory();
	st = deliver(sender, to, ret_did);
	notice_body_done(&to->body);
	free(to);
	return st;
}
