/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_HSM_WRAP_H
#define TESTS_UNIT_HSM_WRAP_H

#include <openssl/evp.h>

#include "hsm/hsm.h"
#include "hsm/token.h"
#include "tests/unit/hsm_rig.h"

/*
 * What a sender of a key does, by OpenSSL alone, and looks into the token
 * behind the pool's back.  For tests only; failures fail the test.
 */
struct envelope {
	size_t spki_len, len;
	uint8_t spki[HSM_SPKI_MAX];
	uint8_t at[HSM_BLOB_MAX];
	struct hsm_import import; /* points to the above: must not be moved */
};

/* "EC:P-256", "RSA:2048", "ED25519"; freed by the caller. */
EVP_PKEY *wrap_make_key(const char *kind);

/* RSA-OAEP with SHA-1, and AES-KWP of the key's PKCS#8. */
void wrap_key(EVP_PKEY *key, const struct hsm_wrapping *wrapping,
    const char *label, struct envelope *ret_envelope);
/* The same of any octets in place of the PKCS#8. */
void wrap_octets(struct bytes octets, const struct hsm_wrapping *wrapping,
    struct envelope *ret_envelope);

/* Log in beside the workers. */
void wrap_raw_open(const struct rig *rig, struct token *ret_token);
void wrap_raw_close(struct token *token);
/* Objects of the token, of all classes; those labelled unfinished. */
unsigned wrap_raw_count(const struct rig *rig);
unsigned wrap_raw_unfinished(const struct rig *rig);

#endif
