/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKI_REVOCATION_CRL_H
#define PKI_REVOCATION_CRL_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "pki/cert.h"
#include "pki/revocation.h"

/*
 * CRLs (RFC 5280 5).  One may be tens of megabytes: it stays the octets that
 * came, checked once, and is walked along for each certificate.
 */
struct revocation_crl {
	struct bytes entries; /* within what was checked */
	int64_t updated_s, next_s;
};

/*
 * Is it of this issuer, signed, fresh, whole, and the one that is to be had at
 * url (as revocation_places gives it)?  INVALID_ARGUMENT: it is no CRL.
 * FAILED_PRECONDITION: it is another issuer's, of another place or time, signed
 * by somebody else, or about some certificates only (deltas, indirect ones,
 * attributes).  ret_why says which, REVOCATION_WHY_MAX octets.  *ret_crl
 * borrows der.
 */
STATUS revocation_crl_check(struct bytes der, const char *url,
    const struct pki_cert *issuer, int64_t now_s,
    struct revocation_crl *ret_crl, char *ret_why);

/* What it says of a certificate of that issuer.  INVALID_ARGUMENT: it is
 * damaged. */
STATUS revocation_crl_find(const struct revocation_crl *crl,
    const struct pki_cert *cert, struct revocation_answer *ret_answer,
    char *ret_why);

#endif
