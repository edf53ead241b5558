/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKI_EXPORT_H
#define PKI_EXPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * Certificates as others want them.  ders are DER certificates in the order
 * that is to be written, 1 to EXPORT_CERTS_MAX; what is returned is the
 * caller's to free.  RESOURCE_EXHAUSTED: no memory.  INVALID_ARGUMENT: one of
 * them is no certificate, or their number.  Any thread.
 */
#define EXPORT_CERTS_MAX 32

/* CERTIFICATE blocks (RFC 7468 5), each with its last line ended; n may be 0.
 * The octets are not looked into. */
STATUS export_pem(const struct bytes *ders, size_t n, char **ret_pem);

/* PKCS#7 SignedData without signers (RFC 2315 9.1, "certs-only"), a .p7b. */
STATUS export_pkcs7(
    const struct bytes *ders, size_t n, uint8_t **ret_der, size_t *ret_len);
/* The same as a PKCS7 block (RFC 7468 8). */
STATUS export_pkcs7_pem(const struct bytes *ders, size_t n, char **ret_pem);

#endif
