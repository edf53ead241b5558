/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The methods of a server, and who may call them.  A call is admitted before a
 * byte of its message is parsed: a SPIFFE ID, a certificate that has not
 * expired, the application's consent to the method.
 */
#include "rpc/rpc_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

/* ---- methods ---- */

struct rpc_method *
rpc_server_add(struct rpc_server *server,
    const ProtobufCServiceDescriptor *service, const char *name, void *ctx)
{
	const ProtobufCMethodDescriptor *known = rpc_core_method(service, name);
	struct rpc_method *method = calloc(1, sizeof(*method));

	if (known == NULL || server->started || method == NULL ||
	    (method->path = rpc_core_path(service, name)) == NULL) {
		/* A bug of the caller's, or no memory at start. */
		log_error("a method cannot be added", LOG_STR("method", name));
		abort();
	}
	method->server = server;
	method->service = service;
	method->input = known->input;
	method->ctx = ctx;
	method->next = server->methods;
	server->methods = method;
	return method;
}

void
rpc_server_add_unary(struct rpc_server *server,
    const ProtobufCServiceDescriptor *service, const char *method,
    rpc_unary_fn fn, void *ctx)
{
	rpc_server_add(server, service, method, ctx)->unary = fn;
}

void
rpc_server_add_stream(struct rpc_server *server,
    const ProtobufCServiceDescriptor *service, const char *method,
    const struct rpc_stream_ops *ops, void *ctx)
{
	rpc_server_add(server, service, method, ctx)->ops = *ops;
}

/* Every series there can be, so that none appears from nowhere later. */
void
rpc_server_add_metrics(struct rpc_server *server)
{
	struct metrics *metrics = server->config.metrics;
	struct rpc_method *method = &server->unknown;

	if (metrics == NULL)
		return;
	for (; method != NULL; method = method == &server->unknown
					    ? server->methods
					    : method->next)
		for (unsigned code = 0; code < RPC_CODES; code++) {
			char labels[256];

			snprintf(labels, sizeof(labels),
			    "method=\"%s\",code=\"%s\"", method->path,
			    status_name((enum status_code)code));
			method->calls[code] =
			    metrics_counter(metrics, "rpc_server_calls_total",
				"Calls that ended, by method and gRPC code.",
				labels);
		}
	server->open_streams = metrics_gauge(
	    metrics, "rpc_server_streams", "Streams that are open.", "");
	server->messages_in = metrics_counter(metrics,
	    "rpc_server_stream_messages_received_total",
	    "Messages received on streams.", "");
	server->messages_out =
	    metrics_counter(metrics, "rpc_server_stream_messages_sent_total",
		"Messages sent on streams, joined ones counted once.", "");
}

/* ---- calls in and out ---- */

bool
rpc_server_enter(struct rpc_server *server)
{
	pthread_mutex_lock(&server->mu);
	server->n_calls++;
	bool draining = server->draining;
	pthread_mutex_unlock(&server->mu);
	return !draining;
}

void
rpc_server_leave(struct rpc_server *server)
{
	pthread_mutex_lock(&server->mu);
	if (--server->n_calls == 0)
		pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->mu);
}

void
rpc_server_count(const struct rpc_method *method, enum status_code code)
{
	if (method->server->config.metrics != NULL)
		metric_counter_add(method->calls[code], 1);
}

STATUS
rpc_server_authorize(
    const struct rpc_method *method, const struct rpc_caller *caller)
{
	const struct rpc_server_config *config = &method->server->config;

	if (config->authorize == NULL)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "this server lets nobody call anything");
	return config->authorize(config->ctx, &caller->peer, method->path);
}

STATUS
rpc_server_admit(
    const struct rpc_arrival *arrival, struct rpc_caller **ret_caller)
{
	const struct rpc_method *method = arrival->method;
	struct rpc_server *server = method->server;
	bool serving = rpc_server_enter(server);

	*ret_caller = rpc_peers_find(
	    &server->peers, arrival->call, server->config.anonymous);
	if (*ret_caller == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "the server has no memory left for this call");
	struct status st = rpc_caller_check(*ret_caller);
	if (failed(st))
		return st;
	if (!serving)
		return status_fail(STATUS_UNAVAILABLE, "draining");
	if (method->service == NULL)
		return status_fail(
		    STATUS_UNIMPLEMENTED, "there is no such method");
	return rpc_server_authorize(method, *ret_caller);
}
