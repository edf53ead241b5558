/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_DESCRIBE_H
#define HSM_DESCRIBE_H

#include "hsm/keys.h"

/*
 * A key pair as the token reports it, read object by object: label, the
 * attributes that say whether it can leave, the public key as DER SPKI, and the
 * SPKI's hash as id.  public may be CK_INVALID_HANDLE for an RSA key, whose
 * private object has the public numbers.  An attribute that cannot be read
 * counts as the worse answer.
 */
enum reason describe_key(struct token *token, CK_OBJECT_HANDLE private,
    CK_OBJECT_HANDLE public, struct hsm_key *ret_key);

/* The same of the attributes alone: those that say whether it can leave. */
void describe_flags(
    struct token *token, CK_OBJECT_HANDLE private, struct hsm_key *key);

/* One CK_BBOOL; `unreadable` when the token does not say. */
bool describe_flag(struct token *token, CK_OBJECT_HANDLE handle,
    CK_ATTRIBUTE_TYPE type, bool unreadable);

/* Find by id or label, describe, and check that the id is the key's own. */
enum reason describe_find(struct token *token, const struct key_id *id,
    const char *label, struct hsm_key *ret_key);

#endif
