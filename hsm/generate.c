/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Making a key inside the token: born unfinished, checked, and only then named
 * (pair.h).  A pair that fails any check is destroyed; one whose worker died
 * half way is destroyed by the next worker that starts, or finished if only the
 * public half's label was missing.
 */

#include "hsm/generate.h"

#include <string.h>

#include "hsm/pair.h"

bool
generate_label_ok(const char *label)
{
	size_t len = strnlen(label, HSM_LABEL_MAX);

	if (len == 0 || len >= HSM_LABEL_MAX ||
	    strcmp(label, ATTRS_UNFINISHED) == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (label[i] < 0x20 || label[i] > 0x7e)
			return false;
	}
	return true;
}

enum reason
generate_label_free(struct token *token, const char *label)
{
	CK_OBJECT_HANDLE taken = CK_INVALID_HANDLE;
	CK_RV rv;

	if (!generate_label_ok(label))
		return REASON_LABEL_BAD;
	rv = keys_search(token, CKO_PRIVATE_KEY, NULL, label, &taken);
	if (rv != CKR_OK) {
		token->detail = (uint32_t)rv;
		return ck_error_reason(rv);
	}
	return taken == CK_INVALID_HANDLE ? REASON_OK : REASON_LABEL_TAKEN;
}

enum reason
generate_key(struct token *token, enum key_alg alg, const char *label,
    struct hsm_key *ret_key)
{
	struct pair pair = { CK_INVALID_HANDLE, CK_INVALID_HANDLE };
	enum reason reason = generate_label_free(token, label);

	if (reason == REASON_OK)
		reason =
		    pair_generate(token, alg, ATTRS_TOKEN, ATTRS_STAYS, &pair);
	if (reason == REASON_OK)
		reason = pair_finish(token, &pair, alg, label, ret_key);
	if (reason != REASON_OK)
		pair_destroy(token, &pair);
	return reason;
}

/*
 * Was only the public half's label missing?  Then give it the private key's.
 * False when the object is of no use to anyone.
 */
static bool
complete(struct token *token, CK_OBJECT_HANDLE public)
{
	CK_OBJECT_HANDLE private = CK_INVALID_HANDLE;
	CK_OBJECT_CLASS class = 0;
	char text[HSM_LABEL_MAX];
	CK_ATTRIBUTE label = { CKA_LABEL, text, sizeof(text) };
	struct key_id id;

	if (!keys_attribute(token, public, CKA_CLASS, &class, sizeof(class)) ||
	    class != CKO_PUBLIC_KEY ||
	    !keys_attribute(token, public, CKA_ID, id.at, sizeof(id.at)) ||
	    keys_search(token, CKO_PRIVATE_KEY, &id, NULL, &private) !=
		CKR_OK ||
	    private == CK_INVALID_HANDLE)
		return false;
	return token->p11->C_GetAttributeValue(
		   token->anchor, private, &label, 1) == CKR_OK &&
	       token->p11->C_SetAttributeValue(
		   token->anchor, public, &label, 1) == CKR_OK;
}

enum reason
generate_clean(struct token *token)
{
	struct attrs attrs = { .n = 0 };
	CK_OBJECT_HANDLE found[16];
	CK_ULONG n = 0, done;
	CK_RV rv;

	attrs_flag(&attrs, CKA_TOKEN, true);
	attrs_text(&attrs, CKA_LABEL, ATTRS_UNFINISHED);
	do {
		rv = token->p11->C_FindObjectsInit(
		    token->anchor, attrs.at, attrs.n);
		if (rv != CKR_OK)
			break;
		rv = token->p11->C_FindObjects(
		    token->anchor, found, sizeof(found) / sizeof(found[0]), &n);
		(void)token->p11->C_FindObjectsFinal(token->anchor);
		done = 0;
		for (CK_ULONG i = 0; rv == CKR_OK && i < n; i++)
			done += complete(token, found[i]) ||
				token->p11->C_DestroyObject(
				    token->anchor, found[i]) == CKR_OK;
		/* What cannot be removed does not keep the worker from work. */
	} while (rv == CKR_OK && n > 0 && done == n);
	if (rv == CKR_OK)
		return REASON_OK;
	token->detail = (uint32_t)rv;
	return REASON_AWAY;
}
