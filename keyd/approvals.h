/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_APPROVALS_H
#define KEYD_APPROVALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "keyd/audit.h"
#include "keyd/registry.h"
#include "rpc/server.h"

/*
 * M-of-N approval and its service: acts that wait until as many operators as
 * the quorum want them.  A quorum of 1 turns it off.  The act is done by the
 * last vote's call, from the request as it was stored; request, votes and
 * outcome are entries in the ledger.
 */
struct approvals;

struct approvals_config { /* borrowed */
	struct registry *registry;
	struct audit *audit;
	unsigned quorum;
	int64_t lifetime_s; /* of a request that waits */
};

STATUS approvals_new(
    const struct approvals_config *config, struct approvals **ret_approvals);
void approvals_free(struct approvals *approvals); /* NULL is allowed */
SCOPED_RELEASE(approvals_free, struct approvals *);
void approvals_register(struct approvals *approvals, struct rpc_server *server);

/*
 * What does an approved act.  Checks again all that may have changed since it
 * was asked for, records itself as custody acts do; approval names those who
 * wanted it.
 */
typedef struct status (*approvals_do)(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, const struct registry_approval *approval);
/* Before approvals_register.  method: "Keys/Grant", static. */
void approvals_add(struct approvals *approvals, const char *method,
    const ProtobufCMessageDescriptor *request, approvals_do fn, void *ctx);

/* Must acts wait at all?  quorum > 1. */
bool approvals_needed(const struct approvals *approvals);

struct approvals_ask {
	const struct rpc_call *call;
	const char *method;
	const ProtobufCMessage *request;
	const char *act; /* "destroy key www" */
	const struct key_id *key;
	const char *comment;
};
/* Records it and lets it wait; ret_approval is the row. */
STATUS approvals_ask(struct approvals *approvals,
    const struct approvals_ask *ask, struct registry_approval *ret_approval);

#endif
