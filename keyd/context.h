/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_CONTEXT_H
#define KEYD_CONTEXT_H

#include "base/bytes.h"
#include "base/signing.h"
#include "base/status.h"
#include "keyd/policy.h"

/*
 * Know what you sign: is this content what its context claims, and may a key of
 * this algorithm sign it with this scheme?  Content that passes for one context
 * passes for no other (raw aside, which takes what none of the others would).
 * Every why is static and says what to send instead.  Pure; any thread.
 */
STATUS context_check(enum sign_context context, unsigned scheme,
    const struct policy_key *key, struct bytes content);

#endif
