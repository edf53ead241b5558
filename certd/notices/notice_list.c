/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Of the service Notices: lists, one notice with its text, and trying one again
 * that was given up.  An account sees its own; those about the whole are seen
 * by who sees all.  What is shown of a mail is what everybody was told: links
 * that stop mails are not in it.
 */

#include <stdio.h>
#include <string.h>

#include "certd/notices/notices_int.h"
#include "certd/notices/store_notices.h"
#include "certd/notices/store_webhooks.h"
#include "certd/page.h"
#include "certd/text.h"
#include "proto/holdfast/certd/v1/notices.pb-c.h"
#include "proto/message.h"

typedef Holdfast__Certd__V1__Notice notice_msg;

/* ---- answers ---- */

static bool
fill(notice_msg *to, const struct notice_row *from)
{
	to->id = from->id;
	to->event = (Holdfast__Certd__V1__NoticeEvent)from->event;
	to->state = (Holdfast__Certd__V1__NoticeState)from->state;
	to->created_s = from->created_s;
	to->next_s = from->next_s;
	to->sent_s = from->sent_s;
	to->attempts = from->attempts;
	to->days = (uint32_t)from->days;
	return message_text(&to->account, from->account_name) &&
	       message_text(&to->object, from->object) &&
	       message_text(&to->subject, from->subject) &&
	       message_text(&to->recipient, from->recipient) &&
	       message_text(&to->problem, from->problem);
}

static struct status
answer(const struct notice_row *row, const char *text,
    ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__notice__descriptor);
	notice_msg *to = (void *)message;

	if (to == NULL || !fill(to, row) || !message_text(&to->text, text))
		return message_no_memory();
	*ret_reply = message;
	message = NULL;
	return status_ok();
}

/* ---- list ---- */

struct listing {
	Holdfast__Certd__V1__ListNoticesResponse *to;
	int64_t last;
};

static bool
add_to_page(void *ctx, const struct notice_row *row)
{
	struct listing *listing = ctx;
	notice_msg *to = message_append(&listing->to->n_notices,
	    &listing->to->notices, &holdfast__certd__v1__notice__descriptor);

	listing->last = row->id;
	return to != NULL && fill(to, row);
}

static struct status
list_page(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__ListNoticesRequest *asked,
    Holdfast__Certd__V1__ListNoticesResponse *to)
{
	struct listing listing = { .to = to };
	bool more = false;
	struct page page;
	struct status st = page_find(tx, call->caller,
	    &(struct page_ask){
		asked->account, asked->page_token, asked->page_size },
	    &page);

	if (!failed(st))
		st = store_notices_list(tx,
		    &(struct store_notices_query){ .account = page.account,
			.state = (int)asked->state,
			.object = asked->object,
			.from = page.from,
			.size = page.size },
		    add_to_page, &listing, &more);
	return failed(st) ? st
			  : page_next(listing.last, more, &to->next_page_token);
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	struct notices *notices = ctx;
	const Holdfast__Certd__V1__ListNoticesRequest *asked =
	    (const Holdfast__Certd__V1__ListNoticesRequest *)request;
	scoped(message_free) ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__list_notices_response__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	Holdfast__Certd__V1__ListNoticesResponse *to = (void *)message;
	char trouble[NOTICES_WHY_MAX];
	struct status st;

	if (to == NULL)
		return message_no_memory();
	st = text_check_line(
	    call, "object", asked->object, 0, NOTICE_OBJECT_MAX - 1);
	if (!failed(st))
		st = store_read(notices->config.store, &tx);
	if (!failed(st))
		st = list_page(tx, call, asked, to);
	if (failed(st))
		return st;
	notices_mail_trouble(notices, trouble);
	if (!message_text(&to->mail_trouble, trouble))
		return message_no_memory();
	*ret_reply = message;
	message = NULL;
	return st;
}

/* ---- get and retry ---- */

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct notices *notices = ctx;
	const Holdfast__Certd__V1__GetNoticeRequest *asked =
	    (const Holdfast__Certd__V1__GetNoticeRequest *)request;
	scoped(notice_body_done) struct notice_body body = { 0 };
	scoped(db_end) struct db_tx *tx = NULL;
	struct notice_row row;
	struct status st = store_read(notices->config.store, &tx);

	if (!failed(st))
		st = store_notices_find(tx, call->caller, asked->id, &row);
	if (!failed(st))
		st = store_notices_body(tx, row.id, &body);
	return failed(st)
		   ? st
		   : answer(&row, row.webhook != 0 ? body.payload : body.text,
			 ret_reply);
}

/* One that is gone would be waited for for ever. */
static struct status
wake_webhook(struct db_tx *tx, int64_t id)
{
	struct webhook_row webhook;
	struct status st = store_webhooks_load(tx, id, &webhook);

	if (st.code == STATUS_NOT_FOUND)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the webhook was deleted; the notice cannot be sent");
	return failed(st) ? st : store_webhooks_rest(tx, id, 0, 0);
}

static struct status
retry_in(
    struct db_tx *tx, struct api_call *call, int64_t id, struct notice_row *row)
{
	struct status st = store_notices_find(tx, call->caller, id, row);

	if (failed(st))
		return st;
	if (row->state == NOTICE_SENT)
		return status_fail(
		    STATUS_FAILED_PRECONDITION, "the notice was sent already");
	if (row->state == NOTICE_CANCELLED)
		return api_explain(call,
		    status_fail(STATUS_FAILED_PRECONDITION,
			"the notice is not sent any more"),
		    "the notice is not sent any more: %s", row->problem);
	if (row->webhook != 0)
		st = wake_webhook(tx, row->webhook);
	if (!failed(st))
		st = store_notices_again(tx, id, store_now_s());
	if (!failed(st))
		st = notices_event(tx, call, row->account, "notice retried",
		    "notice", id, row->recipient);
	return failed(st) ? st : store_notices_load(tx, id, row);
}

static struct status
retry(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct notices *notices = ctx;
	const Holdfast__Certd__V1__RetryNoticeRequest *asked =
	    (const Holdfast__Certd__V1__RetryNoticeRequest *)request;
	struct notice_row row;
	struct db_tx *tx;
	struct status st = store_write(notices->config.store, &tx);

	if (failed(st))
		return st;
	st = store_commit(
	    notices->config.store, tx, retry_in(tx, call, asked->id, &row));
	if (failed(st))
		return st;
	notice_sender_wake(notices->sender);
	return answer(&row, "", ret_reply);
}

/* ---- the table ---- */

#define SERVICE &holdfast__certd__v1__notices__descriptor

static const struct api_method METHODS[] = {
	{ .service = SERVICE,
	    .name = "List",
	    .fn = list,
	    .allow = NOTICES_READ,
	    .scope = SCOPE_ACCOUNT_READ,
	    .verb = API_GET,
	    .path = "/v1/notices",
	    .summary = "List notices that are sent, wait or have failed" },
	{ .service = SERVICE,
	    .name = "Get",
	    .fn = get,
	    .allow = NOTICES_READ,
	    .scope = SCOPE_ACCOUNT_READ,
	    .verb = API_GET,
	    .path = "/v1/notices/{id}",
	    .summary = "Show a notice with its text" },
	{ .service = SERVICE,
	    .name = "Retry",
	    .fn = retry,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_POST,
	    .path = "/v1/notices/{id}:retry",
	    .summary = "Try a notice again that has failed" },
};

STATUS
notices_list_add(struct notices *notices, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), notices);
}
