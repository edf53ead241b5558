/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The address a request counts as from.  It is the connection's own, unless
 * that is a proxy's that is trusted and says another; what a stranger says of
 * itself is not looked at.  Read once, when the head is there.
 */

#include "certd/rest_client.h"

#include <arpa/inet.h>

#include <microhttpd.h>

#include "base/log.h"

static enum MHD_Result
take(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind;
	forwarded_take(cls, name, value == NULL ? "" : value);
	return MHD_YES;
}

static void
print(const union address *from, char *to, socklen_t max)
{
	const void *octets = from->any.sa_family == AF_INET6
				 ? (const void *)&from->v6.sin6_addr
				 : (const void *)&from->v4.sin_addr;

	to[0] = 0;
	(void)inet_ntop(from->any.sa_family, octets, to, max);
}

/* Without TLS whoever connects is on this machine: it is a proxy, and people
 * behind it wait for each other.  Said once. */
static void
remind(struct rest_request *request)
{
	struct rest *rest = request->rest;
	const char *name = rest->config.proxy_header == FORWARDED_X
			       ? "X-Forwarded-For"
			       : "Forwarded";

	if (rest->tls != NULL || atomic_load(&rest->reminded) ||
	    MHD_lookup_connection_value(
		request->connection, MHD_HEADER_KIND, name) == NULL)
		return;
	if (!atomic_exchange(&rest->reminded, true))
		log_warn("a proxy brings requests that rest.trusted_proxies "
			 "does not name: all its clients count as one",
		    LOG_STR("proxy", request->address));
}

void
rest_client_find(struct rest_request *request)
{
	const struct rest *rest = request->rest;
	struct forwarded forwarded;

	forwarded_init(&forwarded, &rest->proxies, rest->config.proxy_header,
	    (const void *)&request->from->address);
	if (forwarded.is_peer_trusted)
		MHD_get_connection_values(
		    request->connection, MHD_HEADER_KIND, take, &forwarded);
	request->client = *forwarded_client(&forwarded);
	request->by_proxy = forwarded.is_peer_trusted;
	request->by_https = forwarded_is_https(&forwarded);
	print(&request->client, request->address, sizeof(request->address));
	if (!forwarded.is_peer_trusted)
		remind(request);
}

bool
rest_client_is_proxy(const struct rest *rest, const struct sockaddr *address)
{
	struct forwarded forwarded;

	forwarded_init(
	    &forwarded, &rest->proxies, rest->config.proxy_header, address);
	return forwarded.is_peer_trusted;
}
