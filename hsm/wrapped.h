/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_WRAPPED_H
#define HSM_WRAPPED_H

#include "hsm/unwrap.h"

/*
 * Keys that are kept outside the token, under its key encryption key.  The
 * handle of that is kept for one generation of the module.
 */
struct wrapped {
	CK_OBJECT_HANDLE kek;
	uint32_t generation; /* of kek; 0: not looked for yet */
	bool trusted;        /* kek carries CKA_TRUSTED */
	/* Of algorithms, bits: which were tried, which the token unwraps. */
	unsigned tried, unwraps;
};

/* Make the key encryption key if there is none.  The caller holds the token's
 * lock. */
enum reason wrapped_kek(struct token *token, struct wrapped *wrapped);

/*
 * Can the token wrap a key of this algorithm, unwrap it, and sign with what it
 * unwrapped?  Tried once, with keys made for it; WRAPPED_ALG when it cannot.
 */
enum reason wrapped_try(
    struct token *token, struct wrapped *wrapped, enum key_alg alg);

/* Make a pair and wrap it.  It was unwrapped and tried as it will be when it is
 * signed with; *ret_private is that object, the caller's.  Nothing else of it
 * stays. */
enum reason wrapped_generate(struct token *token, struct wrapped *wrapped,
    enum key_alg alg, struct hsm_key *ret_key, struct hsm_blob *ret_blob,
    CK_OBJECT_HANDLE *ret_private);

/* The same with a key from outside, in the envelope that from was opened of. */
enum reason wrapped_import(struct token *token, struct wrapped *wrapped,
    const struct unwrap *from, struct hsm_key *ret_key,
    struct hsm_blob *ret_blob);

/*
 * Unwrap a stored key into the anchor session, to sign with.  STORED_BLOB when
 * it does not unwrap, STORED_MISMATCH when it is not the key of its id.
 */
enum reason wrapped_open(struct token *token, struct wrapped *wrapped,
    const struct wire_blob *blob, CK_OBJECT_HANDLE *ret_private);

#endif
