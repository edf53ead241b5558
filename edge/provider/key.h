/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_PROVIDER_KEY_H
#define EDGE_PROVIDER_KEY_H

#include <stdbool.h>

#include <openssl/core.h>
#include <openssl/types.h>

#include "base/scoped.h"
#include "base/stub.h"
#include "edge/provider/prov.h"

/*
 * A key as this provider has it: always public.  One from a stub can also sign,
 * by asking edged; one imported (a peer's, or a certificate's to compare with)
 * cannot.  Counted; does not change once it is filled, so threads may share it.
 */
struct key {
	struct prov *prov;
	enum key_type type;
	_Atomic int refs;
	EVP_PKEY *pub;   /* in prov->libctx; NULL until filled */
	bool has_public; /* else pub holds EC parameters alone */
	bool signs;
	struct key_id id; /* set when signs */
};

/* Empty, with one reference; NULL when memory ends. */
struct key *key_new(struct prov *prov, enum key_type type);
struct key *key_ref(struct key *key);
void key_unref(struct key *key); /* NULL is allowed */
SCOPED_RELEASE(key_unref, struct key *);

/* A key that signs; NULL, and raised, when the public key is not a valid one.
 */
struct key *key_from_stub(struct prov *prov, const struct stub *stub);

/* Fill an empty key with public parameters in OpenSSL's form. */
bool key_import(struct key *key, int selection, const OSSL_PARAM params[]);

/* A new key with the same public part; signs only when with_private. */
struct key *key_copy(const struct key *key, bool with_private);

/* "RSA", "EC", "ED25519". */
const char *key_type_name(enum key_type type);

/*
 * Hand the key to OpenSSL as a reference that keymgmt's load takes up; returns
 * what the callback returns.  The caller's reference stays the caller's.
 */
int key_present(const struct key *key, OSSL_CALLBACK *object_cb, void *cbarg);
/* The other end: a new reference, NULL when it is not a key of that type. */
struct key *key_taken(const void *reference, size_t len, enum key_type type);

#endif
