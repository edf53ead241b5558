/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Users: the people of an account.  An account's own administrators may not
 * take away its last one; operators may.  A disabled user's tokens are refused
 * from the next request on, a deleted one's go along.
 */

#include <stdio.h>
#include <string.h>

#include "certd/accounts_int.h"
#include "certd/page.h"
#include "certd/roles.h"
#include "certd/store_users.h"
#include "certd/text.h"
#include "proto/holdfast/certd/v1/accounts.pb-c.h"
#include "proto/message.h"

#define USERS_MAX 1000 /* of an account */
#define ADMINISTRATOR HOLDFAST__CERTD__V1__USER_ROLE__USER_ROLE_ADMINISTRATOR

/* ---- answers ---- */

static bool
fill(Holdfast__Certd__V1__User *to, const struct store_user *from)
{
	char etag[STORE_ETAG_MAX];

	store_etag_print(from->revision, etag);
	to->id = from->id;
	to->role = (Holdfast__Certd__V1__UserRole)from->role;
	to->created_s = from->created_s;
	to->disabled = from->disabled;
	return message_text(&to->account, from->account_name) &&
	       message_text(&to->email, from->email) &&
	       message_text(&to->name, from->name) &&
	       message_text(&to->etag, etag);
}

static struct status
answer(const struct store_user *user, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__user__descriptor);

	if (message == NULL || !fill((void *)message, user))
		return message_no_memory();
	*ret_reply = message;
	message = NULL;
	return status_ok();
}

/* One that the caller sees. */
static struct status
get_seen(struct db_tx *tx, const struct api_call *call, int64_t id,
    struct store_user *ret_user)
{
	struct store_user user;
	struct status st = store_users_get(tx, id, &user);

	if (!failed(st) && !caller_sees(call->caller, user.account))
		st = store_no_such("there is no such user");
	if (!failed(st))
		*ret_user = user;
	return st;
}

/* ---- what a user must look like ---- */

static struct status
check_role(int role)
{
	if (roles_is_role(role))
		return status_ok();
	return status_fail(STATUS_INVALID_ARGUMENT,
	    "role must be administrator, engineer, viewer or auditor");
}

static struct status
same_address(struct api_call *call, const char *email)
{
	return api_explain(call,
	    status_fail(STATUS_ALREADY_EXISTS, "the address is taken already"),
	    "the account has a user %s already", email);
}

static struct status
check_room(struct db_tx *tx, int64_t account)
{
	int64_t n = 0;
	struct status st = store_users_count(tx, account, &n);

	if (!failed(st) && n >= USERS_MAX)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "the account has 1000 users, which are the most");
	return st;
}

/* ---- create ---- */

static struct status
create_in(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__CreateUserRequest *asked,
    struct store_user *ret_user)
{
	struct store_user user = { .role = (int)asked->role };
	int64_t id = 0;
	struct status st =
	    caller_account(call->caller, tx, asked->account, &user.account);

	if (!failed(st))
		st = check_room(tx, user.account);
	if (failed(st))
		return st;
	snprintf(user.email, sizeof(user.email), "%s", asked->email);
	snprintf(user.name, sizeof(user.name), "%s", asked->name);
	st = store_users_add(tx, &user, &id);
	if (st.code == STATUS_ALREADY_EXISTS)
		return same_address(call, asked->email);
	if (!failed(st))
		st = accounts_event(tx, call, user.account, "user created",
		    "user", id, user.email);
	return failed(st) ? st : store_users_get(tx, id, ret_user);
}

static struct status
create(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__CreateUserRequest *asked =
	    (const Holdfast__Certd__V1__CreateUserRequest *)request;
	struct store_user user;
	struct store *store = ctx;
	struct db_tx *tx;
	struct status st = text_check_email(call, "email", asked->email);

	if (!failed(st))
		st = text_check_line(
		    call, "name", asked->name, 0, STORE_PERSON_MAX - 1);
	if (!failed(st))
		st = check_role((int)asked->role);
	if (!failed(st))
		st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(store, tx, create_in(tx, call, asked, &user));
	return failed(st) ? st : answer(&user, ret_reply);
}

/* ---- list and get ---- */

struct listing {
	Holdfast__Certd__V1__ListUsersResponse *to;
	int64_t last;
};

static bool
add_to_page(void *ctx, const struct store_user *user)
{
	struct listing *listing = ctx;
	Holdfast__Certd__V1__User *to = message_append(&listing->to->n_users,
	    &listing->to->users, &holdfast__certd__v1__user__descriptor);

	listing->last = user->id;
	return to != NULL && fill(to, user);
}

static struct status
list(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__ListUsersRequest *asked =
	    (const Holdfast__Certd__V1__ListUsersRequest *)request;
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__list_users_response__descriptor);
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
		st = store_users_list(tx, &page, add_to_page, &listing, &more);
	if (!failed(st))
		st =
		    page_next(listing.last, more, &listing.to->next_page_token);
	if (failed(st))
		return st;
	*ret_reply = message;
	message = NULL;
	return st;
}

static struct status
get(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__GetUserRequest *asked =
	    (const Holdfast__Certd__V1__GetUserRequest *)request;
	scoped(db_end) struct db_tx *tx = NULL;
	struct store_user user;
	struct status st = store_read(ctx, &tx);

	if (!failed(st))
		st = get_seen(tx, call, asked->id, &user);
	return failed(st) ? st : answer(&user, ret_reply);
}

/* ---- update and delete ---- */

/* Another one must be left to manage the account, unless an operator says so.
 */
static struct status
check_not_last(struct db_tx *tx, const struct api_call *call,
    const struct store_user *before)
{
	int64_t others = 0;
	struct status st;

	if (caller_sees_all(call->caller) || before->role != ADMINISTRATOR ||
	    before->disabled)
		return status_ok();
	st = store_users_others(
	    tx, before->account, ADMINISTRATOR, before->id, &others);
	if (!failed(st) && others == 0)
		st = status_fail(STATUS_FAILED_PRECONDITION,
		    "this is the account's last administrator; make another "
		    "user one first, or ask an operator");
	return st;
}

static struct status
check_update(
    struct api_call *call, const Holdfast__Certd__V1__UpdateUserRequest *asked)
{
	struct status st = status_ok();

	if (asked->disable && asked->enable)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "disable and enable exclude each other");
	if (asked->email[0] != 0)
		st = text_check_email(call, "email", asked->email);
	if (!failed(st))
		st = text_check_line(
		    call, "name", asked->name, 0, STORE_PERSON_MAX - 1);
	if (!failed(st) && asked->role != 0)
		st = check_role((int)asked->role);
	return st;
}

static void
apply(struct store_user *user,
    const Holdfast__Certd__V1__UpdateUserRequest *asked)
{
	if (asked->email[0] != 0)
		snprintf(user->email, sizeof(user->email), "%s", asked->email);
	if (asked->name[0] != 0)
		snprintf(user->name, sizeof(user->name), "%s", asked->name);
	if (asked->role != 0)
		user->role = (int)asked->role;
	user->disabled = (user->disabled || asked->disable) && !asked->enable;
}

/* For people who read the history: what they are now. */
static void
print_state(const struct store_user *user, char *to, size_t max)
{
	snprintf(to, max, "%s, %s%s", user->email, roles_name(user->role),
	    user->disabled ? ", disabled" : "");
}

static struct status
update_in(struct db_tx *tx, struct api_call *call,
    const Holdfast__Certd__V1__UpdateUserRequest *asked,
    struct store_user *ret_user)
{
	struct store_user user, before;
	char detail[STORE_EMAIL_MAX + 64];
	struct status st = get_seen(tx, call, asked->id, &before);

	if (!failed(st))
		st = store_etag_check(asked->etag, before.revision);
	if (failed(st))
		return st;
	user = before;
	apply(&user, asked);
	if (user.role != ADMINISTRATOR || user.disabled)
		st = check_not_last(tx, call, &before);
	if (!failed(st))
		st = store_users_update(tx, &user);
	if (st.code == STATUS_ALREADY_EXISTS)
		return same_address(call, user.email);
	print_state(&user, detail, sizeof(detail));
	if (!failed(st))
		st = accounts_event(tx, call, user.account, "user changed",
		    "user", user.id, detail);
	return failed(st) ? st : store_users_get(tx, user.id, ret_user);
}

static struct status
update(void *ctx, struct api_call *call, const ProtobufCMessage *request,
    ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__UpdateUserRequest *asked =
	    (const Holdfast__Certd__V1__UpdateUserRequest *)request;
	struct store_user user;
	struct store *store = ctx;
	struct db_tx *tx;
	struct status st = check_update(call, asked);

	if (!failed(st))
		st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(store, tx, update_in(tx, call, asked, &user));
	return failed(st) ? st : answer(&user, ret_reply);
}

static struct status
remove_in(struct db_tx *tx, const struct api_call *call,
    const Holdfast__Certd__V1__DeleteUserRequest *asked)
{
	struct store_user user;
	struct status st = get_seen(tx, call, asked->id, &user);

	if (!failed(st))
		st = store_etag_check(asked->etag, user.revision);
	if (!failed(st))
		st = check_not_last(tx, call, &user);
	if (!failed(st))
		st = store_users_remove(tx, user.id);
	return failed(st) ? st
			  : accounts_event(tx, call, user.account,
				"user deleted", "user", user.id, user.email);
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
			(const Holdfast__Certd__V1__DeleteUserRequest *)
			    request));
	if (failed(st))
		return st;
	*ret_reply =
	    message_new(&holdfast__certd__v1__delete_user_response__descriptor);
	return *ret_reply == NULL ? message_no_memory() : st;
}

/* ---- the table ---- */

#define SERVICE &holdfast__certd__v1__users__descriptor

static const struct api_method METHODS[] = {
	{ .service = SERVICE,
	    .name = "Create",
	    .fn = create,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_POST,
	    .path = "/v1/users",
	    .creates = true,
	    .summary = "Add a user to an account" },
	{ .service = SERVICE,
	    .name = "List",
	    .fn = list,
	    .allow = ALLOW_MANAGE_READ,
	    .scope = SCOPE_ACCOUNT_READ,
	    .verb = API_GET,
	    .path = "/v1/users",
	    .summary = "List users" },
	{ .service = SERVICE,
	    .name = "Get",
	    .fn = get,
	    .allow = ALLOW_MANAGE_READ,
	    .scope = SCOPE_ACCOUNT_READ,
	    .verb = API_GET,
	    .path = "/v1/users/{id}",
	    .summary = "Show a user" },
	{ .service = SERVICE,
	    .name = "Update",
	    .fn = update,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_PATCH,
	    .path = "/v1/users/{id}",
	    .summary = "Change, disable or enable a user" },
	{ .service = SERVICE,
	    .name = "Delete",
	    .fn = delete,
	    .allow = ALLOW_MANAGE,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_DELETE,
	    .path = "/v1/users/{id}",
	    .summary = "Delete a user and the user's tokens" },
};

STATUS
accounts_users_add(struct store *store, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), store);
}
