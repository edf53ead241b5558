/* SPDX-License-Identifier: Apache-2.0 */

/*
 * gRPC in front of certd/api.h.  A connection was authenticated by TLS; each
 * call is authorized here by its caller's identity and its method's name, then
 * decoded by rpc, then asked.  Refuses identities of other domains, those that
 * expired since they connected, and roles that no table names.
 */

#include "certd/grpc_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/spiffe.h"
#include "proto/message.h"

/* A bundle of 256 KiB and what stands around it. */
#define REQUEST_MAX (1024 * 1024)
/* Calls that wait for keyd hold a thread each. */
#define THREADS 16
#define DRAIN_GRACE_NS (10 * NS_PER_S)

struct method {
	struct grpc_port *port;
	const struct api_method *method;
};

struct grpc_port {
	struct grpc_port_config config;
	struct rpc_server *server;
	struct method *methods;
	bool started;
};

/* ---- who calls ---- */

static unsigned
kind_of(enum role role)
{
	switch (role) {
	case ROLE_OPERATOR:
		return ALLOW_OPERATOR;
	case ROLE_AUDITOR:
		return ALLOW_AUDITOR;
	case ROLE_EDGE:
		return ALLOW_EDGE;
	default:
		return 0;
	}
}

STATUS
grpc_port_caller(
    const struct rpc_peer *peer, const char *domain, struct caller *ret_caller)
{
	struct caller caller = { .account = 0 };
	struct spiffe id;

	if (failed(spiffe_parse(peer->spiffe_id, &id)))
		return status_fail(STATUS_UNAUTHENTICATED,
		    "the certificate holds no SPIFFE ID that certd can read");
	if (strcmp(id.domain, domain) != 0)
		return status_fail(STATUS_UNAUTHENTICATED,
		    "the certificate is of another trust domain");
	/* TLS looked when the connection was made; that may be long ago. */
	if (peer->not_after_s <= clock_wall_s())
		return status_fail(STATUS_UNAUTHENTICATED,
		    "the caller's certificate has expired: renew it and "
		    "connect again");
	caller.is = kind_of(id.role);
	if (caller.is == 0)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "certd serves operators, auditors and edges; this "
		    "identity is none of them");
	caller.not_after_s = peer->not_after_s;
	snprintf(caller.actor, sizeof(caller.actor), "%s/%s",
	    role_name(id.role), id.name);
	*ret_caller = caller;
	return status_ok();
}

/* Load balancers and grpcurl work unmodified. */
static bool
is_for_everyone(const char *method)
{
	static const char *const SERVICES[] = { "/grpc.health.v1.Health/",
		"/grpc.reflection.v1.ServerReflection/",
		"/grpc.reflection.v1alpha.ServerReflection/" };

	for (size_t i = 0; i < sizeof(SERVICES) / sizeof(SERVICES[0]); i++)
		if (strncmp(SERVICES[i], method, strlen(SERVICES[i])) == 0)
			return true;
	return false;
}

STATUS
grpc_port_authorize(const struct grpc_port_config *config,
    const struct rpc_peer *peer, const char *method)
{
	struct caller caller;
	struct status st = grpc_port_caller(peer, config->domain, &caller);

	if (!failed(st) && config->admits != NULL)
		st = config->admits(config->admits_ctx, &caller);
	if (failed(st) || is_for_everyone(method))
		return st;
	return api_admits(config->api, method, caller.is);
}

/* ---- what rpc calls ---- */

static struct status
authorize(void *ctx, const struct rpc_peer *peer, const char *method)
{
	const struct grpc_port *port = ctx;

	return grpc_port_authorize(&port->config, peer, method);
}

static struct status
identity(void *ctx, bool *ret_changed, char **ret_cert_pem, char **ret_key_pem)
{
	const struct grpc_port *port = ctx;

	return port->config.identity(
	    port->config.identity_ctx, ret_changed, ret_cert_pem, ret_key_pem);
}

static struct status
answer(void *ctx, const struct rpc_call *rpc, const ProtobufCMessage *request,
    struct rpc_reply *reply)
{
	const struct method *method = ctx;
	const struct grpc_port_config *config = &method->port->config;
	scoped(message_free) ProtobufCMessage *message = NULL;
	struct caller caller;
	struct api_call call = { .caller = &caller };
	struct status st = grpc_port_caller(rpc->peer, config->domain, &caller);

	if (!failed(st))
		st = api_ask(
		    config->api, method->method, &call, request, &message);
	if (!failed(st))
		rpc_reply_set(reply, message);
	else if (call.why[0] != 0)
		rpc_reply_why(reply, "%s", call.why);
	return st;
}

/* ---- life ---- */

static struct status
add_methods(struct grpc_port *port)
{
	const struct api *api = port->config.api;
	size_t n = api_count(api);

	port->methods = calloc(n + 1, sizeof(*port->methods));
	if (port->methods == NULL)
		return message_no_memory();
	for (size_t i = 0; i < n; i++) {
		struct method *method = &port->methods[i];

		method->port = port;
		method->method = api_at(api, i);
		rpc_server_add_unary(port->server, method->method->service,
		    method->method->name, answer, method);
	}
	return status_ok();
}

STATUS
grpc_port_open(
    const struct grpc_port_config *config, struct grpc_port **ret_port)
{
	struct grpc_port *port = calloc(1, sizeof(*port));
	struct rpc_server_config to = { .listen = config->listen,
		.ca_pem = config->ca_pem,
		.unary_threads = THREADS,
		.message_max = REQUEST_MAX,
		.identity = identity,
		.authorize = authorize,
		.ctx = port,
		.metrics = config->metrics };
	struct status st;

	if (port == NULL)
		return message_no_memory();
	port->config = *config;
	st = rpc_server_new(&to, &port->server);
	if (!failed(st))
		st = add_methods(port);
	if (failed(st)) {
		grpc_port_close(port);
		return st;
	}
	*ret_port = port;
	return st;
}

struct rpc_server *
grpc_port_server(struct grpc_port *port)
{
	return port->server;
}

STATUS
grpc_port_start(struct grpc_port *port)
{
	struct status st = rpc_server_start(port->server);

	if (failed(st))
		return st;
	port->started = true;
	rpc_server_set_serving(port->server, true);
	return st;
}

void
grpc_port_close(struct grpc_port *port)
{
	if (port == NULL)
		return;
	if (port->started)
		rpc_server_drain(port->server, DRAIN_GRACE_NS);
	rpc_server_free(port->server);
	free(port->methods);
	free(port);
}
