/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_STORE_NOTICES_H
#define CERTD_NOTICES_STORE_NOTICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/page.h"
#include "certd/store_users.h"

/*
 * Notices as they are kept: one row for each recipient of each occasion, found
 * by when they are due.  Within the caller's transaction.
 */
#define NOTICE_OBJECT_MAX 96 /* with a zero, as all below */
#define NOTICE_OCCASION_MAX 64
#define NOTICE_SUBJECT_MAX 200
#define NOTICE_PROBLEM_MAX 301
/* Given up when it was tried for so long. */
#define NOTICE_PATIENCE_S (3 * INT64_C(86400))
/* The longest that one rests between two attempts. */
#define NOTICE_REST_MOST_S (4 * INT64_C(3600))
/* A claim that lasts longer was made by a clock that was ahead, and is none. */
#define NOTICE_CLAIM_MOST_S INT64_C(3600)

struct notice_row {
	int64_t id, account; /* account 0: about the whole */
	char account_name[ACCOUNT_NAME_MAX];
	int event, state; /* certd/notices/notice_event.h */
	char object[NOTICE_OBJECT_MAX];
	char occasion[NOTICE_OCCASION_MAX];
	char recipient[STORE_EMAIL_MAX];
	int64_t webhook; /* 0: recipient is an address */
	int days;
	char subject[NOTICE_SUBJECT_MAX];
	int64_t created_s, sent_s;
	int64_t next_s; /* 0: nothing more is done */
	int64_t give_up_s, claimed_until_s;
	unsigned attempts;
	int64_t mail; /* the first notice of the mail it went out in; 0: none */
	char problem[NOTICE_PROBLEM_MAX];
};

/* What goes out; malloc'd, ended with notice_body_done. */
struct notice_body {
	char *text, *html, *payload;
};
void notice_body_done(struct notice_body *body);
static inline void
scoped_notice_body_done(struct notice_body *body)
{
	notice_body_done(body);
}

/* Has the account told that address of the event NOTICE_MAILS_A_DAY times since
 * then?  And has it sent so many mails of it? */
#define NOTICE_MAILS_A_DAY 500
STATUS store_notices_is_often(struct db_tx *tx, const struct notice_row *row,
    int64_t since_s, bool *ret_is);
STATUS store_notices_is_flood(struct db_tx *tx, const struct notice_row *row,
    int64_t since_s, bool *ret_is);

/* A new one; *ret_is_new false: it was told already.  Takes account, event,
 * object, occasion, recipient, webhook, days, subject and next_s (0: due now);
 * sets id. */
STATUS store_notices_put(struct db_tx *tx, struct notice_row *row,
    const struct notice_body *body, bool *ret_is_new);

/* NOT_FOUND, "there is no such notice"; find: also another account's. */
STATUS store_notices_load(
    struct db_tx *tx, int64_t id, struct notice_row *ret_row);
STATUS store_notices_find(struct db_tx *tx, const struct caller *caller,
    int64_t id, struct notice_row *ret_row);
STATUS store_notices_body(
    struct db_tx *tx, int64_t id, struct notice_body *ret_body);

struct store_notices_query {
	int64_t account;    /* 0: of all, and about the whole */
	int state;          /* 0: whichever */
	const char *object; /* "": of all */
	int64_t from;       /* older than this one; 0: the newest */
	uint32_t size;
};
/* Newest first. */
STATUS store_notices_list(struct db_tx *tx,
    const struct store_notices_query *query,
    bool (*each)(void *ctx, const struct notice_row *row), void *ctx,
    bool *ret_more);

/* ---- sending ---- */

/* Is mail, or anything for a webhook, due by then?  A read, before who sends
 * asks for the writer's turn. */
STATUS store_notices_is_due(
    struct db_tx *tx, bool mail, int64_t now_s, bool *ret_is);
/* When the next one will be; 0: none. */
STATUS store_notices_next(struct db_tx *tx, bool mail, int64_t *ret_next_s);

/*
 * A mail that is due and that nobody has claimed, from here on the caller's
 * till then: what is about the whole first, then accounts in turn, round from
 * after, of each what is due for the longest time.  NOT_FOUND: there is none.
 */
STATUS store_notices_claim_mail(struct db_tx *tx, int64_t now_s,
    int64_t until_s, int64_t after, struct notice_row *ret_row);

/*
 * What may go out in one mail with that one, from here on the caller's till
 * then as well: of the same account, recipient and event, due by due_s, at most
 * max; those that are due for the longest time.
 */
STATUS store_notices_claim_with(struct db_tx *tx, const struct notice_row *row,
    int64_t due_s, size_t max, struct notice_row *ret_rows, size_t *ret_n);

/*
 * The same for webhooks, one at a time for each: goes through those with
 * something due, round from after, until may_take agrees to one.
 */
struct store_notices_turn {
	int64_t now_s, until_s, after; /* id of a webhook */
	bool (*may_take)(void *ctx, struct db_tx *tx, int64_t webhook);
	void *ctx;
};
STATUS store_notices_claim_webhook(struct db_tx *tx,
    const struct store_notices_turn *turn, struct notice_row *ret_row);

/* How it went: state, next_s, sent_s, attempts, mail and problem, while the
 * claim is as the row has it; else another one has it, and that one's word
 * counts.  What was cancelled meanwhile stays so, unless it was sent. */
STATUS store_notices_save(struct db_tx *tx, const struct notice_row *row);
/* Queued anew, due now, for as long as a new one. */
STATUS store_notices_again(struct db_tx *tx, int64_t id, int64_t now_s);

/* Due now: what is put off for longer than till_s, by a clock that was ahead or
 * another configuration. */
STATUS store_notices_hurry(struct db_tx *tx, int64_t now_s, int64_t till_s);
/* Mails that have waited for NOTICE_PATIENCE_S, some at a call. */
STATUS store_notices_give_up(struct db_tx *tx, int64_t now_s, const char *why);

/* ---- what needs no telling any more ---- */

/* Queued ones of an event after that id, at most max. */
STATUS store_notices_queued(struct db_tx *tx, int event, int64_t after,
    size_t max, bool (*each)(void *ctx, const struct notice_row *row),
    void *ctx);
STATUS store_notices_cancel(struct db_tx *tx, int64_t id, const char *why);

/* Those made before then, at most max; *ret_n: how many went. */
STATUS store_notices_prune(
    struct db_tx *tx, int64_t before_s, size_t max, int64_t *ret_n);
/* For metrics: how many of an event are queued, and when the oldest of all was
 * made; 0: none is. */
STATUS store_notices_count_queued(struct db_tx *tx, int event, int64_t *ret_n);
STATUS store_notices_oldest(struct db_tx *tx, int64_t *ret_created_s);

/* ---- who wants none of an event any more ---- */

STATUS store_notices_mute(
    struct db_tx *tx, int64_t account, const char *recipient, int event);
STATUS store_notices_is_muted(struct db_tx *tx, int64_t account,
    const char *recipient, int event, bool *ret_is);

#endif
