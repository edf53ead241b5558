/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKI_REVOCATION_H
#define PKI_REVOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "pki/cert.h"

/*
 * Has a CA revoked a certificate?  Where it says so, what it is asked by OCSP
 * (RFC 6960, as light as RFC 5019 has it), and what its answers and CRLs
 * (RFC 5280 5) are worth.  Nothing here connects; functions of octets, for any
 * thread.
 *
 * issuer is the certificate that cert's chain has above it.  Whatever came over
 * the network counts only when its key, or a responder that it named, signed
 * it, and only while it is fresh.
 */

#define REVOCATION_URL_MAX 512
#define REVOCATION_URLS_MAX 4
#define REVOCATION_WHY_MAX 256

struct revocation_places {
	size_t n_crls, n_ocsps; /* the first ones of more */
	char crls[REVOCATION_URLS_MAX][REVOCATION_URL_MAX];
	char ocsps[REVOCATION_URLS_MAX][REVOCATION_URL_MAX];
};

/*
 * Where the certificate says that it can be asked about: http and https URLs
 * alone, each with a path.  CRLs of some reasons only, or of another issuer,
 * are left out (RFC 5280 4.2.1.13).
 */
void revocation_places(
    const struct pki_cert *cert, struct revocation_places *ret_places);

struct revocation_answer {
	bool is_revoked;
	int reason;        /* CRLReason (RFC 5280 5.3.1); 0: not said */
	int64_t revoked_s; /* since when */
	int64_t updated_s; /* thisUpdate */
	int64_t next_s;    /* nextUpdate; 0: not said */
};

/* "keyCompromise", as RFC 5280 spells it. */
const char *revocation_reason(int reason);

/* ---- OCSP ---- */

/* Longer answers are refused. */
#define REVOCATION_OCSP_MAX 65536

/* A request about one certificate, without a nonce: DER, malloc'd. */
STATUS revocation_ask(const struct pki_cert *cert,
    const struct pki_cert *issuer, uint8_t **ret_der, size_t *ret_len);

/*
 * What a responder answered.  INVALID_ARGUMENT: it is no such answer, or says
 * that it has none.  FAILED_PRECONDITION: nobody signed it whom the issuer lets
 * (RFC 6960 4.2.2.2), it is about another certificate, of another time, or says
 * "unknown".  ret_why says which, REVOCATION_WHY_MAX octets.
 */
STATUS revocation_answered(struct bytes der, const struct pki_cert *cert,
    const struct pki_cert *issuer, int64_t now_s,
    struct revocation_answer *ret_answer, char *ret_why);

#endif
