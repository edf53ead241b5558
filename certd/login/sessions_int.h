/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_LOGIN_SESSIONS_INT_H
#define CERTD_LOGIN_SESSIONS_INT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certd/limiter_window.h"
#include "certd/login/login_secret.h"
#include "certd/login/password.h"
#include "certd/login/sessions.h"
#include "certd/login/store_logins.h"
#include "certd/login/store_sessions.h"
#include "certd/login/throttle.h"
#include "certd/login/totp.h"
#include "proto/holdfast/certd/v1/sessions.pb-c.h"
#include "proto/message.h"

/*
 * Between sessions.c (the service, and who sends a cookie), sessions_login.c
 * (by password), sessions_link.c, sessions_begin.c (the new session, and by
 * certificate), sessions_own.c, sessions_password.c and sessions_totp.c (what
 * one does about oneself), sessions_view.c (answers), sessions_seen.c and
 * sessions_refused.c (what is written down now and then).
 */
#define SESSIONS_MAX 20 /* of a user */

#define BY_PASSWORD                                                            \
	((int)HOLDFAST__CERTD__V1__SESSION_METHOD__SESSION_METHOD_PASSWORD)
#define BY_LINK ((int)HOLDFAST__CERTD__V1__SESSION_METHOD__SESSION_METHOD_LINK)
#define BY_CERTIFICATE                                                         \
	((int)HOLDFAST__CERTD__V1__SESSION_METHOD__SESSION_METHOD_CERTIFICATE)

#define SEEN_MAX 1024
#define SESSIONS_LINK_MAKERS ALLOW_MANAGE
#define MAILED_MAX 30 /* links an hour, of an account */
#define REFUSALS_MAX 512

struct sessions {
	struct sessions_config config;
	struct password_gate *gate;
	struct throttle *throttle;
	pthread_mutex_t mutex; /* guards what follows */
	struct windows mailed; /* links by account, of the last hour */
	/* When sessions were seen, on its way to the disk. */
	struct {
		int64_t session, at_s;
	} seen[SEEN_MAX];
	size_t n_seen;
	int64_t seen_since_s;
	/* Refused log-ins of this hour, each a row of the history. */
	struct {
		int64_t user; /* 0: no user that there is */
		uint8_t network[16];
		int64_t event;
		unsigned n;
	} refusals[REFUSALS_MAX];
	size_t n_refusals;
	int64_t refusals_hour;
};

/* ---- sessions_begin.c ---- */

/* A new session of session->user.id or session->identity, with the method;
 * expires_s caps its end unless it is 0.  Put down in the history; the cookie's
 * secret goes into web when the caller has committed. */
STATUS sessions_begin(struct sessions *sessions, struct db_tx *tx,
    const struct api_call *call, struct store_session *session,
    char ret_secret[LOGIN_SECRET_MAX]);
/* Another cookie for one that is there, and the others of its user end. */
STATUS sessions_begin_anew(struct db_tx *tx,
    const struct store_session *session, int method,
    char ret_secret[LOGIN_SECRET_MAX]);
/* "operator/admin" or "auditor/x" to a caller; false when it is neither. */
bool sessions_begin_identity(const char *identity, struct caller *ret_caller);
/* May an operator or auditor be served now? */
STATUS sessions_begin_admits(
    const struct sessions *sessions, const struct caller *caller);
struct status sessions_begin_by_certificate(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);

/* ---- sessions_view.c ---- */

/* "user anna@example.com (acme)", "operator/admin" */
void sessions_view_actor(
    const struct store_session *session, char ret_actor[ACTOR_MAX]);
void sessions_view_user_actor(
    const struct store_user *user, char ret_actor[ACTOR_MAX]);
/* Whom guesses are about, to the throttle.  Users of one address in several
 * accounts are several: a right password of one says nothing of another's wrong
 * ones.  account "": of all whose address it is. */
#define SESSIONS_WHO_MAX (STORE_EMAIL_MAX + ACCOUNT_NAME_MAX)
void sessions_view_who(
    const char *email, const char *account, char ret_who[SESSIONS_WHO_MAX]);
/* "", "password" or "totp" */
const char *sessions_view_must_set(
    const struct sessions *sessions, const struct store_session *session);
/* What X-CSRF-Token must say. */
STATUS sessions_view_csrf(const struct sessions *sessions,
    const struct store_session *session, char ret_token[LOGIN_SECRET_MAX]);
/* One of a list. */
bool sessions_view_fill(const struct sessions *sessions,
    const struct store_session *from, int64_t current,
    Holdfast__Certd__V1__Session *to);
/* The session that asks, with all that only it is told. */
STATUS sessions_view_answer(const struct sessions *sessions, struct db_tx *tx,
    int64_t session, ProtobufCMessage **ret_reply);

/* ---- the others ---- */

struct status sessions_login_create(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status sessions_link_use(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status sessions_link_make(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status sessions_own_get(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status sessions_own_end(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status sessions_own_list(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status sessions_own_revoke(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status sessions_password_set(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status sessions_totp_begin(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status sessions_totp_confirm(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);
struct status sessions_totp_disable(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);

/* Is the code right for that user's secret?  Its step is then to be taken. */
STATUS sessions_totp_check(const struct sessions *sessions,
    const struct store_login *login, const char *code, int64_t *ret_step);

/* A password as it would be kept for that address; hash is not set. */
STATUS sessions_password_form(const struct sessions *sessions,
    const char *email, struct password *ret_password);

/* Somebody is told to wait: RESOURCE_EXHAUSTED, and Retry-After. */
struct status sessions_refused_wait(struct api_call *call, unsigned wait_s);
/* Put down that these users, or with 0 nobody that there is, were tried to be;
 * a row a user, network and hour, whatever is tried. */
void sessions_refused_note(struct sessions *sessions,
    const struct api_call *call, const struct store_login *logins, size_t n);

/* Seen now, in memory; on the disk within a minute or two. */
void sessions_seen_note(
    struct sessions *sessions, int64_t session, int64_t now_s);
/* The later of at_s and what memory has. */
int64_t sessions_seen_last(
    struct sessions *sessions, int64_t session, int64_t at_s);
void sessions_seen_flush(struct sessions *sessions);

#endif
