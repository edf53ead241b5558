/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The service's table, and who sends a cookie.  Nothing is remembered from one
 * request to the next but when a session was last seen: the row is read with
 * its user and account each time, so a session is never more than its user is
 * by then, and ends with it.
 */

#include "certd/login/sessions.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "certd/login/sessions_int.h"
#include "certd/roles.h"

/* Seen is known to the minute. */
#define SEEN_GRACE_S 60

/* ---- who sends a cookie ---- */

static struct status
ended(void)
{
	return status_fail(
	    STATUS_UNAUTHENTICATED, "this session has ended; log in again");
}

static struct status
caller_of(const struct sessions *sessions, const struct store_session *session,
    struct caller *ret_caller)
{
	struct caller caller = { .is = roles_allow(session->user.role),
		.account = session->user.account,
		.user = session->user.id };
	struct status st = status_ok();

	sessions_view_actor(session, caller.actor);
	if (session->user.id == 0 &&
	    !sessions_begin_identity(session->identity, &caller))
		return ended();
	if (session->user.id != 0 &&
	    (session->user.disabled || caller.is == 0 || caller.account == 0))
		return ended();
	if (session->user.id == 0)
		st = sessions_begin_admits(sessions, &caller);
	if (failed(st)) /* not the same as a token that is wrong */
		return status_fail(STATUS_UNAUTHENTICATED, st.why);
	*ret_caller = caller;
	return st;
}

static struct status
check_in_force(struct sessions *sessions, const struct store_session *session,
    int64_t now_s, struct caller *ret_caller)
{
	int64_t idle_s =
	    sessions->config.config->console.session_idle_ns / NS_PER_S;
	int64_t seen_s =
	    sessions_seen_last(sessions, session->id, session->seen_s);

	if (session->expires_s <= now_s ||
	    seen_s + idle_s + SEEN_GRACE_S <= now_s)
		return ended();
	return caller_of(sessions, session, ret_caller);
}

static struct status
find(struct sessions *sessions, const char *cookie,
    struct store_session *ret_session)
{
	scoped(db_end) struct db_tx *tx = NULL;
	uint8_t hash[LOGIN_SECRET_HASH_LEN];
	struct status st;

	if (!login_secret_hash(cookie, hash))
		return ended();
	st = store_read(sessions->config.store, &tx);
	if (!failed(st))
		st = store_sessions_of_cookie(tx, hash, ret_session);
	return st.code == STATUS_NOT_FOUND ? ended() : st;
}

static struct status
check_token(const struct sessions *sessions,
    const struct store_session *session, const char *token)
{
	char want[LOGIN_SECRET_MAX];
	struct status st = sessions_view_csrf(sessions, session, want);
	bool is_right = !failed(st) && strlen(token) == LOGIN_SECRET_LEN &&
			CRYPTO_memcmp(token, want, LOGIN_SECRET_LEN) == 0;

	OPENSSL_cleanse(want, sizeof(want));
	if (failed(st) || is_right)
		return st;
	return status_fail(STATUS_PERMISSION_DENIED,
	    "X-CSRF-Token is missing or not this session's: load the page "
	    "again");
}

static struct status
must_set(const char *what)
{
	if (strcmp(what, "password") == 0)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "set a password first, in your settings");
	return status_fail(STATUS_PERMISSION_DENIED,
	    "set up a second factor first, in your settings: it is required "
	    "here");
}

static struct status
find_caller(struct sessions *sessions, const char *cookie,
    const char *csrf_token, bool counts, struct caller *ret_caller,
    int64_t *ret_session)
{
	int64_t now_s = store_now_s();
	struct store_session session;
	struct caller caller;
	struct status st = find(sessions, cookie, &session);
	const char *missing;

	*ret_session = 0;
	if (!failed(st))
		st = check_in_force(sessions, &session, now_s, &caller);
	if (!failed(st) && csrf_token != NULL)
		st = check_token(sessions, &session, csrf_token);
	if (failed(st))
		return st;
	if (counts && session.seen_s / 60 != now_s / 60)
		sessions_seen_note(sessions, session.id, now_s);
	*ret_caller = caller;
	*ret_session = session.id;
	missing = sessions_view_must_set(sessions, &session);
	return missing[0] == 0 ? st : must_set(missing);
}

STATUS
sessions_caller(struct sessions *sessions, const char *cookie,
    const char *csrf_token, struct caller *ret_caller, int64_t *ret_session)
{
	return find_caller(
	    sessions, cookie, csrf_token, true, ret_caller, ret_session);
}

STATUS
sessions_caller_left_alone(struct sessions *sessions, const char *cookie,
    struct caller *ret_caller, int64_t *ret_session)
{
	return find_caller(
	    sessions, cookie, NULL, false, ret_caller, ret_session);
}

STATUS
sessions_still(
    struct sessions *sessions, int64_t session, struct caller *ret_caller)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct store_session row;
	struct status st = store_read(sessions->config.store, &tx);

	if (!failed(st))
		st = store_sessions_get(tx, session, &row);
	if (st.code == STATUS_NOT_FOUND)
		return ended();
	if (!failed(st))
		st = check_in_force(sessions, &row, store_now_s(), ret_caller);
	return st;
}

/* ---- the table ---- */

#define SERVICE &holdfast__certd__v1__sessions__descriptor
/* For whoever logs in. */
#define OPEN .open = true, .secret = true
/* For whoever has logged in. */
#define OWN(scoped_to)                                                         \
	.allow = ALLOW_READ, .scope = (scoped_to), .session_only = true

static const struct api_method METHODS[] = {
	{ .service = SERVICE,
	    .name = "Create",
	    .fn = sessions_login_create,
	    .verb = API_POST,
	    .path = "/v1/sessions",
	    .creates = true,
	    OPEN,
	    .summary = "Log in by password" },
	{ .service = SERVICE,
	    .name = "UseLink",
	    .fn = sessions_link_use,
	    .verb = API_POST,
	    .path = "/v1/sessions:link",
	    .creates = true,
	    OPEN,
	    .summary = "Log in by a one-time link" },
	{ .service = SERVICE,
	    .name = "UseCertificate",
	    .fn = sessions_begin_by_certificate,
	    .verb = API_POST,
	    .path = "/v1/sessions:certificate",
	    .creates = true,
	    OPEN,
	    .certificate = true,
	    .summary = "Log in by client certificate" },
	{ .service = SERVICE,
	    .name = "Get",
	    .fn = sessions_own_get,
	    OWN(SCOPE_ACCOUNT_READ),
	    .verb = API_GET,
	    .path = "/v1/session",
	    .summary = "Show the session that asks" },
	{ .service = SERVICE,
	    .name = "End",
	    .fn = sessions_own_end,
	    OWN(SCOPE_ACCOUNT_WRITE),
	    .verb = API_DELETE,
	    .path = "/v1/session",
	    .summary = "Log out" },
	{ .service = SERVICE,
	    .name = "List",
	    .fn = sessions_own_list,
	    OWN(SCOPE_ACCOUNT_READ),
	    .verb = API_GET,
	    .path = "/v1/sessions",
	    .summary = "List one's own sessions" },
	{ .service = SERVICE,
	    .name = "Revoke",
	    .fn = sessions_own_revoke,
	    OWN(SCOPE_ACCOUNT_WRITE),
	    .verb = API_DELETE,
	    .path = "/v1/sessions/{id}",
	    .summary = "End one of one's own sessions" },
	{ .service = SERVICE,
	    .name = "SetPassword",
	    .fn = sessions_password_set,
	    OWN(SCOPE_ACCOUNT_WRITE),
	    .verb = API_POST,
	    .path = "/v1/session:password",
	    .secret = true,
	    .summary = "Set one's own password" },
	{ .service = SERVICE,
	    .name = "BeginTotp",
	    .fn = sessions_totp_begin,
	    OWN(SCOPE_ACCOUNT_WRITE),
	    .verb = API_POST,
	    .path = "/v1/session:begin_totp",
	    .secret = true,
	    .summary = "Get a secret for a second factor" },
	{ .service = SERVICE,
	    .name = "ConfirmTotp",
	    .fn = sessions_totp_confirm,
	    OWN(SCOPE_ACCOUNT_WRITE),
	    .verb = API_POST,
	    .path = "/v1/session:confirm_totp",
	    .secret = true,
	    .summary = "Put the second factor in force" },
	{ .service = SERVICE,
	    .name = "DisableTotp",
	    .fn = sessions_totp_disable,
	    OWN(SCOPE_ACCOUNT_WRITE),
	    .verb = API_POST,
	    .path = "/v1/session:disable_totp",
	    .secret = true,
	    .summary = "Turn the second factor off" },
	{ .service = SERVICE,
	    .name = "MakeLink",
	    .fn = sessions_link_make,
	    .allow = SESSIONS_LINK_MAKERS,
	    .scope = SCOPE_ACCOUNT_WRITE,
	    .verb = API_POST,
	    .path = "/v1/sessions:make_link",
	    .secret = true,
	    .summary = "Make a one-time link for a user to log in with" },
};

STATUS
sessions_register(struct sessions *sessions, struct api *api)
{
	return api_add(
	    api, METHODS, sizeof(METHODS) / sizeof(METHODS[0]), sessions);
}

/* ---- life ---- */

STATUS
sessions_new(
    const struct sessions_config *config, struct sessions **ret_sessions)
{
	struct sessions *sessions = calloc(1, sizeof(*sessions));

	if (sessions == NULL)
		return message_no_memory();
	sessions->config = *config;
	if (sessions->config.log2n == 0)
		sessions->config.log2n = PASSWORD_LOG2N;
	pthread_mutex_init(&sessions->mutex, NULL);
	sessions->gate = password_gate_new();
	sessions->throttle = throttle_new();
	if (sessions->gate == NULL || sessions->throttle == NULL) {
		sessions_free(sessions);
		return message_no_memory();
	}
	*ret_sessions = sessions;
	return status_ok();
}

void
sessions_free(struct sessions *sessions)
{
	if (sessions == NULL)
		return;
	if (sessions->config.store != NULL)
		sessions_seen_flush(sessions);
	password_gate_free(sessions->gate);
	throttle_free(sessions->throttle);
	windows_done(&sessions->mailed);
	pthread_mutex_destroy(&sessions->mutex);
	free(sessions);
}
