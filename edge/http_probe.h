/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_HTTP_PROBE_H
#define EDGE_HTTP_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "edge/site.h"

/*
 * Walks the way that a CA's http-01 request takes through this host: asks its
 * web server over plain HTTP for /.well-known/acme-challenge/test under a
 * site's host names, which http01.h answers with "test" when it is asked.
 * Redirects are not followed: they are what was seen.  Any thread; SIGPIPE must
 * be ignored.
 */
struct http_probe;

/* Up to so many host names a site are asked for; with more, the first alone. */
#define HTTP_PROBE_HOSTS_MAX 10

/* connect: as probe_address_ok wants it. */
STATUS http_probe_new(
    const char *connect, int64_t timeout_ns, struct http_probe **ret_probe);
/* No probe runs any more.  NULL is allowed. */
void http_probe_free(struct http_probe *probe);
SCOPED_RELEASE(http_probe_free, struct http_probe *);
/* Have those that run, and all later ones, end at once.  Any thread. */
void http_probe_stop(struct http_probe *probe);

/* Is there a host name in it that a CA would ask for by http-01?  (Not for
 * wildcards: RFC 8555 7.1.3.) */
bool http_probe_wants(const struct site *site);

/*
 * All is well: true.  Else ret_why (SITE_WHY_MAX octets) is the first thing
 * that is not: "www.example.com: 404".  After each request it waits 10 ms, so
 * that many sites are no load.
 */
bool http_probe_site(
    struct http_probe *probe, const struct site *site, char *ret_why);

#endif
