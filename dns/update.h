/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_UPDATE_H
#define DNS_UPDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/status.h"

/*
 * Dynamic updates (RFC 2136) of TXT records, signed with TSIG (RFC 8945).  Only
 * one's own record is added or taken away: a wildcard's and its apex's
 * challenges share a name.  The answer's TSIG is verified: MAC, time, error.
 *
 * Any thread; blocks up to timeout_ms: UDP, then TCP when it is cut off.
 */
enum dns_tsig_algorithm {
	DNS_TSIG_SHA256,
	DNS_TSIG_SHA384,
	DNS_TSIG_SHA512
};

struct dns_tsig {
	char name[256]; /* of the key, as a DNS name */
	enum dns_tsig_algorithm algorithm;
	const struct secret *key; /* its octets, not base64; borrowed */
};

struct dns_update {
	const char *server; /* "192.0.2.1:53" */
	const char *zone;
	const char *name;
	const char *value; /* 1 to 255 octets */
	uint32_t ttl_s;
	bool is_removal;
	const struct dns_tsig *tsig; /* NULL: not signed */
	unsigned timeout_ms;         /* 0: 10,000 */
};

/*
 * Adding what is there and taking away what is not are OK.  Else the status and
 * ret_why say what the server said (REFUSED, NOTAUTH, BADKEY, BADTIME with both
 * clocks, ...) and what to do.  DNS_WHY_MAX octets.
 *
 * UNAVAILABLE: no answer, or SERVFAIL; try again.  INVALID_ARGUMENT: what was
 * asked for cannot be.  PERMISSION_DENIED, UNAUTHENTICATED (the key, on either
 * side), FAILED_PRECONDITION (zone, clocks, a server without updates): somebody
 * has to change something.  A server takes no TXT where there is a CNAME, and
 * says OK: look whether it is there (dns_txt_everywhere).
 */
STATUS dns_update_send(const struct dns_update *update, char *ret_why);

#endif
