/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_PROBE_H
#define EDGE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "edge/site.h"

/*
 * Looks at what the web server of this host serves: a whole TLS handshake with
 * the host's name as SNI (RFC 6066 3), once for each kind of key, by offering
 * no signature algorithm of another (RFC 8446 4.2.3) and, in TLS 1.2, no cipher
 * suite of another.  No trust is asked for: the fingerprint is the proof, and
 * the handshake that the key signs.  "*.a.b" is looked at as
 * "holdfast-probe.a.b".  Any thread, many at once; SIGPIPE must be ignored.
 */
struct probe;

/* "127.0.0.1:443", "[::1]:443": no names, which would have to be looked up. */
bool probe_address_ok(const char *connect);

STATUS probe_new(
    const char *connect, int64_t timeout_ns, struct probe **ret_probe);
/* No probe runs any more.  NULL is allowed. */
void probe_free(struct probe *probe);
SCOPED_RELEASE(probe_free, struct probe *);
/* Have those that run, and all later ones, end at once.  Any thread. */
void probe_stop(struct probe *probe);

/*
 * One handshake, at most timeout_ns long.  UNAVAILABLE when there was none:
 * ret_why (SITE_WHY_MAX octets) says why, "connection refused".
 */
STATUS probe_handshake(struct probe *probe, const char *host,
    enum site_kind kind, uint8_t ret_fingerprint[SITE_FINGERPRINT_LEN],
    char *ret_why);

/* What a whole site was seen to serve. */
struct probe_result {
	bool served;            /* all certificates, for all host names */
	char why[SITE_WHY_MAX]; /* the first thing that was not right */
	bool has_seen;          /* another certificate is served: */
	uint8_t seen[SITE_FINGERPRINT_LEN];
};

void probe_site(struct probe *probe, const struct site *site,
    struct probe_result *ret_result);

#endif
