/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The trial of a key: no key is used before a signature of it was verified
 * with libcrypto, outside the token, by the public key it is known by.  So a
 * token that makes bad signatures, and a private key that is not the one its
 * public key says, are found out before anyone relies on them.
 */

#include "hsm/trial.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/scoped.h"
#include "hsm/sign.h"

SCOPED_RELEASE(EVP_PKEY_free, EVP_PKEY *);
SCOPED_RELEASE(EVP_MD_CTX_free, EVP_MD_CTX *);

static bool
verifies(const struct hsm_key *key, struct bytes content,
    const struct signature *signature)
{
	const uint8_t *spki = key->spki;
	scoped(EVP_PKEY_free) EVP_PKEY *pkey =
	    d2i_PUBKEY(NULL, &spki, (long)key->spki_len);
	scoped(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	const EVP_MD *md = EVP_sha256();

	if (key->alg == KEY_ALG_ED25519)
		md = NULL;
	else if (key->alg == KEY_ALG_EC_P384)
		md = EVP_sha384();
	if (pkey == NULL || ctx == NULL ||
	    EVP_DigestVerifyInit(ctx, &pctx, md, NULL, pkey) != 1)
		return false;
	if (keys_rsa_bits(key->alg) > 0 &&
	    (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) <= 0 ||
		EVP_PKEY_CTX_set_rsa_pss_saltlen(
		    pctx, RSA_PSS_SALTLEN_DIGEST) <= 0))
		return false;
	return EVP_DigestVerify(ctx, signature->at, signature->len, content.at,
		   content.len) == 1;
}

enum reason
trial_key(
    struct token *token, CK_OBJECT_HANDLE private, const struct hsm_key *key)
{
	enum sign_scheme scheme = sign_trial_scheme(key->alg);
	uint8_t content[32], digest[64];
	struct bytes input = { digest, 0 };
	struct signature signature;
	struct mech_call call;
	unsigned len = 0;
	CK_RV rv;

	if (RAND_bytes(content, sizeof(content)) != 1)
		return REASON_SELF_TEST;
	if (scheme == SCHEME_ED25519)
		input = (struct bytes){ content, sizeof(content) };
	else if (EVP_Digest(content, sizeof(content), digest, &len,
		     key->alg == KEY_ALG_EC_P384 ? EVP_sha384() : EVP_sha256(),
		     NULL) != 1)
		return REASON_SELF_TEST;
	else
		input.len = len;
	if (mech_prepare(scheme, key->alg, input, &call) != REASON_OK)
		return REASON_SELF_TEST;
	rv = sign_call(token, private, key->alg, &call, &signature);
	if (rv != CKR_OK) {
		token->detail = (uint32_t)rv;
		/* The session may still hold the operation. */
		if (token_renew_signer(token) != REASON_OK)
			return REASON_AWAY;
		return ck_error_class(rv) == CK_CLASS_AWAY ? REASON_AWAY
							   : REASON_SELF_TEST;
	}
	return verifies(
		   key, (struct bytes){ content, sizeof(content) }, &signature)
		   ? REASON_OK
		   : REASON_SELF_TEST;
}
