/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Of the service Notices: who has stopped mails of what, and having them sent
 * again for somebody.  That is for people of the account, its users and
 * contacts, whom it has to reach; not for others whom a rule names: what they
 * wanted, they alone undo.  Who did it is in the row and in the history, and
 * the next mail has a link that stops them once more.
 */

#include <stdio.h>
#include <string.h>

#include "certd/notices/notices_int.h"
#include "certd/notices/store_told.h"
#include "certd/page.h"
#include "certd/text.h"
#include "proto/holdfast/certd/v1/notices.pb-c.h"
#include "proto/message.h"

typedef Holdfast__Certd__V1__NoticeMute mute_msg;

/* ---- answers ---- */

static bool
fill(mute_msg *to, const struct mute_row *from, bool is_person)
{
	to->id = from->id;
	to->event = (Holdfast__Certd__V1__NoticeEvent)from->event;
	to->since_s = from->at_s;
	to->lifted_s = from->lifted_s;
	to->liftable = is_person && from->lifted_s == 0;
	return message_text(&to->account, from->account_name) &&
	       message_text(&to->recipient, from->recipient) &&
	       message_text(&to->lifted_by, from->lifted_by);
}

/* ---- list ---- */

struct listing {
	struct db_tx *tx;
	Holdfast__Certd__V1__ListNoticeMutesResponse *to;
	int64_t last;
	struct status st; /* what went wrong within an each */
};

static bool
add_to_page(void *ctx, const struct mute_row *row)
{
	struct listing *listing = ctx;
	mute_msg *to = message_append(&listing->to->n_mutes,
	    &listing->to->mutes, &holdfast__certd__v1__notice_mute__descriptor);
	bool is_person = false;

	listing->last = row->id;
	if (row->lifted_s == 0)
		listing->st = store_told_is_person(
		    listing->tx, row->account, row->recipient, &is_person);
	return !failed(listing->st) && to != NULL && fill(to, row, is_person);
}

static struct status
list_page(struct db_tx *tx, const struct api_call *call,
    const Holdfast__Certd__V1__ListNoticeMutesRequest *asked,
    Holdfast__Certd__V1__ListNoticeMutesResponse *to)
{
	struct listing listing = { .tx = tx, .to = to, .st = status_ok() };
	bool more = false;
	struct page page;
	struct status st = page_find(tx, call->caller,
	    &(struct page_ask){
		asked->account, asked->page_token, asked->page_size },
	    &page);

	if (!failed(st))
		st = store_mutes_list(tx,
		    &(struct store_mutes_query){ .account = page.account,
			.recipient = asked->recipient,
			.event = (int)asked->event,
			.lifted = asked->lifted,
			.from = page.from,
			.size = page.size },
		    add_to_page, &listing, &more);
	if (failed(listing.st))
		return listing.st;
	return failed(st) ? st
			  : page_next(listing.last, more, &to->next_page_token);
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct notices *notices = ctx;
	const Holdfast__Certd__V1__ListNoticeMutesRequest *asked =
	    (const Holdfast__Certd__V1__ListNoticeMutesRequest *)request;
	scoped(message_free) ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__list_notice_mutes_response__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st;

	if (message == NULL)
		return message_no_memory();
	st = text_check_line(
	    call, "recipient", asked->recipient, 0, STORE_EMAIL_MAX - 1);
	if (!failed(st))
		st = store_read(notices->config.store, &tx);
	if (!failed(st))
		st = list_page(tx, call, asked, (void *)message);
	if (failed(st))
		return st;
	*ret_reply = message;
	message = NULL;
	return st;
}

/* ---- lift ---- */

static struct status
get_seen(struct db_tx *tx, const struct api_call *call, int64_t id,
    struct mute_row *ret_row)
{
	struct mute_row row;
	struct status st = store_mutes_load(tx, id, &row);

	if (!failed(st) && !caller_sees(call->caller, row.account))
		st = store_no_such("there is no such notice mute");
	if (!failed(st))
		*ret_row = row;
	return st;
}

static struct status
check_person(
    struct db_tx *tx, struct api_call *call, const struct mute_row *row)
{
	bool is_person = false;
	struct status st =
	    store_told_is_person(tx, row->account, row->recipient, &is_person);

	if (failed(st) || is_person)
		return st;
	return api_explain(call,
	    status_fail(STATUS_FAILED_PRECONDITION,
		"the address is no user's or contact's"),
	    "%s is no user or contact of the account: only who reads its mail "
	    "can have them sent again, by the link in one of them",
	    row->recipient);
}

STATUS
notices_mutes_event(struct db_tx *tx, const char *actor, const char *act,
    const struct mute_row *of)
{
	char detail[STORE_EMAIL_MAX + 64];

	snprintf(detail, sizeof(detail), "%s: %s", of->recipient,
	    notice_event_name(of->event));
	return store_event(tx, of->account, actor, act, "notices", detail);
}

/* Twice is as once. */
static struct status
lift_in(
    struct db_tx *tx, struct api_call *call, int64_t id, struct mute_row *row)
{
	struct status st = get_seen(tx, call, id, row);

	if (failed(st) || row->lifted_s != 0)
		return st;
	st = check_person(tx, call, row);
	if (!failed(st))
		st = store_mutes_lift(tx, call->caller->actor, row);
	return failed(st) ? st
			  : notices_mutes_event(tx, call->caller->actor,
				"mails sent again", row);
}

static struct status
lift(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct notices *notices = ctx;
	const Holdfast__Certd__V1__LiftNoticeMuteRequest *asked =
	    (const Holdfast__Certd__V1__LiftNoticeMuteRequest *)request;
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__notice_mute__descriptor);
	struct mute_row row;
	struct db_tx *tx;
	struct status st = store_write(notices->config.store, &tx);

	if (!failed(st))
		st = store_commit(notices->config.store, tx,
		    lift_in(tx, call, asked->id, &row));
	if (failed(st))
		return st;
	if (message == NULL || !fill((void *)message, &row, true))
		return message_no_memory();
	*ret_reply = message;
	message = NULL;
	return st;
}

/* ---- the table ---- */

#define SERVICE &holdfast__certd__v1__notices__descriptor

static const struct api_method METHODS[] = {
	{ .service = SERVICE,
	    .name = "ListMutes",
	    .fn = list,
	    .allow = NOTICES_READ,
	    .scope = SCOPE_ACCOUNT_READ,
	    .verb = API_GET,
	    .path = "/v1/notice-mutes",
	    .summary = "List who has stopped mails of what" },
	{ .service = SERVICE,
	    .name = "LiftMute",
	    .fn = lift,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_DELETE,
	    .path = "/v1/notice-mutes/{id}",
	    .summary = "Have mails sent again that a user or contact of the "
		       "account has stopped" },
};

STATUS
notices_mutes_add(struct notices *notices, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), notices);
}
