/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A session begins: its cookie is new each time, the oldest of too many ends,
 * and it is put down who logged in, how and from where.  What the browser says
 * of itself is kept as plain ASCII.  Also here: log-in by client certificate,
 * which the REST port has verified.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "certd/login/sessions_int.h"

static void
take_agent(const char *from, char ret_agent[STORE_SESSION_AGENT_MAX])
{
	size_t n = 0;

	for (; from[n] != 0 && n + 1 < STORE_SESSION_AGENT_MAX; n++)
		ret_agent[n] =
		    from[n] >= 0x20 && from[n] < 0x7f ? from[n] : '?';
	ret_agent[n] = 0;
}

static const char *
word_for(int method)
{
	if (method == BY_PASSWORD)
		return "by password";
	return method == BY_LINK ? "by one-time link" : "by certificate";
}

static struct status
put_down(struct db_tx *tx, const struct store_session *session)
{
	char actor[ACTOR_MAX], object[40], detail[120];

	sessions_view_actor(session, actor);
	snprintf(object, sizeof(object), "session %" PRId64, session->id);
	snprintf(detail, sizeof(detail), "%s, from %s",
	    word_for(session->method), session->address);
	return store_event(tx,
	    session->user.id == 0 ? 0 : session->user.account, actor,
	    "logged in", object, detail);
}

STATUS
sessions_begin(struct sessions *sessions, struct db_tx *tx,
    const struct api_call *call, struct store_session *session,
    char ret_secret[LOGIN_SECRET_MAX])
{
	const struct config *config = sessions->config.config;
	const struct store_session_owner owner = { session->user.id,
		session->identity };
	int64_t now_s = store_now_s();
	int64_t end_s = now_s + config->console.session_max_ns / NS_PER_S;
	struct status st = login_secret_new(ret_secret, session->hash);

	session->created_s = now_s;
	session->seen_s = now_s;
	if (session->expires_s == 0 || session->expires_s > end_s)
		session->expires_s = end_s;
	snprintf(session->address, sizeof(session->address), "%s",
	    call->web->address);
	take_agent(call->web->user_agent, session->user_agent);
	if (!failed(st))
		st = store_sessions_prune(tx, now_s);
	if (!failed(st))
		st = store_logins_prune_links(tx, now_s);
	if (!failed(st))
		st = store_sessions_add(tx, session, &session->id);
	if (!failed(st))
		st = store_sessions_trim(tx, &owner, SESSIONS_MAX);
	return failed(st) ? st : put_down(tx, session);
}

STATUS
sessions_begin_anew(struct db_tx *tx, const struct store_session *session,
    int method, char ret_secret[LOGIN_SECRET_MAX])
{
	const struct store_session_owner owner = { session->user.id,
		session->identity };
	uint8_t hash[LOGIN_SECRET_HASH_LEN];
	struct status st = login_secret_new(ret_secret, hash);

	if (!failed(st))
		st = store_sessions_rotate(tx, session->id, hash, method);
	return failed(st) ? st
			  : store_sessions_end_others(tx, &owner, session->id);
}

/* ---- by certificate ---- */

bool
sessions_begin_identity(const char *identity, struct caller *ret_caller)
{
	struct caller caller = { .is = 0 };

	if (strncmp(identity, "operator/", 9) == 0)
		caller.is = ALLOW_OPERATOR;
	else if (strncmp(identity, "auditor/", 8) == 0)
		caller.is = ALLOW_AUDITOR;
	snprintf(caller.actor, sizeof(caller.actor), "%s", identity);
	if (caller.is != 0)
		*ret_caller = caller;
	return caller.is != 0;
}

STATUS
sessions_begin_admits(
    const struct sessions *sessions, const struct caller *caller)
{
	const struct sessions_config *config = &sessions->config;

	return config->admits == NULL
		   ? status_ok()
		   : config->admits(config->admits_ctx, caller);
}

static struct status
no_certificate(struct api_call *call)
{
	snprintf(call->web->reason, sizeof(call->web->reason),
	    "CERTIFICATE_REQUIRED");
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "the browser showed no client certificate of an operator or "
	    "auditor, and none comes through a proxy; import one, or have "
	    "'holdfast console link' make a one-time link");
}

struct status
sessions_begin_by_certificate(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply)
{
	struct sessions *sessions = ctx;
	struct store *store = sessions->config.store;
	struct store_session session = { .method = BY_CERTIFICATE,
		.expires_s = call->web->peer_not_after_s };
	char secret[LOGIN_SECRET_MAX] = "";
	struct caller caller;
	struct db_tx *tx;
	struct status st;

	(void)request;
	if (!sessions_begin_identity(call->web->peer_identity, &caller))
		return no_certificate(call);
	st = sessions_begin_admits(sessions, &caller);
	if (failed(st))
		return st;
	memcpy(session.identity, caller.actor, sizeof(session.identity));
	st = store_write(store, &tx);
	if (failed(st))
		return st;
	st = sessions_begin(sessions, tx, call, &session, secret);
	if (!failed(st))
		st = sessions_view_answer(sessions, tx, session.id, ret_reply);
	st = store_commit(store, tx, st);
	if (!failed(st))
		memcpy(call->web->cookie, secret, sizeof(secret));
	return st;
}
