/* SPDX-License-Identifier: Apache-2.0 */

/* Accounts, users, tokens and contacts on a real store: what is kept, what is
 * refused, and that another account's objects are not there. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "certd/accounts.h"
#include "certd/authenticate.h"
#include "certd/report.h"
#include "certd/store_accounts.h"
#include "proto/holdfast/certd/v1/accounts.pb-c.h"
#include "proto/holdfast/certd/v1/status.pb-c.h"
#include "proto/message.h"
#include "tests/unit/certd_desk.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
/* A message with all fields at their defaults. */
#define NEW(type, lower)                                                       \
	__extension__({                                                        \
		Holdfast__Certd__V1__##type new_;                              \
		holdfast__certd__v1__##lower##__init(&new_);                   \
		new_;                                                          \
	})
#define ADMINISTRATOR HOLDFAST__CERTD__V1__USER_ROLE__USER_ROLE_ADMINISTRATOR
#define ENGINEER HOLDFAST__CERTD__V1__USER_ROLE__USER_ROLE_ENGINEER
#define VIEWER HOLDFAST__CERTD__V1__USER_ROLE__USER_ROLE_VIEWER
#define AUDITOR HOLDFAST__CERTD__V1__USER_ROLE__USER_ROLE_AUDITOR

static struct report *report;

static int
set_up(void **state)
{
	struct report_config config = { .identity = "spiffe://x/certd/one" };
	struct desk *desk;

	assert_int_equal(certd_desk_set_up(state), 0);
	desk = *state;
	config.store = desk->store;
	assert_int_equal(
	    accounts_register(desk->store, desk->api).code, STATUS_OK);
	assert_int_equal(report_new(&config, &report).code, STATUS_OK);
	assert_int_equal(report_register(report, desk->api).code, STATUS_OK);
	return 0;
}

static int
tear_down(void **state)
{
	report_free(report);
	return certd_desk_tear_down(state);
}

/* protobuf-c's texts have no const; none of these is written to. */
static char *
text(const char *borrowed)
{
	return (char *)(uintptr_t)borrowed;
}

static struct caller
administrator(const struct desk *desk)
{
	return certd_desk_token(desk->acme, ALLOW_ADMINISTRATOR);
}

/* ---- the questions, short ---- */

static struct status
create_account(struct desk *desk, const char *name, const char *title)
{
	Holdfast__Certd__V1__CreateAccountRequest request =
	    NEW(CreateAccountRequest, create_account_request);
	struct caller who = certd_desk_operator();
	ProtobufCMessage *reply = NULL;
	struct status st;

	request.name = text(name);
	request.title = text(title);
	st = certd_desk_ask(desk, &who, "Accounts/Create", &request, &reply);
	message_free(reply);
	return st;
}

static struct status
delete_account(struct desk *desk, const char *name)
{
	Holdfast__Certd__V1__DeleteAccountRequest request =
	    NEW(DeleteAccountRequest, delete_account_request);
	struct caller who = certd_desk_operator();
	ProtobufCMessage *reply = NULL;
	struct status st;

	request.name = text(name);
	st = certd_desk_ask(desk, &who, "Accounts/Delete", &request, &reply);
	message_free(reply);
	return st;
}

static struct status
create_user(struct desk *desk, const struct caller *who, const char *account,
    const char *email, int role, int64_t *ret_id)
{
	Holdfast__Certd__V1__CreateUserRequest request =
	    NEW(CreateUserRequest, create_user_request);
	ProtobufCMessage *reply = NULL;
	struct status st;

	request.account = text(account);
	request.email = text(email);
	request.role = (Holdfast__Certd__V1__UserRole)role;
	st = certd_desk_ask(desk, who, "Users/Create", &request, &reply);
	if (!failed(st))
		*ret_id = ((Holdfast__Certd__V1__User *)reply)->id;
	message_free(reply);
	return st;
}

static struct status
update_user(struct desk *desk, const struct caller *who,
    const Holdfast__Certd__V1__UpdateUserRequest *request)
{
	ProtobufCMessage *reply = NULL;
	struct status st =
	    certd_desk_ask(desk, who, "Users/Update", request, &reply);

	message_free(reply);
	return st;
}

static struct status
delete_user(struct desk *desk, const struct caller *who, int64_t id)
{
	Holdfast__Certd__V1__DeleteUserRequest request =
	    NEW(DeleteUserRequest, delete_user_request);
	ProtobufCMessage *reply = NULL;
	struct status st;

	request.id = id;
	st = certd_desk_ask(desk, who, "Users/Delete", &request, &reply);
	message_free(reply);
	return st;
}

/* *ret_secret "Bearer hft_...". */
static struct status
create_token(struct desk *desk, const struct caller *who,
    const Holdfast__Certd__V1__CreateTokenRequest *request, char ret_header[64])
{
	ProtobufCMessage *reply = NULL;
	struct status st =
	    certd_desk_ask(desk, who, "Tokens/Create", request, &reply);

	if (!failed(st))
		snprintf(ret_header, 64, "Bearer %s",
		    ((Holdfast__Certd__V1__CreateTokenResponse *)reply)
			->secret);
	message_free(reply);
	return st;
}

static Holdfast__Certd__V1__CreateTokenRequest
token_request(const char *account, const char *name, int role)
{
	Holdfast__Certd__V1__CreateTokenRequest request =
	    NEW(CreateTokenRequest, create_token_request);

	request.account = text(account);
	request.name = text(name);
	request.role = (Holdfast__Certd__V1__UserRole)role;
	return request;
}

static void
assert_why(const struct desk *desk, struct status st, enum status_code code,
    const char *part)
{
	const char *why = certd_desk_why(desk, st);

	if (st.code != code || strstr(why, part) == NULL)
		print_error("%s: %s\n", status_name(st.code), why);
	assert_int_equal(st.code, code);
	assert_non_null(strstr(why, part));
}

static void
run_sql(struct desk *desk, const char *sql)
{
	struct db_tx *tx;

	assert_int_equal(store_write(desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->store, tx, db_run(tx, NULL, sql, DB_NONE)).code,
	    STATUS_OK);
}

/* ---- accounts ---- */

static void
an_account_is_named_by_small_letters_digits_and_hyphens(void **state)
{
	static const char *const BAD[] = { "", "-a", "a-", "A", "a_b", "a b",
		"a.b", "ä", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct desk *desk = *state;

	for (size_t i = 0; i < LEN(BAD); i++)
		assert_why(desk, create_account(desk, BAD[i], ""),
		    STATUS_INVALID_ARGUMENT, "name must be 1 to 40");
	assert_int_equal(create_account(desk, "a-1", "").code, STATUS_OK);
	assert_why(desk, create_account(desk, "a-1", ""), STATUS_ALREADY_EXISTS,
	    "an account a-1 already");
	assert_why(desk, create_account(desk, "b", "\x1b[31m"),
	    STATUS_INVALID_ARGUMENT, "title must be UTF-8");
	assert_why(desk, create_account(desk, "b", "\xff"),
	    STATUS_INVALID_ARGUMENT, "title must be UTF-8");
}

static void
a_list_of_accounts_goes_page_by_page_in_order_of_names(void **state)
{
	struct desk *desk = *state;
	struct caller who = certd_desk_operator();
	char seen[256] = "", after[64] = "";
	int pages = 0;

	assert_int_equal(create_account(desk, "b", "").code, STATUS_OK);
	assert_int_equal(create_account(desk, "c", "").code, STATUS_OK);
	do {
		Holdfast__Certd__V1__ListAccountsRequest request =
		    NEW(ListAccountsRequest, list_accounts_request);
		ProtobufCMessage *reply = NULL;
		Holdfast__Certd__V1__ListAccountsResponse *page;

		request.page_size = 3;
		request.page_token = after;
		assert_int_equal(certd_desk_ask(desk, &who, "Accounts/List",
				     &request, &reply)
				     .code,
		    STATUS_OK);
		page = (void *)reply;
		for (size_t i = 0; i < page->n_accounts; i++)
			snprintf(seen + strlen(seen),
			    sizeof(seen) - strlen(seen), "%s ",
			    page->accounts[i]->name);
		snprintf(after, sizeof(after), "%s", page->next_page_token);
		message_free(reply);
		pages++;
	} while (after[0] != 0);
	assert_string_equal(seen, "acme b c other ");
	assert_int_equal(pages, 2);
}

static void
a_page_token_that_no_list_gave_is_refused(void **state)
{
	static const char *const BAD[] = { "1", "p", "p0", "p01", "p1x", "p-1",
		"p99999999999999999999" };
	struct desk *desk = *state;
	struct caller who = certd_desk_operator();
	Holdfast__Certd__V1__ListUsersRequest request =
	    NEW(ListUsersRequest, list_users_request);
	ProtobufCMessage *reply = NULL;

	for (size_t i = 0; i < LEN(BAD); i++) {
		request.page_token = text(BAD[i]);
		assert_why(desk,
		    certd_desk_ask(desk, &who, "Users/List", &request, &reply),
		    STATUS_INVALID_ARGUMENT, "page_token");
	}
	request.page_token = text("p1");
	request.page_size = 1001;
	assert_why(desk,
	    certd_desk_ask(desk, &who, "Users/List", &request, &reply),
	    STATUS_INVALID_ARGUMENT, "page_size");
}

static void
a_token_sees_its_own_account_and_no_other(void **state)
{
	struct desk *desk = *state;
	struct caller who = administrator(desk);
	Holdfast__Certd__V1__ListAccountsRequest list =
	    NEW(ListAccountsRequest, list_accounts_request);
	Holdfast__Certd__V1__GetAccountRequest get =
	    NEW(GetAccountRequest, get_account_request);
	Holdfast__Certd__V1__ListAccountsResponse *page;
	char foreign[API_WHY_MAX];
	ProtobufCMessage *reply = NULL;
	struct status st;

	assert_int_equal(
	    certd_desk_ask(desk, &who, "Accounts/List", &list, &reply).code,
	    STATUS_OK);
	page = (void *)reply;
	assert_int_equal(page->n_accounts, 1);
	assert_string_equal(page->accounts[0]->name, "acme");
	message_free(reply);
	get.name = text("other");
	st = certd_desk_ask(desk, &who, "Accounts/Get", &get, &reply);
	assert_int_equal(st.code, STATUS_NOT_FOUND);
	snprintf(foreign, sizeof(foreign), "%s", certd_desk_why(desk, st));
	get.name = text("never-was");
	st = certd_desk_ask(desk, &who, "Accounts/Get", &get, &reply);
	assert_int_equal(st.code, STATUS_NOT_FOUND);
	assert_string_equal(certd_desk_why(desk, st), foreign);
}

static void
an_account_that_holds_something_is_not_deleted_and_it_says_what(void **state)
{
	struct desk *desk = *state;

	run_sql(desk,
	    "INSERT INTO key (id, account, alg, spki, pool, network, label,"
	    " origin, exposed, created_s, created_by)"
	    " VALUES (zeroblob(32), 1, 1, x'00', 'standard', 'standard', 'k',"
	    " 1, 0, 0, '')");
	assert_why(desk, delete_account(desk, "acme"),
	    STATUS_FAILED_PRECONDITION, "account acme still holds 1 key;");
	run_sql(desk,
	    "INSERT INTO certificate (account, name, kind, key, fingerprint,"
	    " subject, issuer, serial, not_before_s, not_after_s, created_s,"
	    " created_by) VALUES (1, 'c', 1, zeroblob(32), zeroblob(32), '',"
	    " '', '', 0, 0, 0, '')");
	run_sql(desk,
	    "INSERT INTO resource (account, name, network, edge_group, target,"
	    " origin_host, origin_mode, https, mode, created_s, created_by,"
	    " changed_s, version) VALUES (1, 'r', 's', 's', 't', '', 1, 0, 1,"
	    " 0, '', 0, 0), (1, 'q', 's', 's', 'u', '', 1, 0, 1, 0, '', 0, 0)");
	assert_why(desk, delete_account(desk, "acme"),
	    STATUS_FAILED_PRECONDITION,
	    "account acme still holds 2 resources, 1 certificate; delete");
	run_sql(desk, "DELETE FROM resource");
	run_sql(desk, "DELETE FROM certificate");
	run_sql(desk, "DELETE FROM key");
	assert_int_equal(delete_account(desk, "acme").code, STATUS_OK);
	assert_why(desk, delete_account(desk, "acme"), STATUS_NOT_FOUND,
	    "there is no such account");
}

static void
a_deleted_account_takes_its_people_along_and_stays_in_history(void **state)
{
	Holdfast__Certd__V1__CreateTokenRequest token =
	    token_request("acme", "ci", VIEWER);
	struct desk *desk = *state;
	struct caller who = certd_desk_operator();
	char header[64];
	struct caller seen;
	int64_t id;

	assert_int_equal(
	    create_user(desk, &who, "acme", "k@a.test", ENGINEER, &id).code,
	    STATUS_OK);
	token.user_id = id;
	assert_int_equal(
	    create_token(desk, &who, &token, header).code, STATUS_OK);
	assert_int_equal(delete_account(desk, "acme").code, STATUS_OK);
	assert_int_equal(authenticate_bearer(desk->store, header, &seen).code,
	    STATUS_UNAUTHENTICATED);
	assert_int_equal(
	    certd_desk_count(desk, "SELECT count(*) FROM event"), 3);
	/* A new one of that name is another one. */
	assert_int_equal(create_account(desk, "acme", "").code, STATUS_OK);
	assert_int_equal(
	    certd_desk_count(desk,
		"SELECT count(*) FROM event JOIN account"
		" ON account.id = event.account WHERE name = 'acme'"),
	    1);
}

static void
an_account_counts_what_it_holds_when_it_is_asked_alone(void **state)
{
	struct desk *desk = *state;
	struct caller who = administrator(desk);
	Holdfast__Certd__V1__GetAccountRequest get =
	    NEW(GetAccountRequest, get_account_request);
	ProtobufCMessage *reply = NULL;
	Holdfast__Certd__V1__Account *account;

	run_sql(desk,
	    "INSERT INTO resource (account, name, network, edge_group, target,"
	    " origin_host, origin_mode, https, mode, created_s, created_by,"
	    " changed_s, version) VALUES (1, 'r', 's', 's', 't', '', 1, 0, 1,"
	    " 0, '', 0, 0)");
	/* Empty: the token's own. */
	assert_int_equal(
	    certd_desk_ask(desk, &who, "Accounts/Get", &get, &reply).code,
	    STATUS_OK);
	account = (void *)reply;
	assert_string_equal(account->name, "acme");
	assert_string_equal(account->title, "Acme, Inc.");
	assert_int_equal(account->resources, 1);
	assert_int_equal(account->certificates, 0);
	message_free(reply);
}

/* ---- users ---- */

static void
who_sees_all_accounts_must_say_which_one_is_meant(void **state)
{
	struct desk *desk = *state;
	struct caller who = certd_desk_operator();
	int64_t id = 0;

	assert_why(desk, create_user(desk, &who, "", "k@a.test", VIEWER, &id),
	    STATUS_INVALID_ARGUMENT, "name the account");
	who = administrator(desk);
	assert_int_equal(
	    create_user(desk, &who, "", "k@a.test", VIEWER, &id).code,
	    STATUS_OK);
	assert_why(desk,
	    create_user(desk, &who, "other", "k@a.test", VIEWER, &id),
	    STATUS_NOT_FOUND, "there is no such account");
}

static void
an_address_is_well_formed_and_once_in_an_account(void **state)
{
	static const char *const BAD[] = { "", "kim", "@a.test", "kim@",
		"kim@@a.test", "k im@a.test", ".kim@a.test", "k..m@a.test",
		"kim.@a.test", "kim@-a.test", "kim@a..test", "kim@a.test.",
		"kim@a_b.test", "k\xc3\xa4@a.test", "kim@a.test\n" };
	static const char *const GOOD[] = { "kim@a.test", "k+x@a.test",
		"k.m@sub.a.test", "o'hara@a-b.test" };
	struct desk *desk = *state;
	struct caller who = administrator(desk);
	int64_t id = 0;

	for (size_t i = 0; i < LEN(BAD); i++)
		assert_why(desk,
		    create_user(desk, &who, "", BAD[i], VIEWER, &id),
		    STATUS_INVALID_ARGUMENT, "email ");
	for (size_t i = 0; i < LEN(GOOD); i++)
		assert_int_equal(
		    create_user(desk, &who, "", GOOD[i], VIEWER, &id).code,
		    STATUS_OK);
	assert_why(desk, create_user(desk, &who, "", "kim@a.test", VIEWER, &id),
	    STATUS_ALREADY_EXISTS, "has a user kim@a.test already");
	assert_why(desk, create_user(desk, &who, "", "z@a.test", 0, &id),
	    STATUS_INVALID_ARGUMENT, "role must be");
	assert_why(desk, create_user(desk, &who, "", "z@a.test", 5, &id),
	    STATUS_INVALID_ARGUMENT, "role must be");
}

static void
a_change_of_what_somebody_else_has_changed_is_refused(void **state)
{
	Holdfast__Certd__V1__UpdateUserRequest change =
	    NEW(UpdateUserRequest, update_user_request);
	struct desk *desk = *state;
	struct caller who = administrator(desk);

	assert_int_equal(
	    create_user(desk, &who, "", "k@a.test", VIEWER, &change.id).code,
	    STATUS_OK);
	change.name = text("Kim");
	change.etag = text("r1");
	assert_int_equal(update_user(desk, &who, &change).code, STATUS_OK);
	assert_why(desk, update_user(desk, &who, &change), STATUS_ABORTED,
	    "somebody else");
	change.etag = text("r2");
	change.name = text("");
	change.disable = true;
	assert_int_equal(update_user(desk, &who, &change).code, STATUS_OK);
	assert_int_equal(certd_desk_count(desk,
			     "SELECT count(*) FROM user_ WHERE name = 'Kim'"
			     " AND disabled = 1 AND revision = 3"),
	    1);
	change.enable = true;
	change.etag = text("");
	assert_why(desk, update_user(desk, &who, &change),
	    STATUS_INVALID_ARGUMENT, "exclude each other");
}

static void
the_last_administrator_stays_unless_an_operator_says_so(void **state)
{
	Holdfast__Certd__V1__UpdateUserRequest change =
	    NEW(UpdateUserRequest, update_user_request);
	struct desk *desk = *state;
	struct caller who = administrator(desk);
	struct caller operator= certd_desk_operator();
	int64_t kim = 0, lee = 0;

	assert_int_equal(
	    create_user(desk, &who, "", "kim@a.test", ADMINISTRATOR, &kim).code,
	    STATUS_OK);
	change.id = kim;
	change.role = ENGINEER;
	assert_why(desk, update_user(desk, &who, &change),
	    STATUS_FAILED_PRECONDITION, "last administrator");
	change.role = 0;
	change.disable = true;
	assert_why(desk, update_user(desk, &who, &change),
	    STATUS_FAILED_PRECONDITION, "last administrator");
	assert_why(desk, delete_user(desk, &who, kim),
	    STATUS_FAILED_PRECONDITION, "last administrator");
	assert_int_equal(
	    create_user(desk, &who, "", "lee@a.test", ADMINISTRATOR, &lee).code,
	    STATUS_OK);
	assert_int_equal(update_user(desk, &who, &change).code, STATUS_OK);
	/* A disabled one does not count. */
	assert_why(desk, delete_user(desk, &who, lee),
	    STATUS_FAILED_PRECONDITION, "last administrator");
	assert_int_equal(delete_user(desk, &who, kim).code, STATUS_OK);
	assert_int_equal(delete_user(desk, &operator, lee).code, STATUS_OK);
}

/* ---- tokens ---- */

static void
a_users_token_never_does_more_than_the_user(void **state)
{
	static const struct {
		int user, token;
		bool is_good;
	} CASES[] = {
		{ ADMINISTRATOR, AUDITOR, true },
		{ ADMINISTRATOR, ENGINEER, true },
		{ ENGINEER, ADMINISTRATOR, false },
		{ ENGINEER, AUDITOR, false },
		{ ENGINEER, VIEWER, true },
		{ VIEWER, ENGINEER, false },
		{ AUDITOR, ENGINEER, false },
		{ AUDITOR, VIEWER, true },
	};
	struct desk *desk = *state;
	struct caller who = administrator(desk);

	for (size_t i = 0; i < LEN(CASES); i++) {
		char email[32], name[32], header[64];
		Holdfast__Certd__V1__CreateTokenRequest token =
		    token_request("", name, CASES[i].token);
		struct status st;

		snprintf(email, sizeof(email), "u%zu@a.test", i);
		snprintf(name, sizeof(name), "t%zu", i);
		assert_int_equal(create_user(desk, &who, "", email,
				     CASES[i].user, &token.user_id)
				     .code,
		    STATUS_OK);
		st = create_token(desk, &who, &token, header);
		if (CASES[i].is_good)
			assert_int_equal(st.code, STATUS_OK);
		else
			assert_why(desk, st, STATUS_FAILED_PRECONDITION,
			    "more than the user's");
	}
}

static void
a_demoted_users_token_is_demoted_with_the_user(void **state)
{
	Holdfast__Certd__V1__CreateTokenRequest token =
	    token_request("", "t", ENGINEER);
	Holdfast__Certd__V1__UpdateUserRequest change =
	    NEW(UpdateUserRequest, update_user_request);
	struct desk *desk = *state;
	struct caller who = administrator(desk), seen;
	char header[64];

	assert_int_equal(
	    create_user(desk, &who, "", "k@a.test", ENGINEER, &token.user_id)
		.code,
	    STATUS_OK);
	assert_int_equal(
	    create_token(desk, &who, &token, header).code, STATUS_OK);
	assert_int_equal(
	    authenticate_bearer(desk->store, header, &seen).code, STATUS_OK);
	assert_int_equal(seen.is, ALLOW_ENGINEER);
	change.id = token.user_id;
	change.role = AUDITOR;
	assert_int_equal(update_user(desk, &who, &change).code, STATUS_OK);
	assert_int_equal(
	    authenticate_bearer(desk->store, header, &seen).code, STATUS_OK);
	assert_int_equal(seen.is, ALLOW_VIEWER);
	change.role = ADMINISTRATOR;
	assert_int_equal(update_user(desk, &who, &change).code, STATUS_OK);
	assert_int_equal(
	    authenticate_bearer(desk->store, header, &seen).code, STATUS_OK);
	assert_int_equal(seen.is, ALLOW_ENGINEER);
}

static void
a_disabled_or_deleted_users_tokens_end_at_once(void **state)
{
	Holdfast__Certd__V1__CreateTokenRequest token =
	    token_request("", "t", 0);
	Holdfast__Certd__V1__UpdateUserRequest change =
	    NEW(UpdateUserRequest, update_user_request);
	struct desk *desk = *state;
	struct caller who = administrator(desk), seen;
	char header[64];
	struct status st;

	assert_int_equal(
	    create_user(desk, &who, "", "k@a.test", VIEWER, &token.user_id)
		.code,
	    STATUS_OK);
	/* Without a role it has the user's. */
	assert_int_equal(
	    create_token(desk, &who, &token, header).code, STATUS_OK);
	change.id = token.user_id;
	change.disable = true;
	assert_int_equal(update_user(desk, &who, &change).code, STATUS_OK);
	st = authenticate_bearer(desk->store, header, &seen);
	assert_int_equal(st.code, STATUS_UNAUTHENTICATED);
	assert_non_null(strstr(st.why, "disabled"));
	token.name = text("u");
	assert_why(desk, create_token(desk, &who, &token, header),
	    STATUS_FAILED_PRECONDITION, "the user is disabled");
	assert_int_equal(
	    delete_user(desk, &who, token.user_id).code, STATUS_OK);
	assert_int_equal(authenticate_bearer(desk->store, header, &seen).code,
	    STATUS_UNAUTHENTICATED);
	assert_int_equal(
	    certd_desk_count(desk, "SELECT count(*) FROM token"), 0);
}

static void
a_token_with_scopes_makes_none_that_reaches_further(void **state)
{
	char *all[] = { text("account:read"), text("account:write"),
		text("certificates:read") };
	Holdfast__Certd__V1__CreateTokenRequest token =
	    token_request("", "t", ADMINISTRATOR);
	struct desk *desk = *state;
	struct caller who = administrator(desk);
	char header[64];

	who.scopes = SCOPE_ACCOUNT_READ | SCOPE_ACCOUNT_WRITE;
	assert_why(desk, create_token(desk, &who, &token, header),
	    STATUS_PERMISSION_DENIED, "scopes that it has itself");
	token.scopes = all;
	token.n_scopes = 3;
	assert_why(desk, create_token(desk, &who, &token, header),
	    STATUS_PERMISSION_DENIED, "scopes that it has itself");
	token.n_scopes = 2;
	assert_int_equal(
	    create_token(desk, &who, &token, header).code, STATUS_OK);
	all[0] = text("account");
	assert_why(desk, create_token(desk, &who, &token, header),
	    STATUS_INVALID_ARGUMENT, "scopes: each must be");
}

static void
a_token_ends_by_itself_within_366_days(void **state)
{
	Holdfast__Certd__V1__CreateTokenRequest token =
	    token_request("", "t", VIEWER);
	struct desk *desk = *state;
	struct caller who = administrator(desk);
	char header[64];

	token.ttl_s = 366 * 86400 + 1;
	assert_why(desk, create_token(desk, &who, &token, header),
	    STATUS_INVALID_ARGUMENT, "ttl_s");
	token.ttl_s = -1;
	assert_why(desk, create_token(desk, &who, &token, header),
	    STATUS_INVALID_ARGUMENT, "ttl_s");
	token.ttl_s = 0;
	assert_int_equal(
	    create_token(desk, &who, &token, header).code, STATUS_OK);
	/* Of a moment or two. */
	assert_in_range(
	    certd_desk_count(desk, "SELECT expires_s - created_s FROM token"),
	    90 * 86400 - 60, 90 * 86400);
	token.ttl_s = 366 * 86400;
	assert_why(desk, create_token(desk, &who, &token, header),
	    STATUS_ALREADY_EXISTS, "a token \"t\" in force already");
	token.role = 0;
	token.name = text("u");
	assert_why(desk, create_token(desk, &who, &token, header),
	    STATUS_INVALID_ARGUMENT, "role must be");
}

static void
of_a_secret_only_the_hash_is_kept(void **state)
{
	Holdfast__Certd__V1__CreateTokenRequest token =
	    token_request("", "t", VIEWER);
	struct desk *desk = *state;
	struct caller who = administrator(desk);
	char header[64], path[128], page[65536];
	const char *secret = header + strlen("Bearer ");
	size_t n;
	FILE *file;

	assert_int_equal(
	    create_token(desk, &who, &token, header).code, STATUS_OK);
	snprintf(path, sizeof(path), "%s/certd.db-wal", desk->folder);
	file = fopen(path, "rb");
	assert_non_null(file);
	while ((n = fread(page, 1, sizeof(page), file)) > 0)
		assert_null(memmem(page, n, secret + 8, 16));
	fclose(file);
	assert_true(
	    api_find(desk->api, "/holdfast.certd.v1.Tokens/Create")->secret);
}

/* ---- contacts ---- */

static Holdfast__Certd__V1__CreateContactRequest
contact_request(const char *phone)
{
	Holdfast__Certd__V1__CreateContactRequest request =
	    NEW(CreateContactRequest, create_contact_request);

	request.kind =
	    HOLDFAST__CERTD__V1__CONTACT_KIND__CONTACT_KIND_TECHNICAL;
	request.name = text("Kim");
	request.email = text("kim@a.test");
	request.phone = text(phone);
	return request;
}

static void
a_contacts_telephone_number_is_one(void **state)
{
	static const char *const BAD[] = { "12", "+", "0049x30", "call me",
		"+49 30 1234567890123456", "123 ", "++4930" };
	static const char *const GOOD[] = { "", "110", "+49 30 123456",
		"(030) 12-34.56/7" };
	struct desk *desk = *state;
	struct caller who = administrator(desk);

	for (size_t i = 0; i < LEN(BAD); i++) {
		Holdfast__Certd__V1__CreateContactRequest request =
		    contact_request(BAD[i]);
		ProtobufCMessage *reply = NULL;

		assert_why(desk,
		    certd_desk_ask(
			desk, &who, "Contacts/Create", &request, &reply),
		    STATUS_INVALID_ARGUMENT, "phone must be");
	}
	for (size_t i = 0; i < LEN(GOOD); i++) {
		Holdfast__Certd__V1__CreateContactRequest request =
		    contact_request(GOOD[i]);
		ProtobufCMessage *reply = NULL;

		assert_int_equal(certd_desk_ask(desk, &who, "Contacts/Create",
				     &request, &reply)
				     .code,
		    STATUS_OK);
		message_free(reply);
	}
}

static void
a_contact_is_changed_in_part_and_deleted(void **state)
{
	Holdfast__Certd__V1__CreateContactRequest create =
	    contact_request("110");
	Holdfast__Certd__V1__UpdateContactRequest change =
	    NEW(UpdateContactRequest, update_contact_request);
	Holdfast__Certd__V1__DeleteContactRequest gone =
	    NEW(DeleteContactRequest, delete_contact_request);
	Holdfast__Certd__V1__Contact *contact;
	struct desk *desk = *state;
	struct caller who = administrator(desk);
	ProtobufCMessage *reply = NULL;

	assert_int_equal(
	    certd_desk_ask(desk, &who, "Contacts/Create", &create, &reply).code,
	    STATUS_OK);
	change.id = gone.id = ((Holdfast__Certd__V1__Contact *)reply)->id;
	message_free(reply);
	change.phone = text("112");
	assert_int_equal(
	    certd_desk_ask(desk, &who, "Contacts/Update", &change, &reply).code,
	    STATUS_OK);
	contact = (void *)reply;
	assert_string_equal(contact->phone, "112");
	assert_string_equal(contact->name, "Kim");
	assert_string_equal(contact->account, "acme");
	message_free(reply);
	gone.etag = text("r1");
	assert_int_equal(
	    certd_desk_ask(desk, &who, "Contacts/Delete", &gone, &reply).code,
	    STATUS_ABORTED);
	gone.etag = text("r2");
	assert_int_equal(
	    certd_desk_ask(desk, &who, "Contacts/Delete", &gone, &reply).code,
	    STATUS_OK);
	message_free(reply);
}

/* ---- across accounts ---- */

struct foreign {
	const char *method;
	const ProtobufCMessageDescriptor *request;
	int64_t id; /* of an object of the other account */
};

/* A request whose id is that; all others at their defaults. */
static struct status
ask_of(struct desk *desk, const struct caller *who,
    const struct foreign *foreign, int64_t id)
{
	scoped(message_free) ProtobufCMessage *request =
	    message_new(foreign->request);
	const ProtobufCFieldDescriptor *field =
	    protobuf_c_message_descriptor_get_field_by_name(
		foreign->request, "id");
	ProtobufCMessage *reply = NULL;
	struct status st;

	assert_non_null(request);
	assert_non_null(field);
	memcpy((uint8_t *)request + field->offset, &id, sizeof(id));
	st = certd_desk_ask(desk, who, foreign->method, request, &reply);
	message_free(reply);
	return st;
}

static void
what_another_account_has_is_as_if_it_never_was(void **state)
{
	struct desk *desk = *state;
	struct caller operator= certd_desk_operator();
	struct caller who = administrator(desk);
	Holdfast__Certd__V1__CreateTokenRequest token =
	    token_request("other", "t", VIEWER);
	char header[64], absent[API_WHY_MAX];
	int64_t user = 0;
#define OF(name, lower, id)                                                    \
	{                                                                      \
		name, &holdfast__certd__v1__##lower##_request__descriptor, id  \
	}
	struct foreign tries[] = { OF("Users/Get", get_user, 0),
		OF("Users/Update", update_user, 0),
		OF("Users/Delete", delete_user, 0),
		OF("Tokens/Revoke", revoke_token, 1),
		OF("Contacts/Update", update_contact, 1),
		OF("Contacts/Delete", delete_contact, 1) };
#undef OF

	assert_int_equal(
	    create_user(desk, &operator, "other", "k@o.test", VIEWER, &user)
		.code,
	    STATUS_OK);
	tries[0].id = tries[1].id = tries[2].id = user;
	assert_int_equal(
	    create_token(desk, &operator, & token, header).code, STATUS_OK);
	run_sql(desk,
	    "INSERT INTO contact (id, account, kind, name, email, phone)"
	    " VALUES (1, 2, 1, 'K', 'k@o.test', '')");
	for (size_t i = 0; i < LEN(tries); i++) {
		struct status st = ask_of(desk, &who, &tries[i], 4711);

		assert_int_equal(st.code, STATUS_NOT_FOUND);
		snprintf(
		    absent, sizeof(absent), "%s", certd_desk_why(desk, st));
		st = ask_of(desk, &who, &tries[i], tries[i].id);
		assert_int_equal(st.code, STATUS_NOT_FOUND);
		assert_string_equal(certd_desk_why(desk, st), absent);
	}
	/* A token for another account's user, too. */
	token = token_request("", "t", VIEWER);
	token.user_id = user;
	assert_why(desk, create_token(desk, &who, &token, header),
	    STATUS_NOT_FOUND, "there is no such user");
	assert_int_equal(certd_desk_count(desk,
			     "SELECT count(*) FROM user_ WHERE disabled = 0"),
	    1);
}

/* How many of the lists' rows are there for that account. */
static size_t
count_listed(struct desk *desk, const struct caller *who, const char *method,
    const ProtobufCMessageDescriptor *asked, const char *account)
{
	scoped(message_free) ProtobufCMessage *request = message_new(asked);
	scoped(message_free) ProtobufCMessage *reply = NULL;
	const ProtobufCFieldDescriptor *field =
	    protobuf_c_message_descriptor_get_field_by_name(asked, "account");

	assert_non_null(request);
	assert_true(message_text(
	    (char **)(void *)((uint8_t *)request + field->offset), account));
	if (failed(certd_desk_ask(desk, who, method, request, &reply)))
		return SIZE_MAX;
	/* The repeated field is the first one, and counts itself. */
	return *(const size_t *)(const void *)((const uint8_t *)reply +
					       reply->descriptor->fields[0]
						   .quantifier_offset);
}

static void
a_list_shows_the_callers_own_and_operators_any(void **state)
{
	static const struct {
		const char *method;
		const ProtobufCMessageDescriptor *asked;
	} LISTS[] = {
		{ "Users/List",
		    &holdfast__certd__v1__list_users_request__descriptor },
		{ "Tokens/List",
		    &holdfast__certd__v1__list_tokens_request__descriptor },
		{ "Contacts/List",
		    &holdfast__certd__v1__list_contacts_request__descriptor },
	};
	struct desk *desk = *state;
	struct caller operator= certd_desk_operator();
	struct caller who = administrator(desk);

	run_sql(desk,
	    "INSERT INTO user_ (account, email, name, role, created_s)"
	    " VALUES (1, 'a', '', 1, 0), (2, 'b', '', 1, 0)");
	run_sql(desk,
	    "INSERT INTO token (account, name, hash, hint, role, scopes,"
	    " created_s, created_by, expires_s)"
	    " VALUES (1, 'a', randomblob(32), '', 1, 0, 0, '', 0),"
	    " (2, 'a', randomblob(32), '', 1, 0, 0, '', 0)");
	run_sql(desk, "INSERT INTO contact (account, kind, name, email, phone)"
		      " VALUES (1, 1, '', '', ''), (2, 1, '', '', '')");
	for (size_t i = 0; i < LEN(LISTS); i++) {
		const char *method = LISTS[i].method;
		const ProtobufCMessageDescriptor *asked = LISTS[i].asked;

		assert_int_equal(
		    count_listed(desk, &who, method, asked, ""), 1);
		assert_int_equal(
		    count_listed(desk, &who, method, asked, "acme"), 1);
		assert_int_equal(
		    count_listed(desk, &who, method, asked, "other"), SIZE_MAX);
		assert_int_equal(
		    count_listed(desk, &operator, method, asked, ""), 2);
		assert_int_equal(
		    count_listed(desk, &operator, method, asked, "other"), 1);
	}
}

static void
history_is_newest_first_and_each_accounts_own(void **state)
{
	Holdfast__Certd__V1__HistoryRequest request =
	    NEW(HistoryRequest, history_request);
	Holdfast__Certd__V1__HistoryResponse *page;
	struct desk *desk = *state;
	struct caller operator= certd_desk_operator();
	struct caller who = certd_desk_token(desk->acme, ALLOW_ACCOUNT_AUDITOR);
	ProtobufCMessage *reply = NULL;
	int64_t id = 0;

	assert_int_equal(
	    create_user(desk, &operator, "acme", "k@a.test", VIEWER, &id).code,
	    STATUS_OK);
	assert_int_equal(
	    create_user(desk, &operator, "other", "k@o.test", VIEWER, &id).code,
	    STATUS_OK);
	assert_int_equal(
	    create_user(desk, &operator, "acme", "l@a.test", VIEWER, &id).code,
	    STATUS_OK);
	request.page_size = 1;
	assert_int_equal(
	    certd_desk_ask(desk, &who, "Status/History", &request, &reply).code,
	    STATUS_OK);
	page = (void *)reply;
	assert_int_equal(page->n_events, 1);
	assert_string_equal(page->events[0]->act, "user created");
	assert_string_equal(page->events[0]->detail, "l@a.test");
	assert_string_equal(page->events[0]->actor, "operator/admin");
	assert_string_equal(page->events[0]->account, "acme");
	request.page_token = strdup(page->next_page_token);
	message_free(reply);
	assert_int_equal(
	    certd_desk_ask(desk, &who, "Status/History", &request, &reply).code,
	    STATUS_OK);
	page = (void *)reply;
	assert_string_equal(page->events[0]->detail, "k@a.test");
	assert_string_equal(page->next_page_token, "");
	message_free(reply);
	free(request.page_token);
	request.page_token = text("");
	request.account = text("other");
	assert_int_equal(
	    certd_desk_ask(desk, &who, "Status/History", &request, &reply).code,
	    STATUS_NOT_FOUND);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(an_account_is_named_by_small_letters_digits_and_hyphens),
		TEST(a_list_of_accounts_goes_page_by_page_in_order_of_names),
		TEST(a_page_token_that_no_list_gave_is_refused),
		TEST(a_token_sees_its_own_account_and_no_other),
		TEST(
		    an_account_that_holds_something_is_not_deleted_and_it_says_what),
		TEST(
		    a_deleted_account_takes_its_people_along_and_stays_in_history),
		TEST(an_account_counts_what_it_holds_when_it_is_asked_alone),
		TEST(who_sees_all_accounts_must_say_which_one_is_meant),
		TEST(an_address_is_well_formed_and_once_in_an_account),
		TEST(a_change_of_what_somebody_else_has_changed_is_refused),
		TEST(the_last_administrator_stays_unless_an_operator_says_so),
		TEST(a_users_token_never_does_more_than_the_user),
		TEST(a_demoted_users_token_is_demoted_with_the_user),
		TEST(a_disabled_or_deleted_users_tokens_end_at_once),
		TEST(a_token_with_scopes_makes_none_that_reaches_further),
		TEST(a_token_ends_by_itself_within_366_days),
		TEST(of_a_secret_only_the_hash_is_kept),
		TEST(a_contacts_telephone_number_is_one),
		TEST(a_contact_is_changed_in_part_and_deleted),
		TEST(what_another_account_has_is_as_if_it_never_was),
		TEST(a_list_shows_the_callers_own_and_operators_any),
		TEST(history_is_newest_first_and_each_accounts_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
