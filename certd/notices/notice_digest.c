/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One mail of one notice or of many; see notice_digest.h.  Certificates that
 * end are looked at once more: what was cancelled or dealt with meanwhile is
 * not listed.  One alone reads as it was written when it was told.  A list that
 * would be more than a mail may hold is halved until it fits, and the rest is
 * left for the next one.  Read notice_digest_write.
 */

#include "certd/notices/notice_digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/notices/notice_event.h"
#include "certd/notices/notice_facts.h"
#include "certd/notices/notice_stands.h"
#include "certd/notices/notice_text.h"
#include "certd/notices/notice_write.h"
#include "certd/store.h"
#include "mail/message.h"
#include "proto/message.h"

#define NAMED 2 /* host names, and resources, of each */
/* The foot comes to it. */
#define BODY_MAX (MAIL_BODY_MAX - 4096)
#define DAY_S 86400

/* ---- what is in it ---- */

static struct status
add_entry(struct db_tx *tx, struct notice_digest *digest, size_t i)
{
	struct notice_digest_entry *entry = &digest->entries[digest->n_entries];
	struct store_certificate of;
	struct status st = store_certificates_find(
	    tx, notice_stands_id(digest->rows[i].object, "certificate"), &of);

	if (failed(st))
		return st;
	*entry = (struct notice_digest_entry){ .row = i,
		.id = digest->rows[i].id,
		.certificate = of.id,
		.end_s = of.not_after_s };
	digest->n_entries++;
	return st;
}

static struct status
look_at(struct db_tx *tx, struct notice_digest *digest, size_t i)
{
	struct notice_row now;
	struct status st = store_notices_load(tx, digest->rows[i].id, &now);

	if (st.code == STATUS_NOT_FOUND) {
		digest->why_not[i] = "it is not there any more";
		return status_ok();
	}
	if (!failed(st) && now.state != NOTICE_QUEUED)
		digest->why_not[i] = "it was cancelled before it was sent";
	else if (!failed(st))
		st =
		    notice_stands(tx, &now, store_now_s(), &digest->why_not[i]);
	return failed(st) || digest->why_not[i] != NULL
		   ? st
		   : add_entry(tx, digest, i);
}

static int
by_end(const void *a, const void *b)
{
	const struct notice_digest_entry *x = a, *y = b;

	if (x->end_s != y->end_s)
		return x->end_s < y->end_s ? -1 : 1;
	if (x->certificate != y->certificate)
		return x->certificate < y->certificate ? -1 : 1;
	/* Of more notices of one the newest says how it is. */
	return x->id > y->id ? -1 : x->id < y->id;
}

static void
number_lines(struct notice_digest *digest)
{
	struct notice_digest_entry *at = digest->entries;

	qsort(at, digest->n_entries, sizeof(*at), by_end);
	digest->n_lines = digest->n_entries > 0;
	for (size_t i = 1; i < digest->n_entries; i++) {
		digest->n_lines += at[i].certificate != at[i - 1].certificate;
		at[i].line = digest->n_lines - 1;
	}
}

static void
leave_half(struct notice_digest *digest)
{
	digest->n_lines = (digest->n_lines + 1) / 2;
	while (digest->entries[digest->n_entries - 1].line >= digest->n_lines)
		digest->n_entries--;
}

/* ---- one ---- */

/* As it was written, or would have been: of one that was told when there were
 * very many, no text was kept. */
static struct status
write_one(
    struct db_tx *tx, const char *console_url, struct notice_digest *digest)
{
	const struct notice_row *row = &digest->rows[digest->entries[0].row];
	scoped(notice_text_free) struct notice_text *text = NULL;
	struct store_certificate of;
	struct notice_expiry write = { &of, store_now_s() };
	struct status st = store_notices_body(tx, row->id, &digest->body);

	memcpy(digest->subject, row->subject, sizeof(digest->subject));
	if (failed(st) || digest->body.text[0] != 0 ||
	    !notice_event_is_joined(row->event))
		return st;
	text = notice_text_new(console_url);
	st = text == NULL ? message_no_memory()
			  : store_certificates_find(
				tx, digest->entries[0].certificate, &of);
	if (!failed(st))
		st = notice_write_expiry(&write, tx, text);
	if (failed(st))
		return st;
	notice_body_done(&digest->body);
	return notice_text_end(text, row, &digest->body) ? st
							 : message_no_memory();
}

/* ---- a list ---- */

static struct status
say_subject(struct db_tx *tx, struct notice_text *text,
    const struct notice_digest *digest, int64_t now_s)
{
	const struct notice_digest_entry *last =
	    &digest->entries[digest->n_entries - 1];
	const int64_t days = (last->end_s - now_s + DAY_S - 1) / DAY_S;
	struct store_certificate of;
	struct notice_brief brief;
	char first[NOTICE_TIME_MAX], within[32] = "a day";
	struct status st =
	    store_certificates_find(tx, digest->entries[0].certificate, &of);

	if (!failed(st))
		st = notice_facts_brief(tx, &of, 1, &brief);
	if (failed(st))
		return st;
	notice_text_time(of.not_after_s, first);
	if (days > 1)
		snprintf(within, sizeof(within), "%" PRId64 " days", days);
	if (digest->rows[0].event == NOTICE_EXPIRED)
		notice_text_subject(text,
		    "%zu certificates have expired, the first on %.10s (%s)",
		    digest->n_lines, first, brief.first);
	else
		notice_text_subject(text,
		    "%zu certificates expire within %s, the first on %.10s "
		    "(%s)",
		    digest->n_lines, within, first, brief.first);
	return st;
}

static struct status
say_line(struct db_tx *tx, struct notice_text *text, int64_t certificate,
    int64_t now_s)
{
	struct store_certificate of;
	struct notice_brief brief;
	char end[NOTICE_TIME_MAX], left[NOTICE_LEFT_MAX], page[40],
	    when[NOTICE_TIME_MAX + NOTICE_LEFT_MAX];
	struct status st = store_certificates_find(tx, certificate, &of);

	if (!failed(st))
		st = notice_facts_brief(tx, &of, NAMED, &brief);
	if (failed(st))
		return st;
	notice_text_time(of.not_after_s, end);
	notice_facts_print_left(of.not_after_s, now_s, left);
	snprintf(when, sizeof(when), "%s, %s", end, left);
	snprintf(page, sizeof(page), "certificates/%" PRId64, of.id);
	notice_text_row(text, page,
	    (const struct notice_text_cell[]){
		{ "Name", of.name },
		{ of.not_after_s > now_s ? "Expires" : "Expired", when },
		{ "Host names", brief.hostnames },
		{ "Used by", brief.users },
		{ NULL, NULL },
	    });
	return st;
}

static struct status
say_list(struct db_tx *tx, struct notice_text *text,
    const struct notice_digest *digest)
{
	const bool is_over = digest->rows[0].event == NOTICE_EXPIRED;
	const int64_t now_s = store_now_s();
	struct status st = say_subject(tx, text, digest, now_s);

	if (failed(st))
		return st;
	notice_text_say(
	    text, is_over ? "Browsers warn of these certificates, and programs "
			    "refuse them."
			  : "These certificates do not renew by themselves.");
	for (size_t i = 0; i < digest->n_entries && !failed(st); i++)
		if (i == 0 ||
		    digest->entries[i].line != digest->entries[i - 1].line)
			st = say_line(
			    tx, text, digest->entries[i].certificate, now_s);
	notice_text_say(text,
	    "What to do: get new certificates%s from the CAs that issued "
	    "these, or from others; upload them; and put each in the place of "
	    "its old one (Replace). Edges go over to them by themselves, "
	    "without a break. Delete what is needed no more.",
	    is_over ? " at once" : " for the same host names");
	notice_text_link(text, "Open the certificates", "certificates");
	return st;
}

static struct status
write_list(
    struct db_tx *tx, const char *console_url, struct notice_digest *digest)
{
	scoped(notice_text_free) struct notice_text *text =
	    notice_text_new(console_url);
	struct status st =
	    text == NULL ? message_no_memory() : say_list(tx, text, digest);

	if (failed(st))
		return st;
	notice_body_done(&digest->body);
	snprintf(digest->subject, sizeof(digest->subject), "%s",
	    notice_text_title(text));
	return notice_text_end(text, &digest->rows[0], &digest->body)
		   ? st
		   : message_no_memory();
}

static bool
is_too_much(const struct notice_body *body)
{
	return strlen(body->text) > BODY_MAX || strlen(body->html) > BODY_MAX;
}

/* ---- all of it ---- */

STATUS
notice_digest_write(
    struct db_tx *tx, const char *console_url, struct notice_digest *digest)
{
	struct status st = status_ok();

	if (!notice_event_is_joined(digest->rows[0].event)) {
		digest->n_entries = digest->n_lines = 1;
		return write_one(tx, console_url, digest);
	}
	for (size_t i = 0; i < digest->n && !failed(st); i++)
		st = look_at(tx, digest, i);
	if (failed(st))
		return st;
	number_lines(digest);
	while (digest->n_lines > 1) {
		st = write_list(tx, console_url, digest);
		if (failed(st) || !is_too_much(&digest->body))
			return st;
		leave_half(digest);
	}
	notice_body_done(&digest->body);
	return digest->n_lines == 0 ? st : write_one(tx, console_url, digest);
}
