/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_TSIG_H
#define DNS_TSIG_H

#include "base/bytes.h"
#include "base/status.h"
#include "dns/update.h"
#include "dns/wire.h"

/* Signatures of DNS messages by a shared key (RFC 8945), with SHA-2 alone. */

#define TSIG_MAC_MAX 64
/* As RFC 8945 10 has it: how far apart the clocks may be. */
#define TSIG_FUDGE_S 300

struct tsig_mac {
	uint8_t at[TSIG_MAC_MAX];
	size_t len;
};

/* RFC 8945 3 */
enum tsig_error {
	TSIG_OK = 0,
	TSIG_BADSIG = 16,
	TSIG_BADKEY = 17,
	TSIG_BADTIME = 18,
	TSIG_BADTRUNC = 22
};

/* Append the record to a whole message, and count it in its header. */
STATUS tsig_sign(const struct dns_tsig *tsig, int64_t now_s,
    struct wire_writer *message, struct tsig_mac *ret_mac);

enum tsig_verdict {
	TSIG_GOOD,
	TSIG_ABSENT,    /* there is none */
	TSIG_MALFORMED, /* not at the end, cut, an algorithm not ours, ... */
	TSIG_FOREIGN,   /* another key's name, or another algorithm */
	TSIG_UNSIGNED,  /* without a MAC, as BADKEY and BADSIG come */
	TSIG_FORGED,    /* the MAC is not the one */
	TSIG_STALE      /* the MAC is good, the time is not */
};

struct tsig_seen {
	enum tsig_verdict verdict;
	unsigned error;   /* enum tsig_error, or another; but for ABSENT and
			     MALFORMED */
	int64_t signed_s; /* likewise */
	int64_t server_s; /* BADTIME: the server's clock; else 0 */
};

/*
 * The TSIG of an answer to the request whose MAC is given.  A truncated MAC is
 * no good one.  Fails only when OpenSSL does.
 */
STATUS tsig_verify(const struct dns_tsig *tsig, const struct tsig_mac *request,
    int64_t now_s, struct bytes answer, struct tsig_seen *ret_seen);

const char *tsig_algorithm_name(enum dns_tsig_algorithm algorithm);

#endif
