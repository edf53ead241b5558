/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RPC_MEMBER_KEY_H
#define RPC_MEMBER_KEY_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"

/* A member's own key and what is certified of it: OpenSSL behind one door. */

SCOPED_RELEASE(EVP_PKEY_free, EVP_PKEY *);
SCOPED_RELEASE(X509_free, X509 *);

#define MEMBER_CSR_MAX 512 /* P-256 without attributes has about 200 */

/* A new EC P-256 key; NULL when OpenSSL has no entropy or memory. */
EVP_PKEY *member_key_new(void);

/* DER PKCS#10, empty subject: keyd looks at the key alone. */
bool member_key_csr(
    EVP_PKEY *key, uint8_t ret_der[MEMBER_CSR_MAX], size_t *ret_len);

/* PEM of the private key; NULL on failure.  member_text_free wipes it. */
char *member_key_print(EVP_PKEY *key);
EVP_PKEY *member_key_parse(const char *pem);

char *member_cert_print(X509 *cert);
/* The first certificate of the text. */
X509 *member_cert_parse(const char *pem);

/* 1..8 certificates, each a CA's, up to the end of the text. */
bool member_ca_ok(const char *pem);
/* The same certificates, printed anew; NULL when not ok.  free(). */
char *member_ca_print(const char *pem);

/*
 * Is this a certificate of that CA, valid now, for this key and this SPIFFE ID?
 * why of a failure reads on after "keyd's certificate ".
 */
STATUS member_cert_check(
    X509 *cert, const char *ca_pem, EVP_PKEY *key, const char *identity);

/* Seconds since 1970 UTC; false when the dates cannot be read. */
bool member_cert_times(
    const X509 *cert, int64_t *ret_not_before_s, int64_t *ret_not_after_s);

/* Wipes a zero-terminated text, then frees it.  NULL is allowed. */
void member_text_free(char *text);
SCOPED_RELEASE(member_text_free, char *);

#endif
