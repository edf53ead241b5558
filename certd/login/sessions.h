/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_LOGIN_SESSIONS_H
#define CERTD_LOGIN_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/caller.h"
#include "certd/config.h"
#include "certd/quarantine.h"
#include "certd/secrets.h"
#include "certd/store.h"

/*
 * People who log in to the console: the service Sessions, and who it is that
 * sends a cookie.  Passwords are kept as scrypt (RFC 7914), second factors as
 * RFC 6238 has them.  A session is a row, looked at with each request: it ends
 * when its user is disabled, deleted or given another password, and an
 * operator's when the identity is quarantined at keyd.
 */
struct sessions;

/* Sends a link to a user's address at once; ret_why (API_WHY_MAX). */
typedef struct status (*sessions_send_fn)(void *ctx, const char *email,
    const char *name, const char *url, int64_t expires_s, char *ret_why);

struct sessions_config {
	struct store *store; /* all borrowed */
	const struct secrets *secrets;
	struct quarantine *quarantine;
	const struct config *config;
	sessions_send_fn send; /* NULL: no mail is configured */
	void *send_ctx;
};

STATUS sessions_new(
    const struct sessions_config *config, struct sessions **ret_sessions);
STATUS sessions_register(struct sessions *sessions, struct api *api);
void sessions_free(struct sessions *sessions); /* NULL is allowed */
SCOPED_RELEASE(sessions_free, struct sessions *);

/* The cookie's name; without TLS it has no "__Host-" before it. */
#define SESSIONS_COOKIE "__Host-holdfast"
#define SESSIONS_COOKIE_PLAIN "holdfast"

/*
 * Who sends this cookie's secret, as the database has it now.  For a request
 * that changes something csrf_token is what X-CSRF-Token says ("" when it is
 * not there), else NULL.  UNAUTHENTICATED: no session, or one that ended;
 * PERMISSION_DENIED: the token is not the session's, or something must be set
 * first (Session.must_set), then *ret_session is set all the same.
 */
STATUS sessions_caller(struct sessions *sessions, const char *cookie,
    const char *csrf_token, struct caller *ret_caller, int64_t *ret_session);

#endif
