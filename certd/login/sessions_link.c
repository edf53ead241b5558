/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One-time links: made by an operator for anybody, by an administrator for the
 * account's users, and by an operator over gRPC for the console's sake.  A link
 * stands in for the password alone: who has a second factor shows it too, but
 * where the link was made to take it away.  It counts once, until its time is
 * over or another one is made for its user, and while whoever made it still may
 * make it.  Nobody makes one for oneself, and a token with scopes makes none:
 * each would get more than it has.  An operator's own ends with the certificate
 * that it was asked for by, and so does the session.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "certd/authenticate.h"
#include "certd/login/sessions_int.h"
#include "certd/roles.h"

#define TTL_USER_S 86400
#define TTL_OPERATOR_S 600
#define TTL_MAX_S (7 * 86400)
#define URL_MAX 400

/* ---- use ---- */

struct use {
	struct sessions *sessions;
	struct api_call *call;
	const Holdfast__Certd__V1__UseLinkRequest *asked;
	uint8_t hash[LOGIN_SECRET_HASH_LEN];
	struct store_link link;
	struct store_login login; /* of link.user */
	bool needs_code;
	int64_t step; /* of the code; 0: none was needed */
};

static struct status
no_link(void)
{
	return status_fail(STATUS_UNAUTHENTICATED,
	    "this link was used already, or its time is over; ask for a new "
	    "one");
}

/* The user or the token that made it, as it would call now. */
static struct status
find_maker(
    const struct store_link *link, struct db_tx *tx, struct caller *ret_maker)
{
	struct store_user user = { .id = 0 };
	struct status st;

	if (link->maker_token != 0)
		return authenticate_token(tx, link->maker_token, ret_maker);
	st = store_users_get(tx, link->maker_user, &user);
	if (!failed(st))
		*ret_maker = (struct caller){
			.is = user.disabled ? 0 : roles_allow(user.role),
			.account = user.account
		};
	return st;
}

/* Of a user's link: is there somebody still who may make it? */
static struct status
check_maker(const struct use *use, struct db_tx *tx)
{
	struct caller maker = { .is = 0 };
	struct status st;

	/* An operator's: admit() looks. */
	if (sessions_begin_identity(use->link.created_by, &maker))
		return status_ok();
	st = find_maker(&use->link, tx, &maker);
	if (st.code == STATUS_NOT_FOUND || st.code == STATUS_UNAUTHENTICATED)
		return no_link();
	if (!failed(st) &&
	    ((maker.is & SESSIONS_LINK_MAKERS) == 0 || maker.scopes != 0 ||
		!caller_sees(&maker, use->login.user.account)))
		return no_link();
	return st;
}

/* In the transaction that uses it, too: all may have changed. */
static struct status
find(struct use *use, struct db_tx *tx)
{
	struct status st =
	    store_logins_get_link(tx, use->hash, store_now_s(), &use->link);

	if (!failed(st) && use->link.user != 0)
		st = store_logins_get(tx, use->link.user, &use->login);
	if (st.code == STATUS_NOT_FOUND)
		return no_link();
	if (!failed(st) && use->link.user != 0 && use->login.user.disabled)
		return no_link();
	if (!failed(st) && use->link.user != 0)
		st = check_maker(use, tx);
	if (failed(st))
		return st;
	use->needs_code =
	    use->link.user != 0 && use->login.totp_on && !use->link.reset_totp;
	return st;
}

static struct status
look(struct use *use)
{
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(use->sessions->config.store, &tx);

	if (!login_secret_hash(use->asked->secret, use->hash))
		memset(use->hash, 0, sizeof(use->hash)); /* nobody's */
	return failed(st) ? st : find(use, tx);
}

static struct status
check_code(struct use *use)
{
	struct throttle *throttle = use->sessions->throttle;
	const struct store_user *user = &use->login.user;
	char who[SESSIONS_WHO_MAX];
	struct throttle_try try;
	struct status st;
	unsigned wait_s;

	if (use->asked->totp_code[0] == 0) {
		snprintf(use->call->web->reason, sizeof(use->call->web->reason),
		    "TOTP_REQUIRED");
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "write the six digits that your authenticator shows");
	}
	sessions_view_who(user->email, user->account_name, who);
	wait_s = throttle_begin(
	    throttle, who, use->call->web->address, clock_mono_ns(), &try);
	if (wait_s > 0)
		return sessions_refused_wait(use->call, wait_s);
	wait_s = throttle_code(throttle, &try, clock_mono_ns());
	if (wait_s > 0) {
		throttle_end(throttle, &try, THROTTLE_HALF, clock_mono_ns());
		return sessions_refused_wait(use->call, wait_s);
	}
	st = sessions_totp_check(
	    use->sessions, &use->login, use->asked->totp_code, &use->step);
	throttle_end(throttle, &try,
	    failed(st) ? THROTTLE_WRONG : THROTTLE_RIGHT, clock_mono_ns());
	if (st.code != STATUS_INVALID_ARGUMENT)
		return st;
	sessions_refused_note(use->sessions, use->call, &use->login, 1);
	return status_fail(STATUS_UNAUTHENTICATED, "the code is not right");
}

static struct status
admit(struct use *use)
{
	struct caller caller;

	/* Whom keyd has quarantined may have kept one for somebody else. */
	if (use->link.user != 0 &&
	    sessions_begin_identity(use->link.created_by, &caller) &&
	    failed(sessions_begin_admits(use->sessions, &caller)))
		return no_link();
	if (use->link.user != 0)
		return use->needs_code ? check_code(use) : status_ok();
	if (!sessions_begin_identity(use->link.identity, &caller))
		return no_link();
	return sessions_begin_admits(use->sessions, &caller);
}

static struct status
take_factor(struct use *use, struct db_tx *tx)
{
	const int64_t user = use->link.user;
	struct status st;

	if (use->link.reset_totp)
		return store_logins_set_totp(tx, user, NULL);
	if (use->step == 0)
		return status_ok();
	st = store_logins_take_step(tx, user, use->step);
	return st.code == STATUS_ABORTED ? status_fail(STATUS_UNAUTHENTICATED,
					       "the code is not right")
					 : st;
}

static struct status
use_in(struct use *use, struct db_tx *tx, char ret_secret[LOGIN_SECRET_MAX],
    ProtobufCMessage **ret_reply)
{
	struct store_session session = { .method = BY_LINK };
	bool looked_at = use->needs_code;
	struct status st = find(use, tx);

	if (!failed(st) && use->needs_code && !looked_at)
		return no_link();
	if (!failed(st))
		st = store_logins_use_link(tx, use->hash);
	if (!failed(st) && use->link.user != 0)
		st = take_factor(use, tx);
	if (failed(st))
		return st;
	if (use->link.user != 0)
		session.user = use->login.user;
	memcpy(session.identity, use->link.identity, sizeof(session.identity));
	session.expires_s = use->link.not_after_s;
	st = sessions_begin(use->sessions, tx, use->call, &session, ret_secret);
	return failed(st) ? st
			  : sessions_view_answer(
				use->sessions, tx, session.id, ret_reply);
}

struct status
sessions_link_use(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	struct sessions *sessions = ctx;
	struct use use = { .sessions = sessions,
		.call = call,
		.asked = (const void *)request };
	struct store *store = sessions->config.store;
	char secret[LOGIN_SECRET_MAX] = "";
	struct throttle_try try;
	struct db_tx *tx;
	struct status st;
	unsigned wait_s = throttle_begin(sessions->throttle, use.asked->secret,
	    call->web->address, clock_mono_ns(), &try);

	if (wait_s > 0)
		return sessions_refused_wait(call, wait_s);
	st = look(&use);
	throttle_end(sessions->throttle, &try,
	    st.code == STATUS_UNAUTHENTICATED ? THROTTLE_WRONG : THROTTLE_NONE,
	    clock_mono_ns());
	if (!failed(st))
		st = admit(&use);
	if (!failed(st))
		st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(store, tx, use_in(&use, tx, secret, ret_reply));
	if (!failed(st))
		memcpy(call->web->cookie, secret, sizeof(secret));
	OPENSSL_cleanse(secret, sizeof(secret));
	return st;
}

/* ---- make ---- */

struct making {
	struct sessions *sessions;
	struct api_call *call;
	const Holdfast__Certd__V1__MakeLinkRequest *asked;
	struct store_link link;
	struct store_login login;
	char secret[LOGIN_SECRET_MAX];
	uint8_t hash[LOGIN_SECRET_HASH_LEN];
	char url[URL_MAX];
	bool sent;
};

static struct status
check_asked(struct making *making)
{
	const Holdfast__Certd__V1__MakeLinkRequest *asked = making->asked;
	const struct caller *caller = making->call->caller;

	if (asked->ttl_s < 0 || asked->ttl_s > TTL_MAX_S)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "ttl_s is 604800 (7 days) at most");
	if (caller->scopes != 0)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "a token with scopes makes no links: who uses one may all "
		    "that the user may");
	if (asked->user_id == 0 &&
	    (asked->reset_totp || asked->send || making->call->web != NULL))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "user_id is missing: say whose link it is");
	if (asked->user_id == 0 && caller->is != ALLOW_OPERATOR)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "user_id is missing: only operators make links for "
		    "themselves, with 'holdfast console link'");
	if (asked->send &&
	    (making->sessions->config.send == NULL ||
		making->sessions->config.config->console.url[0] == 0))
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "certd sends no links: that needs notices.smtp and "
		    "console.url in certd.yaml; hand it over another way");
	return status_ok();
}

/* Whoever asks may, about this user. */
static struct status
check_user(struct making *making, struct db_tx *tx)
{
	const struct caller *caller = making->call->caller;
	const struct store_user *user = &making->login.user;
	struct status st =
	    store_logins_get(tx, making->asked->user_id, &making->login);

	if (!failed(st) && !caller_sees(caller, user->account))
		st = store_no_such("there is no such user");
	if (failed(st))
		return st;
	if (caller->user == user->id)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "nobody makes a link for oneself: your settings are where "
		    "the password is set");
	if (user->disabled)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this user is disabled; enable it first");
	return st;
}

static struct status
put_down(const struct making *making, struct db_tx *tx)
{
	const struct store_user *user = &making->login.user;
	bool is_user = making->link.user != 0;
	char object[ACTOR_MAX + 8], detail[STORE_EMAIL_MAX + 40];

	if (is_user)
		snprintf(object, sizeof(object), "user %" PRId64, user->id);
	else
		snprintf(object, sizeof(object), "%s", making->link.identity);
	snprintf(detail, sizeof(detail), "%.150s%s", is_user ? user->email : "",
	    making->link.reset_totp ? "; it takes the second factor away" : "");
	return store_event(tx, is_user ? user->account : 0,
	    making->call->caller->actor, "log-in link made", object, detail);
}

static void
fill(const struct making *making, struct store_link *link)
{
	const Holdfast__Certd__V1__MakeLinkRequest *asked = making->asked;
	const struct caller *caller = making->call->caller;
	int64_t ttl_s = asked->ttl_s;

	if (ttl_s == 0)
		ttl_s = asked->user_id == 0 ? TTL_OPERATOR_S : TTL_USER_S;
	link->user = asked->user_id;
	link->reset_totp = asked->reset_totp;
	link->expires_s = store_now_s() + ttl_s;
	link->maker_user = caller->user;
	link->maker_token = caller->token;
	snprintf(
	    link->created_by, sizeof(link->created_by), "%s", caller->actor);
	if (asked->user_id != 0)
		return;
	snprintf(link->identity, sizeof(link->identity), "%s", caller->actor);
	link->not_after_s = caller->not_after_s;
	if (link->not_after_s != 0 && link->expires_s > link->not_after_s)
		link->expires_s = link->not_after_s;
}

static struct status
make_in(struct making *making, struct db_tx *tx)
{
	const Holdfast__Certd__V1__MakeLinkRequest *asked = making->asked;
	struct status st = status_ok();

	if (asked->user_id != 0)
		st = check_user(making, tx);
	if (failed(st))
		return st;
	fill(making, &making->link);
	st = store_logins_prune_links(tx, store_now_s());
	if (!failed(st) && asked->user_id != 0)
		st = store_logins_end_links(tx, asked->user_id);
	if (!failed(st))
		st = store_logins_add_link(tx, making->hash, &making->link);
	return failed(st) ? st : put_down(making, tx);
}

/* One that did not go out is nobody's. */
static struct status
unmake(struct making *making, struct status why)
{
	struct store *store = making->sessions->config.store;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (!failed(st))
		st = store_commit(
		    store, tx, store_logins_use_link(tx, making->hash));
	return failed(why) ? why : st;
}

/* Whoever may add users may have mail sent to anybody: not without end. */
static struct status
allow_mail(struct sessions *sessions, int64_t account)
{
	const int64_t hour_ns = 3600 * NS_PER_S, now_ns = clock_mono_ns();
	struct status st = status_ok();
	struct windows_entry *entry;
	char name[24];

	snprintf(name, sizeof(name), "%" PRId64, account);
	pthread_mutex_lock(&sessions->mutex);
	entry = windows_get(&sessions->mailed, name, now_ns - hour_ns);
	if (entry == NULL)
		st = message_no_memory();
	else if (window_wait(&entry->window, MAILED_MAX, hour_ns, now_ns) > 0)
		st = status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "30 links of this account were mailed within an hour, "
		    "which are the most; hand it over another way, or wait");
	else
		window_add(&entry->window, now_ns);
	pthread_mutex_unlock(&sessions->mutex);
	return st;
}

static struct status
send(struct making *making)
{
	const struct sessions_config *config = &making->sessions->config;
	const struct store_user *user = &making->login.user;
	struct status st = allow_mail(making->sessions, user->account);

	if (!failed(st))
		st = config->send(config->send_ctx, user->email, user->name,
		    making->url, making->link.expires_s, making->call->why);
	making->sent = !failed(st);
	return failed(st) ? unmake(making, st) : st;
}

static struct status
answer(const struct making *making, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__make_link_response__descriptor);
	Holdfast__Certd__V1__MakeLinkResponse *to = (void *)message;

	if (to == NULL || !message_text(&to->secret, making->secret) ||
	    !message_text(&to->url, making->url))
		return message_no_memory();
	to->expires_s = making->link.expires_s;
	to->sent = making->sent;
	*ret_reply = message;
	message = NULL;
	return status_ok();
}

struct status
sessions_link_make(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	struct sessions *sessions = ctx;
	struct making making = { .sessions = sessions,
		.call = call,
		.asked = (const void *)request };
	struct store *store = sessions->config.store;
	struct db_tx *tx;
	struct status st = check_asked(&making);

	if (!failed(st))
		st = login_secret_new(making.secret, making.hash);
	if (!failed(st))
		st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_commit(store, tx, make_in(&making, tx));
	snprintf(making.url, sizeof(making.url), "%s/console/login#link=%s",
	    sessions->config.config->console.url, making.secret);
	if (!failed(st) && making.asked->send)
		st = send(&making);
	if (!failed(st))
		st = answer(&making, ret_reply);
	OPENSSL_cleanse(making.secret, sizeof(making.secret));
	OPENSSL_cleanse(making.url, sizeof(making.url));
	return st;
}
