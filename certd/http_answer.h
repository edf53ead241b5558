/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_HTTP_ANSWER_H
#define CERTD_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/*
 * What a web server on the internet answered, as far as checks want to know:
 * status, a few headers, the begin of the body, and which proxying front the
 * headers give away.  Pure functions; what comes is foreign, what is kept is
 * bounded and zero-terminated, and still to be made fit to be seen.
 */
#define HTTP_ANSWER_BODY_MAX 1024

struct http_answer {
	int status; /* 0: none */
	char server[128];
	char location[1024];   /* empty too when it is longer */
	char content_type[64]; /* lower case, without parameters */
	const char *front;     /* "Cloudflare", or NULL: none is known */
	size_t body_len;       /* of what is kept */
	bool body_is_cut;
	char body[HTTP_ANSWER_BODY_MAX + 1];
};

/* A line of the header, or the status line, with or without its line end; a
 * status line begins a new answer. */
void http_answer_header(struct http_answer *answer, struct bytes line);
/* More of the body; false: enough, the rest is not wanted. */
bool http_answer_body(struct http_answer *answer, struct bytes octets);

/* Is the body this text, perhaps with blanks behind it (RFC 8555 8.3)? */
bool http_answer_is(const struct http_answer *answer, const char *text);
bool http_answer_is_html(const struct http_answer *answer);
/* 301, 302, 303, 307, 308 with a location. */
bool http_answer_is_redirect(const struct http_answer *answer);
/* Does the redirect, or the status, ask for a log-in? */
bool http_answer_wants_login(const struct http_answer *answer);

#endif
