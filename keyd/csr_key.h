/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_CSR_KEY_H
#define KEYD_CSR_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

#define CSR_KEY_CSR_MAX 4096
#define CSR_KEY_SPKI_MAX 128 /* P-256 has 91 */

/*
 * The public key of a member's certification request (DER PKCS#10, RFC 2986):
 * EC P-256, proven by the request's own signature with SHA-256.  Nothing else
 * in the request is looked at.  INVALID_ARGUMENT says what is wrong with it.
 * ret_spki gets the DER SubjectPublicKeyInfo.
 */
STATUS csr_key_read(
    struct bytes csr, uint8_t ret_spki[CSR_KEY_SPKI_MAX], size_t *ret_spki_len);

#endif
