/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The wrapped store's side of a worker.  A key is extractable for as long as it
 * takes to wrap it under the token's own key encryption key, in one session and
 * by one call after it was made; what is unwrapped of it later cannot leave.
 * The blob is not believed: it may come from a registry that was changed by
 * hand, so a key is signed with only after a signature of it was verified with
 * the public key whose hash is the id that was asked for.
 */

#include "hsm/wrapped.h"

#include <string.h>

#include "hsm/pair.h"

#define KEK_LABEL "kek"
#define KEK_OCTETS 32

static enum reason
outcome(struct token *token, CK_RV rv)
{
	if (rv != CKR_OK)
		token->detail = (uint32_t)rv;
	return ck_error_reason(rv);
}

static bool
kek_is_fit(struct token *token, CK_OBJECT_HANDLE kek)
{
	static const CK_ATTRIBUTE_TYPE never[] = { CKA_EXTRACTABLE, CKA_ENCRYPT,
		CKA_DECRYPT, CKA_SIGN, CKA_DERIVE };
	CK_KEY_TYPE type = 0;
	CK_ULONG len = 0;

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		if (describe_flag(token, kek, never[i], i == 0))
			return false;
	}
	return describe_flag(token, kek, CKA_WRAP, false) &&
	       describe_flag(token, kek, CKA_UNWRAP, false) &&
	       describe_flag(token, kek, CKA_SENSITIVE, false) &&
	       keys_attribute(token, kek, CKA_KEY_TYPE, &type, sizeof(type)) &&
	       keys_attribute(token, kek, CKA_VALUE_LEN, &len, sizeof(len)) &&
	       type == CKK_AES && len == KEK_OCTETS;
}

/* Of one generation: afterwards the number may be another object's. */
static enum reason
find_kek(struct token *token, struct wrapped *wrapped)
{
	bool was_there = wrapped->generation == token->generation;
	CK_RV rv;

	if (was_there && wrapped->kek != CK_INVALID_HANDLE)
		return REASON_OK;
	wrapped->kek = CK_INVALID_HANDLE;
	rv = keys_search(token, CKO_SECRET_KEY, NULL, KEK_LABEL, &wrapped->kek);
	if (rv != CKR_OK)
		return outcome(token, rv);
	if (wrapped->kek == CK_INVALID_HANDLE)
		return was_there ? REASON_AWAY : REASON_KEK_MISSING;
	if (!kek_is_fit(token, wrapped->kek)) {
		wrapped->kek = CK_INVALID_HANDLE;
		return REASON_KEK_UNFIT;
	}
	wrapped->generation = token->generation;
	wrapped->trusted =
	    describe_flag(token, wrapped->kek, CKA_TRUSTED, false);
	return REASON_OK;
}

/*
 * An AES-256 key that wraps and unwraps.  Where the token knows
 * CKA_UNWRAP_TEMPLATE nobody can unwrap a stored key so that it could leave,
 * not even with the PIN.
 */
static CK_RV
make_kek(struct token *token, enum attrs_place place, CK_OBJECT_HANDLE *ret_kek)
{
	static const CK_MECHANISM_TYPE allowed[] = { CKM_AES_KEY_WRAP_PAD };
	const CK_ULONG len = KEK_OCTETS;
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	struct attrs attrs = { .n = 0 }, inside = { .n = 0 };
	CK_RV rv = CKR_OK;

	attrs_flag(&attrs, CKA_TOKEN, place == ATTRS_TOKEN);
	if (place == ATTRS_TOKEN)
		attrs_text(&attrs, CKA_LABEL, KEK_LABEL);
	attrs_add(&attrs, CKA_VALUE_LEN, &len, sizeof(len));
	attrs_flag(&attrs, CKA_PRIVATE, true);
	attrs_flag(&attrs, CKA_SENSITIVE, true);
	attrs_flag(&attrs, CKA_EXTRACTABLE, false);
	attrs_flag(&attrs, CKA_WRAP, true);
	attrs_flag(&attrs, CKA_UNWRAP, true);
	attrs_flag(&attrs, CKA_ENCRYPT, false);
	attrs_flag(&attrs, CKA_DECRYPT, false);
	attrs_flag(&attrs, CKA_SIGN, false);
	attrs_flag(&attrs, CKA_VERIFY, false);
	attrs_flag(&attrs, CKA_DERIVE, false);
	attrs_flag(&inside, CKA_SENSITIVE, true);
	attrs_flag(&inside, CKA_EXTRACTABLE, false);
	/* Not every token knows these two. */
	attrs_add(&attrs, CKA_ALLOWED_MECHANISMS, allowed, sizeof(allowed));
	attrs_add(&attrs, CKA_UNWRAP_TEMPLATE, inside.at,
	    inside.n * sizeof(inside.at[0]));
	for (int i = 0; i < 3; i++, attrs.n--) {
		rv = token->p11->C_GenerateKey(
		    token->anchor, &mechanism, attrs.at, attrs.n, ret_kek);
		if (!attrs_refused(rv))
			break;
	}
	return rv;
}

enum reason
wrapped_kek(struct token *token, struct wrapped *wrapped)
{
	CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
	enum reason reason = find_kek(token, wrapped);

	if (reason != REASON_KEK_MISSING)
		return reason;
	reason = outcome(token, make_kek(token, ATTRS_TOKEN, &made));
	if (reason == REASON_OK)
		reason = find_kek(token, wrapped);
	/* What is not as it must be would be found again. */
	if (reason != REASON_OK && made != CK_INVALID_HANDLE)
		(void)token->p11->C_DestroyObject(token->anchor, made);
	return reason;
}

static CK_RV
wrap(struct token *token, CK_OBJECT_HANDLE by, CK_OBJECT_HANDLE private,
    struct hsm_blob *blob)
{
	CK_MECHANISM mechanism = { CKM_AES_KEY_WRAP_PAD, NULL, 0 };
	CK_ULONG len = sizeof(blob->at);
	CK_RV rv;

	rv = token->p11->C_WrapKey(
	    token->anchor, &mechanism, by, private, blob->at, &len);
	blob->len = rv == CKR_OK ? len : 0;
	return rv == CKR_OK && len > sizeof(blob->at) ? CKR_GENERAL_ERROR : rv;
}

/* Unwrap a new blob as lanes will, and try it. */
static enum reason
try_blob(struct token *token, CK_OBJECT_HANDLE by, const struct hsm_blob *blob,
    struct hsm_key *ret_key, CK_OBJECT_HANDLE *ret_private)
{
	const struct unwrap from = { by, { blob->at, blob->len },
		{ blob->spki, blob->spki_len }, blob->alg };

	return unwrap_session(token, &from, ret_private, ret_key);
}

static void
let_go(struct token *token, CK_OBJECT_HANDLE private)
{
	if (private != CK_INVALID_HANDLE)
		(void)token->p11->C_DestroyObject(token->anchor, private);
}

/* A pair of the session under `by`; nothing of it stays. */
static enum reason
make_wrapped(struct token *token, CK_OBJECT_HANDLE by, bool trusted,
    enum key_alg alg, struct hsm_blob *blob)
{
	struct pair pair = { CK_INVALID_HANDLE, CK_INVALID_HANDLE };
	struct hsm_key key = { .alg = KEY_ALG_NONE };
	enum reason reason;
	CK_RV rv;

	reason = pair_generate(token, alg, ATTRS_SESSION,
	    trusted ? ATTRS_WRAPPED_TRUSTED : ATTRS_WRAPPED, &pair);
	if (reason != REASON_OK)
		return reason;
	reason = describe_key(token, pair.private, pair.public, &key);
	if (reason == REASON_OK && key.alg != alg)
		reason = REASON_SELF_TEST;
	if (reason == REASON_OK && !key.sensitive)
		reason = REASON_EXTRACTABLE;
	if (reason == REASON_OK) {
		rv = wrap(token, by, pair.private, blob);
		reason = rv == CKR_OK
			     ? REASON_OK
			     : wrapping_blame(token, rv, REASON_WRAPPED_ALG);
	}
	pair_destroy(token, &pair);
	blob->alg = alg;
	blob->spki_len = key.spki_len;
	memcpy(blob->spki, key.spki, key.spki_len);
	return reason;
}

/* RSA keys are alike for this, so the quickest to make stands for all. */
static unsigned
family_of(enum key_alg alg, enum key_alg *ret_trial)
{
	*ret_trial = alg;
	if (keys_rsa_bits(alg) == 0)
		return 1u << alg;
	*ret_trial = KEY_ALG_RSA_2048;
	return 1u << KEY_ALG_RSA_2048 | 1u << KEY_ALG_RSA_3072 |
	       1u << KEY_ALG_RSA_4096;
}

enum reason
wrapped_try(struct token *token, struct wrapped *wrapped, enum key_alg alg)
{
	CK_OBJECT_HANDLE aes = CK_INVALID_HANDLE, private = CK_INVALID_HANDLE;
	enum key_alg trial;
	unsigned family = family_of(alg, &trial);
	struct hsm_blob blob;
	struct hsm_key key;
	enum reason reason = REASON_OK;

	if ((wrapped->tried & family) == 0) {
		reason = outcome(token, make_kek(token, ATTRS_SESSION, &aes));
		if (reason == REASON_OK)
			reason = make_wrapped(token, aes, false, trial, &blob);
		if (reason == REASON_OK)
			reason = try_blob(token, aes, &blob, &key, &private);
		let_go(token, private);
		if (aes != CK_INVALID_HANDLE)
			(void)token->p11->C_DestroyObject(token->anchor, aes);
		if (reason_is_of_lane(reason))
			return reason;
		wrapped->tried |= family;
		if (reason == REASON_OK)
			wrapped->unwraps |= family;
	}
	return (wrapped->unwraps & family) != 0 ? REASON_OK
						: REASON_WRAPPED_ALG;
}

enum reason
wrapped_generate(struct token *token, struct wrapped *wrapped, enum key_alg alg,
    struct hsm_key *ret_key, struct hsm_blob *ret_blob,
    CK_OBJECT_HANDLE *ret_private)
{
	enum reason reason = find_kek(token, wrapped);

	if (reason == REASON_OK)
		reason = wrapped_try(token, wrapped, alg);
	if (reason == REASON_OK)
		reason = make_wrapped(
		    token, wrapped->kek, wrapped->trusted, alg, ret_blob);
	if (reason == REASON_OK)
		reason = try_blob(
		    token, wrapped->kek, ret_blob, ret_key, ret_private);
	/* Its own work: what does not come back was not the caller's fault. */
	if (reason == REASON_IMPORT_BLOB || reason == REASON_IMPORT_MISMATCH)
		reason = REASON_SELF_TEST;
	return reason;
}

enum reason
wrapped_import(struct token *token, struct wrapped *wrapped,
    const struct unwrap *from, struct hsm_key *ret_key,
    struct hsm_blob *ret_blob)
{
	CK_OBJECT_HANDLE private = CK_INVALID_HANDLE;
	enum reason reason = find_kek(token, wrapped);
	CK_RV rv;

	if (reason != REASON_OK)
		return reason;
	/* The key as it came, before anything is made of it. */
	reason = unwrap_session(token, from, &private, ret_key);
	if (reason != REASON_OK)
		return reason;
	(void)token->p11->C_DestroyObject(token->anchor, private);
	rv = unwrap_object(token, from, ATTRS_SESSION,
	    wrapped->trusted ? ATTRS_WRAPPED_TRUSTED : ATTRS_WRAPPED, &private);
	if (rv != CKR_OK)
		return outcome(token, rv);
	rv = wrap(token, wrapped->kek, private, ret_blob);
	(void)token->p11->C_DestroyObject(token->anchor, private);
	if (rv != CKR_OK)
		return wrapping_blame(token, rv, REASON_WRAPPED_ALG);
	ret_blob->alg = from->alg;
	ret_blob->spki_len = from->spki.len;
	memcpy(ret_blob->spki, from->spki.at, from->spki.len);
	private = CK_INVALID_HANDLE;
	reason = try_blob(token, wrapped->kek, ret_blob, ret_key, &private);
	let_go(token, private);
	return reason;
}

enum reason
wrapped_open(struct token *token, struct wrapped *wrapped,
    const struct wire_blob *blob, CK_OBJECT_HANDLE *ret_private)
{
	struct unwrap from = { .wrapped = blob->blob,
		.spki = blob->spki,
		.alg = key_alg_of_spki(blob->spki) };
	struct hsm_key key;
	struct key_id id;
	enum reason reason;

	/* Before the token has any work with it. */
	if (from.alg == KEY_ALG_NONE || from.alg != blob->alg ||
	    !key_id_of_spki(blob->spki, &id) || !key_id_equal(&id, &blob->id))
		return REASON_STORED_MISMATCH;
	reason = find_kek(token, wrapped);
	if (reason != REASON_OK)
		return reason;
	from.by = wrapped->kek;
	reason = unwrap_session(token, &from, ret_private, &key);
	if (reason == REASON_IMPORT_BLOB)
		return REASON_STORED_BLOB;
	if (reason == REASON_IMPORT_MISMATCH)
		return REASON_STORED_MISMATCH;
	/* The next search finds it, or that the token is gone. */
	if (reason == REASON_AWAY)
		wrapped->kek = CK_INVALID_HANDLE;
	return reason;
}
