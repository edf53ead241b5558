/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CHECKS_HTTP_H
#define CERTD_CHECKS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "certd/http_answer.h"
#include "pki/cert.h"
#include "pki/hostname.h"

/*
 * GET over libcurl as a CA's validation does it: to the address that the caller
 * names and no other, without cookies, proxies or credentials, certificates
 * taken as they are (RFC 8555 8.3), one answer and no redirect followed, little
 * of the body read.  Any thread; blocks up to timeout_ms.
 *
 * Who asks says where to: whether an address may be connected to is looked at
 * before (check_may_connect).
 */
#define CHECKS_HTTP_URL_MAX 2048

struct checks_http_url {
	char text[CHECKS_HTTP_URL_MAX];
	bool is_https;
	char host[HOSTNAME_MAX]; /* lower case; an address without brackets */
	bool host_is_address;
	uint16_t port;
};

/* location may be relative to base, which is NULL for the first one.  False: it
 * is no http or https URL, is too long, or holds a user or password. */
bool checks_http_url(const struct checks_http_url *base, const char *location,
    struct checks_http_url *ret_url);

struct checks_http_ask {
	struct checks_http_url url;
	char address[64];
};

enum checks_http_end {
	CHECKS_HTTP_ANSWERED,
	CHECKS_HTTP_REFUSED,   /* nobody listens there */
	CHECKS_HTTP_NO_ROUTE,  /* from this machine */
	CHECKS_HTTP_TIMEOUT,   /* nothing came back, not even a refusal */
	CHECKS_HTTP_SILENT,    /* connected, and no answer came in time */
	CHECKS_HTTP_TLS,       /* the handshake failed */
	CHECKS_HTTP_NO_HTTP,   /* what came is no HTTP, or it hung up */
	CHECKS_HTTP_NOT_ASKED, /* time was over before its turn */
};

struct checks_http_reply {
	enum checks_http_end end;
	struct http_answer answer;
	struct pki_cert *leaf; /* over TLS; NULL: unreadable, or no TLS */
	char trouble[256];     /* libcurl's words, when it did not answer */
};

/* Replies are ended with checks_http_reply_done, also on failure. */
STATUS checks_http_get(const struct checks_http_ask *asks, size_t n,
    unsigned timeout_ms, struct checks_http_reply *ret_replies);
void checks_http_reply_done(struct checks_http_reply *reply);

/* A few words: "refused the connection". */
const char *checks_http_end_text(enum checks_http_end end);

#endif
