/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REVOKED_H
#define CERTD_REVOKED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/config.h"
#include "pki/revocation.h"

/*
 * Asks whether CAs have revoked certificates: by the CRL that a certificate
 * names, else by OCSP.  The answers are signed, so they come by plain HTTP; the
 * URLs stand in certificates, so private addresses are not connected to unless
 * checks.allow_private says so.  Any thread.
 */
struct revoked;

STATUS revoked_new(const struct config *config, struct revoked **ret_revoked);
void revoked_free(struct revoked *revoked); /* NULL is allowed */
SCOPED_RELEASE(revoked_free, struct revoked *);

#define REVOKED_SOURCE_MAX (REVOCATION_URL_MAX + 8)

struct revoked_found {
	bool is_said; /* else nobody did: all below but next_s is 0 */
	struct revocation_answer answer;
	char source[REVOKED_SOURCE_MAX]; /* "CRL http://..." */
	/* When to ask again; 0: never, it names no place, or has expired. */
	int64_t next_s;
};

/*
 * chain_pem: leaf first, as it is kept.  may_ask_each: by OCSP too, where no
 * CRL says it, which is a request for each certificate.  What fails is logged,
 * and changes nothing.  Blocks for a request to each of few URLs, 20 s each.
 */
void revoked_look(struct revoked *revoked, const char *chain_pem,
    bool may_ask_each, int64_t now_s, struct revoked_found *ret_found);

#endif
