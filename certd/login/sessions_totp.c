/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The second factor.  Its secret is made of a salt in the database and a key
 * that is in no database, so neither backups nor readers of certd.db have it.
 * It is in force once a code has shown that an authenticator has it, and it is
 * not replaced while it is in force: who has a session alone cannot put another
 * in its place.  A code counts once.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "certd/login/sessions_int.h"

static struct status
derive(const struct sessions *sessions, const uint8_t *salt,
    uint8_t ret_secret[SECRETS_LEN])
{
	return secrets_derive(sessions->config.secrets, "totp",
	    (struct bytes){ salt, SECRETS_SALT_LEN }, ret_secret);
}

STATUS
sessions_totp_check(const struct sessions *sessions,
    const struct store_login *login, const char *code, int64_t *ret_step)
{
	uint8_t secret[SECRETS_LEN];
	struct status st = derive(sessions, login->totp_salt, secret);
	bool is_right =
	    !failed(st) && totp_check((struct bytes){ secret, TOTP_SECRET_LEN },
			       store_now_s(), code, login->totp_step, ret_step);

	OPENSSL_cleanse(secret, sizeof(secret));
	if (failed(st) || is_right)
		return st;
	return status_fail(STATUS_INVALID_ARGUMENT,
	    "code: these are not the six digits that your authenticator shows "
	    "now, or they were used already; wait for the next ones");
}

static struct status
wrong_code(struct api_call *call, struct status st)
{
	if (st.code == STATUS_INVALID_ARGUMENT)
		snprintf(
		    call->web->reason, sizeof(call->web->reason), "WRONG_CODE");
	return st;
}

/* The user who asks. */
static struct status
find(struct db_tx *tx, const struct api_call *call,
    struct store_session *ret_session, struct store_login *ret_login)
{
	struct status st =
	    store_sessions_get(tx, call->web->session, ret_session);

	if (!failed(st) && ret_session->user.id == 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "operators and auditors have no second factor here: their "
		    "client certificates stand for them");
	return failed(st)
		   ? st
		   : store_logins_get(tx, ret_session->user.id, ret_login);
}

static struct status
put_down(struct db_tx *tx, const struct api_call *call,
    const struct store_user *user, const char *act)
{
	char object[40], detail[80];

	snprintf(object, sizeof(object), "user %" PRId64, user->id);
	snprintf(detail, sizeof(detail), "from %s", call->web->address);
	return store_event(
	    tx, user->account, call->caller->actor, act, object, detail);
}

/* ---- a new one ---- */

static struct status
begin_in(struct db_tx *tx, const struct api_call *call, const uint8_t *salt,
    struct store_login *ret_login)
{
	struct store_session session;
	struct status st = find(tx, call, &session, ret_login);

	if (!failed(st) && ret_login->totp_on)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "a second factor is in force: turn it off first");
	return failed(st) ? st
			  : store_logins_set_totp(tx, ret_login->user.id, salt);
}

static struct status
answer(const char *email, const uint8_t *secret, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__begin_totp_response__descriptor);
	Holdfast__Certd__V1__BeginTotpResponse *to = (void *)message;
	char base32[TOTP_BASE32_MAX], uri[TOTP_URI_MAX];
	bool is_filled;

	totp_base32(secret, base32);
	totp_uri(base32, email, uri);
	is_filled = to != NULL && message_text(&to->secret, base32) &&
		    message_text(&to->uri, uri);
	OPENSSL_cleanse(base32, sizeof(base32));
	OPENSSL_cleanse(uri, sizeof(uri));
	if (!is_filled)
		return message_no_memory();
	*ret_reply = message;
	message = NULL;
	return status_ok();
}

struct status
sessions_totp_begin(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	struct sessions *sessions = ctx;
	struct store *store = sessions->config.store;
	uint8_t salt[SECRETS_SALT_LEN], secret[SECRETS_LEN];
	struct store_login login;
	struct db_tx *tx;
	struct status st = secrets_salt(salt);

	(void)request;
	if (!failed(st))
		st = derive(sessions, salt, secret);
	if (!failed(st))
		st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(store, tx, begin_in(tx, call, salt, &login));
	if (!failed(st))
		st = answer(login.user.email, secret, ret_reply);
	OPENSSL_cleanse(secret, sizeof(secret));
	return st;
}

static struct status
confirm_in(struct db_tx *tx, const struct sessions *sessions,
    struct api_call *call, const char *code, char ret_secret[LOGIN_SECRET_MAX],
    ProtobufCMessage **ret_reply)
{
	struct store_session session;
	struct store_login login;
	int64_t step = 0;
	struct status st = find(tx, call, &session, &login);

	if (!failed(st) && (login.totp_on || !login.has_totp_salt))
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "no second factor is being set up; begin with a new one");
	if (!failed(st))
		st = wrong_code(
		    call, sessions_totp_check(sessions, &login, code, &step));
	if (!failed(st))
		st = store_logins_take_step(tx, login.user.id, step);
	if (!failed(st))
		st = store_logins_turn_totp_on(tx, login.user.id);
	if (!failed(st))
		st = sessions_begin_anew(
		    tx, &session, session.method, ret_secret);
	if (!failed(st))
		st = put_down(tx, call, &login.user, "second factor set up");
	return failed(st)
		   ? st
		   : sessions_view_answer(sessions, tx, session.id, ret_reply);
}

struct status
sessions_totp_confirm(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__ConfirmTotpRequest *asked =
	    (const void *)request;
	struct sessions *sessions = ctx;
	struct store *store = sessions->config.store;
	char secret[LOGIN_SECRET_MAX] = "";
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (failed(st))
		return st;
	st = store_commit(store, tx,
	    confirm_in(tx, sessions, call, asked->code, secret, ret_reply));
	if (!failed(st))
		memcpy(call->web->cookie, secret, sizeof(secret));
	OPENSSL_cleanse(secret, sizeof(secret));
	return st;
}

/* ---- none any more ---- */

static struct status
disable_in(struct db_tx *tx, const struct sessions *sessions,
    struct api_call *call, const char *code, char ret_secret[LOGIN_SECRET_MAX],
    ProtobufCMessage **ret_reply)
{
	struct store_session session;
	struct store_login login;
	int64_t step = 0;
	struct status st = find(tx, call, &session, &login);

	if (!failed(st) && !login.totp_on)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "there is no second factor to turn off");
	if (!failed(st))
		st = wrong_code(
		    call, sessions_totp_check(sessions, &login, code, &step));
	if (!failed(st))
		st = store_logins_set_totp(tx, login.user.id, NULL);
	if (!failed(st))
		st = sessions_begin_anew(
		    tx, &session, session.method, ret_secret);
	if (!failed(st))
		st =
		    put_down(tx, call, &login.user, "second factor turned off");
	return failed(st)
		   ? st
		   : sessions_view_answer(sessions, tx, session.id, ret_reply);
}

/* Guessing is throttled like a log-in's. */
static struct status
admit(struct sessions *sessions, struct api_call *call,
    struct throttle_try *ret_try)
{
	struct throttle *throttle = sessions->throttle;
	unsigned wait_s = throttle_begin(throttle, call->caller->actor,
	    call->web->address, clock_mono_ns(), ret_try);

	if (wait_s > 0)
		return sessions_refused_wait(call, wait_s);
	wait_s = throttle_code(throttle, ret_try, clock_mono_ns());
	if (wait_s == 0)
		return status_ok();
	throttle_end(throttle, ret_try, THROTTLE_NONE, clock_mono_ns());
	return sessions_refused_wait(call, wait_s);
}

struct status
sessions_totp_disable(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__DisableTotpRequest *asked =
	    (const void *)request;
	struct sessions *sessions = ctx;
	struct store *store = sessions->config.store;
	enum throttle_outcome outcome = THROTTLE_RIGHT;
	char secret[LOGIN_SECRET_MAX] = "";
	struct throttle_try try;
	struct db_tx *tx;
	struct status st = admit(sessions, call, &try);

	if (failed(st))
		return st;
	st = store_write(store, &tx);
	if (!failed(st))
		st = store_commit(store, tx,
		    disable_in(
			tx, sessions, call, asked->code, secret, ret_reply));
	if (st.code == STATUS_INVALID_ARGUMENT)
		outcome = THROTTLE_WRONG;
	else if (failed(st))
		outcome = THROTTLE_NONE;
	throttle_end(sessions->throttle, &try, outcome, clock_mono_ns());
	if (!failed(st))
		memcpy(call->web->cookie, secret, sizeof(secret));
	OPENSSL_cleanse(secret, sizeof(secret));
	return st;
}
