/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SIGNING_H
#define BASE_SIGNING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * The vocabulary of signing that every room shares: how a key is named, which
 * algorithms there are, and what a signature may be for.
 */

#define KEY_ID_LEN 32
#define KEY_ID_TEXT_MAX (2 * KEY_ID_LEN + 1)

/* SHA-256 of the DER SubjectPublicKeyInfo (RFC 5280 4.1); CKA_ID holds it. */
struct key_id {
	uint8_t at[KEY_ID_LEN];
};

static inline bool
key_id_equal(const struct key_id *a, const struct key_id *b)
{
	return memcmp(a->at, b->at, KEY_ID_LEN) == 0;
}

/* Hash a DER SPKI into its key id.  False only when libcrypto fails. */
bool key_id_of_spki(struct bytes spki, struct key_id *ret_id);

/* 64 lower-case hex digits and a zero. */
void key_id_print(const struct key_id *id, char ret_text[KEY_ID_TEXT_MAX]);

/* Exactly 64 hex digits; false otherwise, ret_id untouched. */
bool key_id_parse(const char *text, struct key_id *ret_id);

enum key_alg {
	KEY_ALG_NONE = 0,
	KEY_ALG_EC_P256 = 1,
	KEY_ALG_EC_P384 = 2,
	KEY_ALG_RSA_2048 = 3,
	KEY_ALG_RSA_3072 = 4,
	KEY_ALG_RSA_4096 = 5,
	KEY_ALG_ED25519 = 6,
};

/* "ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096", "ed25519". */
const char *key_alg_name(enum key_alg alg);   /* NULL when not an alg */
enum key_alg key_alg_parse(const char *text); /* KEY_ALG_NONE when unknown */

/*
 * The algorithm of a DER SPKI, read strictly (named curves, RSA modulus sizes
 * above, no trailing bytes); KEY_ALG_NONE when it is anything else.
 */
enum key_alg key_alg_of_spki(struct bytes spki);

/* TLS SignatureScheme code points, RFC 8446 4.2.3. */
enum sign_scheme {
	SCHEME_RSA_PKCS1_SHA256 = 0x0401,
	SCHEME_RSA_PKCS1_SHA384 = 0x0501,
	SCHEME_RSA_PKCS1_SHA512 = 0x0601,
	SCHEME_ECDSA_SECP256R1_SHA256 = 0x0403,
	SCHEME_ECDSA_SECP384R1_SHA384 = 0x0503,
	SCHEME_RSA_PSS_RSAE_SHA256 = 0x0804,
	SCHEME_RSA_PSS_RSAE_SHA384 = 0x0805,
	SCHEME_RSA_PSS_RSAE_SHA512 = 0x0806,
	SCHEME_ED25519 = 0x0807,
	/*
	 * Not TLS 1.3 code points but TLS 1.2 pairs (RFC 5246 7.4.1.4.1, hash
	 * and ecdsa): in TLS 1.2 a curve may be used with another hash.
	 */
	SCHEME_ECDSA_SHA512 = 0x0603,
};

enum sign_hash {
	SIGN_HASH_NONE = 0, /* Ed25519 signs the content itself */
	SIGN_HASH_SHA256,
	SIGN_HASH_SHA384,
	SIGN_HASH_SHA512,
};

enum sign_padding {
	SIGN_PADDING_NONE = 0, /* ECDSA, Ed25519 */
	SIGN_PADDING_PKCS1,
	SIGN_PADDING_PSS, /* MGF1 and salt of the hash's length */
};

struct sign_scheme_info {
	enum sign_scheme scheme;
	const char *name; /* IANA's name, "rsa_pss_rsae_sha256" */
	enum sign_hash hash;
	enum sign_padding padding;
};

/* NULL when the code point is not one of the above. */
const struct sign_scheme_info *sign_scheme_info(unsigned code);

/*
 * May a key of this algorithm make this signature?  ECDSA allows any of the
 * three hashes with either curve (TLS 1.2, CSR); that TLS 1.3 ties curve to
 * hash is the context's check, not this one's.
 */
bool sign_scheme_fits(enum sign_scheme scheme, enum key_alg alg);

/* Octets of the hash's digest; 0 for SIGN_HASH_NONE. */
size_t sign_hash_len(enum sign_hash hash);

#define SIGNATURE_MAX 512 /* RSA-4096 */

/* Octets that TLS puts on the wire: DER for ECDSA (RFC 8422 5.4). */
struct signature {
	size_t len;
	uint8_t at[SIGNATURE_MAX];
};

/*
 * What a signature is for.  keyd parses the content by its context and refuses
 * what is not what it claims to be.  Numbers are those of the .proto.
 */
enum sign_context {
	CONTEXT_NONE = 0,
	CONTEXT_TLS13_SERVER = 1,       /* RFC 8446 4.4.3 */
	CONTEXT_TLS12_SERVER_ECDHE = 2, /* RFC 8422 5.4 */
	CONTEXT_CSR = 3,                /* RFC 2986 4.1, that very key's */
	CONTEXT_RAW = 4,                /* anything; a grant of its own */
	CONTEXT_TLS13_CLIENT = 5,       /* RFC 8446 4.4.3 */
	CONTEXT_ACME_JWS = 6,           /* RFC 8555 6.2 */
	CONTEXT_END_ = 7,
};

/* "tls13_server", ...; NULL when not a context. */
const char *sign_context_name(enum sign_context context);
enum sign_context sign_context_parse(const char *text); /* NONE: unknown */

/* Most octets of content one request may carry. */
#define SIGN_CONTENT_MAX 16384

#endif
