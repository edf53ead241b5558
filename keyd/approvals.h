/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_APPROVALS_H
#define KEYD_APPROVALS_H

#include <stdbool.h>
#include <stddef.h>
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
 *
 * A vote counts for an operator who joined before the request was made and is
 * not quarantined when the votes are counted.
 */
struct approvals;

#define APPROVALS_QUORUM_MAX 16

struct approvals_config { /* borrowed */
	struct registry *registry;
	struct audit *audit;
	const char *self; /* SPIFFE ID of this keyd, which ends what expires */
	unsigned quorum;
	int64_t lifetime_s; /* of a request that waits */
};

STATUS approvals_new(
    const struct approvals_config *config, struct approvals **ret_approvals);
void approvals_free(struct approvals *approvals); /* NULL is allowed */
SCOPED_RELEASE(approvals_free, struct approvals *);
void approvals_register(struct approvals *approvals, struct rpc_server *server);

/*
 * What does an approved act, on the thread of the last vote's call, whose peer
 * is that voter.  Checks again all that may have changed since it was asked
 * for, and records itself as custody acts do (approvals_names says who wanted
 * it).  After a crash it may be called again for an act that was done already:
 * that is OK, not a failure.  UNAVAILABLE, DEADLINE_EXCEEDED and
 * RESOURCE_EXHAUSTED leave the approval waiting and are tried again; any other
 * failure ends it.
 */
typedef struct status (*approvals_do)(void *ctx, const struct rpc_call *call,
    const ProtobufCMessage *request, const struct registry_approval *approval);
/* Before approvals_register.  method: "Keys/Grant", static. */
void approvals_add(struct approvals *approvals, const char *method,
    const ProtobufCMessageDescriptor *request, approvals_do fn, void *ctx);

/* Must acts wait at all?  quorum > 1. */
bool approvals_needed(const struct approvals *approvals);

/*
 * How a service lets an act wait, once it has checked all that it can:
 *
 *	if (approvals_needed(custody->config.approvals)) {
 *		struct approvals_ask ask = { .call = call,
 *			.method = "Keys/Grant", .request = request,
 *			.act = "grant edge/a tls13_server on www beyond ...",
 *			.key = &key.id, .comment = asked->comment };
 *		struct registry_approval row;
 *		struct approval_view view;
 *
 *		st = approvals_ask(custody->config.approvals, &ask, &row);
 *		if (!failed(st)) {
 *			approval_view_init(&view, &row);
 *			response.approval = &view.approval;
 *		}
 *	}
 */
struct approvals_ask {
	const struct rpc_call *call;
	const char *method;
	const ProtobufCMessage *request;
	const char *act; /* all that a voter must know: "destroy key www" */
	const struct key_id *key; /* NULL: of no one key */
	const char *comment;
	const char *on_behalf_of; /* for the record; NULL: nobody */
};
/* Records it and lets it wait; ret_approval is the row.  FAILED_PRECONDITION:
 * fewer operators are enrolled than the quorum. */
STATUS approvals_ask(struct approvals *approvals,
    const struct approvals_ask *ask, struct registry_approval *ret_approval);

/* "alice, bob": the operators who want it. */
void approvals_names(
    const struct registry_approval *approval, char *ret_text, size_t max);

/*
 * Ends what has expired, and does what has its quorum but was kept from being
 * done: at start, after all approvals_add, then every second.  One thread.
 */
void approvals_tick(struct approvals *approvals);

#endif
