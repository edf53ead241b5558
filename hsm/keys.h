/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_KEYS_H
#define HSM_KEYS_H

#include "hsm/hsm.h"
#include "hsm/token.h"

/*
 * The private keys of the token that carry one of our ids and can sign: key
 * id to handle.  Filled by one search when the token is opened; the signing
 * path never searches.  Used by one thread only.
 */
struct keys;

/* Copies at most, when keys are signed with as session objects. */
#define KEYS_COPIES_MAX 4096
/* Unwrapped keys at least: twice what a lane is handed at a time, so that those
 * never push each other out. */
#define KEYS_CACHE_MIN 16

struct key_entry {
	struct key_id id;
	enum key_alg alg;
	bool used;      /* since the copies' clock hand last passed */
	bool no_copy;   /* the token refused one */
	bool unwrapped; /* handle is a session object, ours to destroy */
	uint32_t generation;
	CK_OBJECT_HANDLE handle; /* of the token object */
	CK_OBJECT_HANDLE copy;   /* CK_INVALID_HANDLE when there is none */
};

/* cache: unwrapped keys at most. */
struct keys *keys_new(bool session_copies, unsigned cache);
void keys_free(struct keys *keys); /* NULL is allowed */
unsigned keys_count(const struct keys *keys);

/* Forget all, then search the token for all. */
enum reason keys_load_all(struct keys *keys, struct token *token);
void keys_clear(struct keys *keys);

/* NULL when unknown.  Valid until the next load or drop. */
struct key_entry *keys_get(struct keys *keys, const struct key_id *id);
/* Any one key, to try the token with; NULL when there is none. */
const struct key_entry *keys_any(const struct keys *keys);

/*
 * Search the token for this one key and learn it anew; KEY_UNKNOWN, and it is
 * forgotten, when it is gone.
 */
enum reason keys_load_one(
    struct keys *keys, struct token *token, const struct key_id *id);

/*
 * Take in a key that was unwrapped into the anchor session; its object is
 * destroyed when it goes.  When that fails the caller destroys it.
 */
enum reason keys_put_unwrapped(struct keys *keys, struct token *token,
    const struct key_id *id, enum key_alg alg, CK_OBJECT_HANDLE handle);

/* Stop knowing a key, and destroy its copy, or what was unwrapped; what the
 * token said to that. */
CK_RV keys_forget(
    struct keys *keys, struct token *token, const struct key_id *id);

/*
 * The object to sign with: the session copy, made at first use where the token
 * allows it, else the token object.
 */
CK_OBJECT_HANDLE keys_signing_handle(
    struct keys *keys, struct token *token, struct key_entry *entry);

/* Stop using the copy: the token did not like it. */
void keys_drop_copy(
    struct keys *keys, struct token *token, struct key_entry *entry);

/* Searches on the anchor session; handles are CK_INVALID_HANDLE if none fits.
 * id or label may be NULL, meaning any. */
CK_RV keys_search(struct token *token, CK_OBJECT_CLASS class,
    const struct key_id *id, const char *label, CK_OBJECT_HANDLE *ret_handle);

/* Handles of all private keys; the caller frees them. */
CK_RV keys_collect(
    struct token *token, CK_OBJECT_HANDLE **ret_handles, size_t *ret_n);

/* One attribute of exactly len octets. */
bool keys_attribute(struct token *token, CK_OBJECT_HANDLE handle,
    CK_ATTRIBUTE_TYPE type, void *ret_at, CK_ULONG len);

/* What kind of key an object is, by its attributes; KEY_ALG_NONE for kinds we
 * do not sign with. */
enum key_alg keys_alg_of(struct token *token, CK_OBJECT_HANDLE handle);

/* CKA_EC_PARAMS of an algorithm (DER); empty for RSA. */
struct bytes keys_ec_params(enum key_alg alg);
/* Bits of an RSA modulus; 0 for the others. */
unsigned keys_rsa_bits(enum key_alg alg);

#endif
