/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Of the service Notices: what the link in a mail can do, which is to stop such
 * mails, to have them sent again, and to say how it is.  Who has a link's token
 * needs no right: it is for one address, one account and one event.  Asking
 * twice is as once.  To and fro is refused when it is too often in a day; to
 * stop never is.
 */

#include <stdio.h>
#include <string.h>

#include "certd/notices/notice_link.h"
#include "certd/notices/notices_int.h"
#include "certd/notices/store_notices.h"
#include "certd/store_accounts.h"
#include "proto/holdfast/certd/v1/notices.pb-c.h"
#include "proto/message.h"

#define DAY_S INT64_C(86400)
#define AGAIN_MOST 10 /* a day, of an address and event */

typedef Holdfast__Certd__V1__NoticeSubscription subscription_msg;

/* What a link is for, and how it is with that. */
struct subscription {
	struct notice_token token;
	struct store_account account;
	struct mute_row mute; /* the newest; id 0: there never was one */
};

static bool
is_stopped(const struct subscription *of)
{
	return of->mute.id != 0 && of->mute.lifted_s == 0;
}

static struct status
look(struct db_tx *tx, struct subscription *of)
{
	struct status st =
	    store_accounts_get(tx, of->token.account, &of->account);

	if (failed(st))
		return st;
	memset(&of->mute, 0, sizeof(of->mute));
	st = store_mutes_newest(tx, of->token.account, of->token.recipient,
	    of->token.event, &of->mute);
	return st.code == STATUS_NOT_FOUND ? status_ok() : st;
}

/* ---- the three acts ---- */

static struct status
stop_in(struct db_tx *tx, struct subscription *of)
{
	struct status st = look(tx, of);

	if (failed(st) || is_stopped(of))
		return st;
	st = store_notices_mute(
	    tx, of->token.account, of->token.recipient, of->token.event);
	if (!failed(st))
		st = look(tx, of);
	return failed(st) ? st
			  : notices_mutes_event(
				tx, MUTE_BY_LINK, "mails stopped", &of->mute);
}

static struct status
check_often(struct db_tx *tx, const struct subscription *of)
{
	const int64_t now_s = store_now_s();
	int64_t n = 0;
	struct status st =
	    store_mutes_count_lifted(tx, &of->mute, now_s - DAY_S, now_s, &n);

	if (!failed(st) && n >= AGAIN_MOST)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "these mails were stopped and sent again 10 times within a "
		    "day; they stay stopped, try again tomorrow");
	return st;
}

static struct status
resume_in(struct db_tx *tx, struct subscription *of)
{
	struct status st = look(tx, of);

	if (failed(st) || !is_stopped(of))
		return st;
	st = check_often(tx, of);
	if (!failed(st))
		st = store_mutes_lift(tx, MUTE_BY_LINK, &of->mute);
	return failed(st) ? st
			  : notices_mutes_event(tx, MUTE_BY_LINK,
				"mails sent again", &of->mute);
}

/* Changes nothing. */
static struct status
look_up(const struct notices *notices, struct subscription *of)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(notices->config.store, &tx);

	return failed(st) ? st : look(tx, of);
}

/* The token first: nobody without one has the database written to. */
static struct status
act(const struct notices *notices, const char *token,
    struct status (*act_in)(struct db_tx *tx, struct subscription *of),
    struct subscription *ret_of)
{
	struct db_tx *tx;
	struct status st =
	    notice_link_read(notices->config.secrets, token, &ret_of->token);

	if (failed(st))
		return st;
	if (act_in == NULL)
		return look_up(notices, ret_of);
	st = store_write(notices->config.store, &tx);
	return failed(st) ? st
			  : store_commit(
				notices->config.store, tx, act_in(tx, ret_of));
}

/* ---- answers ---- */

static bool
print_detail(const struct subscription *of, char **ret_detail)
{
	const char *title = notice_event_title(of->token.event);
	char detail[512];

	if (is_stopped(of))
		snprintf(detail, sizeof(detail),
		    "%s is sent no more mails of the account %s about %s.",
		    of->token.recipient, of->account.name, title);
	else
		snprintf(detail, sizeof(detail),
		    "%s is sent mails of the account %s about %s, as its rules "
		    "say.",
		    of->token.recipient, of->account.name, title);
	return message_text(ret_detail, detail);
}

static struct status
answer(const struct subscription *of, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__notice_subscription__descriptor);
	subscription_msg *to = (void *)message;

	if (to == NULL)
		return message_no_memory();
	to->event = (Holdfast__Certd__V1__NoticeEvent)of->token.event;
	to->stopped = is_stopped(of);
	to->since_s = to->stopped ? of->mute.at_s : of->mute.lifted_s;
	to->lifted_by_account = of->mute.lifted_s != 0 &&
				strcmp(of->mute.lifted_by, MUTE_BY_LINK) != 0;
	if (!message_text(&to->account, of->account.name) ||
	    !message_text(&to->recipient, of->token.recipient) ||
	    !print_detail(of, &to->detail))
		return message_no_memory();
	*ret_reply = message;
	message = NULL;
	return status_ok();
}

static struct status
unsubscribe(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__UnsubscribeRequest *asked =
	    (const Holdfast__Certd__V1__UnsubscribeRequest *)request;
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__unsubscribe_response__descriptor);
	Holdfast__Certd__V1__UnsubscribeResponse *to = (void *)message;
	struct subscription of;
	struct status st = act(ctx, asked->token, stop_in, &of);

	(void)call;
	if (failed(st))
		return st;
	if (to == NULL || !print_detail(&of, &to->detail))
		return message_no_memory();
	*ret_reply = message;
	message = NULL;
	return st;
}

static struct status
resubscribe(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__ResubscribeRequest *asked =
	    (const Holdfast__Certd__V1__ResubscribeRequest *)request;
	struct subscription of;
	struct status st = act(ctx, asked->token, resume_in, &of);

	(void)call;
	return failed(st) ? st : answer(&of, ret_reply);
}

static struct status
subscription(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__SubscriptionRequest *asked =
	    (const Holdfast__Certd__V1__SubscriptionRequest *)request;
	struct subscription of;
	struct status st = act(ctx, asked->token, NULL, &of);

	(void)call;
	return failed(st) ? st : answer(&of, ret_reply);
}

/* ---- the table ---- */

#define SERVICE &holdfast__certd__v1__notices__descriptor

/* POST for all: a token goes into no more addresses than it must. */
static const struct api_method METHODS[] = {
	{ .service = SERVICE,
	    .name = "Unsubscribe",
	    .fn = unsubscribe,
	    .verb = API_POST,
	    .path = "/v1/notices:unsubscribe",
	    .open = true,
	    .summary = "Stop mails of one kind to one address, by the token of "
		       "a link in one of them" },
	{ .service = SERVICE,
	    .name = "Resubscribe",
	    .fn = resubscribe,
	    .verb = API_POST,
	    .path = "/v1/notices:resubscribe",
	    .open = true,
	    .summary = "Have them sent again, by the same token" },
	{ .service = SERVICE,
	    .name = "Subscription",
	    .fn = subscription,
	    .verb = API_POST,
	    .path = "/v1/notices:subscription",
	    .open = true,
	    .summary = "Say whether mails of one kind to one address are "
		       "stopped, by the same token; changes nothing" },
};

STATUS
notices_subscription_add(struct notices *notices, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), notices);
}
