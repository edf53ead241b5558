/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is said of a session, and the token that a request which changes
 * something must show: made of the cookie's hash, so that it ends with it, by a
 * key that is in no database.
 */

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "certd/console/live.h"
#include "certd/login/sessions_int.h"
#include "certd/roles.h"

#define SOON_S (14 * INT64_C(86400))

void
sessions_view_user_actor(
    const struct store_user *user, char ret_actor[ACTOR_MAX])
{
	_Static_assert(ACTOR_MAX > 70 + ACCOUNT_NAME_MAX + 10, "it fits");
	snprintf(ret_actor, ACTOR_MAX, "user %.70s (%s)", user->email,
	    user->account_name);
}

void
sessions_view_actor(
    const struct store_session *session, char ret_actor[ACTOR_MAX])
{
	if (session->user.id == 0)
		memcpy(ret_actor, session->identity, ACTOR_MAX);
	else
		sessions_view_user_actor(&session->user, ret_actor);
}

void
sessions_view_who(
    const char *email, const char *account, char ret_who[SESSIONS_WHO_MAX])
{
	/* No address and no account's name has a blank. */
	snprintf(ret_who, SESSIONS_WHO_MAX, "%.254s%s%.40s", email,
	    account[0] == 0 ? "" : " ", account);
}

const char *
sessions_view_must_set(
    const struct sessions *sessions, const struct store_session *session)
{
	if (session->user.id == 0)
		return "";
	if (!session->password_set)
		return "password";
	if (!session->totp_on &&
	    sessions->config.config->console.second_factor ==
		CONFIG_SECOND_FACTOR_REQUIRED)
		return "totp";
	return "";
}

STATUS
sessions_view_csrf(const struct sessions *sessions,
    const struct store_session *session, char ret_token[LOGIN_SECRET_MAX])
{
	uint8_t octets[SECRETS_LEN];
	struct status st = secrets_derive(sessions->config.secrets, "csrf",
	    (struct bytes){ session->hash, sizeof(session->hash) }, octets);

	_Static_assert(SECRETS_LEN == LOGIN_SECRET_OCTETS, "it is spelt whole");
	if (!failed(st))
		login_secret_spell(octets, ret_token);
	OPENSSL_cleanse(octets, sizeof(octets));
	return st;
}

static bool
fill_user(const struct store_user *from, Holdfast__Certd__V1__Session *to)
{
	Holdfast__Certd__V1__User *user =
	    (void *)message_new(&holdfast__certd__v1__user__descriptor);
	char etag[STORE_ETAG_MAX];

	to->user = user;
	if (user == NULL)
		return false;
	store_etag_print(from->revision, etag);
	user->id = from->id;
	user->role = (Holdfast__Certd__V1__UserRole)from->role;
	user->created_s = from->created_s;
	user->disabled = from->disabled;
	return message_text(&user->account, from->account_name) &&
	       message_text(&user->email, from->email) &&
	       message_text(&user->name, from->name) &&
	       message_text(&user->etag, etag);
}

static const char *
role_of(const struct store_session *session)
{
	const char *name = roles_name(session->user.role);

	if (session->user.id != 0)
		return name == NULL ? "" : name;
	return strncmp(session->identity, "operator/", 9) == 0 ? "operator"
							       : "auditor";
}

bool
sessions_view_fill(const struct sessions *sessions,
    const struct store_session *from, int64_t current,
    Holdfast__Certd__V1__Session *to)
{
	char actor[ACTOR_MAX];

	sessions_view_actor(from, actor);
	to->id = from->id;
	to->is_operator =
	    from->user.id == 0 && strncmp(from->identity, "operator/", 9) == 0;
	to->expires_s = from->expires_s;
	to->created_s = from->created_s;
	to->last_seen_s = from->seen_s;
	to->method = (Holdfast__Certd__V1__SessionMethod)from->method;
	to->totp_on = from->totp_on;
	to->password_set = from->password_set;
	to->current = from->id == current;
	return (from->user.id == 0 || fill_user(&from->user, to)) &&
	       message_text(&to->actor, actor) &&
	       message_text(&to->account, from->user.account_name) &&
	       message_text(&to->role, role_of(from)) &&
	       message_text(
		   &to->must_set, sessions_view_must_set(sessions, from)) &&
	       message_text(&to->address, from->address) &&
	       message_text(&to->user_agent, from->user_agent);
}

static struct status
count(struct db_tx *tx, const struct store_session *session,
    Holdfast__Certd__V1__Session *to)
{
	int64_t account = session->user.id == 0 ? 0 : session->user.account;
	int64_t now_s = store_now_s(), expired = 0, expiring = 0;
	struct status st =
	    store_sessions_count_ending(tx, account, 0, now_s, &expired);

	if (!failed(st))
		st = store_sessions_count_ending(
		    tx, account, now_s, now_s + SOON_S, &expiring);
	to->expired = (uint32_t)expired;
	to->expiring = (uint32_t)expiring;
	return st;
}

static struct status
find_position(struct db_tx *tx, const struct store_session *session,
    char ret_position[LIVE_POSITION_MAX])
{
	struct caller caller = { .is = roles_allow(session->user.role),
		.account = session->user.account };

	if (session->user.id == 0)
		(void)sessions_begin_identity(session->identity, &caller);
	return live_position(tx, &caller, ret_position);
}

STATUS
sessions_view_answer(const struct sessions *sessions, struct db_tx *tx,
    int64_t session, ProtobufCMessage **ret_reply)
{
	scoped(message_free) ProtobufCMessage *message =
	    message_new(&holdfast__certd__v1__session__descriptor);
	Holdfast__Certd__V1__Session *to = (void *)message;
	char token[LOGIN_SECRET_MAX] = "", position[LIVE_POSITION_MAX];
	struct store_session row;
	struct status st = store_sessions_get(tx, session, &row);

	if (message == NULL)
		return message_no_memory();
	if (!failed(st))
		st = sessions_view_csrf(sessions, &row, token);
	if (!failed(st))
		st = count(tx, &row, to);
	if (!failed(st))
		st = find_position(tx, &row, position);
	if (failed(st))
		return st;
	if (!sessions_view_fill(sessions, &row, session, to) ||
	    !message_text(&to->csrf_token, token) ||
	    !message_text(&to->live_position, position))
		return message_no_memory();
	*ret_reply = message;
	message = NULL;
	return st;
}
