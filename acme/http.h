/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACME_HTTP_H
#define ACME_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"

/*
 * HTTPS requests over libcurl with kept connections.  No redirects, no cookies,
 * no proxies from the environment, no other protocols; TLS 1.2 and newer.  What
 * is read is bounded.  Any thread, several requests at once.
 *
 * A door to what is_signed is another one: its URLs are in foreign
 * certificates, so an address is connected to only when may_connect says so.
 */
struct acme_http;

struct acme_http_config {
	const char *ca_file; /* PEM; NULL: the system's */
	const char *ca_pem;  /* PEM text in place of ca_file; copied */
	const char *user_agent;
	unsigned timeout_ms;  /* of a whole request */
	unsigned connections; /* at most at once; more wait */
	bool allow_plain;     /* http:// on loopback */
	/* What is read (CRLs, OCSP) is signed and verified by who asks for it:
	 * http:// to anywhere, and https:// of whoever answers; no ca_... */
	bool is_signed;
	/* "192.0.2.1", after DNS and for each connection; NULL: all. */
	bool (*may_connect)(const char *address);
};

STATUS acme_http_new(
    const struct acme_http_config *config, struct acme_http **ret_http);
void acme_http_free(struct acme_http *http); /* NULL is allowed */
SCOPED_RELEASE(acme_http_free, struct acme_http *);

struct acme_http_request {
	const char *method; /* GET, HEAD, POST */
	const char *url;
	const char *content_type; /* of body */
	const char *accept;       /* or NULL */
	struct bytes body;
	const char *const *headers; /* "X-Api-User: ..."; may be secret */
	size_t n_headers;
	size_t max_len; /* of the answer's body */
	bool cuts;      /* what is longer, in place of refusing it */
};

struct acme_http_reply {
	int status;
	char *body; /* malloc'd, zero-terminated */
	size_t len;
	char content_type[128]; /* lower case, without parameters */
	char nonce[256];        /* Replay-Nonce; empty: none */
	char location[512];
	int64_t retry_after_ms; /* from now; seconds and dates; -1: none */
	size_t n_links;         /* Link: <url>;rel="..." */
	struct {
		char rel[32];
		char url[512];
	} links[16];
};
void acme_http_reply_done(struct acme_http_reply *reply);

/* UNAVAILABLE, RESOURCE_EXHAUSTED (too long), INVALID_ARGUMENT (a URL that is
 * neither https nor, where allowed, http); a sentence is in ret_why
 * (ACME_HTTP_WHY_MAX octets); an answer of any status is OK. */
#define ACME_HTTP_WHY_MAX 512
STATUS acme_http_ask(struct acme_http *http,
    const struct acme_http_request *request, struct acme_http_reply *ret_reply,
    char *ret_why);

#endif
