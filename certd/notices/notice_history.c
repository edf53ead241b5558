/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From acts in the history to notices; see notice_history.h and the table of
 * acts at the end.  An act says which row it is about; what is told is what the
 * row says now, and nothing when it is gone, or has gone on meanwhile.
 */

#include "certd/notices/notice_history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/notices/notice_expiry.h"
#include "certd/notices/notice_stands.h"
#include "certd/notices/notice_write.h"
#include "certd/notices/store_history.h"
#include "certd/renewals.h"
#include "proto/message.h"

#define ACTS_AT_ONCE 200

struct telling {
	struct db_tx *tx;
	struct notice_teller *teller;
	const struct history_event *event;
	int64_t now_s;
	struct enrollment_row of;             /* id 0: there is none */
	struct change_row change;             /* likewise */
	struct store_certificate certificate; /* likewise */
};

/* ---- rows; those that are gone have the id 0 ---- */

static struct status
or_none(struct status st, int64_t *id)
{
	if (!failed(st))
		return st;
	*id = 0;
	return st.code == STATUS_NOT_FOUND ? status_ok() : st;
}

static struct status
load_change(struct telling *t, int64_t id)
{
	struct status st =
	    or_none(store_changes_load(t->tx, id, &t->change), &t->change.id);

	t->of.id = 0;
	if (failed(st) || t->change.id == 0)
		return st;
	return or_none(
	    store_enrollments_load(t->tx, t->change.enrollment, &t->of),
	    &t->of.id);
}

static struct status
load_certificate(struct telling *t, int64_t id)
{
	return or_none(store_certificates_find(t->tx, id, &t->certificate),
	    &t->certificate.id);
}

/* ---- telling ---- */

static struct status
tell(struct telling *t, struct notice_occasion *occasion)
{
	size_t n = 0;

	if (t->of.id != 0) {
		occasion->contacts = t->of.contacts;
		occasion->n_contacts = t->of.n_contacts;
	}
	return notice_tell(t->tx, t->teller, occasion, &n);
}

/* "shop, by letsencrypt, change 7": the last number. */
static int64_t
change_of_detail(const char *detail)
{
	const char *at = strrchr(detail, ',');

	return at == NULL || at[1] != ' ' ? 0
					  : notice_stands_id(at + 2, "change");
}

static struct status
tell_issued(struct telling *t)
{
	struct notice_issued write = { &t->certificate, &t->change, false };
	struct notice_occasion occasion = { .account = t->event->account,
		.object = t->event->object,
		.write = notice_write_issued,
		.ctx = &write };
	struct status st = load_change(t, change_of_detail(t->event->detail));

	if (!failed(st))
		st = load_certificate(
		    t, notice_stands_id(t->event->object, "certificate"));
	if (failed(st) || t->change.id == 0 || t->certificate.id == 0 ||
	    t->change.purpose != PURPOSE_MAIN)
		return st;
	write.is_renewal = t->change.kind != CHANGE_KIND_ISSUE;
	occasion.event = write.is_renewal ? NOTICE_RENEWED : NOTICE_ISSUED;
	occasion.occasion = write.is_renewal ? "renewed" : "issued";
	return tell(t, &occasion);
}

/* A person's own attempt is answered, and the first and the last of those that
 * are made by themselves; not each between them. */
static struct status
is_news(struct telling *t, bool *ret_is)
{
	struct renewal_row renewal = { .failures = 0 };
	struct status st;

	*ret_is = strcmp(t->change.created_by, "certd") != 0;
	if (*ret_is || t->of.id == 0)
		return status_ok();
	st = store_renewals_load(t->tx, t->of.id, t->change.purpose, &renewal);
	if (failed(st))
		return st.code == STATUS_NOT_FOUND ? status_ok() : st;
	*ret_is =
	    renewal.failures <= 1 || renewal.failures == RENEWALS_FIRST_TRIES;
	return st;
}

static struct status
tell_issue_failed(struct telling *t)
{
	struct notice_change write = { NOTICE_ISSUE_FAILED, &t->change, NULL,
		t->now_s };
	struct notice_occasion occasion = { .account = t->event->account,
		.event = NOTICE_ISSUE_FAILED,
		.object = t->event->object,
		.occasion = "failed",
		.write = notice_write_change,
		.ctx = &write };
	bool is = false;
	struct status st = is_news(t, &is);

	return failed(st) || !is ? st : tell(t, &occasion);
}

/* Once for the certificate, and what a person asked for each time; as the end
 * nears again (notice_expiry.c). */
static struct status
tell_renewal_failed(struct telling *t)
{
	struct notice_change write = { NOTICE_RENEWAL_FAILED, &t->change,
		&t->certificate, t->now_s };
	char object[40];
	struct notice_occasion occasion = { .account = t->event->account,
		.event = NOTICE_RENEWAL_FAILED,
		.object = object,
		.occasion = strcmp(t->change.created_by, "certd") == 0
				? "first"
				: t->event->object,
		.write = notice_write_change,
		.ctx = &write };

	snprintf(
	    object, sizeof(object), "certificate %" PRId64, t->certificate.id);
	return tell(t, &occasion);
}

static struct status
tell_failed(struct telling *t)
{
	struct status st =
	    load_change(t, notice_stands_id(t->event->object, "change"));

	t->certificate.id = 0;
	if (!failed(st) && t->change.id != 0 && t->change.replaces != 0)
		st = load_certificate(t, t->change.replaces);
	if (failed(st) || t->change.id == 0)
		return st;
	return t->certificate.id != 0 ? tell_renewal_failed(t)
				      : tell_issue_failed(t);
}

static struct status
tell_expired(struct telling *t)
{
	struct notice_change write = { NOTICE_CHANGE_EXPIRED, &t->change, NULL,
		t->now_s };
	struct notice_occasion occasion = { .account = t->event->account,
		.event = NOTICE_CHANGE_EXPIRED,
		.object = t->event->object,
		.occasion = "expired",
		.write = notice_write_change,
		.ctx = &write };
	struct status st =
	    load_change(t, notice_stands_id(t->event->object, "change"));

	return failed(st) || t->change.id == 0 ? st : tell(t, &occasion);
}

static struct status
tell_awaits(struct telling *t)
{
	struct notice_change write = { NOTICE_CHANGE_NEEDS_YOU, &t->change,
		NULL, t->now_s };
	struct notice_occasion occasion = { .account = t->event->account,
		.event = NOTICE_CHANGE_NEEDS_YOU,
		.object = t->event->object,
		.write = notice_write_change,
		.ctx = &write };
	struct status st =
	    load_change(t, notice_stands_id(t->event->object, "change"));

	if (failed(st) || t->change.id == 0 || t->change.input != 0 ||
	    (t->change.state != CHANGE_AWAITING_VERIFY &&
		t->change.state != CHANGE_AWAITING_ISSUE))
		return st;
	occasion.occasion =
	    t->change.state == CHANGE_AWAITING_ISSUE ? "issue" : "verify";
	return tell(t, &occasion);
}

static struct status
tell_revoked_as(struct telling *t, bool was_found)
{
	struct notice_revoked write = { &t->certificate, t->event->detail,
		was_found };
	struct notice_occasion occasion = { .account = t->event->account,
		.event = NOTICE_REVOKED,
		.object = t->event->object,
		.occasion = "revoked",
		.write = notice_write_revoked,
		.ctx = &write };
	struct status st = load_certificate(
	    t, notice_stands_id(t->event->object, "certificate"));

	t->of.id = 0;
	return failed(st) || t->certificate.id == 0 ? st : tell(t, &occasion);
}

static struct status
tell_revoked(struct telling *t)
{
	return tell_revoked_as(t, false);
}

static struct status
tell_found_revoked(struct telling *t)
{
	return tell_revoked_as(t, true);
}

static struct status
tell_uploaded(struct telling *t)
{
	return notice_expiry_uploaded(t->tx, t->teller,
	    notice_stands_id(t->event->object, "certificate"), t->now_s);
}

/* ---- the acts ---- */

static const struct {
	const char *act;
	struct status (*tell)(struct telling *t);
} ACTS[] = {
	{ "acme.issued", tell_issued },
	{ "acme.failed", tell_failed },
	{ "acme.expired", tell_expired },
	{ "acme.awaits", tell_awaits },
	{ "acme.revoked", tell_revoked },
	{ "acme.found_revoked", tell_found_revoked },
	{ "certificate uploaded", tell_uploaded },
};

static struct status
deal_with(struct telling *t)
{
	for (size_t i = 0; i < sizeof(ACTS) / sizeof(ACTS[0]); i++)
		if (strcmp(ACTS[i].act, t->event->act) == 0)
			return ACTS[i].tell(t);
	return status_ok();
}

static struct status
deal_with_all(struct telling *t, struct history_event *events, size_t *ret_n)
{
	struct status st =
	    store_history_read(t->tx, ACTS_AT_ONCE, events, ret_n);

	for (size_t i = 0; i < *ret_n && !failed(st); i++) {
		t->event = &events[i];
		t->of.id = t->change.id = t->certificate.id = 0;
		st = deal_with(t);
	}
	if (failed(st) || *ret_n == 0)
		return st;
	return store_history_move(t->tx, events[*ret_n - 1].id);
}

static struct status
has_more(struct store *store, bool *ret_has)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(store, &tx);

	return failed(st) ? st : store_history_has_more(tx, ret_has);
}

STATUS
notice_history_look(
    struct store *store, struct notice_teller *teller, bool *ret_more)
{
	scoped(free) struct history_event *events =
	    calloc(ACTS_AT_ONCE, sizeof(*events));
	scoped(free) struct telling *t = calloc(1, sizeof(*t));
	bool has = false;
	size_t n = 0;
	struct status st = has_more(store, &has);

	*ret_more = false;
	if (failed(st) || !has)
		return st;
	if (events == NULL || t == NULL)
		return message_no_memory();
	t->teller = teller;
	t->now_s = store_now_s();
	st = store_write(store, &t->tx);
	if (failed(st))
		return st;
	st = store_commit(store, t->tx, deal_with_all(t, events, &n));
	*ret_more = !failed(st) && n == ACTS_AT_ONCE;
	return st;
}
