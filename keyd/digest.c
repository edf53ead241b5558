/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Hashing for the signing path: one context and the three algorithms, fetched
 * when a lane thread starts and used by it alone.
 */

#include "keyd/digest.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct digest {
	EVP_MD_CTX *ctx;
	EVP_MD *md[SIGN_HASH_SHA512 + 1];
};

struct digest *
digest_new(void)
{
	struct digest *digest = calloc(1, sizeof(*digest));

	if (digest == NULL)
		return NULL;
	digest->ctx = EVP_MD_CTX_new();
	digest->md[SIGN_HASH_SHA256] = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	digest->md[SIGN_HASH_SHA384] = EVP_MD_fetch(NULL, "SHA2-384", NULL);
	digest->md[SIGN_HASH_SHA512] = EVP_MD_fetch(NULL, "SHA2-512", NULL);
	if (digest->ctx != NULL && digest->md[SIGN_HASH_SHA256] != NULL &&
	    digest->md[SIGN_HASH_SHA384] != NULL &&
	    digest->md[SIGN_HASH_SHA512] != NULL)
		return digest;
	digest_free(digest);
	return NULL;
}

void
digest_free(struct digest *digest)
{
	if (digest == NULL)
		return;
	for (size_t i = 0; i <= SIGN_HASH_SHA512; i++)
		EVP_MD_free(digest->md[i]);
	EVP_MD_CTX_free(digest->ctx);
	free(digest);
}

STATUS
digest_of(struct digest *digest, enum sign_hash hash, struct bytes content,
    uint8_t *ret_at)
{
	assert(hash > SIGN_HASH_NONE && hash <= SIGN_HASH_SHA512);
	if (EVP_DigestInit_ex(digest->ctx, digest->md[hash], NULL) != 1 ||
	    EVP_DigestUpdate(digest->ctx, content.at, content.len) != 1 ||
	    EVP_DigestFinal_ex(digest->ctx, ret_at, NULL) != 1)
		return status_fail(
		    STATUS_INTERNAL, "libcrypto could not hash the content");
	return status_ok();
}

STATUS
digest_for_token(struct digest *digest, unsigned scheme, struct bytes content,
    const uint8_t *sha256, uint8_t *room, struct bytes *ret_input)
{
	const enum sign_hash hash = sign_scheme_info(scheme)->hash;
	struct status st = status_ok();

	switch (hash) {
	case SIGN_HASH_NONE:
		*ret_input = content;
		break;
	case SIGN_HASH_SHA256:
		*ret_input = (struct bytes){ sha256, 32 };
		break;
	default:
		st = digest_of(digest, hash, content, room);
		*ret_input = (struct bytes){ room, sign_hash_len(hash) };
	}
	return st;
}
