/* SPDX-License-Identifier: Apache-2.0 */

/* Sessions for one test; see login_desk.h. */

#include "tests/unit/login_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/login/password.h"
#include "certd/store_users.h"
#include "proto/message.h"

static struct status
admits(void *ctx, const struct caller *caller)
{
	const struct login_desk *desk = ctx;

	if (desk->quarantined != NULL &&
	    strcmp(desk->quarantined, caller->actor) == 0)
		return status_fail(
		    STATUS_PERMISSION_DENIED, "this identity is quarantined");
	return status_ok();
}

int
login_desk_set_up(void **state)
{
	struct login_desk *desk = calloc(1, sizeof(*desk));
	char error[CONF_ERROR_MAX] = "";
	void *inner = NULL;

	assert_non_null(desk);
	assert_int_equal(certd_desk_set_up(&inner), 0);
	desk->desk = inner;
	assert_int_equal(
	    config_load(NULL, &desk->config, error).code, STATUS_OK);
	assert_int_equal(
	    secrets_open(desk->desk->folder, &desk->secrets).code, STATUS_OK);
	desk->sessions_config = (struct sessions_config){
		.store = desk->desk->store,
		.secrets = desk->secrets,
		.config = desk->config,
		.admits = admits,
		.admits_ctx = desk,
		.log2n = PASSWORD_LOG2N_MIN,
	};
	assert_int_equal(
	    sessions_new(&desk->sessions_config, &desk->sessions).code,
	    STATUS_OK);
	assert_int_equal(
	    sessions_register(desk->sessions, desk->desk->api).code, STATUS_OK);
	*state = desk;
	return 0;
}

int
login_desk_tear_down(void **state)
{
	struct login_desk *desk = *state;
	void *inner = desk->desk;

	sessions_free(desk->sessions);
	secrets_close(desk->secrets);
	config_free(desk->config);
	assert_int_equal(certd_desk_tear_down(&inner), 0);
	free(desk);
	return 0;
}

void
login_desk_restart(struct login_desk *desk)
{
	sessions_free(desk->sessions);
	desk->sessions = NULL;
	api_free(desk->desk->api);
	desk->desk->api = api_new();
	assert_int_equal(
	    sessions_new(&desk->sessions_config, &desk->sessions).code,
	    STATUS_OK);
	assert_int_equal(
	    sessions_register(desk->sessions, desk->desk->api).code, STATUS_OK);
}

void
login_desk_sql(struct login_desk *desk, const char *sql)
{
	struct db_tx *tx;

	assert_int_equal(store_write(desk->desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->desk->store, tx, db_run(tx, NULL, sql, DB_NONE))
		.code,
	    STATUS_OK);
}

/* ---- asking ---- */

static void
take_token(struct login_browser *browser, const ProtobufCMessage *reply)
{
	const Holdfast__Certd__V1__Session *session = (const void *)reply;

	if (reply->descriptor != &holdfast__certd__v1__session__descriptor ||
	    session->csrf_token[0] == 0)
		return;
	snprintf(
	    browser->csrf, sizeof(browser->csrf), "%s", session->csrf_token);
	snprintf(browser->position, sizeof(browser->position), "%s",
	    session->live_position);
}

static struct status
find_caller(struct login_desk *desk, struct login_browser *browser,
    const struct api_method *method)
{
	struct status st;

	if (method->open)
		return status_ok();
	st = sessions_caller(desk->sessions, browser->cookie,
	    method->verb == API_GET ? NULL : browser->csrf, &desk->caller,
	    &desk->web.session);
	if (st.code == STATUS_PERMISSION_DENIED && desk->web.session != 0 &&
	    method->session_only)
		st = status_ok();
	return st;
}

struct status
login_desk_ask(struct login_desk *desk, struct login_browser *browser,
    const char *method, const void *request, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *reply = NULL;
	const struct api_method *found;
	char path[128];
	struct status st;

	snprintf(path, sizeof(path), "/holdfast.certd.v1.Sessions/%s", method);
	found = api_find(desk->desk->api, path);
	assert_non_null(found);
	desk->web = (struct api_web){ .address = browser->address == NULL
						     ? "192.0.2.1"
						     : browser->address,
		.user_agent = "Test/1",
		.peer_identity =
		    browser->identity == NULL ? "" : browser->identity,
		.peer_not_after_s = browser->not_after_s };
	desk->caller = (struct caller){ .is = 0 };
	desk->call =
	    (struct api_call){ .caller = &desk->caller, .web = &desk->web };
	st = find_caller(desk, browser, found);
	if (!failed(st))
		st = api_ask(
		    desk->desk->api, found, &desk->call, request, &reply);
	if (failed(st))
		return st;
	take_token(browser, reply);
	if (desk->web.cookie[0] != 0)
		memcpy(
		    browser->cookie, desk->web.cookie, sizeof(browser->cookie));
	if (desk->web.clear_cookie)
		browser->cookie[0] = 0;
	if (ret_reply != NULL) {
		*ret_reply = reply;
		reply = NULL;
	}
	return st;
}

static char *
lend(const char *borrowed)
{
	return (char *)(uintptr_t)(borrowed == NULL ? "" : borrowed);
}

struct status
login_desk_log_in(struct login_desk *desk, struct login_browser *browser,
    const char *email, const char *password, const char *code)
{
	Holdfast__Certd__V1__CreateSessionRequest request;

	holdfast__certd__v1__create_session_request__init(&request);
	request.email = lend(email);
	request.password = lend(password);
	request.totp_code = lend(code);
	return login_desk_ask(desk, browser, "Create", &request, NULL);
}

struct status
login_desk_use_link(struct login_desk *desk, struct login_browser *browser,
    const char *secret, const char *code)
{
	Holdfast__Certd__V1__UseLinkRequest request;

	holdfast__certd__v1__use_link_request__init(&request);
	request.secret = lend(secret);
	request.totp_code = lend(code);
	return login_desk_ask(desk, browser, "UseLink", &request, NULL);
}

void
login_desk_link(
    struct login_desk *desk, int64_t user, bool reset_totp, char ret_secret[64])
{
	const struct caller operator= certd_desk_operator();
	Holdfast__Certd__V1__MakeLinkRequest request;
	Holdfast__Certd__V1__MakeLinkResponse *made = NULL;

	holdfast__certd__v1__make_link_request__init(&request);
	request.user_id = user;
	request.reset_totp = reset_totp;
	assert_int_equal(certd_desk_ask(desk->desk, &operator,
			     "Sessions/MakeLink", &request, &made)
			     .code,
	    STATUS_OK);
	snprintf(ret_secret, 64, "%s", made->secret);
	message_free((ProtobufCMessage *)made);
}

struct status
login_desk_who(struct login_desk *desk, struct login_browser *browser,
    struct caller *ret_caller)
{
	int64_t session = 0;

	return sessions_caller(
	    desk->sessions, browser->cookie, NULL, ret_caller, &session);
}

int64_t
login_desk_user(struct login_desk *desk, int64_t account, const char *email,
    int role, bool has_password)
{
	struct store_user user = { .account = account, .role = role };
	Holdfast__Certd__V1__SetPasswordRequest request;
	struct login_browser browser = { .address = "203.0.113.1" };
	char secret[64];
	int64_t id = 0;
	struct db_tx *tx;

	snprintf(user.email, sizeof(user.email), "%s", email);
	assert_int_equal(store_write(desk->desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_commit(desk->desk->store, tx, store_users_add(tx, &user, &id))
		.code,
	    STATUS_OK);
	if (!has_password)
		return id;
	login_desk_link(desk, id, false, secret);
	assert_int_equal(
	    login_desk_use_link(desk, &browser, secret, NULL).code, STATUS_OK);
	holdfast__certd__v1__set_password_request__init(&request);
	request.new_ = lend(LOGIN_DESK_PASSWORD);
	assert_int_equal(
	    login_desk_ask(desk, &browser, "SetPassword", &request, NULL).code,
	    STATUS_OK);
	return id;
}
