/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service Webhooks.  A URL is refused that could not be sent to; whether
 * its name leads to a private address is looked at when it is.  The secret is
 * shown once: it is in no table, and is made anew from the row's salt when
 * something is signed.  A URL may have a secret of its receiver's, and goes
 * into no history.
 */

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "certd/notices/notice_link.h"
#include "certd/notices/notices_int.h"
#include "certd/notices/store_webhooks.h"
#include "certd/page.h"
#include "certd/text.h"
#include "proto/holdfast/certd/v1/notices.pb-c.h"
#include "proto/message.h"

#define WEBHOOKS_MAX 20 /* of an account */

typedef Holdfast__Certd__V1__Webhook webhook_msg;

/* ---- answers ---- */

static bool
fill(webhook_msg *to, const struct webhook_row *from)
{
	char etag[STORE_ETAG_MAX];

	store_etag_print(from->revision, etag);
	to->id = from->id;
	to->disabled = from->disabled;
	to->created_s = from->created_s;
	to->last_s = from->last_s;
	return message_text(&to->account, from->account_name) &&
	       message_text(&to->name, from->name) &&
	       message_text(&to->url, from->url) &&
	       message_text(&to->last_problem, from->last_problem) &&
	       message_text(&to->etag, etag);
}

static struct status
answer(const struct webhook_row *row, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__webhook__descriptor);

	if (message == NULL || !fill((void *)message, row))
		return message_no_memory();
	*ret_reply = message;
	message = NULL;
	return status_ok();
}

/* ---- what a webhook may be ---- */

static struct status
take_name(struct api_call *call, const char *name, struct webhook_row *row)
{
	struct status st =
	    text_check_line(call, "name", name, 1, WEBHOOK_NAME_MAX - 1);

	if (!failed(st))
		snprintf(row->name, sizeof(row->name), "%s", name);
	return st;
}

static struct status
take_url(const struct notices *notices, struct api_call *call, const char *url,
    struct webhook_row *row)
{
	struct status st =
	    text_check_line(call, "url", url, 1, WEBHOOK_URL_MAX - 1);

	if (!failed(st))
		st = notice_post_check_url(notices->post, url);
	if (!failed(st))
		snprintf(row->url, sizeof(row->url), "%s", url);
	return st;
}

static struct status
same_name(struct api_call *call, const char *name)
{
	return api_explain(call,
	    status_fail(STATUS_ALREADY_EXISTS, "the name is taken already"),
	    "there is a webhook %s already", name);
}

static struct status
get_seen(struct db_tx *tx, const struct api_call *call, int64_t id,
    struct webhook_row *ret_row)
{
	struct webhook_row row;
	struct status st = store_webhooks_load(tx, id, &row);

	if (!failed(st) && !caller_sees(call->caller, row.account))
		st = store_no_such("there is no such webhook");
	if (!failed(st))
		*ret_row = row;
	return st;
}

/* ---- create ---- */

static struct status
check_room(struct db_tx *tx, int64_t account)
{
	int64_t n = 0;
	struct status st = store_webhooks_count(tx, account, &n);

	if (!failed(st) && n >= WEBHOOKS_MAX)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "there are 20 webhooks, which are the most");
	return st;
}

static struct status
create_in(struct db_tx *tx, struct api_call *call, const char *account,
    struct webhook_row *row)
{
	struct status st =
	    notices_account(tx, call->caller, account, &row->account);

	if (!failed(st))
		st = check_room(tx, row->account);
	if (!failed(st))
		st = store_webhooks_insert(tx, row);
	if (st.code == STATUS_ALREADY_EXISTS)
		return same_name(call, row->name);
	if (!failed(st))
		st = notices_event(tx, call, row->account, "webhook created",
		    "webhook", row->id, row->name);
	return failed(st) ? st : store_webhooks_load(tx, row->id, row);
}

static struct status
answer_created(const struct webhook_row *row, const char *secret,
    ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__create_webhook_response__descriptor);
	Holdfast__Certd__V1__CreateWebhookResponse *to = (void *)message;

	if (to == NULL)
		return message_no_memory();
	to->webhook =
	    (void *)message_new(&holdfast__certd__v1__webhook__descriptor);
	if (to->webhook == NULL || !fill(to->webhook, row) ||
	    !message_text(&to->secret, secret))
		return message_no_memory();
	*ret_reply = message;
	message = NULL;
	return status_ok();
}

static struct status
create(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct notices *notices = ctx;
	const Holdfast__Certd__V1__CreateWebhookRequest *asked =
	    (const Holdfast__Certd__V1__CreateWebhookRequest *)request;
	struct webhook_row row = { .id = 0 };
	char secret[NOTICE_SECRET_MAX];
	struct db_tx *tx;
	struct status st = take_name(call, asked->name, &row);

	if (!failed(st))
		st = take_url(notices, call, asked->url, &row);
	if (!failed(st))
		st = secrets_salt(row.salt);
	if (!failed(st))
		st = store_write(notices->config.store, &tx);
	if (failed(st))
		return st;
	st = store_commit(notices->config.store, tx,
	    create_in(tx, call, asked->account, &row));
	if (!failed(st))
		st = notice_link_secret(
		    notices->config.secrets, row.salt, secret);
	if (!failed(st))
		st = answer_created(&row, secret, ret_reply);
	OPENSSL_cleanse(secret, sizeof(secret));
	return st;
}

/* ---- update and delete ---- */

static struct status
apply(const struct notices *notices, struct api_call *call,
    const Holdfast__Certd__V1__UpdateWebhookRequest *asked,
    struct webhook_row *row)
{
	struct status st = status_ok();

	if (asked->disable && asked->enable)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "disable and enable: choose one");
	if (asked->name[0] != 0)
		st = take_name(call, asked->name, row);
	if (!failed(st) && asked->url[0] != 0)
		st = take_url(notices, call, asked->url, row);
	if (asked->disable || asked->enable)
		row->disabled = asked->disable;
	return st;
}

static struct status
update_in(struct db_tx *tx, const struct notices *notices,
    struct api_call *call,
    const Holdfast__Certd__V1__UpdateWebhookRequest *asked,
    struct webhook_row *row)
{
	struct status st = get_seen(tx, call, asked->id, row);

	if (!failed(st))
		st = store_etag_check(asked->etag, row->revision);
	if (!failed(st))
		st = apply(notices, call, asked, row);
	if (!failed(st))
		st = store_webhooks_save(tx, row);
	if (st.code == STATUS_ALREADY_EXISTS)
		return same_name(call, row->name);
	return failed(st) ? st
			  : notices_event(tx, call, row->account,
				"webhook changed", "webhook", row->id,
				row->disabled ? "disabled" : row->name);
}

static struct status
update(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct notices *notices = ctx;
	struct webhook_row row;
	struct db_tx *tx;
	struct status st = store_write(notices->config.store, &tx);

	if (failed(st))
		return st;
	st = store_commit(notices->config.store, tx,
	    update_in(tx, notices, call,
		(const Holdfast__Certd__V1__UpdateWebhookRequest *)request,
		&row));
	return failed(st) ? st : answer(&row, ret_reply);
}

static struct status
remove_in(struct db_tx *tx, const struct api_call *call,
    const Holdfast__Certd__V1__DeleteWebhookRequest *asked)
{
	struct webhook_row row;
	struct status st = get_seen(tx, call, asked->id, &row);

	if (!failed(st))
		st = store_etag_check(asked->etag, row.revision);
	if (!failed(st))
		st = store_webhooks_delete(tx, row.id);
	return failed(st) ? st
			  : notices_event(tx, call, row.account,
				"webhook deleted", "webhook", row.id, row.name);
}

static struct status delete (void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const struct notices *notices = ctx;
	struct db_tx *tx;
	struct status st = store_write(notices->config.store, &tx);

	if (!failed(st))
		st = store_commit(notices->config.store, tx,
		    remove_in(tx, call,
			(const Holdfast__Certd__V1__DeleteWebhookRequest *)
			    request));
	if (failed(st))
		return st;
	*ret_reply = message_new(
	    &holdfast__certd__v1__delete_webhook_response__descriptor);
	return *ret_reply == NULL ? message_no_memory() : st;
}

/* ---- list ---- */

struct listing {
	Holdfast__Certd__V1__ListWebhooksResponse *to;
	int64_t last;
};

static bool
add_to_page(void *ctx, const struct webhook_row *row)
{
	struct listing *listing = ctx;
	webhook_msg *to = message_append(&listing->to->n_webhooks,
	    &listing->to->webhooks, &holdfast__certd__v1__webhook__descriptor);

	listing->last = row->id;
	return to != NULL && fill(to, row);
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct notices *notices = ctx;
	const Holdfast__Certd__V1__ListWebhooksRequest *asked =
	    (const Holdfast__Certd__V1__ListWebhooksRequest *)request;
	scoped(message_free) ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__list_webhooks_response__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct listing listing = { .to = (void *)message };
	bool more = false;
	struct page page;
	struct status st;

	if (message == NULL)
		return message_no_memory();
	st = store_read(notices->config.store, &tx);
	if (!failed(st))
		st = page_find(tx, call->caller,
		    &(struct page_ask){
			asked->account, asked->page_token, asked->page_size },
		    &page);
	if (!failed(st))
		st = store_webhooks_list(
		    tx, &page, add_to_page, &listing, &more);
	if (!failed(st))
		st =
		    page_next(listing.last, more, &listing.to->next_page_token);
	if (failed(st))
		return st;
	*ret_reply = message;
	message = NULL;
	return st;
}

/* ---- test ---- */

static struct status
look_up(const struct notices *notices, const struct api_call *call, int64_t id,
    struct webhook_row *row)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(notices->config.store, &tx);

	return failed(st) ? st : get_seen(tx, call, id, row);
}

static struct status
keep_tried(const struct notices *notices, int64_t id, const char *problem)
{
	struct db_tx *tx;
	struct status st = store_write(notices->config.store, &tx);

	return failed(st)
		   ? st
		   : store_commit(notices->config.store, tx,
			 store_webhooks_tried(tx, id, store_now_s(), problem));
}

static struct status
send_test(const struct notices *notices, const struct webhook_row *row,
    struct notice_post_result *ret_result)
{
	char secret[NOTICE_SECRET_MAX], at[CLOCK_TEXT_MAX], body[512], id[40];
	struct status st =
	    notice_link_secret(notices->config.secrets, row->salt, secret);

	if (failed(st))
		return st;
	clock_print(clock_wall_ns(), at);
	snprintf(id, sizeof(id), "test-%lld", (long long)clock_wall_ns());
	snprintf(body, sizeof(body),
	    "{\"id\":0,\"event\":\"test\",\"account\":\"%s\","
	    "\"object\":\"webhook %lld\",\"subject\":\"A test of this "
	    "webhook\",\"at\":\"%.19sZ\",\"data\":{}}",
	    row->account_name, (long long)row->id, at);
	notice_post_hook(notices->post,
	    &(struct notice_post_hook){ .url = row->url,
		.secret = secret,
		.event = "test",
		.id = id,
		.body = body },
	    ret_result);
	OPENSSL_cleanse(secret, sizeof(secret));
	return keep_tried(notices, row->id, ret_result->why);
}

static struct status
test(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	struct notices *notices = ctx;
	const Holdfast__Certd__V1__TestWebhookRequest *asked =
	    (const Holdfast__Certd__V1__TestWebhookRequest *)request;
	scoped(message_free) ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__test_webhook_response__descriptor);
	Holdfast__Certd__V1__TestWebhookResponse *to = (void *)message;
	struct notice_post_result result;
	struct webhook_row row;
	struct status st = look_up(notices, call, asked->id, &row);

	if (!failed(st))
		st = notices_allow_test(notices, row.account);
	if (!failed(st))
		st = send_test(notices, &row, &result);
	if (failed(st))
		return st;
	if (to == NULL ||
	    !message_text(&to->detail,
		result.end == POST_SENT ? "It was taken." : result.why))
		return message_no_memory();
	to->delivered = result.end == POST_SENT;
	*ret_reply = message;
	message = NULL;
	return st;
}

/* ---- the table ---- */

#define SERVICE &holdfast__certd__v1__webhooks__descriptor

static const struct api_method METHODS[] = {
	{ .service = SERVICE,
	    .name = "List",
	    .fn = list,
	    .allow = NOTICES_READ,
	    .scope = SCOPE_ACCOUNT_READ,
	    .verb = API_GET,
	    .path = "/v1/webhooks",
	    .summary = "List webhooks" },
	{ .service = SERVICE,
	    .name = "Create",
	    .fn = create,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_POST,
	    .path = "/v1/webhooks",
	    .creates = true,
	    .secret = true,
	    .summary = "Add a webhook; its secret is in this answer alone" },
	{ .service = SERVICE,
	    .name = "Update",
	    .fn = update,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_PATCH,
	    .path = "/v1/webhooks/{id}",
	    .summary = "Change, disable or enable a webhook" },
	{ .service = SERVICE,
	    .name = "Delete",
	    .fn = delete,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_DELETE,
	    .path = "/v1/webhooks/{id}",
	    .summary = "Delete a webhook" },
	{ .service = SERVICE,
	    .name = "Test",
	    .fn = test,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_POST,
	    .path = "/v1/webhooks/{id}:test",
	    .summary = "Send a test event to a webhook now" },
};

STATUS
notices_webhooks_add(struct notices *notices, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), notices);
}
