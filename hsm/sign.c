/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The signing path inside a worker: map, mechanism, C_SignInit, C_Sign.  No
 * search and no allocation on it.  When a handle turns out stale the key is
 * searched for once; whether the key is gone or the token is, is told apart by
 * asking the token itself.
 */

#include "hsm/sign.h"

#include <string.h>

CK_RV
sign_call(struct token *token, CK_OBJECT_HANDLE handle, enum key_alg alg,
    struct mech_call *call, struct signature *ret_signature)
{
	uint8_t raw[SIGNATURE_MAX];
	CK_ULONG len = sizeof(raw);
	CK_RV rv;

	rv = token->p11->C_SignInit(token->signer, &call->mechanism, handle);
	if (rv != CKR_OK)
		return rv;
	/* PKCS#11 takes a pointer to mutable data and does not write to it. */
	rv = token->p11->C_Sign(token->signer,
	    (CK_BYTE_PTR)(uintptr_t)call->input.at, call->input.len, raw, &len);
	if (rv != CKR_OK)
		return rv;
	if (len > sizeof(raw) ||
	    !mech_finish(alg, (struct bytes){ raw, len }, ret_signature))
		return CKR_GENERAL_ERROR;
	return CKR_OK;
}

static enum reason
outcome(struct token *token, CK_RV rv)
{
	token->detail = (uint32_t)rv;
	return ck_error_reason(rv);
}

/* The handle was stale: learn the key anew, and try it once. */
static enum reason
sign_again(struct keys *keys, struct token *token, const struct key_id *id,
    struct mech_call *call, struct signature *ret_signature)
{
	struct key_entry *key;
	enum reason reason;

	if (!token_answers(token) || token_renew_signer(token) != REASON_OK)
		return REASON_AWAY;
	reason = keys_load_one(keys, token, id);
	/* A token that lost its files finds nothing: the probe looks deeper. */
	if (reason == REASON_KEY_UNKNOWN && !sign_canary(keys, token))
		return REASON_AWAY;
	if (reason != REASON_OK)
		return reason;
	key = keys_get(keys, id);
	return outcome(
	    token, sign_call(token, keys_signing_handle(keys, token, key),
		       key->alg, call, ret_signature));
}

enum reason
sign_with_key(struct keys *keys, struct token *token, const struct key_id *id,
    unsigned scheme, struct bytes input, struct signature *ret_signature)
{
	struct key_entry *key = keys_get(keys, id);
	struct mech_call call;
	enum reason reason;
	CK_RV rv;

	if (key == NULL)
		return REASON_KEY_UNKNOWN;
	if (key->generation != token->generation)
		return REASON_AWAY;
	reason = mech_prepare(scheme, key->alg, input, &call);
	if (reason != REASON_OK)
		return reason;
	rv = sign_call(token, keys_signing_handle(keys, token, key), key->alg,
	    &call, ret_signature);
	if (rv == CKR_OK)
		return REASON_OK;
	token->detail = (uint32_t)rv;
	switch (ck_error_class(rv)) {
	case CK_CLASS_KEY:
		return sign_again(keys, token, id, &call, ret_signature);
	case CK_CLASS_REQUEST:
		/* The session may still hold the operation. */
		if (token_renew_signer(token) != REASON_OK)
			return REASON_AWAY;
		return ck_error_reason(rv);
	default:
		keys_drop_copy(keys, token, key);
		return ck_error_reason(rv);
	}
}

enum sign_scheme
sign_trial_scheme(enum key_alg alg)
{
	switch (alg) {
	case KEY_ALG_EC_P384:
		return SCHEME_ECDSA_SECP384R1_SHA384;
	case KEY_ALG_RSA_2048:
	case KEY_ALG_RSA_3072:
	case KEY_ALG_RSA_4096:
		return SCHEME_RSA_PSS_RSAE_SHA256;
	case KEY_ALG_ED25519:
		return SCHEME_ED25519;
	default:
		return SCHEME_ECDSA_SECP256R1_SHA256;
	}
}

bool
sign_canary(struct keys *keys, struct token *token)
{
	static const uint8_t digest[64] = "a trial signature";
	const struct key_entry *key = keys_any(keys);
	struct signature signature;
	struct bytes input = { digest, 32 };
	struct mech_call call;
	enum sign_scheme scheme;

	if (key == NULL)
		return false;
	scheme = sign_trial_scheme(key->alg);
	if (scheme == SCHEME_ECDSA_SECP384R1_SHA384)
		input.len = 48;
	return mech_prepare(scheme, key->alg, input, &call) == REASON_OK &&
	       sign_call(token, key->handle, key->alg, &call, &signature) ==
		   CKR_OK;
}
