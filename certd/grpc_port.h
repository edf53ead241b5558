/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_GRPC_PORT_H
#define CERTD_GRPC_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "rpc/server.h"

/*
 * certd's gRPC port: every method of the tables, for whom the tables name.
 * Callers are told by their SPIFFE IDs: operators and auditors, who see all
 * accounts, and edges.
 */
struct grpc_port;

struct grpc_port_config { /* borrowed for the port's life */
	const char *listen;
	const char *ca_pem;
	const char *domain; /* of callers */
	struct api *api;    /* complete */
	/* As rpc_server_config.identity. */
	struct status (*identity)(void *ctx, bool *ret_changed,
	    char **ret_cert_pem, char **ret_key_pem);
	void *identity_ctx;
	struct metrics *metrics;
};

/* Streams are put on the server before it is started. */
STATUS grpc_port_open(
    const struct grpc_port_config *config, struct grpc_port **ret_port);
struct rpc_server *grpc_port_server(struct grpc_port *port);
STATUS grpc_port_start(struct grpc_port *port);
/* Ends calls, waits for them, releases all.  NULL is allowed. */
void grpc_port_close(struct grpc_port *port);
SCOPED_RELEASE(grpc_port_close, struct grpc_port *);

/* Who that is.  UNAUTHENTICATED, or PERMISSION_DENIED for the roles that have
 * no business with certd. */
STATUS grpc_port_caller(
    const struct rpc_peer *peer, const char *domain, struct caller *ret_caller);
/* rpc_server_config.authorize: by identity and method, before a byte of the
 * request is parsed. */
STATUS grpc_port_authorize(const struct api *api, const char *domain,
    const struct rpc_peer *peer, const char *method);

#endif
