/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Searching the token for keys, and reading what kind of key an object is.
 * Only objects of the token are found, never the copies and unwrapped keys of a
 * session.
 */

#include "hsm/keys.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t oid_p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
	0x03, 0x01, 0x07 };
static const uint8_t oid_p384[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const uint8_t oid_ed25519[] = { 0x06, 0x03, 0x2b, 0x65, 0x70 };
/* The other form PKCS#11 allows: PrintableString "edwards25519". */
static const uint8_t name_ed25519[] = { 0x13, 0x0c, 'e', 'd', 'w', 'a', 'r',
	'd', 's', '2', '5', '5', '1', '9' };

struct bytes
keys_ec_params(enum key_alg alg)
{
	switch (alg) {
	case KEY_ALG_EC_P256:
		return (struct bytes){ oid_p256, sizeof(oid_p256) };
	case KEY_ALG_EC_P384:
		return (struct bytes){ oid_p384, sizeof(oid_p384) };
	case KEY_ALG_ED25519:
		return (struct bytes){ oid_ed25519, sizeof(oid_ed25519) };
	default:
		return (struct bytes){ NULL, 0 };
	}
}

unsigned
keys_rsa_bits(enum key_alg alg)
{
	switch (alg) {
	case KEY_ALG_RSA_2048:
		return 2048;
	case KEY_ALG_RSA_3072:
		return 3072;
	case KEY_ALG_RSA_4096:
		return 4096;
	default:
		return 0;
	}
}

/* One attribute of exactly len octets. */
bool
keys_attribute(struct token *token, CK_OBJECT_HANDLE handle,
    CK_ATTRIBUTE_TYPE type, void *ret_at, CK_ULONG len)
{
	CK_ATTRIBUTE attr = { type, ret_at, len };

	return token->p11->C_GetAttributeValue(
		   token->anchor, handle, &attr, 1) == CKR_OK &&
	       attr.ulValueLen == len;
}

static enum key_alg
alg_of_rsa(struct token *token, CK_OBJECT_HANDLE handle)
{
	uint8_t modulus[512];
	CK_ATTRIBUTE attr = { CKA_MODULUS, modulus, sizeof(modulus) };
	CK_ULONG len;
	size_t skip = 0;

	if (token->p11->C_GetAttributeValue(token->anchor, handle, &attr, 1) !=
		CKR_OK ||
	    attr.ulValueLen > sizeof(modulus))
		return KEY_ALG_NONE;
	len = attr.ulValueLen;
	while (skip < len && modulus[skip] == 0)
		skip++;
	switch (len - skip) {
	case 256:
		return KEY_ALG_RSA_2048;
	case 384:
		return KEY_ALG_RSA_3072;
	case 512:
		return KEY_ALG_RSA_4096;
	default:
		return KEY_ALG_NONE;
	}
}

static enum key_alg
alg_of_curve(struct token *token, CK_OBJECT_HANDLE handle)
{
	static const enum key_alg curves[] = { KEY_ALG_EC_P256, KEY_ALG_EC_P384,
		KEY_ALG_ED25519 };
	const struct bytes ed25519_name = { name_ed25519,
		sizeof(name_ed25519) };
	uint8_t params[64];
	CK_ATTRIBUTE attr = { CKA_EC_PARAMS, params, sizeof(params) };
	struct bytes found = { params, 0 };

	if (token->p11->C_GetAttributeValue(token->anchor, handle, &attr, 1) !=
		CKR_OK ||
	    attr.ulValueLen > sizeof(params))
		return KEY_ALG_NONE;
	found.len = attr.ulValueLen;
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		if (bytes_equal(found, keys_ec_params(curves[i])))
			return curves[i];
	}
	return bytes_equal(found, ed25519_name) ? KEY_ALG_ED25519
						: KEY_ALG_NONE;
}

enum key_alg
keys_alg_of(struct token *token, CK_OBJECT_HANDLE handle)
{
	CK_KEY_TYPE type;
	enum key_alg alg;

	if (!keys_attribute(token, handle, CKA_KEY_TYPE, &type, sizeof(type)))
		return KEY_ALG_NONE;
	if (type == CKK_RSA)
		return alg_of_rsa(token, handle);
	if (type != CKK_EC && type != CKK_EC_EDWARDS)
		return KEY_ALG_NONE;
	alg = alg_of_curve(token, handle);
	return (alg == KEY_ALG_ED25519) == (type == CKK_EC_EDWARDS)
		   ? alg
		   : KEY_ALG_NONE;
}

static CK_RV
search_start(struct token *token, CK_OBJECT_CLASS class,
    const struct key_id *id, const char *label)
{
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE template[4] = {
		{ CKA_CLASS, &class, sizeof(class) },
		/* Without it the search finds our own copies too. */
		{ CKA_TOKEN, &yes, sizeof(yes) },
	};
	struct key_id want_id;
	char want_label[HSM_LABEL_MAX];
	CK_ULONG n = 2;

	if (id != NULL) {
		want_id = *id;
		template[n++] =
		    (CK_ATTRIBUTE){ CKA_ID, want_id.at, sizeof(want_id.at) };
	}
	if (label != NULL) {
		size_t len = strnlen(label, sizeof(want_label));

		memcpy(want_label, label, len);
		template[n++] = (CK_ATTRIBUTE){ CKA_LABEL, want_label, len };
	}
	return token->p11->C_FindObjectsInit(token->anchor, template, n);
}

CK_RV
keys_search(struct token *token, CK_OBJECT_CLASS class, const struct key_id *id,
    const char *label, CK_OBJECT_HANDLE *ret_handle)
{
	CK_OBJECT_HANDLE found = CK_INVALID_HANDLE;
	CK_ULONG n = 0;
	CK_RV rv = search_start(token, class, id, label);

	if (rv != CKR_OK)
		return rv;
	rv = token->p11->C_FindObjects(token->anchor, &found, 1, &n);
	(void)token->p11->C_FindObjectsFinal(token->anchor);
	if (rv == CKR_OK)
		*ret_handle = n == 1 ? found : CK_INVALID_HANDLE;
	return rv;
}

/* All handles first: attributes may not be readable while a search is open. */
CK_RV
keys_collect(struct token *token, CK_OBJECT_HANDLE **ret_handles, size_t *ret_n)
{
	CK_OBJECT_HANDLE *handles = NULL;
	size_t n = 0, size = 0;
	CK_ULONG got = 0;
	CK_RV rv = search_start(token, CKO_PRIVATE_KEY, NULL, NULL);

	if (rv != CKR_OK)
		return rv;
	do {
		if (size - n < 256) {
			CK_OBJECT_HANDLE *more;

			size = size * 2 + 256;
			more = realloc(handles, size * sizeof(*handles));
			if (more == NULL) {
				rv = CKR_HOST_MEMORY;
				break;
			}
			handles = more;
		}
		rv = token->p11->C_FindObjects(
		    token->anchor, handles + n, 256, &got);
		n += rv == CKR_OK ? got : 0;
	} while (rv == CKR_OK && got > 0);
	(void)token->p11->C_FindObjectsFinal(token->anchor);
	if (rv != CKR_OK) {
		free(handles);
		return rv;
	}
	*ret_handles = handles;
	*ret_n = n;
	return CKR_OK;
}
