/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_WRAPPING_H
#define HSM_WRAPPING_H

#include "hsm/describe.h"

/*
 * Wrapping keys: RSA-3072 pairs of the token that unwrap and do nothing else.
 * What comes from outside is unwrapped by one into an AES key of the session,
 * and by that into a private key.
 */
#define WRAPPING_ALG KEY_ALG_RSA_3072
#define WRAPPING_OCTETS 384 /* what it wraps, wrapped */

/* The hash of OAEP, found out with the token itself. */
enum wrapping_hash {
	WRAPPING_UNTRIED = 0,
	WRAPPING_SHA256,
	WRAPPING_SHA1,
};

/*
 * The key of this label, made if there is none; the caller holds the token's
 * lock.  WRAPPING_UNFIT when it can do more than it may.
 */
enum reason wrapping_get(struct token *token, const char *label,
    enum wrapping_hash *hash, struct hsm_key *ret_key);

/*
 * Unwrap an AES-256 key into the anchor session: it can unwrap, is sensitive
 * and cannot leave; the caller destroys it.  IMPORT_BLOB when wrapped is not
 * WRAPPING_OCTETS that this wrapping key opens.
 */
enum reason wrapping_open(struct token *token, const struct key_id *id,
    enum wrapping_hash *hash, struct bytes wrapped, CK_OBJECT_HANDLE *ret_aes);

/* After a failed C_UnwrapKey: `bad` when the token is well otherwise, so that
 * what it was given must be at fault; else the token's trouble. */
enum reason wrapping_blame(struct token *token, CK_RV rv, enum reason bad);

#endif
