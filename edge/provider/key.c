/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The key object behind keymgmt, decoder, store and signature.  It holds a
 * public key and, from a stub, the id by which edged knows the private one.
 * There is no way to put private key material into it and none to get any out.
 */

#include "edge/provider/key.h"

#include <stdatomic.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/x509.h>

#include "edge/provider/reason.h"

const char *
key_type_name(enum key_type type)
{
	static const char *const names[KEY_TYPES] = {
		[KEY_RSA] = "RSA",
		[KEY_EC] = "EC",
		[KEY_ED25519] = "ED25519",
	};

	return names[type];
}

struct key *
key_new(struct prov *prov, enum key_type type)
{
	struct key *key = calloc(1, sizeof(*key));

	if (key == NULL)
		return NULL;
	key->prov = prov;
	key->type = type;
	atomic_init(&key->refs, 1);
	return key;
}

struct key *
key_ref(struct key *key)
{
	atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
	return key;
}

void
key_unref(struct key *key)
{
	if (key == NULL ||
	    atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) > 1)
		return;
	EVP_PKEY_free(key->pub);
	free(key);
}

struct key *
key_from_stub(struct prov *prov, const struct stub *stub)
{
	scoped(key_unref) struct key *key =
	    key_new(prov, scheme_key_type(stub->alg));
	const unsigned char *at = stub->spki.at;
	struct key *made;

	if (!prov_is_usable(prov))
		return NULL;
	if (key == NULL) {
		reason_raise(prov, REASON_INTERNAL, "cannot hold a key");
		return NULL;
	}
	/* Checks among others that an EC point lies on its curve. */
	key->pub =
	    d2i_PUBKEY_ex(NULL, &at, (long)stub->spki.len, prov->libctx, NULL);
	if (key->pub == NULL ||
	    !EVP_PKEY_is_a(key->pub, key_type_name(key->type))) {
		reason_raise(prov, REASON_STUB,
		    "its public key is not a valid one; fetch the stub again");
		return NULL;
	}
	key->has_public = true;
	key->signs = true;
	key->id = stub->key_id;
	made = key;
	key = NULL;
	return made;
}

bool
key_import(struct key *key, int selection, const OSSL_PARAM params[])
{
	const bool public = (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0;
	EVP_PKEY_CTX *ctx;
	OSSL_PARAM *copy;
	bool done;

	if (key->pub != NULL)
		return false;
	ctx = EVP_PKEY_CTX_new_from_name(
	    key->prov->libctx, key_type_name(key->type), NULL);
	copy = OSSL_PARAM_dup(params);
	done = ctx != NULL && copy != NULL &&
	       EVP_PKEY_fromdata_init(ctx) == 1 &&
	       EVP_PKEY_fromdata(ctx, &key->pub,
		   public ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEY_PARAMETERS,
		   copy) == 1;
	OSSL_PARAM_free(copy);
	EVP_PKEY_CTX_free(ctx);
	key->has_public = done && public;
	return done;
}

struct key *
key_copy(const struct key *key, bool with_private)
{
	struct key *copy = key_new(key->prov, key->type);

	if (copy == NULL || key->pub == NULL)
		return copy;
	EVP_PKEY_up_ref(key->pub);
	copy->pub = key->pub;
	copy->has_public = key->has_public;
	copy->signs = key->signs && with_private;
	copy->id = key->id;
	return copy;
}

int
key_present(const struct key *key, OSSL_CALLBACK *object_cb, void *cbarg)
{
	int type = OSSL_OBJECT_PKEY;
	char name[16];
	OSSL_PARAM params[4];

	snprintf(name, sizeof(name), "%s", key_type_name(key->type));
	params[0] = OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type);
	params[1] = OSSL_PARAM_construct_utf8_string(
	    OSSL_OBJECT_PARAM_DATA_TYPE, name, 0);
	params[2] = OSSL_PARAM_construct_octet_string(
	    OSSL_OBJECT_PARAM_REFERENCE, &key, sizeof(key));
	params[3] = OSSL_PARAM_construct_end();
	return object_cb(params, cbarg);
}

struct key *
key_taken(const void *reference, size_t len, enum key_type type)
{
	struct key *key;

	if (len != sizeof(key))
		return NULL;
	memcpy(&key, reference, sizeof(key));
	return key->type == type ? key_ref(key) : NULL;
}
