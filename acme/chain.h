/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACME_CHAIN_H
#define ACME_CHAIN_H

#include "base/bytes.h"
#include "base/status.h"

/* A certificate chain as CAs send it (RFC 8555 7.4.2, 9.1). */
#define ACME_CHAIN_CERTS_MAX 10
#define ACME_CHAIN_WHY_MAX 400
#define ACME_CHAIN_ISSUER_MAX 256

/*
 * Leaf first, each certificate signed by the one behind it, nothing but
 * certificates.  *ret_pem: malloc'd, the same as RFC 7468 wants it;
 * ret_issuer: the common name of the topmost one's issuer, or empty.
 * INVALID_ARGUMENT with a sentence.  Whether the leaf is the one that was
 * wanted is not asked here.  A leaf alone is a chain.
 */
STATUS acme_chain_read(struct bytes text, char **ret_pem,
    char ret_issuer[ACME_CHAIN_ISSUER_MAX], char ret_why[ACME_CHAIN_WHY_MAX]);

#endif
