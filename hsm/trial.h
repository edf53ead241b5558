/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_TRIAL_H
#define HSM_TRIAL_H

#include "hsm/keys.h"

/*
 * Sign fresh content with a key of the token and verify it outside with its
 * public key: key->alg and key->spki say which.  SELF_TEST when it does not
 * verify, or the token does not sign; AWAY when session or token are gone.
 */
enum reason trial_key(
    struct token *token, CK_OBJECT_HANDLE private, const struct hsm_key *key);

#endif
