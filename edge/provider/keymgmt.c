/* SPDX-License-Identifier: Apache-2.0 */

/*
 * KEYMGMT for RSA, EC and ED25519 under OpenSSL's own names: libssl looks a key
 * up by them.  Public questions are passed on to the default provider's key of
 * the same kind.  Refuses to generate, to import a private key, and to export
 * one: were an export of the private half to "succeed" with the public half,
 * OpenSSL would move the key to another provider and then miss the rest.  That
 * refusal is silent, since libssl tries it in every handshake.
 */

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "edge/provider/key.h"
#include "edge/provider/prov.h"

#define HAS_PRIVATE(selection)                                                 \
	(((selection)&OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0)
#define HAS_PUBLIC(selection)                                                  \
	(((selection)&OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0)

static void *
new_rsa(void *provctx)
{
	return key_new(provctx, KEY_RSA);
}

static void *
new_ec(void *provctx)
{
	return key_new(provctx, KEY_EC);
}

static void *
new_ed25519(void *provctx)
{
	return key_new(provctx, KEY_ED25519);
}

static void
free_key(void *keydata)
{
	key_unref(keydata);
}

static void *
load_rsa(const void *reference, size_t len)
{
	return key_taken(reference, len, KEY_RSA);
}

static void *
load_ec(const void *reference, size_t len)
{
	return key_taken(reference, len, KEY_EC);
}

static void *
load_ed25519(const void *reference, size_t len)
{
	return key_taken(reference, len, KEY_ED25519);
}

static int
has(const void *keydata, int selection)
{
	const struct key *key = keydata;

	if (key == NULL || key->pub == NULL)
		return 0;
	if (HAS_PRIVATE(selection) && !key->signs)
		return 0;
	return !HAS_PUBLIC(selection) || key->has_public;
}

/* A stub's private half is the one that belongs to its public half. */
static int
match(const void *keydata1, const void *keydata2, int selection)
{
	const struct key *a = keydata1, *b = keydata2;
	bool same;

	if (a->type != b->type || a->pub == NULL || b->pub == NULL)
		return 0;
	ERR_set_mark();
	if (HAS_PUBLIC(selection) || HAS_PRIVATE(selection))
		same = EVP_PKEY_eq(a->pub, b->pub) == 1;
	else
		same = a->type != KEY_EC ||
		       EVP_PKEY_parameters_eq(a->pub, b->pub) == 1;
	ERR_pop_to_mark();
	return same;
}

static int
import(void *keydata, int selection, const OSSL_PARAM params[])
{
	return !HAS_PRIVATE(selection) &&
	       key_import(keydata, selection, params);
}

static int export(
    void *keydata, int selection, OSSL_CALLBACK *callback, void *cbarg)
{
	const struct key *key = keydata;

	if (HAS_PRIVATE(selection) || !has(key, selection))
		return 0;
	return EVP_PKEY_export(key->pub, selection, callback, cbarg);
}

static const OSSL_PARAM rsa_types[] = {
	OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
	OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
	OSSL_PARAM_END,
};

static const OSSL_PARAM ec_types[] = {
	OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
	OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
	OSSL_PARAM_END,
};

static const OSSL_PARAM ed25519_types[] = {
	OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
	OSSL_PARAM_END,
};

static const OSSL_PARAM no_types[] = { OSSL_PARAM_END };

static const OSSL_PARAM *
types_rsa(int selection)
{
	return HAS_PRIVATE(selection) ? no_types : rsa_types;
}

static const OSSL_PARAM *
types_ec(int selection)
{
	return HAS_PRIVATE(selection) ? no_types : ec_types;
}

static const OSSL_PARAM *
types_ed25519(int selection)
{
	return HAS_PRIVATE(selection) ? no_types : ed25519_types;
}

static int
get_params(void *keydata, OSSL_PARAM params[])
{
	const struct key *key = keydata;

	return key->pub != NULL && EVP_PKEY_get_params(key->pub, params);
}

static const OSSL_PARAM *
gettable_params(void *provctx)
{
	static const OSSL_PARAM gettable[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(
		    OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_octet_string(
		    OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)provctx;
	return gettable;
}

static void *
dup_key(const void *keydata, int selection)
{
	return key_copy(keydata, HAS_PRIVATE(selection));
}

static const char *
operation_rsa(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "RSA" : NULL;
}

static const char *
operation_ec(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

static const char *
operation_ed25519(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ED25519" : NULL;
}

/* Every type has the same table but for what names the type. */
#define TABLE(type)                                                            \
	static const OSSL_DISPATCH table_##type[] = {                          \
		{ OSSL_FUNC_KEYMGMT_NEW, (void (*)(void))new_##type },         \
		{ OSSL_FUNC_KEYMGMT_FREE, (void (*)(void))free_key },          \
		{ OSSL_FUNC_KEYMGMT_LOAD, (void (*)(void))load_##type },       \
		{ OSSL_FUNC_KEYMGMT_HAS, (void (*)(void))has },                \
		{ OSSL_FUNC_KEYMGMT_MATCH, (void (*)(void))match },            \
		{ OSSL_FUNC_KEYMGMT_IMPORT, (void (*)(void))import },          \
		{ OSSL_FUNC_KEYMGMT_IMPORT_TYPES,                              \
		    (void (*)(void))types_##type },                            \
		{ OSSL_FUNC_KEYMGMT_EXPORT, (void (*)(void)) export },         \
		{ OSSL_FUNC_KEYMGMT_EXPORT_TYPES,                              \
		    (void (*)(void))types_##type },                            \
		{ OSSL_FUNC_KEYMGMT_GET_PARAMS, (void (*)(void))get_params },  \
		{ OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS,                           \
		    (void (*)(void))gettable_params },                         \
		{ OSSL_FUNC_KEYMGMT_DUP, (void (*)(void))dup_key },            \
		{ OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME,                      \
		    (void (*)(void))operation_##type },                        \
		{ 0, NULL },                                                   \
	}

TABLE(rsa);
TABLE(ec);
TABLE(ed25519);

const OSSL_ALGORITHM keymgmt_algorithms[] = {
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROV_PROPERTIES, table_rsa,
	    "RSA key in a token, by its stub" },
	{ "EC:id-ecPublicKey:1.2.840.10045.2.1", PROV_PROPERTIES, table_ec,
	    "EC key in a token, by its stub" },
	{ "ED25519:1.3.101.112", PROV_PROPERTIES, table_ed25519,
	    "Ed25519 key in a token, by its stub" },
	{ NULL, NULL, NULL, NULL },
};
