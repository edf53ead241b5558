/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Making a key inside the token.  The pair is born without our id and under the
 * label of an unfinished key, so that a crash half way leaves nothing that any
 * worker would load or any search would find; it gets its names when its
 * attributes have been read back and a signature has been verified outside.
 * A pair that fails any of this is destroyed.
 */

#include "hsm/generate.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/scoped.h"
#include "hsm/sign.h"

SCOPED_RELEASE(EVP_PKEY_free, EVP_PKEY *);
SCOPED_RELEASE(EVP_MD_CTX_free, EVP_MD_CTX *);

#define UNFINISHED "holdfast-unfinished"

struct pair {
	CK_OBJECT_HANDLE public, private;
};

/* A template under construction; values must outlive it. */
struct template
{
	CK_ATTRIBUTE at[24];
	CK_ULONG n;
};

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static void
add(struct template *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
	/* C_GenerateKeyPair takes mutable pointers and only reads. */
	t->at[t->n++] =
	    (CK_ATTRIBUTE){ type, (void *)(uintptr_t)value, (CK_ULONG)len };
}

static void
add_flag(struct template *t, CK_ATTRIBUTE_TYPE type, const CK_BBOOL *value)
{
	add(t, type, value, sizeof(*value));
}

bool
generate_label_ok(const char *label)
{
	size_t len = strnlen(label, HSM_LABEL_MAX);

	if (len == 0 || len >= HSM_LABEL_MAX || strcmp(label, UNFINISHED) == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (label[i] < 0x20 || label[i] > 0x7e)
			return false;
	}
	return true;
}

static void
public_template(struct template *t, enum key_alg alg, const CK_ULONG *bits)
{
	static const uint8_t exponent[] = { 0x01, 0x00, 0x01 };
	struct bytes params = keys_ec_params(alg);

	add_flag(t, CKA_TOKEN, &yes);
	add_flag(t, CKA_PRIVATE, &no);
	add_flag(t, CKA_VERIFY, &yes);
	add_flag(t, CKA_ENCRYPT, &no);
	add_flag(t, CKA_WRAP, &no);
	add(t, CKA_LABEL, UNFINISHED, strlen(UNFINISHED));
	if (*bits > 0) {
		add(t, CKA_MODULUS_BITS, bits, sizeof(*bits));
		add(t, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
	} else {
		add(t, CKA_EC_PARAMS, params.at, params.len);
	}
}

static void
private_template(struct template *t, enum key_alg alg)
{
	static const CK_MECHANISM_TYPE rsa[] = { CKM_RSA_PKCS,
		CKM_RSA_PKCS_PSS };
	static const CK_MECHANISM_TYPE ecdsa[] = { CKM_ECDSA };
	static const CK_MECHANISM_TYPE eddsa[] = { CKM_EDDSA };

	add_flag(t, CKA_TOKEN, &yes);
	add_flag(t, CKA_PRIVATE, &yes);
	add_flag(t, CKA_SENSITIVE, &yes);
	add_flag(t, CKA_EXTRACTABLE, &no);
	add_flag(t, CKA_SIGN, &yes);
	add_flag(t, CKA_SIGN_RECOVER, &no);
	add_flag(t, CKA_DECRYPT, &no);
	add_flag(t, CKA_UNWRAP, &no);
	add_flag(t, CKA_DERIVE, &no);
	add(t, CKA_LABEL, UNFINISHED, strlen(UNFINISHED));
	/* Last, as generate_objects may leave it out. */
	if (alg == KEY_ALG_ED25519)
		add(t, CKA_ALLOWED_MECHANISMS, eddsa, sizeof(eddsa));
	else if (keys_rsa_bits(alg) > 0)
		add(t, CKA_ALLOWED_MECHANISMS, rsa, sizeof(rsa));
	else
		add(t, CKA_ALLOWED_MECHANISMS, ecdsa, sizeof(ecdsa));
}

static CK_RV
generate_objects(struct token *token, enum key_alg alg, struct pair *ret_pair)
{
	CK_ULONG bits = keys_rsa_bits(alg);
	CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	struct template public = { .n = 0 }, private = { .n = 0 };
	CK_RV rv;

	if (alg == KEY_ALG_ED25519)
		mechanism.mechanism = CKM_EC_EDWARDS_KEY_PAIR_GEN;
	else if (bits > 0)
		mechanism.mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN;
	public_template(&public, alg, &bits);
	private_template(&private, alg);
	rv = token->p11->C_GenerateKeyPair(token->anchor, &mechanism, public.at,
	    public.n, private.at, private.n, &ret_pair->public,
	    &ret_pair->private);
	/* Not every token knows CKA_ALLOWED_MECHANISMS. */
	if (rv == CKR_ATTRIBUTE_TYPE_INVALID ||
	    rv == CKR_ATTRIBUTE_VALUE_INVALID ||
	    rv == CKR_TEMPLATE_INCONSISTENT)
		rv = token->p11->C_GenerateKeyPair(token->anchor, &mechanism,
		    public.at, public.n, private.at, private.n - 1,
		    &ret_pair->public, &ret_pair->private);
	return rv;
}

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

/* Sign fresh content with the new key and verify it outside the token. */
static enum reason
self_test(
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
		return ck_error_class(rv) == CK_CLASS_AWAY ? REASON_AWAY
							   : REASON_SELF_TEST;
	}
	return verifies(
		   key, (struct bytes){ content, sizeof(content) }, &signature)
		   ? REASON_OK
		   : REASON_SELF_TEST;
}

static CK_RV
name_objects(struct token *token, const struct pair *pair, const char *label,
    const struct key_id *id)
{
	struct template names = { .n = 0 };
	CK_RV rv;

	add(&names, CKA_ID, id->at, sizeof(id->at));
	add(&names, CKA_LABEL, label, strlen(label));
	/* The private key last: it is what searches find. */
	rv = token->p11->C_SetAttributeValue(
	    token->anchor, pair->public, names.at, names.n);
	if (rv == CKR_OK)
		rv = token->p11->C_SetAttributeValue(
		    token->anchor, pair->private, names.at, names.n);
	return rv;
}

static enum reason
finish_pair(struct token *token, const struct pair *pair, enum key_alg alg,
    const char *label, struct hsm_key *ret_key)
{
	struct key_id id;
	enum reason reason =
	    describe_key(token, pair->private, pair->public, ret_key);
	CK_RV rv;

	if (reason != REASON_OK)
		return reason;
	if (ret_key->alg != alg)
		return REASON_SELF_TEST;
	if (!ret_key->sensitive || ret_key->extractable)
		return REASON_EXTRACTABLE;
	reason = self_test(token, pair->private, ret_key);
	if (reason != REASON_OK)
		return reason;
	id = ret_key->id;
	rv = name_objects(token, pair, label, &id);
	if (rv != CKR_OK) {
		token->detail = (uint32_t)rv;
		return ck_error_reason(rv);
	}
	/* What is reported is what the token holds now. */
	reason = describe_key(token, pair->private, pair->public, ret_key);
	if (reason == REASON_OK && strcmp(ret_key->label, label) != 0)
		reason = REASON_REFUSED;
	return reason;
}

enum reason
generate_pair(struct token *token, enum key_alg alg, const char *label,
    struct hsm_key *ret_key)
{
	struct pair pair = { CK_INVALID_HANDLE, CK_INVALID_HANDLE };
	CK_OBJECT_HANDLE taken = CK_INVALID_HANDLE;
	enum reason reason;
	CK_RV rv;

	if (!generate_label_ok(label))
		return REASON_LABEL_BAD;
	rv = keys_search(token, CKO_PRIVATE_KEY, NULL, label, &taken);
	if (rv == CKR_OK && taken != CK_INVALID_HANDLE)
		return REASON_LABEL_TAKEN;
	if (rv == CKR_OK)
		rv = generate_objects(token, alg, &pair);
	if (rv != CKR_OK) {
		token->detail = (uint32_t)rv;
		return ck_error_reason(rv);
	}
	reason = finish_pair(token, &pair, alg, label, ret_key);
	if (reason != REASON_OK) {
		(void)token->p11->C_DestroyObject(token->anchor, pair.private);
		(void)token->p11->C_DestroyObject(token->anchor, pair.public);
	}
	return reason;
}
