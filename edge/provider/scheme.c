/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Turns OpenSSL's key type, digest and padding into the one TLS SignatureScheme
 * that says all three.  Refuses what has none: SHA-1 and other digests, no
 * padding, and PSS with a salt or MGF1 other than the digest's.
 */

#include "edge/provider/scheme.h"

#include <strings.h>

enum key_type
scheme_key_type(enum key_alg alg)
{
	switch (alg) {
	case KEY_ALG_EC_P256:
	case KEY_ALG_EC_P384:
		return KEY_EC;
	case KEY_ALG_ED25519:
		return KEY_ED25519;
	default:
		return KEY_RSA;
	}
}

bool
scheme_hash(const char *name, enum sign_hash *ret_hash)
{
	static const struct {
		const char *name;
		enum sign_hash hash;
	} names[] = {
		{ "SHA256", SIGN_HASH_SHA256 },
		{ "SHA2-256", SIGN_HASH_SHA256 },
		{ "SHA-256", SIGN_HASH_SHA256 },
		{ "SHA384", SIGN_HASH_SHA384 },
		{ "SHA2-384", SIGN_HASH_SHA384 },
		{ "SHA-384", SIGN_HASH_SHA384 },
		{ "SHA512", SIGN_HASH_SHA512 },
		{ "SHA2-512", SIGN_HASH_SHA512 },
		{ "SHA-512", SIGN_HASH_SHA512 },
		{ "", SIGN_HASH_NONE },
	};

	if (name == NULL)
		name = "";
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcasecmp(name, names[i].name) == 0) {
			*ret_hash = names[i].hash;
			return true;
		}
	}
	return false;
}

const char *
scheme_hash_name(enum sign_hash hash)
{
	switch (hash) {
	case SIGN_HASH_SHA256:
		return "SHA2-256";
	case SIGN_HASH_SHA384:
		return "SHA2-384";
	case SIGN_HASH_SHA512:
		return "SHA2-512";
	default:
		return "";
	}
}

static struct status
refuse(const char *why)
{
	return status_fail(STATUS_INVALID_ARGUMENT, why);
}

/* Rows by hash, as in enum sign_hash. */
static const enum sign_scheme pkcs1[] = { 0, SCHEME_RSA_PKCS1_SHA256,
	SCHEME_RSA_PKCS1_SHA384, SCHEME_RSA_PKCS1_SHA512 };
static const enum sign_scheme pss[] = { 0, SCHEME_RSA_PSS_RSAE_SHA256,
	SCHEME_RSA_PSS_RSAE_SHA384, SCHEME_RSA_PSS_RSAE_SHA512 };
static const enum sign_scheme ecdsa[] = { 0, SCHEME_ECDSA_SECP256R1_SHA256,
	SCHEME_ECDSA_SECP384R1_SHA384, SCHEME_ECDSA_SHA512 };

static STATUS
choose_rsa(const struct scheme_wish *wish, enum sign_scheme *ret_scheme)
{
	if (wish->padding == SIGN_PADDING_PKCS1) {
		*ret_scheme = pkcs1[wish->hash];
		return status_ok();
	}
	if (wish->padding != SIGN_PADDING_PSS)
		return refuse("RSA signs with PKCS #1 v1.5 or PSS padding");
	if (wish->mgf1 != SIGN_HASH_NONE && wish->mgf1 != wish->hash)
		return refuse("RSA-PSS wants the same digest for MGF1");
	if (wish->salt != SALT_DIGEST &&
	    wish->salt != (int)sign_hash_len(wish->hash))
		return refuse("RSA-PSS wants a salt as long as the digest;"
			      " set rsa_pss_saltlen:digest");
	*ret_scheme = pss[wish->hash];
	return status_ok();
}

STATUS
scheme_choose(enum key_type type, const struct scheme_wish *wish,
    enum sign_scheme *ret_scheme)
{
	if (type == KEY_ED25519) {
		if (wish->hash != SIGN_HASH_NONE)
			return refuse("Ed25519 takes no digest");
		*ret_scheme = SCHEME_ED25519;
		return status_ok();
	}
	if (wish->hash == SIGN_HASH_NONE)
		return refuse("RSA and EC keys sign with SHA-256, SHA-384 or"
			      " SHA-512");
	if (type == KEY_RSA)
		return choose_rsa(wish, ret_scheme);
	*ret_scheme = ecdsa[wish->hash];
	return status_ok();
}

#define OID_RSA "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01"
#define OID_ECDSA_SHA2 "\x06\x08\x2a\x86\x48\xce\x3d\x04\x03"
#define OID_SHA2 "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02"
#define PKCS1_ID(n) "\x30\x0d" OID_RSA n "\x05\x00"
#define HASH_ID(n) "\x30\x0d" OID_SHA2 n "\x05\x00"
/* RFC 4055 3.1: hash, MGF1 with that hash, salt length. */
#define PSS_ID(n, salt)                                                        \
	"\x30\x41" OID_RSA "\x0a\x30\x34\xa0\x0f" HASH_ID(                     \
	    n) "\xa1\x1c\x30"                                                  \
	       "\x1a" OID_RSA "\x08" HASH_ID(n) "\xa2\x03\x02\x01" salt
#define ECDSA_ID(n) "\x30\x0a" OID_ECDSA_SHA2 n

struct bytes
scheme_algorithm_id(enum sign_scheme scheme)
{
#define ROW(scheme, der)                                                       \
	{                                                                      \
		scheme, der, sizeof(der) - 1                                   \
	}
	static const struct {
		enum sign_scheme scheme;
		const char *der;
		size_t len;
	} rows[] = {
		ROW(SCHEME_RSA_PKCS1_SHA256, PKCS1_ID("\x0b")),
		ROW(SCHEME_RSA_PKCS1_SHA384, PKCS1_ID("\x0c")),
		ROW(SCHEME_RSA_PKCS1_SHA512, PKCS1_ID("\x0d")),
		ROW(SCHEME_RSA_PSS_RSAE_SHA256, PSS_ID("\x01", "\x20")),
		ROW(SCHEME_RSA_PSS_RSAE_SHA384, PSS_ID("\x02", "\x30")),
		ROW(SCHEME_RSA_PSS_RSAE_SHA512, PSS_ID("\x03", "\x40")),
		ROW(SCHEME_ECDSA_SECP256R1_SHA256, ECDSA_ID("\x02")),
		ROW(SCHEME_ECDSA_SECP384R1_SHA384, ECDSA_ID("\x03")),
		ROW(SCHEME_ECDSA_SHA512, ECDSA_ID("\x04")),
		ROW(SCHEME_ED25519, "\x30\x05\x06\x03\x2b\x65\x70"),
	};
#undef ROW

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].scheme == scheme)
			return (struct bytes){ (const uint8_t *)rows[i].der,
				rows[i].len };
	}
	return (struct bytes){ NULL, 0 };
}
