/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_PROVIDER_SCHEME_H
#define EDGE_PROVIDER_SCHEME_H

#include "base/bytes.h"
#include "base/signing.h"
#include "base/status.h"

/* The OpenSSL key types a stub can be. */
enum key_type {
	KEY_RSA,
	KEY_EC,
	KEY_ED25519
};
#define KEY_TYPES 3

enum key_type scheme_key_type(enum key_alg alg);

/* Salt lengths of RSA-PSS that are not a number of octets. */
enum {
	SALT_DIGEST = -1,
	SALT_OTHER = -2
};

/* What the caller has asked of a signature, in OpenSSL's terms. */
struct scheme_wish {
	enum sign_hash hash; /* NONE: not said, or Ed25519 */
	enum sign_padding padding;
	int salt;            /* octets, or one of the above */
	enum sign_hash mgf1; /* NONE: the same as hash */
};

/*
 * OpenSSL's name of a digest ("SHA256", "SHA2-256", "sha-256"); NULL and "" are
 * SIGN_HASH_NONE.  False for any digest that no scheme uses.
 */
bool scheme_hash(const char *name, enum sign_hash *ret_hash);

/* The name to give back to OpenSSL; "" for SIGN_HASH_NONE. */
const char *scheme_hash_name(enum sign_hash hash);

/* INVALID_ARGUMENT says what in the wish has no TLS SignatureScheme. */
STATUS scheme_choose(enum key_type type, const struct scheme_wish *wish,
    enum sign_scheme *ret_scheme);

/* The scheme's DER AlgorithmIdentifier, static (RFC 4055, 5758, 8410). */
struct bytes scheme_algorithm_id(enum sign_scheme scheme);

#endif
