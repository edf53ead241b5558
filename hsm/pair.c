/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The two objects of a key and how they come to be ours.  In the token they are
 * born without our id and under the label of an unfinished key, so that a crash
 * half way leaves nothing that any worker would load or any search would find;
 * they get their names when their attributes have been read back and a
 * signature has been verified outside.
 */

#include "hsm/pair.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/scoped.h"
#include "hsm/trial.h"

SCOPED_RELEASE(EVP_PKEY_free, EVP_PKEY *);
SCOPED_RELEASE(BN_free, BIGNUM *);

static enum reason
outcome(struct token *token, CK_RV rv)
{
	if (rv != CKR_OK)
		token->detail = (uint32_t)rv;
	return ck_error_reason(rv);
}

enum reason
pair_generate(struct token *token, enum key_alg alg, enum attrs_place place,
    enum attrs_leave leave, struct pair *pair)
{
	static const uint8_t exponent[] = { 0x01, 0x00, 0x01 };
	const struct bytes params = keys_ec_params(alg);
	CK_ULONG bits = keys_rsa_bits(alg);
	CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	struct attrs public = { .n = 0 }, private = { .n = 0 };
	CK_RV rv;

	attrs_verifying(&public, place);
	attrs_signing(&private, alg, place, leave);
	if (bits > 0) {
		mechanism.mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN;
		attrs_add(&public, CKA_MODULUS_BITS, &bits, sizeof(bits));
		attrs_add(
		    &public, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
	} else {
		if (alg == KEY_ALG_ED25519)
			mechanism.mechanism = CKM_EC_EDWARDS_KEY_PAIR_GEN;
		attrs_add(&public, CKA_EC_PARAMS, params.at, params.len);
	}
	rv = token->p11->C_GenerateKeyPair(token->anchor, &mechanism, public.at,
	    public.n, private.at, private.n, &pair->public, &pair->private);
	/* Not every token knows CKA_ALLOWED_MECHANISMS. */
	if (attrs_refused(rv))
		rv = token->p11->C_GenerateKeyPair(token->anchor, &mechanism,
		    public.at, public.n, private.at, private.n - 1,
		    &pair->public, &pair->private);
	return outcome(token, rv);
}

/* A big-endian number of a public key. */
static bool
number_of(const EVP_PKEY *pkey, const char *name, uint8_t *ret_at, size_t size,
    size_t *ret_len)
{
	scoped(BN_free) BIGNUM *number = NULL;

	if (EVP_PKEY_get_bn_param(pkey, name, &number) != 1 ||
	    (size_t)BN_num_bytes(number) > size)
		return false;
	*ret_len = (size_t)BN_bn2bin(number, ret_at);
	return true;
}

/* CKA_EC_POINT: a DER OCTET STRING around the point (PKCS#11 2.3.3). */
static bool
point_of(const EVP_PKEY *pkey, enum key_alg alg, uint8_t ret_at[128],
    size_t *ret_len)
{
	size_t len = 0;
	int ok = alg == KEY_ALG_ED25519
		     ? EVP_PKEY_get_raw_public_key(pkey, NULL, &len)
		     : EVP_PKEY_get_octet_string_param(
			   pkey, OSSL_PKEY_PARAM_PUB_KEY, NULL, 0, &len);

	/* 97 octets are the longest, of P-384. */
	if (ok != 1 || len > 97)
		return false;
	ret_at[0] = 0x04;
	ret_at[1] = (uint8_t)len;
	*ret_len = len + 2;
	if (alg == KEY_ALG_ED25519)
		return EVP_PKEY_get_raw_public_key(pkey, ret_at + 2, &len) == 1;
	return EVP_PKEY_get_octet_string_param(
		   pkey, OSSL_PKEY_PARAM_PUB_KEY, ret_at + 2, len, &len) == 1 &&
	       len + 2 == *ret_len && ret_at[2] == 0x04;
}

enum reason
pair_publish(struct token *token, enum key_alg alg, struct bytes spki,
    enum attrs_place place, struct pair *pair)
{
	static const CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	const uint8_t *at = spki.at;
	scoped(EVP_PKEY_free) EVP_PKEY *pkey =
	    d2i_PUBKEY(NULL, &at, (long)spki.len);
	const struct bytes params = keys_ec_params(alg);
	CK_KEY_TYPE type = alg == KEY_ALG_ED25519 ? CKK_EC_EDWARDS : CKK_EC;
	struct attrs attrs = { .n = 0 };
	uint8_t modulus[512], exponent[8], point[128];
	size_t modulus_len, exponent_len, point_len;

	if (pkey == NULL)
		return REASON_IMPORT_SPKI;
	if (keys_rsa_bits(alg) > 0)
		type = CKK_RSA;
	attrs_verifying(&attrs, place);
	attrs_add(&attrs, CKA_CLASS, &class, sizeof(class));
	attrs_add(&attrs, CKA_KEY_TYPE, &type, sizeof(type));
	if (type == CKK_RSA) {
		if (!number_of(pkey, OSSL_PKEY_PARAM_RSA_N, modulus,
			sizeof(modulus), &modulus_len) ||
		    !number_of(pkey, OSSL_PKEY_PARAM_RSA_E, exponent,
			sizeof(exponent), &exponent_len))
			return REASON_IMPORT_SPKI;
		attrs_add(&attrs, CKA_MODULUS, modulus, modulus_len);
		attrs_add(&attrs, CKA_PUBLIC_EXPONENT, exponent, exponent_len);
	} else {
		if (!point_of(pkey, alg, point, &point_len))
			return REASON_IMPORT_SPKI;
		attrs_add(&attrs, CKA_EC_PARAMS, params.at, params.len);
		attrs_add(&attrs, CKA_EC_POINT, point, point_len);
	}
	return outcome(token, token->p11->C_CreateObject(token->anchor,
				  attrs.at, attrs.n, &pair->public));
}

enum reason
pair_check(struct token *token, const struct pair *pair, enum key_alg alg,
    struct hsm_key *ret_key)
{
	enum reason reason =
	    describe_key(token, pair->private, pair->public, ret_key);

	if (reason != REASON_OK)
		return reason;
	if (ret_key->alg != alg)
		return REASON_SELF_TEST;
	if (!ret_key->sensitive || ret_key->extractable)
		return REASON_EXTRACTABLE;
	return trial_key(token, pair->private, ret_key);
}

/*
 * The private key is what searches find, so it comes in the middle: before it
 * both are unfinished, after it the public half is known by its id.
 */
enum reason
pair_name(struct token *token, const struct pair *pair, const char *label,
    const struct key_id *id)
{
	struct attrs names = { .n = 0 };
	CK_RV rv;

	attrs_add(&names, CKA_ID, id->at, sizeof(id->at));
	attrs_text(&names, CKA_LABEL, label);
	rv = token->p11->C_SetAttributeValue(
	    token->anchor, pair->public, &names.at[0], 1);
	if (rv == CKR_OK)
		rv = token->p11->C_SetAttributeValue(
		    token->anchor, pair->private, names.at, names.n);
	if (rv == CKR_OK)
		rv = token->p11->C_SetAttributeValue(
		    token->anchor, pair->public, &names.at[1], 1);
	return outcome(token, rv);
}

enum reason
pair_finish(struct token *token, const struct pair *pair, enum key_alg alg,
    const char *label, struct hsm_key *ret_key)
{
	enum reason reason = pair_check(token, pair, alg, ret_key);
	struct key_id id;

	if (reason != REASON_OK)
		return reason;
	id = ret_key->id;
	reason = pair_name(token, pair, label, &id);
	if (reason != REASON_OK)
		return reason;
	/* What is reported is what the token holds now. */
	reason = describe_key(token, pair->private, pair->public, ret_key);
	if (reason == REASON_OK && strcmp(ret_key->label, label) != 0)
		reason = REASON_REFUSED;
	return reason;
}

static void
destroy(struct token *token, CK_OBJECT_HANDLE *handle)
{
	if (*handle != CK_INVALID_HANDLE)
		(void)token->p11->C_DestroyObject(token->anchor, *handle);
	*handle = CK_INVALID_HANDLE;
}

void
pair_destroy(struct token *token, struct pair *pair)
{
	destroy(token, &pair->private);
	destroy(token, &pair->public);
}
