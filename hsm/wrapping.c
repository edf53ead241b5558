/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The key under which keys come in.  It may unwrap: not decrypt, so that nobody
 * can have the AES key of an import told, and not sign.  Where the token knows
 * CKA_UNWRAP_TEMPLATE it holds the AES key to being sensitive and staying in,
 * whatever a worker asks for.  A token's refusal of an import says little
 * (SoftHSM: 0x5, 0x6), so the token is asked how it is before it is blamed.
 */

#include "hsm/wrapping.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/scoped.h"
#include "hsm/pair.h"

SCOPED_RELEASE(EVP_PKEY_free, EVP_PKEY *);
SCOPED_RELEASE(EVP_PKEY_CTX_free, EVP_PKEY_CTX *);

#define AES_OCTETS 32

static enum reason
outcome(struct token *token, CK_RV rv)
{
	if (rv != CKR_OK)
		token->detail = (uint32_t)rv;
	return ck_error_reason(rv);
}

enum reason
wrapping_blame(struct token *token, CK_RV rv, enum reason bad)
{
	enum ck_class class = ck_error_class(rv);
	enum reason reason = outcome(token, rv);

	if (class == CK_CLASS_KEY || reason == REASON_MEMORY ||
	    reason == REASON_TOKEN_FULL || reason == REASON_TOKEN_READ_ONLY)
		return reason;
	return token_answers(token) ? bad : REASON_AWAY;
}

static bool
is_fit(struct token *token, CK_OBJECT_HANDLE key)
{
	static const CK_ATTRIBUTE_TYPE never[] = { CKA_EXTRACTABLE, CKA_SIGN,
		CKA_SIGN_RECOVER, CKA_DECRYPT, CKA_DERIVE };

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		if (describe_flag(token, key, never[i], i == 0))
			return false;
	}
	return describe_flag(token, key, CKA_UNWRAP, false) &&
	       describe_flag(token, key, CKA_SENSITIVE, false) &&
	       keys_alg_of(token, key) == WRAPPING_ALG;
}

static void
aes_template(struct attrs *t)
{
	static const CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	static const CK_KEY_TYPE type = CKK_AES;

	attrs_add(t, CKA_CLASS, &class, sizeof(class));
	attrs_add(t, CKA_KEY_TYPE, &type, sizeof(type));
	attrs_flag(t, CKA_TOKEN, false);
	attrs_flag(t, CKA_PRIVATE, true);
	attrs_flag(t, CKA_SENSITIVE, true);
	attrs_flag(t, CKA_EXTRACTABLE, false);
	attrs_flag(t, CKA_UNWRAP, true);
	attrs_flag(t, CKA_WRAP, false);
	attrs_flag(t, CKA_ENCRYPT, false);
	attrs_flag(t, CKA_DECRYPT, false);
	attrs_flag(t, CKA_SIGN, false);
	attrs_flag(t, CKA_VERIFY, false);
	attrs_flag(t, CKA_DERIVE, false);
}

/* The AES key as the token holds it: of the length, and unable to leave. */
static enum reason
check_aes(struct token *token, CK_OBJECT_HANDLE aes)
{
	CK_ULONG len = 0;

	/* SoftHSM says 0 of what it unwrapped. */
	if (keys_attribute(token, aes, CKA_VALUE_LEN, &len, sizeof(len)) &&
	    len != 0 && len != AES_OCTETS)
		return REASON_IMPORT_BLOB;
	if (!describe_flag(token, aes, CKA_SENSITIVE, false) ||
	    describe_flag(token, aes, CKA_EXTRACTABLE, true))
		return REASON_EXTRACTABLE;
	return REASON_OK;
}

static enum reason
open_with(struct token *token, CK_OBJECT_HANDLE key, enum wrapping_hash hash,
    struct bytes wrapped, CK_OBJECT_HANDLE *ret_aes)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = { .hashAlg = CKM_SHA_1,
		.mgf = CKG_MGF1_SHA1,
		.source = CKZ_DATA_SPECIFIED };
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep) };
	CK_OBJECT_HANDLE aes = CK_INVALID_HANDLE;
	struct attrs attrs = { .n = 0 };
	enum reason reason;
	CK_RV rv;

	if (hash == WRAPPING_SHA256) {
		oaep.hashAlg = CKM_SHA256;
		oaep.mgf = CKG_MGF1_SHA256;
	}
	aes_template(&attrs);
	rv = token->p11->C_UnwrapKey(token->anchor, &mechanism, key,
	    (CK_BYTE_PTR)(uintptr_t)wrapped.at, wrapped.len, attrs.at, attrs.n,
	    &aes);
	if (rv != CKR_OK)
		return wrapping_blame(token, rv, REASON_IMPORT_BLOB);
	reason = check_aes(token, aes);
	if (reason != REASON_OK)
		(void)token->p11->C_DestroyObject(token->anchor, aes);
	else
		*ret_aes = aes;
	return reason;
}

/* What a sender does: 32 octets under the public key. */
static bool
seal(struct bytes spki, enum wrapping_hash hash,
    uint8_t ret_wrapped[WRAPPING_OCTETS])
{
	const EVP_MD *md = hash == WRAPPING_SHA256 ? EVP_sha256() : EVP_sha1();
	const uint8_t *at = spki.at;
	scoped(EVP_PKEY_free) EVP_PKEY *pkey =
	    d2i_PUBKEY(NULL, &at, (long)spki.len);
	scoped(EVP_PKEY_CTX_free) EVP_PKEY_CTX *ctx =
	    pkey == NULL ? NULL : EVP_PKEY_CTX_new(pkey, NULL);
	uint8_t aes[AES_OCTETS];
	size_t len = WRAPPING_OCTETS;
	bool ok;

	ok = ctx != NULL && RAND_bytes(aes, sizeof(aes)) == 1 &&
	     EVP_PKEY_encrypt_init(ctx) > 0 &&
	     EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
	     EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) > 0 &&
	     EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) > 0 &&
	     EVP_PKEY_encrypt(ctx, ret_wrapped, &len, aes, sizeof(aes)) > 0 &&
	     len == WRAPPING_OCTETS;
	OPENSSL_cleanse(aes, sizeof(aes));
	return ok;
}

/* The better hash that the token opens; and proof that the key works. */
static enum reason
try_hashes(struct token *token, CK_OBJECT_HANDLE key, struct bytes spki,
    enum wrapping_hash *hash)
{
	static const enum wrapping_hash hashes[] = { WRAPPING_SHA256,
		WRAPPING_SHA1 };
	uint8_t wrapped[WRAPPING_OCTETS];
	CK_OBJECT_HANDLE aes;
	enum reason reason = REASON_MECHANISM;

	for (size_t i = 0; i < 2; i++) {
		if (!seal(spki, hashes[i], wrapped))
			return REASON_SELF_TEST;
		reason = open_with(token, key, hashes[i],
		    (struct bytes){ wrapped, sizeof(wrapped) }, &aes);
		if (reason == REASON_OK) {
			(void)token->p11->C_DestroyObject(token->anchor, aes);
			*hash = hashes[i];
		}
		if (reason != REASON_IMPORT_BLOB)
			return reason;
	}
	return REASON_MECHANISM;
}

static CK_RV
generate(struct token *token, struct pair *pair)
{
	static const uint8_t exponent[] = { 0x01, 0x00, 0x01 };
	static const CK_MECHANISM_TYPE allowed[] = { CKM_RSA_PKCS_OAEP };
	const CK_ULONG bits = 8 * WRAPPING_OCTETS;
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	struct attrs public = { .n = 0 }, private = { .n = 0 },
		     inside = { .n = 0 };
	CK_RV rv = CKR_OK;

	attrs_flag(&public, CKA_TOKEN, true);
	attrs_text(&public, CKA_LABEL, ATTRS_UNFINISHED);
	attrs_flag(&public, CKA_PRIVATE, false);
	attrs_flag(&public, CKA_VERIFY, false);
	attrs_flag(&public, CKA_ENCRYPT, false);
	attrs_flag(&public, CKA_WRAP, true);
	attrs_add(&public, CKA_MODULUS_BITS, &bits, sizeof(bits));
	attrs_add(&public, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
	attrs_flag(&private, CKA_TOKEN, true);
	attrs_text(&private, CKA_LABEL, ATTRS_UNFINISHED);
	attrs_flag(&private, CKA_PRIVATE, true);
	attrs_flag(&private, CKA_SENSITIVE, true);
	attrs_flag(&private, CKA_EXTRACTABLE, false);
	attrs_flag(&private, CKA_UNWRAP, true);
	attrs_flag(&private, CKA_DECRYPT, false);
	attrs_flag(&private, CKA_SIGN, false);
	attrs_flag(&private, CKA_SIGN_RECOVER, false);
	attrs_flag(&private, CKA_DERIVE, false);
	attrs_flag(&inside, CKA_SENSITIVE, true);
	attrs_flag(&inside, CKA_EXTRACTABLE, false);
	/* Not every token knows these two. */
	attrs_add(&private, CKA_ALLOWED_MECHANISMS, allowed, sizeof(allowed));
	attrs_add(&private, CKA_UNWRAP_TEMPLATE, inside.at,
	    inside.n * sizeof(inside.at[0]));
	for (int i = 0; i < 3; i++, private.n--) {
		rv = token->p11->C_GenerateKeyPair(token->anchor, &mechanism,
		    public.at, public.n, private.at, private.n, &pair->public,
		    &pair->private);
		if (!attrs_refused(rv))
			break;
	}
	return rv;
}

static enum reason
make(struct token *token, const char *label, enum wrapping_hash *hash,
    struct hsm_key *ret_key)
{
	struct pair pair = { CK_INVALID_HANDLE, CK_INVALID_HANDLE };
	enum reason reason = outcome(token, generate(token, &pair));
	struct key_id id;

	if (reason == REASON_OK)
		reason =
		    describe_key(token, pair.private, pair.public, ret_key);
	if (reason == REASON_OK && !is_fit(token, pair.private))
		reason = REASON_WRAPPING_UNFIT;
	if (reason == REASON_OK)
		reason = try_hashes(token, pair.private,
		    (struct bytes){ ret_key->spki, ret_key->spki_len }, hash);
	id = ret_key->id;
	if (reason == REASON_OK)
		reason = pair_name(token, &pair, label, &id);
	if (reason == REASON_OK)
		reason =
		    describe_key(token, pair.private, pair.public, ret_key);
	if (reason != REASON_OK)
		pair_destroy(token, &pair);
	return reason;
}

/* By its id alone, as a sender names it. */
static enum reason
find(struct token *token, const struct key_id *id, CK_OBJECT_HANDLE *ret_key)
{
	CK_RV rv = keys_search(token, CKO_PRIVATE_KEY, id, NULL, ret_key);

	if (rv != CKR_OK)
		return outcome(token, rv);
	if (*ret_key == CK_INVALID_HANDLE)
		return REASON_WRAPPING_UNKNOWN;
	return is_fit(token, *ret_key) ? REASON_OK : REASON_WRAPPING_UNFIT;
}

enum reason
wrapping_get(struct token *token, const char *label, enum wrapping_hash *hash,
    struct hsm_key *ret_key)
{
	CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
	enum reason reason = describe_find(token, NULL, label, ret_key);

	if (reason == REASON_KEY_UNKNOWN)
		return make(token, label, hash, ret_key);
	if (reason == REASON_OK)
		reason = find(token, &ret_key->id, &key);
	if (reason == REASON_OK)
		reason = try_hashes(token, key,
		    (struct bytes){ ret_key->spki, ret_key->spki_len }, hash);
	/* A key of another kind, or without a public half. */
	return reason == REASON_ID_MISMATCH || reason == REASON_PUBLIC_MISSING
		   ? REASON_WRAPPING_UNFIT
		   : reason;
}

enum reason
wrapping_open(struct token *token, const struct key_id *id,
    enum wrapping_hash *hash, struct bytes wrapped, CK_OBJECT_HANDLE *ret_aes)
{
	CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
	struct hsm_key described;
	enum reason reason = find(token, id, &key);

	if (reason == REASON_OK && *hash == WRAPPING_UNTRIED) {
		reason = describe_find(token, id, NULL, &described);
		if (reason == REASON_OK)
			reason = try_hashes(token, key,
			    (struct bytes){
				described.spki, described.spki_len },
			    hash);
	}
	if (reason == REASON_OK && wrapped.len != WRAPPING_OCTETS)
		reason = REASON_IMPORT_BLOB;
	return reason == REASON_OK
		   ? open_with(token, key, *hash, wrapped, ret_aes)
		   : reason;
}
