/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the token says about a key pair.  Public numbers are put into DER by
 * libcrypto, which refuses points that are not on their curve; a key whose
 * CKA_ID is not the hash of its public key is refused, since the id is what
 * grants are written for.
 */

#include "hsm/describe.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "base/scoped.h"

SCOPED_RELEASE(EVP_PKEY_free, EVP_PKEY *);
SCOPED_RELEASE(EVP_PKEY_CTX_free, EVP_PKEY_CTX *);
SCOPED_RELEASE(OSSL_PARAM_BLD_free, OSSL_PARAM_BLD *);
SCOPED_RELEASE(OSSL_PARAM_free, OSSL_PARAM *);
SCOPED_RELEASE(BN_free, BIGNUM *);

struct part {
	size_t len;
	uint8_t at[HSM_SPKI_MAX];
};

static bool
read_part(struct token *token, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type,
    struct part *ret_part)
{
	CK_ATTRIBUTE attr = { type, ret_part->at, sizeof(ret_part->at) };

	if (handle == CK_INVALID_HANDLE ||
	    token->p11->C_GetAttributeValue(token->anchor, handle, &attr, 1) !=
		CKR_OK ||
	    attr.ulValueLen == 0 || attr.ulValueLen > sizeof(ret_part->at))
		return false;
	ret_part->len = attr.ulValueLen;
	return true;
}

bool
describe_flag(struct token *token, CK_OBJECT_HANDLE handle,
    CK_ATTRIBUTE_TYPE type, bool unreadable)
{
	CK_BBOOL value = CK_FALSE;
	CK_ATTRIBUTE attr = { type, &value, sizeof(value) };

	if (token->p11->C_GetAttributeValue(token->anchor, handle, &attr, 1) !=
		CKR_OK ||
	    attr.ulValueLen != sizeof(value))
		return unreadable;
	return value != CK_FALSE;
}

static EVP_PKEY *
from_params(const char *type, OSSL_PARAM *params)
{
	scoped(EVP_PKEY_CTX_free) EVP_PKEY_CTX *ctx =
	    EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) <= 0 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		return NULL;
	return pkey;
}

static EVP_PKEY *
rsa_pkey(struct token *token, CK_OBJECT_HANDLE handle)
{
	scoped(OSSL_PARAM_BLD_free) OSSL_PARAM_BLD *build =
	    OSSL_PARAM_BLD_new();
	scoped(OSSL_PARAM_free) OSSL_PARAM *params = NULL;
	scoped(BN_free) BIGNUM *n = NULL;
	scoped(BN_free) BIGNUM *e = NULL;
	struct part modulus, exponent;

	if (build == NULL || !read_part(token, handle, CKA_MODULUS, &modulus) ||
	    !read_part(token, handle, CKA_PUBLIC_EXPONENT, &exponent))
		return NULL;
	n = BN_bin2bn(modulus.at, (int)modulus.len, NULL);
	e = BN_bin2bn(exponent.at, (int)exponent.len, NULL);
	if (n == NULL || e == NULL ||
	    !OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) ||
	    !OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
		return NULL;
	params = OSSL_PARAM_BLD_to_param(build);
	return params == NULL ? NULL : from_params("RSA", params);
}

/*
 * CKA_EC_POINT: a DER OCTET STRING around the point (PKCS#11 2.3.3), which some
 * tokens leave out.
 */
static struct bytes
point_of(const struct part *part, size_t len)
{
	struct bytes point = { part->at, part->len };

	if (part->len == len + 2 && part->at[0] == 0x04 &&
	    part->at[1] == (uint8_t)len)
		point = (struct bytes){ part->at + 2, len };
	return point;
}

static EVP_PKEY *
ec_pkey(struct token *token, CK_OBJECT_HANDLE handle, enum key_alg alg)
{
	bool p256 = alg == KEY_ALG_EC_P256;
	size_t len = p256 ? 65 : 97;
	struct part part;
	struct bytes point;
	char group[16];

	if (!read_part(token, handle, CKA_EC_POINT, &part))
		return NULL;
	point = point_of(&part, len);
	if (point.len != len || point.at[0] != 0x04)
		return NULL;
	memcpy(group, p256 ? "P-256" : "P-384", sizeof("P-256"));
	return from_params(
	    "EC", (OSSL_PARAM[]){
		      OSSL_PARAM_construct_utf8_string(
			  OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
			  part.at + (point.at - part.at), point.len),
		      OSSL_PARAM_construct_end(),
		  });
}

static EVP_PKEY *
ed25519_pkey(struct token *token, CK_OBJECT_HANDLE handle)
{
	struct part part;
	struct bytes point;

	if (!read_part(token, handle, CKA_EC_POINT, &part))
		return NULL;
	point = point_of(&part, 32);
	if (point.len != 32)
		return NULL;
	return EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, point.at, point.len);
}

static enum reason
read_spki(struct token *token, CK_OBJECT_HANDLE private,
    CK_OBJECT_HANDLE public, struct hsm_key *key)
{
	scoped(EVP_PKEY_free) EVP_PKEY *pkey = NULL;
	uint8_t *out = key->spki;
	int len;

	if (key->alg == KEY_ALG_EC_P256 || key->alg == KEY_ALG_EC_P384)
		pkey = ec_pkey(token, public, key->alg);
	else if (key->alg == KEY_ALG_ED25519)
		pkey = ed25519_pkey(token, public);
	else
		pkey = rsa_pkey(token, private);
	if (pkey == NULL)
		return REASON_PUBLIC_MISSING;
	len = i2d_PUBKEY(pkey, NULL);
	if (len <= 0 || (size_t)len > sizeof(key->spki) ||
	    i2d_PUBKEY(pkey, &out) != len)
		return REASON_PUBLIC_MISSING;
	key->spki_len = (size_t)len;
	if (key_alg_of_spki((struct bytes){ key->spki, key->spki_len }) !=
		key->alg ||
	    !key_id_of_spki(
		(struct bytes){ key->spki, key->spki_len }, &key->id))
		return REASON_PUBLIC_MISSING;
	return REASON_OK;
}

static void
read_label(struct token *token, CK_OBJECT_HANDLE handle, struct hsm_key *key)
{
	struct part label;

	if (!read_part(token, handle, CKA_LABEL, &label))
		return;
	if (label.len >= sizeof(key->label))
		label.len = sizeof(key->label) - 1;
	for (size_t i = 0; i < label.len; i++) {
		bool plain = label.at[i] >= 0x20 && label.at[i] < 0x7f;

		key->label[i] = plain ? (char)label.at[i] : '?';
	}
}

void
describe_flags(
    struct token *token, CK_OBJECT_HANDLE private, struct hsm_key *key)
{
	key->sensitive = describe_flag(token, private, CKA_SENSITIVE, false);
	key->extractable = describe_flag(token, private, CKA_EXTRACTABLE, true);
	key->always_sensitive =
	    describe_flag(token, private, CKA_ALWAYS_SENSITIVE, false);
	key->never_extractable =
	    describe_flag(token, private, CKA_NEVER_EXTRACTABLE, false);
	key->local = describe_flag(token, private, CKA_LOCAL, false);
}

enum reason
describe_key(struct token *token, CK_OBJECT_HANDLE private,
    CK_OBJECT_HANDLE public, struct hsm_key *ret_key)
{
	struct hsm_key key = { .alg = keys_alg_of(token, private) };
	enum reason reason;

	if (key.alg == KEY_ALG_NONE)
		return REASON_KEY_UNKNOWN;
	reason = read_spki(token, private, public, &key);
	if (reason != REASON_OK)
		return reason;
	read_label(token, private, &key);
	describe_flags(token, private, &key);
	*ret_key = key;
	return REASON_OK;
}

enum reason
describe_find(struct token *token, const struct key_id *id, const char *label,
    struct hsm_key *ret_key)
{
	CK_OBJECT_HANDLE private = CK_INVALID_HANDLE;
	CK_OBJECT_HANDLE public = CK_INVALID_HANDLE;
	struct key_id found;
	CK_ATTRIBUTE attr = { CKA_ID, found.at, sizeof(found.at) };
	enum reason reason;
	CK_RV rv;

	rv = keys_search(token, CKO_PRIVATE_KEY, id, label, &private);
	if (rv == CKR_OK && private == CK_INVALID_HANDLE)
		return REASON_KEY_UNKNOWN;
	if (rv == CKR_OK)
		rv = token->p11->C_GetAttributeValue(
		    token->anchor, private, &attr, 1);
	if (rv == CKR_OK && attr.ulValueLen != sizeof(found.at))
		return REASON_ID_MISMATCH;
	if (rv == CKR_OK)
		rv = keys_search(token, CKO_PUBLIC_KEY, &found, NULL, &public);
	if (rv != CKR_OK) {
		token->detail = (uint32_t)rv;
		return ck_error_reason(rv);
	}
	reason = describe_key(token, private, public, ret_key);
	if (reason == REASON_OK && !key_id_equal(&ret_key->id, &found))
		return REASON_ID_MISMATCH;
	return reason;
}
