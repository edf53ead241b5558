/* SPDX-License-Identifier: Apache-2.0 */

/*
 * API tokens.  The secret is in the answer to Create and nowhere else.  A token
 * never reaches further than the user it is for, nor than the token it was made
 * with; it ends by itself, and at once when it is revoked.
 */

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "certd/accounts_int.h"
#include "certd/authenticate.h"
#include "certd/page.h"
#include "certd/roles.h"
#include "certd/store_tokens.h"
#include "certd/store_users.h"
#include "certd/text.h"
#include "proto/holdfast/certd/v1/accounts.pb-c.h"
#include "proto/message.h"

#define TOKENS_MAX 1000 /* of an account, in force */
#define DAY_S INT64_C(86400)
#define TTL_DEFAULT_S (90 * DAY_S)
#define TTL_MAX_S (366 * DAY_S)
/* Ended ones are shown for this long. */
#define KEPT_S (90 * DAY_S)

_Static_assert(AUTHENTICATE_HINT_LEN < STORE_TOKEN_HINT_MAX, "a hint fits");

/* ---- answers ---- */

static bool
fill_scopes(Holdfast__Certd__V1__Token *to, unsigned scopes)
{
	const char *name;
	unsigned scope = 0;

	for (size_t i = 0; (name = roles_scope_at(i, &scope)) != NULL; i++)
		if ((scopes & scope) != 0 &&
		    !message_append_text(&to->n_scopes, &to->scopes, name))
			return false;
	return true;
}

static bool
fill(Holdfast__Certd__V1__Token *to, const struct store_token *from)
{
	to->id = from->id;
	to->role = (Holdfast__Certd__V1__UserRole)from->role;
	to->created_s = from->created_s;
	to->expires_s = from->expires_s;
	to->last_used_s = from->last_used_s;
	to->revoked_s = from->revoked_s;
	to->user_id = from->user_id;
	return message_text(&to->account, from->account_name) &&
	       message_text(&to->name, from->name) &&
	       message_text(&to->created_by, from->created_by) &&
	       message_text(&to->hint, from->hint) &&
	       fill_scopes(to, from->scopes);
}

/* ---- create ---- */

static struct status
read_scopes(struct api_call *call,
    const Holdfast__Certd__V1__CreateTokenRequest *asked, unsigned *ret_scopes)
{
	unsigned scopes = 0;

	for (size_t i = 0; i < asked->n_scopes; i++) {
		unsigned scope = roles_scope(asked->scopes[i]);

		if (scope == 0)
			return api_explain(call,
			    status_fail(STATUS_INVALID_ARGUMENT,
				"there is no such scope"),
			    "scopes: each must be certificates, resources or "
			    "account, and :read or :write, as in "
			    "\"certificates:read\"");
		scopes |= scope;
	}
	*ret_scopes = scopes;
	return status_ok();
}

/* Nobody gives away more than they have. */
static struct status
check_scopes(const struct caller *caller, unsigned scopes)
{
	if (caller->scopes == 0 || (scopes != 0 && (roles_scopes_whole(scopes) &
						       ~caller->scopes) == 0))
		return status_ok();
	return status_fail(STATUS_PERMISSION_DENIED,
	    "a token with scopes makes only tokens with scopes that it has "
	    "itself; name fewer in scopes");
}

static struct status
read_asked(struct api_call *call,
    const Holdfast__Certd__V1__CreateTokenRequest *asked,
    struct store_token *ret_token)
{
	struct store_token token = { .user_id = asked->user_id,
		.role = (int)asked->role };
	struct status st = text_check_line(
	    call, "name", asked->name, 1, STORE_TOKEN_NAME_MAX - 1);

	if (!failed(st))
		st = read_scopes(call, asked, &token.scopes);
	if (!failed(st))
		st = check_scopes(call->caller, token.scopes);
	if (failed(st))
		return st;
	if (asked->ttl_s < 0 || asked->ttl_s > TTL_MAX_S)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "ttl_s is 31622400 (366 days) at most; 0 means 90 days");
	if (!roles_is_role(token.role) &&
	    (token.role != 0 || token.user_id == 0))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "role must be administrator, engineer, viewer or auditor");
	token.expires_s =
	    store_now_s() + (asked->ttl_s == 0 ? TTL_DEFAULT_S : asked->ttl_s);
	snprintf(token.name, sizeof(token.name), "%s", asked->name);
	snprintf(token.created_by, sizeof(token.created_by), "%s",
	    call->caller->actor);
	*ret_token = token;
	return st;
}

/* The user's account, and a role that is the user's at most. */
static struct status
take_user(
    struct db_tx *tx, const struct api_call *call, struct store_token *token)
{
	struct store_user user;
	struct status st = store_users_get(tx, token->user_id, &user);

	if (failed(st))
		return st;
	if (!caller_sees(call->caller, user.account) ||
	    (token->account != 0 && token->account != user.account))
		return store_no_such("there is no such user");
	if (user.disabled)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the user is disabled; enable the user first");
	if (token->role == 0)
		token->role = user.role;
	if (!roles_covers(user.role, token->role))
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the token's role may do more than the user's; choose "
		    "another role, or change the user's first");
	token->account = user.account;
	return st;
}

static struct status
check_room(
    struct db_tx *tx, struct api_call *call, const struct store_token *token)
{
	int64_t now_s = store_now_s(), n = 0;
	bool is_named = false;
	struct status st =
	    store_tokens_purge(tx, token->account, now_s - KEPT_S);

	if (!failed(st))
		st = store_tokens_in_force(
		    tx, token->account, token->name, now_s, &n, &is_named);
	if (failed(st))
		return st;
	if (is_named)
		return api_explain(call,
		    status_fail(
			STATUS_ALREADY_EXISTS, "the name is taken already"),
		    "the account has a token \"%s\" in force already; choose "
		    "another name, or revoke that one",
		    token->name);
	if (n >= TOKENS_MAX)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "the account has 1000 tokens in force, which are the "
		    "most; revoke those that nobody uses");
	return st;
}

static struct status
create_in(struct db_tx *tx, struct api_call *call, const char *account,
    struct store_token *token)
{
	int64_t id = 0;
	struct status st =
	    token->user_id == 0
		? caller_account(call->caller, tx, account, &token->account)
		: caller_account_or_all(
		      call->caller, tx, account, &token->account);

	if (!failed(st) && token->user_id != 0)
		st = take_user(tx, call, token);
	if (!failed(st))
		st = check_room(tx, call, token);
	if (!failed(st))
		st = store_tokens_add(tx, token, &id);
	if (!failed(st))
		st = accounts_event(tx, call, token->account, "token created",
		    "token", id, token->name);
	return failed(st) ? st : store_tokens_get(tx, id, token);
}

static struct status
answer_created(const struct store_token *token, const char *secret,
    ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__create_token_response__descriptor);
	Holdfast__Certd__V1__CreateTokenResponse *to = (void *)message;

	if (to == NULL)
		return message_no_memory();
	to->token =
	    (void *)message_new(&holdfast__certd__v1__token__descriptor);
	if (to->token == NULL || !fill(to->token, token) ||
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
	const Holdfast__Certd__V1__CreateTokenRequest *asked =
	    (const Holdfast__Certd__V1__CreateTokenRequest *)request;
	char secret[AUTHENTICATE_SECRET_MAX];
	struct store_token token;
	struct store *store = ctx;
	struct db_tx *tx;
	struct status st = read_asked(call, asked, &token);

	if (!failed(st))
		st = authenticate_new_secret(secret, token.hash);
	if (failed(st))
		return st;
	memcpy(token.hint, secret, AUTHENTICATE_HINT_LEN);
	st = store_write(store, &tx);
	if (!failed(st))
		st = store_commit(
		    store, tx, create_in(tx, call, asked->account, &token));
	if (!failed(st))
		st = answer_created(&token, secret, ret_reply);
	OPENSSL_cleanse(secret, sizeof(secret));
	return st;
}

/* ---- list ---- */

struct listing {
	Holdfast__Certd__V1__ListTokensResponse *to;
	int64_t last;
};

static bool
add_to_page(void *ctx, const struct store_token *token)
{
	struct listing *listing = ctx;
	Holdfast__Certd__V1__Token *to = message_append(&listing->to->n_tokens,
	    &listing->to->tokens, &holdfast__certd__v1__token__descriptor);

	listing->last = token->id;
	return to != NULL && fill(to, token);
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__ListTokensRequest *asked =
	    (const Holdfast__Certd__V1__ListTokensRequest *)request;
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__list_tokens_response__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct listing listing = { .to = (void *)message };
	struct page page;
	bool more = false;
	struct status st = store_read(ctx, &tx);

	if (message == NULL)
		return message_no_memory();
	if (!failed(st))
		st = page_find(tx, call->caller,
		    &(struct page_ask){
			asked->account, asked->page_token, asked->page_size },
		    &page);
	if (!failed(st))
		st = store_tokens_list(tx, &page, add_to_page, &listing, &more);
	if (!failed(st))
		st =
		    page_next(listing.last, more, &listing.to->next_page_token);
	if (failed(st))
		return st;
	*ret_reply = message;
	message = NULL;
	return st;
}

/* ---- revoke ---- */

static struct status
end_in(struct db_tx *tx, const struct api_call *call, int64_t id,
    struct store_token *ret_token)
{
	struct store_token token;
	struct status st = store_tokens_get(tx, id, &token);

	if (!failed(st) && !caller_sees(call->caller, token.account))
		st = store_no_such("there is no such token");
	if (!failed(st) && token.revoked_s == 0) {
		st = store_tokens_revoke(tx, id, store_now_s());
		if (!failed(st))
			st = accounts_event(tx, call, token.account,
			    "token revoked", "token", id, token.name);
	}
	return failed(st) ? st : store_tokens_get(tx, id, ret_token);
}

static struct status
end(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__RevokeTokenRequest *asked =
	    (const Holdfast__Certd__V1__RevokeTokenRequest *)request;
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__token__descriptor);
	struct store_token token;
	struct store *store = ctx;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (!failed(st))
		st = store_commit(
		    store, tx, end_in(tx, call, asked->id, &token));
	if (failed(st))
		return st;
	if (message == NULL || !fill((void *)message, &token))
		return message_no_memory();
	*ret_reply = message;
	message = NULL;
	return st;
}

/* ---- the table ---- */

#define SERVICE &holdfast__certd__v1__tokens__descriptor

static const struct api_method METHODS[] = {
	{ .service = SERVICE,
	    .name = "Create",
	    .fn = create,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_POST,
	    .path = "/v1/tokens",
	    .creates = true,
	    .secret = true,
	    .summary = "Make an API token" },
	{ .service = SERVICE,
	    .name = "List",
	    .fn = list,
	    .allow = ALLOW_MANAGE_READ,
	    .scope = SCOPE_ACCOUNT_READ,
	    .verb = API_GET,
	    .path = "/v1/tokens",
	    .summary = "List API tokens" },
	{ .service = SERVICE,
	    .name = "Revoke",
	    .fn = end,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_POST,
	    .path = "/v1/tokens/{id}:revoke",
	    .summary = "End an API token at once" },
};

STATUS
accounts_tokens_add(struct store *store, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), store);
}
