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
	const struct config *config;
	/* May an operator or auditor be served now?  As the gRPC port's; NULL:
	 * all may. */
	struct status (*admits)(void *ctx, const struct caller *caller);
	void *admits_ctx;
	sessions_send_fn send; /* NULL: no mail is configured */
	void *send_ctx;
	unsigned log2n; /* of passwords (login/password.h); 0: as it says */
};

STATUS sessions_new(
    const struct sessions_config *config, struct sessions **ret_sessions);
STATUS sessions_register(struct sessions *sessions, struct api *api);
void sessions_free(struct sessions *sessions); /* NULL is allowed */
SCOPED_RELEASE(sessions_free, struct sessions *);

/*
 * Who sends this cookie's secret, as the database has it now.  For a request
 * that changes something csrf_token is what X-CSRF-Token says ("" when it is
 * not there), else NULL.  UNAUTHENTICATED: no session, or one that ended;
 * PERMISSION_DENIED: the token is not the session's, or something must be set
 * first (Session.must_set), then *ret_caller and *ret_session are set all the
 * same, else *ret_session is 0.  The session counts as seen.
 */
STATUS sessions_caller(struct sessions *sessions, const char *cookie,
    const char *csrf_token, struct caller *ret_caller, int64_t *ret_session);
/* The same of a request that reads and that nobody made, but a page by itself:
 * it does not count as seen. */
STATUS sessions_caller_left_alone(struct sessions *sessions, const char *cookie,
    struct caller *ret_caller, int64_t *ret_session);
/* A browser has logged in anew, from that address: the session whose cookie it
 * had ends.  NOT_FOUND: it had none that there is. */
STATUS sessions_replaced(
    struct sessions *sessions, const char *cookie, const char *address);
/* Is a session still in force that a request came by?  For what goes on without
 * being asked for: it does not count as seen.  Fails as sessions_caller. */
STATUS sessions_still(
    struct sessions *sessions, int64_t session, struct caller *ret_caller);

#endif
