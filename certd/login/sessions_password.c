/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A user sets a password.  The one before is asked for, but of who came by a
 * link in the last hour, as those do who have lost it; guessing it is throttled
 * like a log-in.  All other sessions of the user end then, and this one gets
 * another cookie.
 *
 * Salts are made of the address: users of one address in several accounts are
 * told apart by one computation (sessions_login.c).  Those of other
 * installations are others, as the key they are made with is.
 */

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/secret.h"
#include "certd/login/sessions_int.h"

#define LINK_COUNTS_S 3600

STATUS
sessions_password_form(const struct sessions *sessions, const char *email,
    struct password *ret_password)
{
	char lower[STORE_EMAIL_MAX];
	uint8_t octets[SECRETS_LEN];
	size_t n = 0;
	struct status st;

	for (; email[n] != 0 && n + 1 < sizeof(lower); n++)
		lower[n] = (char)tolower((unsigned char)email[n]);
	lower[n] = 0;
	st = secrets_derive(
	    sessions->config.secrets, "password salt", bytes_of(lower), octets);
	if (failed(st))
		return st;
	*ret_password = (struct password){ .log2n = sessions->config.log2n };
	memcpy(ret_password->salt, octets, sizeof(ret_password->salt));
	return st;
}

struct change {
	struct sessions *sessions;
	struct api_call *call;
	const Holdfast__Certd__V1__SetPasswordRequest *asked;
	struct store_session session;
	struct store_login login;
	char text[PASSWORD_TEXT_MAX]; /* the new one, as it is kept */
};

static struct status
find(struct change *change)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(change->sessions->config.store, &tx);

	if (!failed(st))
		st = store_sessions_get(
		    tx, change->call->web->session, &change->session);
	if (!failed(st) && change->session.user.id == 0)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "operators and auditors have no password: they come by "
		    "client certificate or one-time link");
	if (!failed(st))
		st = store_logins_get(
		    tx, change->session.user.id, &change->login);
	return st;
}

static bool
needs_current(const struct change *change)
{
	if (change->login.password[0] == 0)
		return false;
	return change->session.method != BY_LINK ||
	       change->session.created_s + LINK_COUNTS_S <= store_now_s() ||
	       change->asked->current[0] != 0;
}

static struct status
wrong_current(struct api_call *call)
{
	snprintf(
	    call->web->reason, sizeof(call->web->reason), "WRONG_PASSWORD");
	return status_fail(STATUS_INVALID_ARGUMENT,
	    "current: this is not the password that you have now");
}

static struct status
compare(const struct change *change, bool *ret_is_right)
{
	struct password kept, computed;
	struct status st;

	*ret_is_right = false;
	if (strlen(change->asked->current) > PASSWORD_MAX ||
	    !password_parse(change->login.password, &kept))
		return status_ok();
	computed = kept;
	st = password_compute(change->sessions->gate,
	    bytes_of(change->asked->current), &computed);
	*ret_is_right =
	    !failed(st) &&
	    secret_equal((struct bytes){ computed.hash, sizeof(computed.hash) },
		(struct bytes){ kept.hash, sizeof(kept.hash) });
	return st;
}

static struct status
check_current(struct change *change)
{
	struct throttle *throttle = change->sessions->throttle;
	const struct store_user *user = &change->login.user;
	char who[SESSIONS_WHO_MAX];
	struct throttle_try try;
	bool is_right = false;
	struct status st;
	unsigned wait_s;

	sessions_view_who(user->email, user->account_name, who);
	wait_s = throttle_begin(
	    throttle, who, change->call->web->address, clock_mono_ns(), &try);
	if (wait_s > 0)
		return sessions_refused_wait(change->call, wait_s);
	st = compare(change, &is_right);
	if (failed(st)) {
		throttle_end(throttle, &try, THROTTLE_NONE, clock_mono_ns());
		return st;
	}
	throttle_end(throttle, &try, is_right ? THROTTLE_RIGHT : THROTTLE_WRONG,
	    clock_mono_ns());
	if (is_right)
		return st;
	sessions_refused_note(
	    change->sessions, change->call, &change->login, 1);
	return wrong_current(change->call);
}

static struct status
make_new(struct change *change)
{
	const struct store_user *user = &change->login.user;
	struct password password;
	struct status st = password_check(
	    change->asked->new_, user->email, user->account_name);

	if (!failed(st))
		st = sessions_password_form(
		    change->sessions, user->email, &password);
	if (!failed(st))
		st = password_compute(change->sessions->gate,
		    bytes_of(change->asked->new_), &password);
	if (!failed(st))
		password_print(&password, change->text);
	return st;
}

static struct status
put_down(struct db_tx *tx, const struct change *change)
{
	const struct store_user *user = &change->login.user;
	char object[40], detail[80];

	snprintf(object, sizeof(object), "user %" PRId64, user->id);
	snprintf(detail, sizeof(detail), "from %s; all other sessions ended",
	    change->call->web->address);
	return store_event(tx, user->account, change->call->caller->actor,
	    "password set", object, detail);
}

static struct status
set_in(struct db_tx *tx, struct change *change,
    char ret_secret[LOGIN_SECRET_MAX], ProtobufCMessage **ret_reply)
{
	const int64_t user = change->login.user.id;
	struct store_session session;
	struct store_login now;
	struct status st = store_sessions_get(tx, change->session.id, &session);

	if (!failed(st))
		st = store_logins_get(tx, user, &now);
	if (!failed(st) && strcmp(now.password, change->login.password) != 0)
		return status_fail(STATUS_ABORTED,
		    "the password was set by another session just now");
	if (!failed(st))
		st = store_logins_set_password(tx, user, change->text);
	if (!failed(st))
		st = store_logins_end_links(tx, user);
	if (!failed(st))
		st = sessions_begin_anew(tx, &session, BY_PASSWORD, ret_secret);
	if (!failed(st))
		st = put_down(tx, change);
	return failed(st) ? st
			  : sessions_view_answer(
				change->sessions, tx, session.id, ret_reply);
}

struct status
sessions_password_set(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	struct sessions *sessions = ctx;
	struct change change = { .sessions = sessions,
		.call = call,
		.asked = (const void *)request };
	struct store *store = sessions->config.store;
	char secret[LOGIN_SECRET_MAX] = "";
	struct db_tx *tx;
	struct status st = find(&change);

	if (!failed(st) && needs_current(&change))
		st = check_current(&change);
	if (!failed(st))
		st = make_new(&change);
	if (!failed(st))
		st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(store, tx, set_in(tx, &change, secret, ret_reply));
	if (!failed(st))
		memcpy(call->web->cookie, secret, sizeof(secret));
	OPENSSL_cleanse(secret, sizeof(secret));
	return st;
}
