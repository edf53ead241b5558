/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_PROVIDER_SIGNATURE_H
#define EDGE_PROVIDER_SIGNATURE_H

#include <openssl/core.h>
#include <openssl/types.h>

#include "edge/provider/key.h"

/* One signing or verifying operation. */
struct operation {
	struct prov *prov;
	enum key_type type;
	struct key *key;
	/* Signing. */
	struct scheme_wish wish;
	uint8_t *content; /* collected by update; SIGN_CONTENT_MAX at most */
	size_t content_len, content_size;
	/* Verifying, by the default provider; one of the two. */
	EVP_MD_CTX *digest;
	EVP_PKEY_CTX *plain;
	EVP_PKEY_CTX *verifier; /* digest's or plain's, where params go */
};

/* Take up the key, unless it is NULL on a second init; drop what was before. */
bool operation_begin(struct operation *op, struct key *key);

/* verify.c: the functions of a table that verify, as provider-signature(7) has
 * them. */
int verify_init(void *ctx, void *key, const OSSL_PARAM params[]);
int verify_run(void *ctx, const unsigned char *signature, size_t signature_len,
    const unsigned char *hash, size_t hash_len);
int verify_digest_init(
    void *ctx, const char *digest, void *key, const OSSL_PARAM params[]);
int verify_digest_update(void *ctx, const unsigned char *data, size_t len);
int verify_digest_final(
    void *ctx, const unsigned char *signature, size_t signature_len);
int verify_digest_run(void *ctx, const unsigned char *signature,
    size_t signature_len, const unsigned char *content, size_t content_len);

#endif
