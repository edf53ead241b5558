/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKI_CERT_CACHE_H
#define PKI_CERT_CACHE_H

#include <openssl/x509.h>

#include "pki/cert.h"

/*
 * What OpenSSL made of certificates that were read lately, by their
 * fingerprints: to read a public key in costs it more than all else, and
 * issuers come again with each certificate of theirs.  Holds 64.  Any thread.
 */

/* The caller's own reference, or NULL. */
X509 *cert_cache_get(const uint8_t fingerprint[PKI_FINGERPRINT_LEN]);
/* Takes a reference of its own. */
void cert_cache_put(const uint8_t fingerprint[PKI_FINGERPRINT_LEN], X509 *x509);

#endif
