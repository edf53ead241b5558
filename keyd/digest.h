/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_DIGEST_H
#define KEYD_DIGEST_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/signing.h"
#include "base/status.h"

/*
 * SHA-2 with everything fetched once, since libcrypto's look-ups cost more than
 * the hashing of a TLS content.  One thread at a time.
 */
struct digest;

struct digest *digest_new(void); /* NULL when memory or libcrypto fails */
void digest_free(struct digest *digest); /* NULL is allowed */

/* sign_hash_len(hash) octets into ret_at; hash is not SIGN_HASH_NONE. */
STATUS digest_of(struct digest *digest, enum sign_hash hash,
    struct bytes content, uint8_t *ret_at);

/*
 * What a token is given to sign with this scheme, which is known: the digest of
 * its hash, for Ed25519 the content itself.  sha256 is the content's, so that
 * nothing is hashed twice; room holds 64 octets.  *ret_input borrows from
 * content, sha256 or room.
 */
STATUS digest_for_token(struct digest *digest, unsigned scheme,
    struct bytes content, const uint8_t *sha256, uint8_t *room,
    struct bytes *ret_input);

#endif
