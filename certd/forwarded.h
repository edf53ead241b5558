/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_FORWARDED_H
#define CERTD_FORWARDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>

#include "base/address.h"

/*
 * Whom a request is from that a reverse proxy brings.  Proxies write down whom
 * they heard, each behind what was there already; so what they wrote is
 * believed from its end, as long as it names proxies that are trusted, and the
 * first that is not is the client.  What stands before that anybody may have
 * made up: it is not looked at.  Plain values; any thread.
 */

/* ---- who is trusted ---- */

#define FORWARDED_TRUST_MAX 32
struct forwarded_trust {
	struct {
		uint8_t at[16]; /* IPv4 as ::ffff:192.0.2.7 */
		unsigned bits;
		bool is_v4;
	} networks[FORWARDED_TRUST_MAX];
	size_t n;
};

/* One more, "192.0.2.7" or "2001:db8::/32".  False: it is none, it has bits
 * behind its prefix, it is all there are, or there are too many. */
bool forwarded_trust_add(struct forwarded_trust *trust, const char *text);
bool forwarded_trusts(
    const struct forwarded_trust *trust, const union address *address);

/* ---- one request ---- */

/* The header that is read; never the other one, which a proxy that does not
 * know it passes on as it came. */
enum forwarded_header {
	FORWARDED_X,      /* X-Forwarded-For, X-Forwarded-Proto */
	FORWARDED_RFC7239 /* Forwarded */
};

struct forwarded {
	const struct forwarded_trust *trust; /* borrowed */
	enum forwarded_header header;
	union address peer, client; /* ports are 0 */
	bool is_peer_trusted;
	enum {
		FORWARDED_NOBODY, /* no line named anybody yet */
		FORWARDED_CLIENT,
		FORWARDED_GARBAGE /* a trusted one said what is no address */
	} heard;
	bool is_https;
	unsigned n_protos; /* of X-Forwarded-Proto */
};

/* peer is who the connection is from, IPv4 or IPv6. */
void forwarded_init(struct forwarded *forwarded,
    const struct forwarded_trust *trust, enum forwarded_header header,
    const struct sockaddr *peer);
/* A line of the head, each in the order they came; others than those of the
 * header, and all of a peer that is not trusted, are passed over. */
void forwarded_take(
    struct forwarded *forwarded, const char *name, const char *value);
/*
 * The client's address, without a port; IPv4 is AF_INET whichever way it was
 * written.  All named are trusted: the first.  The peer's own: it is not
 * trusted, it named nobody, or what cannot be read stands where the client's
 * would.
 */
const union address *forwarded_client(const struct forwarded *forwarded);
/* Did the client come by TLS, to a proxy that is trusted? */
bool forwarded_is_https(const struct forwarded *forwarded);

#endif
