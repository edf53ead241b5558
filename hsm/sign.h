/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_SIGN_H
#define HSM_SIGN_H

#include "hsm/keys.h"
#include "hsm/mech.h"

/* One C_SignInit and C_Sign on the signing session, finished for the wire.
 * CKR_GENERAL_ERROR, too, when the token's answer is no signature. */
CK_RV sign_call(struct token *token, CK_OBJECT_HANDLE handle, enum key_alg alg,
    struct mech_call *call, struct signature *ret_signature);

/*
 * Sign with a key of the map.  A handle that went stale is found again and
 * tried once more.  AWAY when session or token are gone: the caller probes
 * before it signs anything else; the CK_RV is in token->detail.
 */
enum reason sign_with_key(struct keys *keys, struct token *token,
    const struct key_id *id, unsigned scheme, struct bytes input,
    struct signature *ret_signature);

/* The scheme an algorithm's key is tried with. */
enum sign_scheme sign_trial_scheme(enum key_alg alg);

/* Does the token sign with a key it has?  False when the map is empty. */
bool sign_canary(struct keys *keys, struct token *token);

#endif
