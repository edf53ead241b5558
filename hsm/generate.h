/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_GENERATE_H
#define HSM_GENERATE_H

#include "hsm/describe.h"

/* 1 to 63 printable ASCII characters. */
bool generate_label_ok(const char *label);
/* LABEL_TAKEN when a private key of the token has it. */
enum reason generate_label_free(struct token *token, const char *label);

/*
 * Make a key pair that can sign and do nothing else, check it, and only then
 * give it its label and id.  The caller holds the token's lock.  On failure no
 * object stays in the token, unless the token itself went away.
 */
enum reason generate_key(struct token *token, enum key_alg alg,
    const char *label, struct hsm_key *ret_key);

/*
 * Destroy what was left unfinished by workers that died.  The caller holds the
 * token's lock, as does who is making a key, so nothing here is in the making.
 */
enum reason generate_clean(struct token *token);

#endif
