/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Templates of objects.  What a private key may be used for is said here and
 * nowhere else: to sign, by the mechanisms of its algorithm; never to decrypt,
 * unwrap or derive.
 */

#include "hsm/attrs.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static const CK_BBOOL flags[] = { CK_FALSE, CK_TRUE };

void
attrs_add(
    struct attrs *attrs, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
	assert(attrs->n < ATTRS_MAX);
	/* PKCS#11 takes mutable pointers and only reads. */
	attrs->at[attrs->n++] =
	    (CK_ATTRIBUTE){ type, (void *)(uintptr_t)value, (CK_ULONG)len };
}

void
attrs_flag(struct attrs *attrs, CK_ATTRIBUTE_TYPE type, bool value)
{
	attrs_add(attrs, type, &flags[value], sizeof(flags[value]));
}

void
attrs_text(struct attrs *attrs, CK_ATTRIBUTE_TYPE type, const char *text)
{
	attrs_add(attrs, type, text, strlen(text));
}

static void
place_attrs(struct attrs *attrs, enum attrs_place place)
{
	attrs_flag(attrs, CKA_TOKEN, place == ATTRS_TOKEN);
	if (place == ATTRS_TOKEN)
		attrs_text(attrs, CKA_LABEL, ATTRS_UNFINISHED);
}

void
attrs_signing(struct attrs *attrs, enum key_alg alg, enum attrs_place place,
    enum attrs_leave leave)
{
	static const CK_MECHANISM_TYPE rsa[] = { CKM_RSA_PKCS,
		CKM_RSA_PKCS_PSS };
	static const CK_MECHANISM_TYPE ecdsa[] = { CKM_ECDSA };
	static const CK_MECHANISM_TYPE eddsa[] = { CKM_EDDSA };

	place_attrs(attrs, place);
	attrs_flag(attrs, CKA_PRIVATE, true);
	attrs_flag(attrs, CKA_SENSITIVE, true);
	attrs_flag(attrs, CKA_EXTRACTABLE, leave != ATTRS_STAYS);
	if (leave == ATTRS_WRAPPED_TRUSTED)
		attrs_flag(attrs, CKA_WRAP_WITH_TRUSTED, true);
	attrs_flag(attrs, CKA_SIGN, true);
	attrs_flag(attrs, CKA_SIGN_RECOVER, false);
	attrs_flag(attrs, CKA_DECRYPT, false);
	attrs_flag(attrs, CKA_UNWRAP, false);
	attrs_flag(attrs, CKA_DERIVE, false);
	if (alg == KEY_ALG_ED25519)
		attrs_add(attrs, CKA_ALLOWED_MECHANISMS, eddsa, sizeof(eddsa));
	else if (alg == KEY_ALG_EC_P256 || alg == KEY_ALG_EC_P384)
		attrs_add(attrs, CKA_ALLOWED_MECHANISMS, ecdsa, sizeof(ecdsa));
	else
		attrs_add(attrs, CKA_ALLOWED_MECHANISMS, rsa, sizeof(rsa));
}

void
attrs_verifying(struct attrs *attrs, enum attrs_place place)
{
	place_attrs(attrs, place);
	attrs_flag(attrs, CKA_PRIVATE, false);
	attrs_flag(attrs, CKA_VERIFY, true);
	attrs_flag(attrs, CKA_ENCRYPT, false);
	attrs_flag(attrs, CKA_WRAP, false);
}

bool
attrs_refused(CK_RV rv)
{
	return rv == CKR_ATTRIBUTE_TYPE_INVALID ||
	       rv == CKR_ATTRIBUTE_VALUE_INVALID ||
	       rv == CKR_TEMPLATE_INCONSISTENT;
}
