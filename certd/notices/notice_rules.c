/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service NoticeRules.  An account's managers say whom its notices go to,
 * operators who is told of the whole.  A rule of an account names the account's
 * people, addresses and its own webhooks, one about the whole addresses and
 * webhooks of the operator; what goes beyond is refused with a sentence.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/notices/notices_int.h"
#include "certd/notices/store_rules.h"
#include "certd/notices/store_told.h"
#include "certd/page.h"
#include "certd/text.h"
#include "proto/holdfast/certd/v1/notices.pb-c.h"
#include "proto/message.h"

#define RULES_MAX 100 /* of an account */
#define DAYS_MOST 365

typedef Holdfast__Certd__V1__NoticeRule rule_msg;

/* ---- answers ---- */

static bool
fill_lists(rule_msg *to, const struct rule_row *from)
{
	bool done = true;

	to->days = calloc(from->n_days + 1, sizeof(*to->days));
	if (to->days == NULL)
		return false;
	for (; to->n_days < from->n_days; to->n_days++)
		to->days[to->n_days] = (uint32_t)from->days[to->n_days];
	for (size_t i = 0; i < from->n_emails && done; i++)
		done = message_append_text(
		    &to->n_emails, &to->emails, from->emails[i]);
	for (size_t i = 0; i < from->n_webhooks && done; i++)
		done = message_append_int64(
		    &to->n_webhooks, &to->webhooks, from->webhooks[i]);
	return done;
}

static bool
fill(rule_msg *to, const struct rule_row *from)
{
	char etag[STORE_ETAG_MAX];

	store_etag_print(from->revision, etag);
	to->id = from->id;
	to->event = (Holdfast__Certd__V1__NoticeEvent)from->event;
	to->administrators = (from->told & TOLD_ADMINISTRATORS) != 0;
	to->engineers = (from->told & TOLD_ENGINEERS) != 0;
	to->viewers = (from->told & TOLD_VIEWERS) != 0;
	to->administrative_contacts = (from->told & TOLD_ADMINISTRATIVE) != 0;
	to->technical_contacts = (from->told & TOLD_TECHNICAL) != 0;
	to->disabled = from->disabled;
	return message_text(&to->account, from->account_name) &&
	       message_text(&to->etag, etag) && fill_lists(to, from);
}

static struct status
answer(const struct rule_row *row, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__notice_rule__descriptor);

	if (message == NULL || !fill((void *)message, row))
		return message_no_memory();
	*ret_reply = message;
	message = NULL;
	return status_ok();
}

/* ---- what a rule may say ---- */

static struct status
refuse(struct api_call *call, const char *why)
{
	return api_explain(call,
	    status_fail(STATUS_INVALID_ARGUMENT, "the rule is not well formed"),
	    "%s", why);
}

static struct status
take_days(struct api_call *call, const rule_msg *from, struct rule_row *to)
{
	to->n_days = 0;
	if ((from->n_days > 0) != (to->event == NOTICE_EXPIRING))
		return refuse(call,
		    "days are those before expiry: they go with EXPIRING, "
		    "which needs one at least, and with no other event");
	for (size_t i = 0; i < from->n_days; i++) {
		size_t at = to->n_days;
		int days = (int)from->days[i];

		if (from->days[i] > DAYS_MOST || to->n_days == RULE_DAYS_MAX)
			return refuse(
			    call, "days are at most 10 numbers of 0 to 365");
		while (at > 0 && to->days[at - 1] < days)
			at--;
		if (at > 0 && to->days[at - 1] == days)
			return refuse(call, "days has a number twice");
		memmove(&to->days[at + 1], &to->days[at],
		    (to->n_days - at) * sizeof(to->days[0]));
		to->days[at] = days;
		to->n_days++;
	}
	return status_ok();
}

static struct status
take_emails(struct api_call *call, const rule_msg *from, struct rule_row *to)
{
	struct status st = status_ok();

	to->n_emails = 0;
	if (from->n_emails > RULE_EMAILS_MAX)
		return refuse(call, "emails are 20 at most");
	for (size_t i = 0; i < from->n_emails && !failed(st); i++) {
		st = text_check_email(call, "emails", from->emails[i]);
		if (!failed(st) && strchr(from->emails[i], ' ') != NULL)
			st = refuse(
			    call, "emails: an address here has no blanks");
		if (!failed(st))
			snprintf(to->emails[to->n_emails++], STORE_EMAIL_MAX,
			    "%s", from->emails[i]);
	}
	return st;
}

static struct status
take_webhooks(struct db_tx *tx, struct api_call *call, const rule_msg *from,
    struct rule_row *to)
{
	struct status st = status_ok();

	to->n_webhooks = 0;
	if (from->n_webhooks > RULE_WEBHOOKS_MAX)
		return refuse(call, "webhooks are 5 at most");
	for (size_t i = 0; i < from->n_webhooks && !failed(st); i++) {
		bool is = false;

		st = store_told_has_webhook(
		    tx, to->account, from->webhooks[i], &is);
		if (!failed(st) && !is)
			st = api_explain(call,
			    store_no_such("there is no such webhook"),
			    "webhooks: %lld is no webhook of %s",
			    (long long)from->webhooks[i],
			    to->account == 0 ? "the operator" : "the account");
		to->webhooks[to->n_webhooks++] = from->webhooks[i];
	}
	return st;
}

static unsigned
told_of(const rule_msg *from)
{
	return (from->administrators ? TOLD_ADMINISTRATORS : 0u) |
	       (from->engineers ? TOLD_ENGINEERS : 0u) |
	       (from->viewers ? TOLD_VIEWERS : 0u) |
	       (from->administrative_contacts ? TOLD_ADMINISTRATIVE : 0u) |
	       (from->technical_contacts ? TOLD_TECHNICAL : 0u);
}

/* All but id, account and event. */
static struct status
take(struct db_tx *tx, struct api_call *call, const rule_msg *from,
    struct rule_row *to)
{
	struct status st = take_days(call, from, to);

	to->told = told_of(from);
	to->disabled = from->disabled;
	if (!failed(st) && to->account == 0 && to->told != 0)
		st = refuse(call,
		    "a rule about the whole tells addresses and webhooks; "
		    "roles and contacts are those of an account");
	if (!failed(st))
		st = take_emails(call, from, to);
	return failed(st) ? st : take_webhooks(tx, call, from, to);
}

/* ---- acts ---- */

static struct status
event(struct db_tx *tx, const struct api_call *call, const struct rule_row *row,
    const char *act)
{
	return notices_event(tx, call, row->account, act, "notice rule",
	    row->id, notice_event_name(row->event));
}

/* One that the caller sees; another's, and one about the whole to who sees one
 * account alone, is not there. */
static struct status
get_seen(struct db_tx *tx, const struct api_call *call, int64_t id,
    struct rule_row *ret_row)
{
	struct rule_row row;
	struct status st = store_rules_load(tx, id, &row);

	if (!failed(st) && !caller_sees(call->caller, row.account))
		st = store_no_such("there is no such rule");
	if (!failed(st))
		*ret_row = row;
	return st;
}

static struct status
get_to_change(struct db_tx *tx, const struct api_call *call, int64_t id,
    const char *etag, struct rule_row *ret_row)
{
	struct status st = get_seen(tx, call, id, ret_row);

	return failed(st) ? st : store_etag_check(etag, ret_row->revision);
}

static struct status
check_event(struct api_call *call, const struct rule_row *row)
{
	if (!notice_event_is(row->event))
		return refuse(call, "event is missing");
	if (notice_event_is_whole(row->event) == (row->account == 0))
		return status_ok();
	return refuse(call,
	    row->account == 0
		? "an account is missing: only edges, ledger and HSM are "
		  "about the whole"
		: "edges, ledger and HSM are about the whole: an operator "
		  "makes such a rule, without an account");
}

static struct status
check_room(struct db_tx *tx, int64_t account)
{
	int64_t n = 0;
	struct status st = store_rules_count(tx, account, &n);

	if (!failed(st) && n >= RULES_MAX)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "there are 100 rules, which are the most");
	return st;
}

static struct status
create_in(struct db_tx *tx, struct api_call *call, const rule_msg *asked,
    struct rule_row *row)
{
	struct status st =
	    notices_account(tx, call->caller, asked->account, &row->account);

	row->event = (int)asked->event;
	if (!failed(st))
		st = check_event(call, row);
	if (!failed(st))
		st = check_room(tx, row->account);
	if (!failed(st))
		st = take(tx, call, asked, row);
	if (!failed(st))
		st = store_rules_insert(tx, row);
	if (!failed(st))
		st = event(tx, call, row, "notice rule created");
	return failed(st) ? st : store_rules_load(tx, row->id, row);
}

static struct status
create(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct notices *notices = ctx;
	const Holdfast__Certd__V1__CreateNoticeRuleRequest *asked =
	    (const Holdfast__Certd__V1__CreateNoticeRuleRequest *)request;
	struct rule_row row = { .id = 0 };
	struct db_tx *tx;
	struct status st;

	if (asked->rule == NULL)
		return refuse(call, "rule is missing");
	st = store_write(notices->config.store, &tx);
	if (failed(st))
		return st;
	st = store_commit(
	    notices->config.store, tx, create_in(tx, call, asked->rule, &row));
	return failed(st) ? st : answer(&row, ret_reply);
}

static struct status
update_in(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__UpdateNoticeRuleRequest *asked,
    struct rule_row *row)
{
	struct status st =
	    get_to_change(tx, call, asked->id, asked->rule->etag, row);

	if (!failed(st))
		st = take(tx, call, asked->rule, row);
	if (!failed(st))
		st = store_rules_save(tx, row);
	return failed(st) ? st : event(tx, call, row, "notice rule changed");
}

static struct status
update(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct notices *notices = ctx;
	const Holdfast__Certd__V1__UpdateNoticeRuleRequest *asked =
	    (const Holdfast__Certd__V1__UpdateNoticeRuleRequest *)request;
	struct rule_row row;
	struct db_tx *tx;
	struct status st;

	if (asked->rule == NULL)
		return refuse(call, "rule is missing");
	st = store_write(notices->config.store, &tx);
	if (failed(st))
		return st;
	st = store_commit(
	    notices->config.store, tx, update_in(tx, call, asked, &row));
	return failed(st) ? st : answer(&row, ret_reply);
}

static struct status
remove_in(struct db_tx *tx, const struct api_call *call,
    const Holdfast__Certd__V1__DeleteNoticeRuleRequest *asked)
{
	struct rule_row row;
	struct status st =
	    get_to_change(tx, call, asked->id, asked->etag, &row);

	if (!failed(st))
		st = store_rules_delete(tx, row.id);
	return failed(st) ? st : event(tx, call, &row, "notice rule deleted");
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
			(const Holdfast__Certd__V1__DeleteNoticeRuleRequest *)
			    request));
	if (failed(st))
		return st;
	*ret_reply = message_new(
	    &holdfast__certd__v1__delete_notice_rule_response__descriptor);
	return *ret_reply == NULL ? message_no_memory() : st;
}

/* ---- list ---- */

struct listing {
	Holdfast__Certd__V1__ListNoticeRulesResponse *to;
	int64_t last;
};

static bool
add_to_page(void *ctx, const struct rule_row *row)
{
	struct listing *listing = ctx;
	rule_msg *to = message_append(&listing->to->n_rules,
	    &listing->to->rules, &holdfast__certd__v1__notice_rule__descriptor);

	listing->last = row->id;
	return to != NULL && fill(to, row);
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const struct notices *notices = ctx;
	const Holdfast__Certd__V1__ListNoticeRulesRequest *asked =
	    (const Holdfast__Certd__V1__ListNoticeRulesRequest *)request;
	scoped(message_free) ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__list_notice_rules_response__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct listing listing = { .to = (void *)message };
	bool more = false;
	struct page page;
	struct status st;

	if (message == NULL)
		return message_no_memory();
	if (asked->whole && !caller_sees_all(call->caller))
		return status_fail(STATUS_PERMISSION_DENIED,
		    "rules about the whole are for operators");
	st = store_read(notices->config.store, &tx);
	if (!failed(st))
		st = page_find(tx, call->caller,
		    &(struct page_ask){
			asked->account, asked->page_token, asked->page_size },
		    &page);
	if (!failed(st))
		st = store_rules_list(
		    tx, &page, asked->whole, add_to_page, &listing, &more);
	if (!failed(st))
		st =
		    page_next(listing.last, more, &listing.to->next_page_token);
	if (failed(st))
		return st;
	*ret_reply = message;
	message = NULL;
	return st;
}

/* ---- the table ---- */

#define SERVICE &holdfast__certd__v1__notice_rules__descriptor

static const struct api_method METHODS[] = {
	{ .service = SERVICE,
	    .name = "List",
	    .fn = list,
	    .allow = NOTICES_READ,
	    .scope = SCOPE_ACCOUNT_READ,
	    .verb = API_GET,
	    .path = "/v1/notice-rules",
	    .summary = "List rules of who is told of what" },
	{ .service = SERVICE,
	    .name = "Create",
	    .fn = create,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_POST,
	    .path = "/v1/notice-rules",
	    .creates = true,
	    .summary = "Add a rule of who is told of what" },
	{ .service = SERVICE,
	    .name = "Update",
	    .fn = update,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_PATCH,
	    .path = "/v1/notice-rules/{id}",
	    .summary = "Put another rule in a rule's place" },
	{ .service = SERVICE,
	    .name = "Delete",
	    .fn = delete,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_DELETE,
	    .path = "/v1/notice-rules/{id}",
	    .summary = "Delete a rule" },
};

STATUS
notices_rules_add(struct notices *notices, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), notices);
}
