/* SPDX-License-Identifier: Apache-2.0 */

/* What one sees and ends of one's own sessions; nobody sees another's. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "certd/login/sessions_int.h"

#define LIST_MAX 100

struct status
sessions_own_get(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const struct sessions *sessions = ctx;
	scoped(db_end) struct db_tx *tx = NULL;
	struct status st = store_read(sessions->config.store, &tx);

	(void)request;
	return failed(st) ? st
			  : sessions_view_answer(
				sessions, tx, call->web->session, ret_reply);
}

/* ---- ending ---- */

static struct status
end_in(
    struct db_tx *tx, const struct api_call *call, int64_t id, const char *act)
{
	struct store_session own, session;
	char object[40], detail[80];
	struct status st = store_sessions_get(tx, call->web->session, &own);

	if (!failed(st))
		st = store_sessions_get(tx, id, &session);
	if (failed(st))
		return st;
	if (session.user.id != own.user.id ||
	    strcmp(session.identity, own.identity) != 0)
		return store_no_such("there is no such session");
	st = store_sessions_end(tx, id);
	snprintf(object, sizeof(object), "session %" PRId64, id);
	snprintf(detail, sizeof(detail), "from %s", call->web->address);
	return failed(st)
		   ? st
		   : store_event(tx, own.user.id == 0 ? 0 : own.user.account,
			 call->caller->actor, act, object, detail);
}

static struct status
end(struct sessions *sessions, struct api_call *call, int64_t id,
    const char *act, ProtobufCMessage **ret_reply)
{
	struct store *store = sessions->config.store;
	struct db_tx *tx;
	struct status st = store_write(store, &tx);

	if (!failed(st))
		st = store_commit(store, tx, end_in(tx, call, id, act));
	if (failed(st))
		return st;
	call->web->clear_cookie = id == call->web->session;
	*ret_reply =
	    message_new(&holdfast__certd__v1__end_session_response__descriptor);
	return *ret_reply == NULL ? message_no_memory() : st;
}

STATUS
sessions_replaced(
    struct sessions *sessions, const char *cookie, const char *address)
{
	struct store *store = sessions->config.store;
	uint8_t hash[LOGIN_SECRET_HASH_LEN];
	struct store_session old;
	char actor[ACTOR_MAX], object[40], detail[80];
	struct db_tx *tx;
	struct status st;

	if (!login_secret_hash(cookie, hash))
		return store_no_such("there is no such session");
	st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = store_sessions_of_cookie(tx, hash, &old);
	if (failed(st))
		return store_commit(store, tx, st);
	sessions_view_actor(&old, actor);
	snprintf(object, sizeof(object), "session %" PRId64, old.id);
	snprintf(detail, sizeof(detail), "from %s, by another log-in", address);
	st = store_sessions_end(tx, old.id);
	if (!failed(st))
		st = store_event(tx, old.user.id == 0 ? 0 : old.user.account,
		    actor, "logged out", object, detail);
	return store_commit(store, tx, st);
}

struct status
sessions_own_end(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	(void)request;
	return end(ctx, call, call->web->session, "logged out", ret_reply);
}

struct status
sessions_own_revoke(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	const Holdfast__Certd__V1__RevokeSessionRequest *asked =
	    (const void *)request;

	return end(ctx, call, asked->id, "session ended", ret_reply);
}

/* ---- the list ---- */

struct listing {
	const struct sessions *sessions;
	int64_t current;
	Holdfast__Certd__V1__ListSessionsResponse *to;
};

static bool
add(void *ctx, const struct store_session *session)
{
	struct listing *listing = ctx;
	Holdfast__Certd__V1__Session *to =
	    message_append(&listing->to->n_sessions, &listing->to->sessions,
		&holdfast__certd__v1__session__descriptor);

	return to != NULL && sessions_view_fill(listing->sessions, session,
				 listing->current, to);
}

struct status
sessions_own_list(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	struct sessions *sessions = ctx;
	scoped(message_free) ProtobufCMessage *message = message_new(
	    &holdfast__certd__v1__list_sessions_response__descriptor);
	scoped(db_end) struct db_tx *tx = NULL;
	struct listing listing = { sessions, call->web->session,
		(void *)message };
	struct store_session own;
	struct status st;

	(void)request;
	if (message == NULL)
		return message_no_memory();
	sessions_seen_flush(sessions);
	st = store_read(sessions->config.store, &tx);
	if (!failed(st))
		st = store_sessions_get(tx, call->web->session, &own);
	if (!failed(st))
		st = store_sessions_each(tx,
		    &(struct store_session_owner){ own.user.id, own.identity },
		    LIST_MAX, add, &listing);
	if (failed(st))
		return st;
	*ret_reply = message;
	message = NULL;
	return st;
}
