/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_STUB_H
#define BASE_STUB_H

#include "base/bytes.h"
#include "base/signing.h"
#include "base/status.h"

/*
 * The key stub: what a web server is given in place of a private key.  It is
 * public.  PEM label "HOLDFAST KEY" around DER (docs/PROTOCOL.md, "Key stub"):
 *
 *     SEQUENCE { UTF8String "holdfast-key-v1",
 *                OCTET STRING key id (32 octets),
 *                SubjectPublicKeyInfo }
 *
 * The key id must be the SHA-256 of the SPKI that follows, or it is refused.
 */

#define STUB_FORMAT "holdfast-key-v1"
#define STUB_PEM_LABEL "HOLDFAST KEY"
#define STUB_SPKI_MAX 1024
#define STUB_DER_MAX (STUB_SPKI_MAX + 128)
#define STUB_PEM_MAX 2048

struct stub {
	struct key_id key_id;
	enum key_alg alg;
	struct bytes spki; /* borrows from the DER it was decoded from */
};

/* Strict DER; every refusal says what is wrong.  Allocates nothing. */
STATUS stub_decode_der(struct bytes der, struct stub *ret_stub);

/* ret_len octets of DER into ret_der, which holds STUB_DER_MAX. */
STATUS stub_encode_der(struct bytes spki, uint8_t *ret_der, size_t *ret_len);

/* Zero-terminated PEM into ret_pem, which holds STUB_PEM_MAX. */
STATUS stub_encode_pem(struct bytes spki, char *ret_pem);

/*
 * PEM text (text before and after the block is ignored) to DER in der_buffer,
 * which holds STUB_DER_MAX; ret_stub borrows from der_buffer.
 */
STATUS stub_decode_pem(
    struct bytes pem, uint8_t *der_buffer, struct stub *ret_stub);

#endif
