/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A key from outside.  In the clear it is only inside the token: RSA-OAEP opens
 * an AES key of the session, that opens the private key, and it goes when the
 * import ends.  A key is believed to be the one of a public key when a
 * signature of it has been verified with that, since a token takes in any
 * PKCS#8 that parses; and taken in when the token says that it cannot leave.
 */

#include "hsm/unwrap.h"

#include <string.h>

#include "hsm/generate.h"
#include "hsm/pair.h"
#include "hsm/trial.h"

CK_RV
unwrap_object(struct token *token, const struct unwrap *from,
    enum attrs_place place, enum attrs_leave leave,
    CK_OBJECT_HANDLE *ret_private)
{
	static const CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_KEY_TYPE type = CKK_EC;
	CK_MECHANISM mechanism = { CKM_AES_KEY_WRAP_PAD, NULL, 0 };
	struct attrs attrs = { .n = 0 };
	CK_RV rv;

	if (from->alg == KEY_ALG_ED25519)
		type = CKK_EC_EDWARDS;
	else if (keys_rsa_bits(from->alg) > 0)
		type = CKK_RSA;
	attrs_add(&attrs, CKA_CLASS, &class, sizeof(class));
	attrs_add(&attrs, CKA_KEY_TYPE, &type, sizeof(type));
	attrs_signing(&attrs, from->alg, place, leave);
	for (int i = 0; i < 2; i++, attrs.n--) {
		rv = token->p11->C_UnwrapKey(token->anchor, &mechanism,
		    from->by, (CK_BYTE_PTR)(uintptr_t)from->wrapped.at,
		    from->wrapped.len, attrs.at, attrs.n, ret_private);
		/* Not every token knows CKA_ALLOWED_MECHANISMS. */
		if (!attrs_refused(rv))
			break;
	}
	return rv;
}

/* Is the object the private key of from->spki, and unable to leave? */
static enum reason
check(struct token *token, const struct unwrap *from, CK_OBJECT_HANDLE private,
    struct hsm_key *key)
{
	enum reason reason;

	if (keys_alg_of(token, private) != from->alg)
		return REASON_IMPORT_MISMATCH;
	describe_flags(token, private, key);
	if (!key->sensitive || key->extractable)
		return REASON_EXTRACTABLE;
	reason = trial_key(token, private, key);
	/* A token may stumble over a key whose numbers make no sense. */
	if (reason == REASON_SELF_TEST ||
	    (reason == REASON_AWAY && token_answers(token)))
		return REASON_IMPORT_MISMATCH;
	return reason;
}

enum reason
unwrap_session(struct token *token, const struct unwrap *from,
    CK_OBJECT_HANDLE *ret_private, struct hsm_key *ret_key)
{
	struct hsm_key key = { .alg = from->alg, .spki_len = from->spki.len };
	CK_OBJECT_HANDLE private = CK_INVALID_HANDLE;
	enum reason reason;
	CK_RV rv;

	if (from->spki.len > sizeof(key.spki) ||
	    !key_id_of_spki(from->spki, &key.id))
		return REASON_IMPORT_SPKI;
	memcpy(key.spki, from->spki.at, from->spki.len);
	rv = unwrap_object(token, from, ATTRS_SESSION, ATTRS_STAYS, &private);
	if (rv != CKR_OK)
		return wrapping_blame(token, rv, REASON_IMPORT_BLOB);
	reason = check(token, from, private, &key);
	if (reason != REASON_OK) {
		(void)token->p11->C_DestroyObject(token->anchor, private);
		return reason;
	}
	*ret_private = private;
	*ret_key = key;
	return REASON_OK;
}

enum reason
unwrap_open(struct token *token, const struct wire_import *import,
    enum wrapping_hash *hash, struct unwrap *ret_from)
{
	struct bytes inner = import->blob, envelope;
	struct unwrap from = { .spki = import->spki,
		.alg = key_alg_of_spki(import->spki) };
	enum reason reason;

	if (from.alg == KEY_ALG_NONE)
		return REASON_IMPORT_SPKI;
	/* RFC 5649: at least two blocks of eight octets. */
	if (!bytes_take(&inner, WRAPPING_OCTETS, &envelope) || inner.len < 16 ||
	    inner.len % 8 != 0)
		return REASON_IMPORT_BLOB;
	from.wrapped = inner;
	reason =
	    wrapping_open(token, &import->query.id, hash, envelope, &from.by);
	if (reason == REASON_OK)
		*ret_from = from;
	return reason;
}

void
unwrap_close(struct token *token, struct unwrap *from)
{
	if (from->by != CK_INVALID_HANDLE)
		(void)token->p11->C_DestroyObject(token->anchor, from->by);
	from->by = CK_INVALID_HANDLE;
}

/* Is there a private key with this id already? */
static enum reason
id_is_free(struct token *token, struct bytes spki)
{
	CK_OBJECT_HANDLE taken = CK_INVALID_HANDLE;
	struct key_id id;
	CK_RV rv;

	if (!key_id_of_spki(spki, &id))
		return REASON_IMPORT_SPKI;
	rv = keys_search(token, CKO_PRIVATE_KEY, &id, NULL, &taken);
	if (rv != CKR_OK) {
		token->detail = (uint32_t)rv;
		return ck_error_reason(rv);
	}
	return taken == CK_INVALID_HANDLE ? REASON_OK : REASON_KEY_EXISTS;
}

static enum reason
into_token(struct token *token, const struct unwrap *from, const char *label,
    struct hsm_key *ret_key)
{
	struct pair pair = { CK_INVALID_HANDLE, CK_INVALID_HANDLE };
	enum reason reason = REASON_OK;
	CK_RV rv;

	rv =
	    unwrap_object(token, from, ATTRS_TOKEN, ATTRS_STAYS, &pair.private);
	if (rv != CKR_OK) {
		token->detail = (uint32_t)rv;
		reason = ck_error_reason(rv);
	}
	if (reason == REASON_OK)
		reason = pair_publish(
		    token, from->alg, from->spki, ATTRS_TOKEN, &pair);
	if (reason == REASON_OK)
		reason = pair_finish(token, &pair, from->alg, label, ret_key);
	if (reason == REASON_OK &&
	    !bytes_equal(
		from->spki, (struct bytes){ ret_key->spki, ret_key->spki_len }))
		reason = REASON_IMPORT_MISMATCH;
	if (reason != REASON_OK)
		pair_destroy(token, &pair);
	return reason;
}

enum reason
unwrap_import(struct token *token, const struct wire_import *import,
    enum wrapping_hash *hash, struct hsm_key *ret_key)
{
	struct unwrap from = { .by = CK_INVALID_HANDLE };
	CK_OBJECT_HANDLE tried = CK_INVALID_HANDLE;
	enum reason reason = generate_label_free(token, import->query.label);

	if (reason == REASON_OK)
		reason = id_is_free(token, import->spki);
	if (reason == REASON_OK)
		reason = unwrap_open(token, import, hash, &from);
	if (reason == REASON_OK)
		reason = unwrap_session(token, &from, &tried, ret_key);
	if (reason == REASON_OK) {
		(void)token->p11->C_DestroyObject(token->anchor, tried);
		reason = into_token(token, &from, import->query.label, ret_key);
	}
	unwrap_close(token, &from);
	return reason;
}
