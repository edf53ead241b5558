/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REST_H
#define CERTD_REST_H

#include <stdint.h>

#include "base/conf.h"
#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/console/live.h"
#include "certd/console/web.h"
#include "certd/custody.h"
#include "certd/forwarded.h"
#include "certd/login/sessions.h"
#include "certd/store.h"

/*
 * certd's methods over HTTP/1.1 with JSON; docs/REST.md has the rules.  Callers
 * show an API token (certd/authenticate.h) or a session's cookie.  Threads of
 * its own: two for connections, which nothing makes wait, and some that do what
 * is asked, apart for reading, for changing and for logging in, so that neither
 * a keyd which is away nor a crowd at the door holds up a reader.
 */
struct rest;

enum rest_tls_mode {
	REST_TLS_IDENTITY, /* certd's own, from keyd, as it is renewed */
	REST_TLS_FILES,    /* as they are on disk at each connection */
	REST_TLS_OFF       /* loopback only: for a proxy beside it */
};

struct rest_config {        /* borrowed for the server's life */
	const char *listen; /* "127.0.0.1:7446", "[::]:7446"; port 0: any */
	enum rest_tls_mode tls;
	const char *certificate, *key; /* PEM files, for REST_TLS_FILES */
	/* Who is believed whom a request is from, and by which header. */
	const struct conf_strings *trusted_proxies; /* NULL: nobody */
	enum forwarded_header proxy_header;
	struct custody *custody; /* for REST_TLS_IDENTITY */
	struct api *api;         /* complete */
	struct store *store;
	/* Who has logged in to the console; NULL: API tokens alone. */
	struct sessions *sessions;
	/* Where people reach it, "https://certs.example.net"; NULL or "": where
	 * it listens. */
	const char *console_url;
	/* Ask for client certificates of this CA (PEM), with which operators
	 * and auditors of the domain log in; NULL: do not. */
	const char *client_ca, *client_domain;
	struct metrics *metrics; /* NULL: not counted */
	struct web *web;         /* the console's files; NULL: not served */
	struct live *live;       /* of /v1/live; NULL: not served */
	/* 0: what stands behind it. */
	unsigned connections_max; /* 512 */
	unsigned address_max;     /* of one address: 64; on loopback, and of
				   * a trusted proxy: all */
	unsigned idle_s;          /* nothing came or went: 15 */
	unsigned request_s;       /* for all of a request to come: 60 */
};

/* ret_why (REST_WHY_MAX) says what cannot be served, in words for people. */
#define REST_WHY_MAX 256
STATUS rest_start(
    const struct rest_config *config, struct rest **ret_rest, char *ret_why);
uint16_t rest_port(const struct rest *rest);
/* Takes no more requests, waits for those under way, ends.  NULL is allowed. */
void rest_stop(struct rest *rest);
SCOPED_RELEASE(rest_stop, struct rest *);

#endif
