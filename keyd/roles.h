/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_ROLES_H
#define KEYD_ROLES_H

#include <stdbool.h>

#include "base/spiffe.h"
#include "base/status.h"
#include "keyd/policy.h"
#include "rpc/server.h"

/*
 * Which role may call which method: one table, default deny.  What a caller may
 * do within a method (whose keys, which contexts) is the method's own affair.
 */

/* Method as gRPC writes it: "/holdfast.keyd.v1.Keys/List". */
bool role_may_call(enum role role, const char *method);

struct roles {
	const char *domain; /* trust domain of callers; borrowed */
	/* Tells who is quarantined; NULL: nobody is.  Borrowed. */
	struct policy_slot *policy;
};

/*
 * rpc_server_config.authorize of the main port; ctx is a struct roles.
 * UNAUTHENTICATED: no SPIFFE ID of the domain, or a certificate that has
 * expired since its connection was made.  PERMISSION_DENIED: the role, or the
 * identity is quarantined, which leaves it its health checks.
 */
STATUS roles_authorize(
    void *ctx, const struct rpc_peer *peer, const char *method);

/* The same for the enrollment port, where callers have no identity yet. */
STATUS roles_authorize_newcomer(
    void *ctx, const struct rpc_peer *peer, const char *method);

#endif
