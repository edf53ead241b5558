/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_UNWRAP_H
#define HSM_UNWRAP_H

#include "hsm/attrs.h"
#include "hsm/describe.h"
#include "hsm/wire.h"
#include "hsm/wrapping.h"

/* A private key in PKCS#8 under an AES key of the token (RFC 5649), and the
 * public key that it is said to belong to. */
struct unwrap {
	CK_OBJECT_HANDLE by;
	struct bytes wrapped;
	struct bytes spki;
	enum key_alg alg; /* of spki */
};

/* One C_UnwrapKey and no check. */
CK_RV unwrap_object(struct token *token, const struct unwrap *from,
    enum attrs_place place, enum attrs_leave leave,
    CK_OBJECT_HANDLE *ret_private);

/*
 * Into the anchor session: sensitive, not extractable, and a signature verifies
 * with the public key.  ret_key says what the token says, its id being the hash
 * of spki.  IMPORT_BLOB when it does not unwrap, IMPORT_MISMATCH when it is
 * another key; then there is no object.
 */
enum reason unwrap_session(struct token *token, const struct unwrap *from,
    CK_OBJECT_HANDLE *ret_private, struct hsm_key *ret_key);

/*
 * Open an import's envelope: *ret_from is as above, by an AES key of the
 * session that the caller destroys.
 */
enum reason unwrap_open(struct token *token, const struct wire_import *import,
    enum wrapping_hash *hash, struct unwrap *ret_from);
void unwrap_close(struct token *token, struct unwrap *from);

/*
 * An import into the token: tried as an object of the session first, so that
 * what is bad never becomes an object of the token.  The caller holds the
 * token's lock.
 */
enum reason unwrap_import(struct token *token, const struct wire_import *import,
    enum wrapping_hash *hash, struct hsm_key *ret_key);

#endif
