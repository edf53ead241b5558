/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_PROVIDER_ASK_H
#define EDGE_PROVIDER_ASK_H

#include "base/bytes.h"
#include "base/signing.h"
#include "edge/provider/key.h"

/*
 * Have keyd sign content with a key that signs.  May block, or pause the ASYNC
 * job, as transport_sign.  False, and raised with its reason, when there is no
 * signature; ret_signature is then untouched.
 */
bool ask_signature(const struct key *key, enum sign_scheme scheme,
    struct bytes content, struct signature *ret_signature);

#endif
