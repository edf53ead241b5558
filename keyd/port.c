/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keyd's ports.  On the main port nobody is heard without a certificate and a
 * role that the table lets in; on the enrollment port callers have none yet,
 * and may do nothing but enroll.
 */

#include "keyd/port.h"

static struct status
port_identity(
    void *ctx, bool *ret_changed, char **ret_cert_pem, char **ret_key_pem)
{
	struct port *port = ctx;

	return authority_identity(port->authority, &port->identity_seen,
	    ret_changed, ret_cert_pem, ret_key_pem);
}

static struct status
port_authorize(void *ctx, const struct rpc_peer *peer, const char *method)
{
	struct port *port = ctx;

	return roles_authorize(&port->roles, peer, method);
}

static struct status
port_authorize_newcomer(
    void *ctx, const struct rpc_peer *peer, const char *method)
{
	struct port *port = ctx;

	return roles_authorize_newcomer(&port->roles, peer, method);
}

STATUS
port_open(struct port *port, const struct port_config *config)
{
	bool is_for_newcomers = config->main != NULL;
	struct rpc_server_config to = {
		.listen = config->listen,
		.ca_pem = authority_ca_pem(config->authority),
		.anonymous = is_for_newcomers,
		.identity = port_identity,
		.authorize =
		    is_for_newcomers ? port_authorize_newcomer : port_authorize,
		.ctx = port,
		.beside = config->main,
		/* Metrics of both in one registry would count as one. */
		.metrics = is_for_newcomers ? NULL : config->metrics,
	};

	port->authority = config->authority;
	port->roles = config->roles;
	return rpc_server_new(&to, &port->server);
}
