/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_LOGIN_SESSION_COOKIE_H
#define CERTD_LOGIN_SESSION_COOKIE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* The cookie that a session is (RFC 6265). */

/* The cookie's name; where browsers come without TLS it has no "__Host-"
 * before it (RFC 6265bis 4.1.3.2). */
#define SESSION_COOKIE "__Host-holdfast"
#define SESSION_COOKIE_PLAIN "holdfast"

#define SESSION_COOKIE_VALUE_MAX 128
/* Of a Set-Cookie header. */
#define SESSION_COOKIE_LINE_MAX 256

/*
 * The one cookie of that name in a Cookie header (RFC 6265 4.2.1), which may
 * hold others' too, of whatever form.  NOT_FOUND: none.  INVALID_ARGUMENT:
 * several of that name, so that nobody could say which one counts, or one that
 * is longer than any of ours.
 */
STATUS session_cookie_find(const char *header, const char *name,
    char ret_value[SESSION_COOKIE_VALUE_MAX]);

/* What Set-Cookie says; value "" takes the cookie away.  secure: the browser
 * comes by TLS. */
void session_cookie_print(
    const char *value, bool secure, char ret_line[SESSION_COOKIE_LINE_MAX]);

#endif
