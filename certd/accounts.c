/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Accounts: made, renamed and deleted by operators.  One that still holds
 * certificates, resources or keys is not deleted; the refusal says what is
 * left.  Tokens see the one account that they are of.
 */

#include "certd/accounts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "certd/accounts_int.h"
#include "certd/notices/store_notice_account.h"
#include "certd/store_accounts.h"
#include "certd/text.h"
#include "proto/holdfast/certd/v1/accounts.pb-c.h"
#include "proto/message.h"

STATUS
accounts_event(struct db_tx *tx, const struct api_call *call, int64_t account,
    const char *act, const char *kind, int64_t id, const char *detail)
{
	char object[64];

	snprintf(object, sizeof(object), "%s %" PRId64, kind, id);
	return store_event(
	    tx, account, call->caller->actor, act, object, detail);
}

static struct status
event(struct db_tx *tx, const struct api_call *call,
    const struct store_account *account, const char *act)
{
	char object[ACCOUNT_NAME_MAX + 16];

	snprintf(object, sizeof(object), "account %s", account->name);
	return store_event(
	    tx, account->id, call->caller->actor, act, object, account->title);
}

/* ---- answers ---- */

static bool
fill(Holdfast__Certd__V1__Account *to, const struct store_account *from)
{
	char etag[STORE_ETAG_MAX];

	store_etag_print(from->revision, etag);
	to->created_s = from->created_s;
	return message_text(&to->name, from->name) &&
	       message_text(&to->title, from->title) &&
	       message_text(&to->etag, etag);
}

static struct status
answer(const struct store_account *account, uint64_t certificates,
    uint64_t resources, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__account__descriptor);
	Holdfast__Certd__V1__Account *to =
	    (Holdfast__Certd__V1__Account *)message;

	if (to == NULL || !fill(to, account))
		return message_no_memory();
	to->certificates = certificates;
	to->resources = resources;
	*ret_reply = message;
	message = NULL;
	return status_ok();
}

/* ---- create ---- */

static struct status
create_in(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__CreateAccountRequest *asked,
    struct store_account *ret_account)
{
	int64_t id = 0;
	struct status st =
	    store_accounts_add(tx, asked->name, asked->title, &id);

	if (st.code == STATUS_ALREADY_EXISTS)
		return api_explain(call,
		    status_fail(
			STATUS_ALREADY_EXISTS, "the name is taken already"),
		    "there is an account %s already", asked->name);
	if (!failed(st))
		st = store_notice_account_begin(tx, id);
	if (!failed(st))
		st = store_accounts_get(tx, id, ret_account);
	return failed(st) ? st
			  : event(tx, call, ret_account, "account created");
}

static struct status
create(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__CreateAccountRequest *asked =
	    (const Holdfast__Certd__V1__CreateAccountRequest *)request;
	struct store_account account;
	struct store *store = ctx;
	struct db_tx *tx;
	struct status st = text_check_name(call, "name", asked->name);

	if (!failed(st))
		st = text_check_line(
		    call, "title", asked->title, 0, STORE_TITLE_MAX - 1);
	if (!failed(st))
		st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(store, tx, create_in(tx, call, asked, &account));
	return failed(st) ? st : answer(&account, 0, 0, ret_reply);
}

/* ---- list and get ---- */

struct page {
	Holdfast__Certd__V1__ListAccountsResponse *to;
	char last[ACCOUNT_NAME_MAX];
};

static bool
add_to_page(void *ctx, const struct store_account *account)
{
	struct page *page = ctx;
	Holdfast__Certd__V1__Account *to = message_append(&page->to->n_accounts,
	    &page->to->accounts, &holdfast__certd__v1__account__descriptor);

	memcpy(page->last, account->name, sizeof(page->last));
	return to != NULL && fill(to, account);
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__ListAccountsRequest *asked =
	    (const Holdfast__Certd__V1__ListAccountsRequest *)request;
	scoped(message_free) ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__list_accounts_response__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct page page = { .to = (void *)message };
	bool more = false;
	uint32_t size;
	struct status st = store_page_size(asked->page_size, &size);

	if (message == NULL)
		return message_no_memory();
	if (!failed(st) && asked->page_token[0] != 0)
		st = text_check_name(call, "page_token", asked->page_token);
	if (!failed(st))
		st = store_read(ctx, &tx);
	if (!failed(st))
		st = store_accounts_list(tx, call->caller->account,
		    asked->page_token, size, add_to_page, &page, &more);
	if (failed(st))
		return st;
	if (more && !message_text(&page.to->next_page_token, page.last))
		return message_no_memory();
	*ret_reply = message;
	message = NULL;
	return st;
}

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__GetAccountRequest *asked =
	    (const Holdfast__Certd__V1__GetAccountRequest *)request;
	scoped(db_end) struct db_tx *tx = NULL;
	struct store_account account;
	uint64_t certificates = 0, resources = 0;
	int64_t id = 0;
	struct status st = store_read(ctx, &tx);

	if (!failed(st))
		st = caller_account(call->caller, tx, asked->name, &id);
	if (!failed(st))
		st = store_accounts_get(tx, id, &account);
	if (!failed(st))
		st = store_accounts_count(tx, id, &certificates, &resources);
	return failed(st)
		   ? st
		   : answer(&account, certificates, resources, ret_reply);
}

/* ---- update and delete ---- */

/* That account, if it is still as the caller has seen it. */
static struct status
get_to_change(struct db_tx *tx, const struct api_call *call, const char *name,
    const char *etag, struct store_account *ret_account)
{
	struct store_account account;
	int64_t id = 0;
	struct status st = caller_account(call->caller, tx, name, &id);

	if (!failed(st))
		st = store_accounts_get(tx, id, &account);
	if (!failed(st))
		st = store_etag_check(etag, account.revision);
	if (!failed(st))
		*ret_account = account;
	return st;
}

static struct status
update_in(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__UpdateAccountRequest *asked,
    struct store_account *ret_account)
{
	struct status st =
	    get_to_change(tx, call, asked->name, asked->etag, ret_account);

	if (!failed(st))
		st =
		    store_accounts_set_title(tx, ret_account->id, asked->title);
	if (!failed(st))
		st = store_accounts_get(tx, ret_account->id, ret_account);
	return failed(st) ? st
			  : event(tx, call, ret_account, "account changed");
}

static struct status
update(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__UpdateAccountRequest *asked =
	    (const Holdfast__Certd__V1__UpdateAccountRequest *)request;
	struct store_account account;
	struct store *store = ctx;
	struct db_tx *tx;
	struct status st = text_check_line(
	    call, "title", asked->title, 0, STORE_TITLE_MAX - 1);

	if (!failed(st))
		st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(store, tx, update_in(tx, call, asked, &account));
	return failed(st) ? st : answer(&account, 0, 0, ret_reply);
}

/* " 3 certificates,", or nothing for none. */
static void
print_left(char *to, size_t max, int64_t n, const char *what)
{
	size_t used = strlen(to);

	if (n > 0)
		snprintf(to + used, max - used, "%s %" PRId64 "%s %s%s",
		    used == 0 ? "" : ",", n, n == STORE_HOLDS_MAX ? "+" : "",
		    what, n == 1 ? "" : "s");
}

static struct status
check_empty(struct db_tx *tx, struct api_call *call,
    const struct store_account *account)
{
	struct store_holds holds;
	char left[192] = "";
	struct status st = store_accounts_holds(tx, account->id, &holds);

	if (failed(st))
		return st;
	print_left(left, sizeof(left), holds.resources, "resource");
	print_left(left, sizeof(left), holds.certificates, "certificate");
	print_left(left, sizeof(left), holds.requests, "certificate request");
	print_left(left, sizeof(left), holds.enrollments, "enrollment");
	/* Those of the above count with them. */
	if (left[0] == 0)
		print_left(left, sizeof(left), holds.keys, "key");
	if (left[0] == 0)
		return st;
	return api_explain(call,
	    status_fail(STATUS_FAILED_PRECONDITION, "the account is not empty"),
	    "account %s still holds%s; delete these first", account->name,
	    left);
}

static struct status
remove_in(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__DeleteAccountRequest *asked)
{
	struct store_account account;
	struct status st =
	    get_to_change(tx, call, asked->name, asked->etag, &account);

	if (!failed(st))
		st = check_empty(tx, call, &account);
	if (!failed(st))
		st = store_notice_account_end(tx, account.id);
	if (!failed(st))
		st = store_accounts_remove(tx, account.id);
	return failed(st) ? st : event(tx, call, &account, "account deleted");
}

static struct status delete (void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	struct store *store = ctx;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (!failed(st))
		st = store_commit(store, tx,
		    remove_in(tx, call,
			(const Holdfast__Certd__V1__DeleteAccountRequest *)
			    request));
	if (failed(st))
		return st;
	*ret_reply = message_new(
	    &holdfast__certd__v1__delete_account_response__descriptor);
	return *ret_reply == NULL ? message_no_memory() : st;
}

/* ---- the table ---- */

#define SERVICE &holdfast__certd__v1__accounts__descriptor

static const struct api_method METHODS[] = {
	{ .service = SERVICE,
	    .name = "Create",
	    .fn = create,
	    .allow = ALLOW_OPERATOR,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_POST,
	    .path = "/v1/accounts",
	    .creates = true,
	    .summary = "Make an account" },
	{ .service = SERVICE,
	    .name = "List",
	    .fn = list,
	    .allow = ALLOW_READ,
	    .scope = SCOPE_ACCOUNT_READ,
	    .verb = API_GET,
	    .path = "/v1/accounts",
	    .summary = "List accounts" },
	{ .service = SERVICE,
	    .name = "Get",
	    .fn = get,
	    .allow = ALLOW_READ,
	    .scope = SCOPE_ACCOUNT_READ,
	    .verb = API_GET,
	    .path = "/v1/accounts/{name}",
	    .summary = "Show an account" },
	{ .service = SERVICE,
	    .name = "Update",
	    .fn = update,
	    .allow = ALLOW_OPERATOR,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_PATCH,
	    .path = "/v1/accounts/{name}",
	    .summary = "Give an account another title" },
	{ .service = SERVICE,
	    .name = "Delete",
	    .fn = delete,
	    .allow = ALLOW_OPERATOR,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_DELETE,
	    .path = "/v1/accounts/{name}",
	    .summary = "Delete an empty account" },
};

STATUS
accounts_register(struct store *store, struct api *api)
{
	struct status st =
	    api_add(api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), store);

	if (!failed(st))
		st = accounts_users_add(store, api);
	if (!failed(st))
		st = accounts_tokens_add(store, api);
	return failed(st) ? st : accounts_contacts_add(store, api);
}
