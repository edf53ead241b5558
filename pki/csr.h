/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKI_CSR_H
#define PKI_CSR_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/signing.h"
#include "base/status.h"

/*
 * A PKCS#10 request (RFC 2986) for a key that is elsewhere: made here without
 * its signature, which the holder of the key adds.  One thread for a request.
 */
#define CSR_NAMES_MAX 100
#define CSR_WHY_MAX 320

struct csr;

/* Would csr_new take these names?  For who wants to know before a key is at
 * hand. */
STATUS csr_check_names(const char *const *names, size_t n_names, char *ret_why);

/*
 * names: host names (normalized here; the caller may pass them as people write
 * them) and IP addresses, 1 to CSR_NAMES_MAX, all as subjectAltName; the first
 * is the common name too when it is no longer than 64 octets.
 * INVALID_ARGUMENT: a name is malformed, there are none or too many, or the
 * key is not one that a token holds; ret_why (CSR_WHY_MAX) says which.
 */
STATUS csr_new(struct bytes spki, const char *const *names, size_t n_names,
    struct csr **ret_csr, char *ret_why);
/* The same with this common name, one of the (normalized) names, and with none
 * where it is "". */
STATUS csr_new_named(struct bytes spki, const char *common_name,
    const char *const *names, size_t n_names, struct csr **ret_csr,
    char *ret_why);
void csr_free(struct csr *csr); /* NULL is allowed */
SCOPED_RELEASE(csr_free, struct csr *);

/* How the key is to sign it; 0 when alg is KEY_ALG_NONE. */
enum sign_scheme csr_scheme(enum key_alg alg);

/* The DER CertificationRequestInfo that is to be signed.  Borrowed. */
struct bytes csr_info(const struct csr *csr);

/*
 * Adds csr_scheme's signature over csr_info (ECDSA's as DER).  DATA_LOSS: it
 * does not verify, and the request is unsigned.
 */
STATUS csr_sign(struct csr *csr, struct bytes signature);

/* A signed request as PEM; the caller frees.  FAILED_PRECONDITION: it is not
 * signed. */
STATUS csr_pem(const struct csr *csr, char **ret_pem);
/* The same as DER, malloc'd. */
STATUS csr_der(const struct csr *csr, uint8_t **ret_der, size_t *ret_len);

#endif
