/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_LEDGER_KEY_H
#define KEYD_LEDGER_KEY_H

#include "base/bytes.h"
#include "base/status.h"
#include "ledger/note.h"

/*
 * Names of the audit ledger and its keys.  Pure functions.
 */

/* The ledger's origin, which is its keys' name: "DOMAIN/keyd/NAME". */
STATUS ledger_key_origin(
    const char *domain, const char *name, char ret_origin[NOTE_NAME_MAX]);

/* The verifier key of a token's key.  INVALID_ARGUMENT: not Ed25519. */
STATUS ledger_key_of(
    const char *origin, struct bytes spki, struct note_key *ret_key);

#endif
