/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a CRL, as the part of one that is signed (the issuer's key
 * signs it here), and as its entries: no crash; what is refused says why.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "pki/revocation_crl.h"
#include "tests/fuzz/revoked_certs.h"

#define URL "http://crl.example.com/1.crl"
#define SIGNATURE_LEN 64
#define ROOM 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pki_cert *issuer, *leaf;
static EVP_PKEY *key;

static void
start(void)
{
	uint8_t octets[32];

	for (uint8_t i = 0; i < sizeof(octets); i++)
		octets[i] = i;
	issuer = revoked_cert(revoked_issuer_pem);
	leaf = revoked_cert(revoked_leaf_pem);
	key = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, octets, sizeof(octets));
	if (key == NULL)
		abort();
}

static void
sign(const uint8_t *data, size_t size, uint8_t *ret_signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = SIGNATURE_LEN;

	if (ctx == NULL ||
	    EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestSign(ctx, ret_signature, &len, data, size) != 1)
		abort();
	EVP_MD_CTX_free(ctx);
}

/* In a CertificateList; malloc'd. */
static struct bytes
wrap(const uint8_t *data, size_t size)
{
	static const uint8_t algorithm[] = { 0x30, 5, 6, 3, 0x2b, 0x65, 0x70 };
	static const uint8_t bits[] = { 3, SIGNATURE_LEN + 1, 0 };
	const size_t len =
	    size + sizeof(algorithm) + sizeof(bits) + SIGNATURE_LEN;
	uint8_t *at = malloc(len + ROOM), *to = at;

	if (at == NULL)
		abort();
	*to++ = 0x30;
	if (len < 256) {
		*to++ = 0x81;
	} else {
		*to++ = 0x82;
		*to++ = (uint8_t)(len >> 8);
	}
	*to++ = (uint8_t)len;
	memcpy(to, data, size);
	memcpy(to + size, algorithm, sizeof(algorithm));
	to += size + sizeof(algorithm);
	memcpy(to, bits, sizeof(bits));
	sign(data, size, to + sizeof(bits));
	to += sizeof(bits) + SIGNATURE_LEN;
	return (struct bytes){ at, (size_t)(to - at) };
}

static void
find(const struct revocation_crl *crl)
{
	struct revocation_answer answer;
	char why[REVOCATION_WHY_MAX] = "";

	if (failed(revocation_crl_find(crl, leaf, &answer, why)) && why[0] == 0)
		abort();
}

static void
check(struct bytes der)
{
	char why[REVOCATION_WHY_MAX] = "";
	struct revocation_crl crl;

	if (failed(revocation_crl_check(
		der, URL, issuer, REVOKED_NOW_S, &crl, why))) {
		if (why[0] == 0)
			abort();
		return;
	}
	if (crl.entries.len > 0 &&
	    (crl.entries.at < der.at ||
		crl.entries.at + crl.entries.len > der.at + der.len))
		abort();
	find(&crl);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes wrapped;

	if (key == NULL)
		start();
	check((struct bytes){ data, size });
	find(&(struct revocation_crl){ .entries = { data, size } });
	if (size > 60000)
		return 0;
	wrapped = wrap(data, size);
	check(wrapped);
	free((void *)(uintptr_t)wrapped.at);
	return 0;
}
