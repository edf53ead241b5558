/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables behind signing's vocabulary, and the strict reading of public
 * keys.  A SPKI is one of ours or it is nothing: other curves, compressed
 * points, odd modulus sizes, missing parameters and trailing octets are
 * refused. Whether a point lies on its curve is not asked here: the token made
 * the key, and a signature by a bad one verifies nowhere.
 *
 * Only plain C and one hash, so that the provider can link it anywhere.
 */
#include "base/signing.h"

/*
 * The low-level hash needs no provider to be loaded and fetches nothing: a
 * guest in a foreign process cannot count on the host's OpenSSL configuration.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "base/der.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const char *const alg_names[] = {
	[KEY_ALG_EC_P256] = "ec-p256",
	[KEY_ALG_EC_P384] = "ec-p384",
	[KEY_ALG_RSA_2048] = "rsa-2048",
	[KEY_ALG_RSA_3072] = "rsa-3072",
	[KEY_ALG_RSA_4096] = "rsa-4096",
	[KEY_ALG_ED25519] = "ed25519",
};

static const char *const context_names[CONTEXT_END_] = {
	[CONTEXT_TLS13_SERVER] = "tls13_server",
	[CONTEXT_TLS12_SERVER_ECDHE] = "tls12_server_ecdhe",
	[CONTEXT_CSR] = "csr",
	[CONTEXT_RAW] = "raw",
	[CONTEXT_TLS13_CLIENT] = "tls13_client",
	[CONTEXT_ACME_JWS] = "acme_jws",
};

static const struct sign_scheme_info schemes[] = {
	{ SCHEME_RSA_PKCS1_SHA256, "rsa_pkcs1_sha256", SIGN_HASH_SHA256,
	    SIGN_PADDING_PKCS1 },
	{ SCHEME_RSA_PKCS1_SHA384, "rsa_pkcs1_sha384", SIGN_HASH_SHA384,
	    SIGN_PADDING_PKCS1 },
	{ SCHEME_RSA_PKCS1_SHA512, "rsa_pkcs1_sha512", SIGN_HASH_SHA512,
	    SIGN_PADDING_PKCS1 },
	{ SCHEME_ECDSA_SECP256R1_SHA256, "ecdsa_secp256r1_sha256",
	    SIGN_HASH_SHA256, SIGN_PADDING_NONE },
	{ SCHEME_ECDSA_SECP384R1_SHA384, "ecdsa_secp384r1_sha384",
	    SIGN_HASH_SHA384, SIGN_PADDING_NONE },
	{ SCHEME_ECDSA_SHA512, "ecdsa_sha512", SIGN_HASH_SHA512,
	    SIGN_PADDING_NONE },
	{ SCHEME_RSA_PSS_RSAE_SHA256, "rsa_pss_rsae_sha256", SIGN_HASH_SHA256,
	    SIGN_PADDING_PSS },
	{ SCHEME_RSA_PSS_RSAE_SHA384, "rsa_pss_rsae_sha384", SIGN_HASH_SHA384,
	    SIGN_PADDING_PSS },
	{ SCHEME_RSA_PSS_RSAE_SHA512, "rsa_pss_rsae_sha512", SIGN_HASH_SHA512,
	    SIGN_PADDING_PSS },
	{ SCHEME_ED25519, "ed25519", SIGN_HASH_NONE, SIGN_PADDING_NONE },
};

/*
 * Keys of one size have one DER head: everything before the point itself, with
 * the 0x04 of an uncompressed point (RFC 5480 2.2, RFC 8410 4).
 */
static const struct fixed_spki {
	enum key_alg alg;
	size_t len;
	size_t head_len;
	const char *head;
} fixed_spkis[] = {
	{ KEY_ALG_EC_P256, 91, 27,
	    "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a"
	    "\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04" },
	{ KEY_ALG_EC_P384, 120, 24,
	    "\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b"
	    "\x81\x04\x00\x22\x03\x62\x00\x04" },
	{ KEY_ALG_ED25519, 44, 12,
	    "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00" },
};

/* AlgorithmIdentifier of rsaEncryption with its NULL (RFC 3279 2.3.1). */
static const uint8_t rsa_algorithm[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
	0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };

/* libcrypto itself takes no longer public exponent for large moduli. */
#define RSA_EXPONENT_MAX 8

static bool
rsa_exponent_is_sane(struct bytes e)
{
	if (e.len > 1 && e.at[0] == 0) {
		if (e.at[1] < 0x80)
			return false; /* not the shortest form */
		bytes_take(&e, 1, &(struct bytes){ 0 });
	} else if (e.len > 0 && e.at[0] >= 0x80) {
		return false; /* negative */
	}
	if (e.len == 0 || e.len > RSA_EXPONENT_MAX || e.at[e.len - 1] % 2 == 0)
		return false;
	return e.len > 1 || e.at[0] >= 3;
}

static enum key_alg
rsa_alg(struct bytes modulus)
{
	/* A zero octet, then one with its top bit set: exactly 8 * len bits. */
	if (modulus.len < 2 || modulus.at[0] != 0 || modulus.at[1] < 0x80 ||
	    modulus.at[modulus.len - 1] % 2 == 0)
		return KEY_ALG_NONE;
	switch (modulus.len - 1) {
	case 256:
		return KEY_ALG_RSA_2048;
	case 384:
		return KEY_ALG_RSA_3072;
	case 512:
		return KEY_ALG_RSA_4096;
	default:
		return KEY_ALG_NONE;
	}
}

static enum key_alg
alg_of_rsa_spki(struct bytes spki)
{
	struct bytes info, algorithm, bits, unused, key, n, e;

	if (!der_take(&spki, DER_SEQUENCE, &info) || spki.len != 0 ||
	    !der_take(&info, DER_SEQUENCE, &algorithm) ||
	    !bytes_equal(algorithm,
		(struct bytes){ rsa_algorithm, sizeof(rsa_algorithm) }) ||
	    !der_take(&info, DER_BIT_STRING, &bits) || info.len != 0)
		return KEY_ALG_NONE;
	if (!bytes_take(&bits, 1, &unused) || unused.at[0] != 0 ||
	    !der_take(&bits, DER_SEQUENCE, &key) || bits.len != 0 ||
	    !der_take(&key, DER_INTEGER, &n) ||
	    !der_take(&key, DER_INTEGER, &e) || key.len != 0 ||
	    !rsa_exponent_is_sane(e))
		return KEY_ALG_NONE;
	return rsa_alg(n);
}

bool
key_id_of_spki(struct bytes spki, struct key_id *ret_id)
{
	SHA256_CTX hash;
	struct key_id id;

	_Static_assert(
	    KEY_ID_LEN == SHA256_DIGEST_LENGTH, "a key id is a hash");
	if (SHA256_Init(&hash) != 1 ||
	    SHA256_Update(&hash, spki.at, spki.len) != 1 ||
	    SHA256_Final(id.at, &hash) != 1)
		return false;
	*ret_id = id;
	return true;
}

void
key_id_print(const struct key_id *id, char ret_text[KEY_ID_TEXT_MAX])
{
	bytes_to_hex((struct bytes){ id->at, KEY_ID_LEN }, ret_text);
}

bool
key_id_parse(const char *text, struct key_id *ret_id)
{
	return bytes_from_hex(text, KEY_ID_LEN, ret_id->at);
}

const char *
key_alg_name(enum key_alg alg)
{
	return (size_t)alg < LEN(alg_names) ? alg_names[alg] : NULL;
}

enum key_alg
key_alg_parse(const char *text)
{
	for (size_t i = KEY_ALG_NONE + 1; i < LEN(alg_names); i++) {
		if (strcmp(text, alg_names[i]) == 0)
			return (enum key_alg)i;
	}
	return KEY_ALG_NONE;
}

enum key_alg
key_alg_of_spki(struct bytes spki)
{
	for (size_t i = 0; i < LEN(fixed_spkis); i++) {
		const struct fixed_spki *fixed = &fixed_spkis[i];

		if (spki.len == fixed->len &&
		    memcmp(spki.at, fixed->head, fixed->head_len) == 0)
			return fixed->alg;
	}
	return alg_of_rsa_spki(spki);
}

const struct sign_scheme_info *
sign_scheme_info(unsigned code)
{
	for (size_t i = 0; i < LEN(schemes); i++) {
		if ((unsigned)schemes[i].scheme == code)
			return &schemes[i];
	}
	return NULL;
}

bool
sign_scheme_fits(enum sign_scheme scheme, enum key_alg alg)
{
	switch (scheme) {
	case SCHEME_RSA_PKCS1_SHA256:
	case SCHEME_RSA_PKCS1_SHA384:
	case SCHEME_RSA_PKCS1_SHA512:
	case SCHEME_RSA_PSS_RSAE_SHA256:
	case SCHEME_RSA_PSS_RSAE_SHA384:
	case SCHEME_RSA_PSS_RSAE_SHA512:
		return alg == KEY_ALG_RSA_2048 || alg == KEY_ALG_RSA_3072 ||
		       alg == KEY_ALG_RSA_4096;
	case SCHEME_ECDSA_SECP256R1_SHA256:
	case SCHEME_ECDSA_SECP384R1_SHA384:
	case SCHEME_ECDSA_SHA512:
		return alg == KEY_ALG_EC_P256 || alg == KEY_ALG_EC_P384;
	case SCHEME_ED25519:
		return alg == KEY_ALG_ED25519;
	}
	return false;
}

size_t
sign_hash_len(enum sign_hash hash)
{
	switch (hash) {
	case SIGN_HASH_NONE:
		return 0;
	case SIGN_HASH_SHA256:
		return 32;
	case SIGN_HASH_SHA384:
		return 48;
	case SIGN_HASH_SHA512:
		return 64;
	}
	return 0;
}

const char *
sign_context_name(enum sign_context context)
{
	return (size_t)context < LEN(context_names) ? context_names[context]
						    : NULL;
}

enum sign_context
sign_context_parse(const char *text)
{
	for (size_t i = CONTEXT_NONE + 1; i < LEN(context_names); i++) {
		if (strcmp(text, context_names[i]) == 0)
			return (enum sign_context)i;
	}
	return CONTEXT_NONE;
}
