/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_AUDIT_SERVICE_H
#define KEYD_AUDIT_SERVICE_H

#include "base/scoped.h"
#include "base/status.h"
#include "keyd/publisher.h"
#include "keyd/registry.h"
#include "rpc/server.h"

/*
 * The Audit service: reads the ledger for operators and auditors, takes
 * witnesses' lines, changes the ledger key.
 */
struct audit_service;

struct audit_service_config { /* borrowed */
	struct publisher *publisher;
	struct registry *registry;
	const char *url; /* where the ledger is served over HTTP; "" */
};

STATUS audit_service_new(const struct audit_service_config *config,
    struct audit_service **ret_service);
/* After the server's drain: its streams are closed.  NULL is allowed. */
void audit_service_free(struct audit_service *service);
SCOPED_RELEASE(audit_service_free, struct audit_service *);

/* Before rpc_server_start. */
void audit_service_register(
    struct audit_service *service, struct rpc_server *server);

#endif
