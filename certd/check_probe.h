/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CHECK_PROBE_H
#define CERTD_CHECK_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "certd/check.h"
#include "certd/checks_http.h"

/*
 * The walk that a CA's http-01 validation would take (RFC 8555 8.3): from
 * http://HOST/.well-known/acme-challenge/test at one of its addresses, along at
 * most CHECK_PROBE_HOPS redirects, each host looked up anew.
 */
#define CHECK_PROBE_HOPS 10
#define CHECK_PROBE_PATH "/.well-known/acme-challenge/test"
#define CHECK_PROBE_BODY "test"

enum check_probe_end {
	CHECK_PROBE_UNDER_WAY,
	CHECK_PROBE_ANSWERED,   /* reply is the last one */
	CHECK_PROBE_PRIVATE,    /* an address that is not connected to */
	CHECK_PROBE_TOO_MANY,   /* redirects */
	CHECK_PROBE_BAD_URL,    /* redirects to no http or https URL */
	CHECK_PROBE_BAD_PORT,   /* redirects to another port than CAs follow */
	CHECK_PROBE_TO_ADDRESS, /* redirects to an address */
	CHECK_PROBE_NO_ADDRESS, /* redirects to a host without one */
};

struct check_probe {
	const struct check_host *host;
	char address[64]; /* where it began */
	enum check_probe_end end;
	size_t hops; /* redirects that were followed */
	struct checks_http_ask now;
	struct checks_http_reply reply; /* to now */
	const char *front;     /* of any answer on the way; NULL: none */
	bool wants_login;      /* an answer on the way did */
	char tls_trouble[256]; /* of a certificate on the way; CAs let it pass
				*/
	char walk[1536];       /* a line for each request */
};

/* One for each address of a host; at most max. */
size_t check_probe_begin(const struct check_run *run,
    const struct check_host *host, struct check_probe *ret_probes, size_t max);
/* All of them at once, until each has ended. */
STATUS check_probe_walk(
    const struct check_run *run, struct check_probe *probes, size_t n);
void check_probe_done(struct check_probe *probes, size_t n);

#endif
