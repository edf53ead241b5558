/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SPKI_H
#define TESTS_UNIT_SPKI_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Public keys for tests, made by OpenSSL and so independently of base/. */
#define SPKI_MAX 2048

struct spki {
	size_t len;
	uint8_t at[SPKI_MAX];
};

static inline struct bytes
spki_bytes(const struct spki *spki)
{
	return (struct bytes){ spki->at, spki->len };
}

/* A fresh key: group "P-256", ... or NULL for Ed25519. */
void spki_of_curve(const char *group, struct spki *ret_spki);

/* An RSA public key with some odd modulus of so many bits. */
void spki_of_rsa(int bits, unsigned long exponent, struct spki *ret_spki);

#endif
