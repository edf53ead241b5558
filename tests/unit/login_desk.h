/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_LOGIN_DESK_H
#define TESTS_UNIT_LOGIN_DESK_H

#include <stdint.h>

#include "certd/config.h"
#include "certd/console/live.h"
#include "certd/login/sessions.h"
#include "proto/holdfast/certd/v1/sessions.pb-c.h"
#include "tests/unit/certd_desk.h"

/*
 * The service Sessions over a real store, and a browser without HTTP: it keeps
 * the cookie and the token, and comes from an address.  A cmocka fixture.
 */
struct login_desk {
	struct desk *desk;
	struct config *config; /* a test may change its console block */
	struct secrets *secrets;
	struct sessions_config sessions_config;
	struct sessions *sessions;
	const char *quarantined; /* an identity; NULL: none */
	struct api_web web;      /* of the last question */
	struct caller caller;
	struct api_call call;
};

struct login_browser {
	const char *address;
	const char *identity; /* of its client certificate; NULL: none */
	int64_t not_after_s;  /* its */
	char cookie[API_COOKIE_MAX], csrf[64];
	char position[LIVE_POSITION_MAX]; /* the last that it was told of */
};

#define LOGIN_DESK_PASSWORD "three small boats at sea"

int login_desk_set_up(void **state);
int login_desk_tear_down(void **state);
/* certd ends and begins: what is only in memory is gone. */
void login_desk_restart(struct login_desk *desk);

/* A user, with LOGIN_DESK_PASSWORD unless has_password is false. */
int64_t login_desk_user(struct login_desk *desk, int64_t account,
    const char *email, int role, bool has_password);

/*
 * Ask "Get" of the service as REST would: by the browser's cookie, or, of open
 * methods, as nobody.  ret_reply may be NULL.
 */
struct status login_desk_ask(struct login_desk *desk,
    struct login_browser *browser, const char *method, const void *request,
    ProtobufCMessage **ret_reply);
/* Log in by password; totp may be NULL. */
struct status login_desk_log_in(struct login_desk *desk,
    struct login_browser *browser, const char *email, const char *password,
    const char *code);
struct status login_desk_use_link(struct login_desk *desk,
    struct login_browser *browser, const char *secret, const char *code);
/* The operator makes a link; user 0: for itself.  Gives the secret. */
void login_desk_link(struct login_desk *desk, int64_t user, bool reset_totp,
    char ret_secret[64]);
/* Who the browser is, as a request that reads has it. */
struct status login_desk_who(struct login_desk *desk,
    struct login_browser *browser, struct caller *ret_caller);
/* Change a row. */
void login_desk_sql(struct login_desk *desk, const char *sql);

#endif
