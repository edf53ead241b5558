/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a public key: what we take, OpenSSL takes too, of the same kind
 * and size, and writes back octet by octet.  An EC point off its curve is the
 * one thing that only OpenSSL refuses (base/signing.c says why).
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/signing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
bits_of(enum key_alg alg)
{
	switch (alg) {
	case KEY_ALG_EC_P256:
		return 256;
	case KEY_ALG_EC_P384:
		return 384;
	case KEY_ALG_RSA_2048:
		return 2048;
	case KEY_ALG_RSA_3072:
		return 3072;
	case KEY_ALG_RSA_4096:
		return 4096;
	case KEY_ALG_ED25519:
		return 256;
	default:
		abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum key_alg alg = key_alg_of_spki((struct bytes){ data, size });
	const uint8_t *at = data;
	uint8_t *again = NULL;
	EVP_PKEY *key;
	int len;

	if (alg == KEY_ALG_NONE)
		return 0;
	key = d2i_PUBKEY(NULL, &at, (long)size);
	if (key == NULL) {
		if (alg != KEY_ALG_EC_P256 && alg != KEY_ALG_EC_P384)
			abort();
		return 0;
	}
	len = i2d_PUBKEY(key, &again);
	if (at != data + size || EVP_PKEY_get_bits(key) != bits_of(alg) ||
	    len < 0 || (size_t)len != size || memcmp(again, data, size) != 0)
		abort();
	OPENSSL_free(again);
	EVP_PKEY_free(key);
	return 0;
}
