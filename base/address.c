/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Addresses as configurations have them: a numeric one, in square brackets if
 * it is IPv6, and a port.  Host names are refused: what a daemon listens on or
 * looks at does not depend on who answers for a name.
 */

#include "base/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define HOST_MAX (INET6_ADDRSTRLEN + 2)
#define PORT_MAX 65535

static bool
parse_port(const char *text, in_port_t *ret_port)
{
	unsigned long port;
	char *end;

	/* strtoul takes blanks and signs, too. */
	if (text[0] < '0' || text[0] > '9')
		return false;
	port = strtoul(text, &end, 10);
	if (*end != '\0' || port > PORT_MAX)
		return false;
	*ret_port = htons((in_port_t)port);
	return true;
}

/* host is written to. */
static bool
parse_host(char *host, in_port_t port, union address *ret_address)
{
	size_t len = strlen(host);

	if (inet_pton(AF_INET, host, &ret_address->v4.sin_addr) == 1) {
		ret_address->v4.sin_family = AF_INET;
		ret_address->v4.sin_port = port;
		return true;
	}
	if (len < 4 || host[0] != '[' || host[len - 1] != ']')
		return false;
	host[len - 1] = '\0';
	if (inet_pton(AF_INET6, host + 1, &ret_address->v6.sin6_addr) != 1)
		return false;
	ret_address->v6.sin6_family = AF_INET6;
	ret_address->v6.sin6_port = port;
	return true;
}

bool
address_parse(const char *text, union address *ret_address)
{
	const char *colon = strrchr(text, ':');
	/* The larger of them, so that all of it is zero. */
	union address address = { .v6 = { .sin6_family = AF_UNSPEC } };
	char host[HOST_MAX];
	in_port_t port;
	size_t len;

	if (colon == NULL || !parse_port(colon + 1, &port))
		return false;
	len = (size_t)(colon - text);
	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (!parse_host(host, port, &address))
		return false;
	*ret_address = address;
	return true;
}

socklen_t
address_len(const union address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof(address->v6)
						  : sizeof(address->v4);
}

uint16_t
address_port(const union address *address)
{
	return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port
							: address->v4.sin_port);
}

bool
address_is_loopback(const union address *address)
{
	if (address->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
	return ntohl(address->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}
