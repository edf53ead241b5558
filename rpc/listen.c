/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port and its TLS: what a connection may ask of the server before it is
 * anybody's, and the certificate that it is shown, fetched anew for each.
 *
 * Client certificates are required and verified; the modes of core that leave
 * verifying to the application accept those of any CA.
 */
#include "rpc/rpc_int.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/member_key.h"

#define MESSAGE_MAX ((size_t)256 * 1024)
#define STREAMS_MAX 128
#define IDLE_PING_NS (30 * NS_PER_S)

STATUS
rpc_listen_create(struct rpc_server *server)
{
	const struct rpc_server_config *config = &server->config;
	int64_t ping_ms =
	    (config->idle_ping_ns > 0 ? config->idle_ping_ns : IDLE_PING_NS) /
	    NS_PER_MS;
	unsigned streams =
	    config->streams_max == 0 ? STREAMS_MAX : config->streams_max;
	struct rpc_args args;

	rpc_args_shared(&args,
	    config->message_max == 0 ? MESSAGE_MAX : config->message_max);
	rpc_args_int(&args, GRPC_ARG_MAX_CONCURRENT_STREAMS,
	    streams > INT_MAX ? INT_MAX : (int)streams);
	/* Else a second daemon could take half of the connections. */
	rpc_args_int(&args, GRPC_ARG_ALLOW_REUSEPORT, 0);
	rpc_args_int(&args, GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10000);
	rpc_args_int(&args, GRPC_ARG_KEEPALIVE_TIME_MS,
	    ping_ms > INT_MAX ? INT_MAX : (int)ping_ms);
	rpc_args_int(&args, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
	/* Clients ping every 20 s (client.c); more often than this is abuse. */
	rpc_args_int(
	    &args, GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
	grpc_channel_args all = { .num_args = args.n, .args = args.at };
	server->grpc = grpc_server_create(&all, NULL);
	if (server->grpc == NULL)
		return status_fail(
		    STATUS_INTERNAL, "gRPC core makes no server");
	return status_ok();
}

/* With identity_mu held. */
static grpc_ssl_certificate_config_reload_status
fetch_locked(
    struct rpc_server *server, grpc_ssl_server_certificate_config **ret_config)
{
	const struct rpc_server_config *config = &server->config;
	bool first = !server->has_identity;
	bool changed = first;
	char *cert = NULL;
	char *key = NULL;
	struct status st = config->identity(config->ctx, &changed, &cert, &key);

	if (!failed(st) && (changed || first))
		st = cert == NULL || key == NULL
			 ? status_fail(
			       STATUS_INTERNAL, "there is no TLS identity")
			 : rpc_core_check_identity(cert, key);
	server->identity_st = st;
	grpc_ssl_certificate_config_reload_status ret =
	    GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
	if (failed(st)) {
		log_debug("no new TLS identity", LOG_STATUS(st));
		ret = GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
	} else if (changed) {
		grpc_ssl_pem_key_cert_pair pair = { .private_key = key,
			.cert_chain = cert };

		/* Core wants roots even when it asks for no certificate. */
		*ret_config = grpc_ssl_server_certificate_config_create(
		    config->ca_pem == NULL ? cert : config->ca_pem, &pair, 1);
		server->has_identity = true;
		ret = GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
	}
	free(cert);
	/* The key was in this string, and is in core's memory now. */
	member_text_free(key);
	return ret;
}

/* Core calls this when the port is bound and for each new connection; on
 * failure it goes on with the identity before. */
static grpc_ssl_certificate_config_reload_status
fetch(void *arg, grpc_ssl_server_certificate_config **ret_config)
{
	struct rpc_server *server = arg;

	pthread_mutex_lock(&server->identity_mu);
	grpc_ssl_certificate_config_reload_status ret =
	    fetch_locked(server, ret_config);
	pthread_mutex_unlock(&server->identity_mu);
	return ret;
}

STATUS
rpc_listen_bind(struct rpc_server *server)
{
	const struct rpc_server_config *config = &server->config;

	if (!config->anonymous) {
		struct status st = rpc_core_check_ca(config->ca_pem);
		if (failed(st))
			return st;
	}
	server->has_identity = false;
	server->identity_st = status_ok();
	grpc_server_credentials *creds =
	    grpc_ssl_server_credentials_create_with_options(
		grpc_ssl_server_credentials_create_options_using_config_fetcher(
		    config->anonymous
			? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
			: GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY,
		    fetch, server));
	server->port =
	    grpc_server_add_http2_port(server->grpc, config->listen, creds);
	grpc_server_credentials_release(creds);
	if (server->port > 0)
		return status_ok();
	server->port = 0;
	if (failed(server->identity_st))
		return server->identity_st;
	return status_fail(STATUS_UNAVAILABLE,
	    "cannot listen there: is the address this host's, and the port "
	    "free?");
}
