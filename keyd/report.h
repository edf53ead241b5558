/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_REPORT_H
#define KEYD_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "hsm/hsm.h"
#include "keyd/audit.h"
#include "keyd/policy.h"
#include "keyd/publisher.h"
#include "keyd/registry.h"
#include "keyd/signer.h"
#include "rpc/server.h"

/*
 * How keyd is: the Status service, and the thread that keeps what
 * grpc.health.v1 answers true to it.
 */
struct report;

struct report_config { /* borrowed, as is all that it points to */
	const char *domain;
	const char *name; /* of this keyd */
	struct hsm *const *pools;
	const char *const *pool_names;
	size_t n_pools;
	struct policy_slot *policy;
	struct audit *audit;
	struct signer *signer;
	struct publisher *publisher;
	struct registry *registry;
};

STATUS report_new(
    const struct report_config *config, struct report **ret_report);

/* Adds Status.Get and Status.Signing.  Before rpc_server_start. */
void report_register(struct report *report, struct rpc_server *server);

/*
 * Watch five times a second whether keyd can sign, and tell the server's health
 * service.  After rpc_server_start; report_stop ends it, before the drain.
 */
STATUS report_watch(struct report *report, struct rpc_server *server);
void report_stop(struct report *report); /* NULL is allowed */
void report_free(struct report *report); /* stops first; NULL is allowed */

/* Can keyd sign: is a lane ready, and the journal writable? */
bool report_is_serving(const struct report *report);

#endif
