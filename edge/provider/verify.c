/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Verifying with the public half of a key: all of it is the default provider's
 * work, in our own library context.  Nothing here goes to edged.
 */

#include <openssl/evp.h>

#include "edge/provider/signature.h"

int
verify_init(void *ctx, void *key, const OSSL_PARAM params[])
{
	struct operation *op = ctx;

	if (!operation_begin(op, key))
		return 0;
	op->plain =
	    EVP_PKEY_CTX_new_from_pkey(op->prov->libctx, op->key->pub, NULL);
	op->verifier = op->plain;
	return op->plain != NULL &&
	       EVP_PKEY_verify_init_ex(op->plain, params) == 1;
}

int
verify_run(void *ctx, const unsigned char *signature, size_t signature_len,
    const unsigned char *hash, size_t hash_len)
{
	struct operation *op = ctx;

	return op->plain != NULL && EVP_PKEY_verify(op->plain, signature,
					signature_len, hash, hash_len) == 1;
}

int
verify_digest_init(
    void *ctx, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct operation *op = ctx;

	if (digest != NULL && digest[0] == '\0')
		digest = NULL;
	if (!operation_begin(op, key))
		return 0;
	op->digest = EVP_MD_CTX_new();
	return op->digest != NULL &&
	       EVP_DigestVerifyInit_ex(op->digest, &op->verifier, digest,
		   op->prov->libctx, NULL, op->key->pub, params) == 1;
}

int
verify_digest_update(void *ctx, const unsigned char *data, size_t len)
{
	struct operation *op = ctx;

	return op->digest != NULL &&
	       EVP_DigestVerifyUpdate(op->digest, data, len) == 1;
}

int
verify_digest_final(
    void *ctx, const unsigned char *signature, size_t signature_len)
{
	struct operation *op = ctx;

	return op->digest != NULL &&
	       EVP_DigestVerifyFinal(op->digest, signature, signature_len) == 1;
}

int
verify_digest_run(void *ctx, const unsigned char *signature,
    size_t signature_len, const unsigned char *content, size_t content_len)
{
	struct operation *op = ctx;

	return op->digest != NULL &&
	       EVP_DigestVerify(op->digest, signature, signature_len, content,
		   content_len) == 1;
}
