/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Many certificates that end in one mail; see notice_digest.h.  Each is looked
 * at once more: what was cancelled or dealt with meanwhile is not listed.  One
 * alone reads as it was written when it was told.
 */

#include "certd/notices/notice_digest.h"

#include <inttypes.h>
#include <stdio.h>

#include "certd/notices/notice_event.h"
#include "certd/notices/notice_facts.h"
#include "certd/notices/notice_stands.h"
#include "certd/notices/notice_text.h"
#include "certd/store.h"
#include "proto/message.h"

#define NAMED 3

static struct status
look_at(struct db_tx *tx, struct notice_digest *digest, size_t i)
{
	struct store_certificate of;
	struct notice_row now;
	struct status st = store_notices_load(tx, digest->rows[i].id, &now);

	if (!failed(st) && now.state != NOTICE_QUEUED)
		digest->why_not[i] = "it was cancelled before it was sent";
	else if (!failed(st))
		st =
		    notice_stands(tx, &now, store_now_s(), &digest->why_not[i]);
	if (failed(st) || digest->why_not[i] != NULL)
		return st;
	digest->n_listed++;
	st = store_certificates_find(
	    tx, notice_stands_id(now.object, "certificate"), &of);
	if (!failed(st))
		digest->end_s[i] = of.not_after_s;
	return st;
}

/* The listed one that comes after that one; n: there is none. */
static size_t
next_of(const struct notice_digest *digest, size_t after)
{
	size_t found = digest->n;

	for (size_t i = 0; i < digest->n; i++) {
		const bool is_later =
		    after == digest->n ||
		    digest->end_s[i] > digest->end_s[after] ||
		    (digest->end_s[i] == digest->end_s[after] && i > after);

		if (digest->why_not[i] == NULL && is_later &&
		    (found == digest->n ||
			digest->end_s[i] < digest->end_s[found]))
			found = i;
	}
	return found;
}

static struct status
say_one(struct db_tx *tx, struct notice_text *text, const char *console_url,
    const struct notice_row *row, char *ret_first)
{
	struct store_certificate of;
	struct notice_brief brief;
	char left[NOTICE_LEFT_MAX], end[NOTICE_TIME_MAX];
	struct status st = store_certificates_find(
	    tx, notice_stands_id(row->object, "certificate"), &of);

	if (!failed(st))
		st = notice_facts_brief(tx, &of, NAMED, &brief);
	if (failed(st))
		return st;
	notice_facts_print_left(of.not_after_s, store_now_s(), left);
	notice_text_time(of.not_after_s, end);
	notice_text_fact(text, end,
	    "%s, %s (%.200s); used by: %.200s; %s%s%" PRId64, of.name, left,
	    brief.hostnames, brief.users,
	    console_url[0] == 0 ? "number " : console_url,
	    console_url[0] == 0 ? "" : "/console/certificates/", of.id);
	if (ret_first[0] == 0)
		snprintf(ret_first, HOSTNAME_MAX, "%s", brief.first);
	return st;
}

static struct status
say_all(struct db_tx *tx, struct notice_text *text, const char *console_url,
    struct notice_digest *digest, char *ret_first)
{
	struct status st = status_ok();
	size_t i = next_of(digest, digest->n);

	for (; i < digest->n && !failed(st); i = next_of(digest, i))
		st =
		    say_one(tx, text, console_url, &digest->rows[i], ret_first);
	return st;
}

static void
say_subject(
    struct notice_digest *digest, const char *first, struct notice_text *text)
{
	char day[NOTICE_TIME_MAX];
	int64_t last_s = 0, now_s = store_now_s();
	size_t i = next_of(digest, digest->n);
	const char *s = digest->n_listed == 1 ? "" : "s";

	notice_text_time(digest->end_s[i], day);
	for (; i < digest->n; i = next_of(digest, i))
		last_s = digest->end_s[i];
	if (digest->rows[0].event == NOTICE_EXPIRED)
		notice_text_subject(text,
		    "%zu certificate%s expired, the first on %.10s (%s)",
		    digest->n_listed, s, day, first);
	else
		notice_text_subject(text,
		    "%zu certificate%s expire within %" PRId64
		    " days, the first on %.10s (%s)",
		    digest->n_listed, s, (last_s - now_s + 86399) / 86400, day,
		    first);
	snprintf(digest->subject, sizeof(digest->subject), "%s",
	    notice_text_title(text));
}

static struct status
write_list(
    struct db_tx *tx, const char *console_url, struct notice_digest *digest)
{
	scoped(notice_text_free) struct notice_text *text =
	    notice_text_new(console_url);
	scoped(notice_text_free) struct notice_text *none = notice_text_new("");
	char first[HOSTNAME_MAX] = "";
	struct status st;

	if (text == NULL || none == NULL)
		return message_no_memory();
	/* The subject comes first and names what is found by the list. */
	st = say_all(tx, none, "", digest, first);
	if (failed(st))
		return st;
	say_subject(digest, first, text);
	notice_text_say(text,
	    "These do not renew by themselves. What to do: get new ones for "
	    "the same host names, upload them, and put them in the place of "
	    "these (Replace). Delete what is needed no more.");
	first[0] = 0;
	st = say_all(tx, text, console_url, digest, first);
	if (failed(st))
		return st;
	return notice_text_end(text, &digest->rows[0], &digest->body)
		   ? st
		   : message_no_memory();
}

STATUS
notice_digest_write(
    struct db_tx *tx, const char *console_url, struct notice_digest *digest)
{
	struct status st = status_ok();
	size_t one;

	for (size_t i = 0; i < digest->n && !failed(st); i++)
		st = look_at(tx, digest, i);
	one = next_of(digest, digest->n);
	if (failed(st) || one == digest->n)
		return st;
	if (digest->n_listed == 1) {
		snprintf(digest->subject, sizeof(digest->subject), "%s",
		    digest->rows[one].subject);
		st =
		    store_notices_body(tx, digest->rows[one].id, &digest->body);
		if (failed(st) || digest->body.text[0] != 0)
			return st;
		notice_body_done(&digest->body);
	}
	return write_list(tx, console_url, digest);
}
