/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_PAIR_H
#define HSM_PAIR_H

#include "hsm/attrs.h"
#include "hsm/describe.h"

/*
 * A pair in the making: two objects of the token or of the anchor session.  The
 * caller holds the token's lock for objects of the token.  On failure the CK_RV
 * is in token->detail.
 */
struct pair {
	CK_OBJECT_HANDLE public, private; /* CK_INVALID_HANDLE: not there */
};

enum reason pair_generate(struct token *token, enum key_alg alg,
    enum attrs_place place, enum attrs_leave leave, struct pair *pair);

/* The public object of a DER SPKI that is of this algorithm. */
enum reason pair_publish(struct token *token, enum key_alg alg,
    struct bytes spki, enum attrs_place place, struct pair *pair);

/*
 * Read the pair back: of this algorithm, sensitive, not extractable, and a
 * signature verifies.
 */
enum reason pair_check(struct token *token, const struct pair *pair,
    enum key_alg alg, struct hsm_key *ret_key);

/* Give both objects of the token their id and label. */
enum reason pair_name(struct token *token, const struct pair *pair,
    const char *label, const struct key_id *id);

/* pair_check, then pair_name. */
enum reason pair_finish(struct token *token, const struct pair *pair,
    enum key_alg alg, const char *label, struct hsm_key *ret_key);

void pair_destroy(struct token *token, struct pair *pair);

#endif
