/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which of a zone's servers a check asks.  Whoever has a zone says where its
 * servers are, and may say that they are in this network: nothing is sent
 * there.  A server without an address stays, for that is worth telling.
 */

#include "certd/check_servers.h"

#include <string.h>

/* "192.0.2.1:53" or "[2001:db8::1]:53", without port and brackets. */
static void
host_of(const char *server, char ret_address[64])
{
	const char *from = server[0] == '[' ? server + 1 : server;
	const char *to =
	    server[0] == '[' ? strchr(server, ']') : strrchr(server, ':');
	size_t len = to == NULL ? strlen(from) : (size_t)(to - from);

	if (len > 63)
		len = 63;
	memcpy(ret_address, from, len);
	ret_address[len] = 0;
}

void
check_servers_choose(const struct check_run *run, struct dns_zone *zone,
    struct word_list *unasked)
{
	size_t n = 0;

	for (size_t i = 0; i < zone->n_servers; i++) {
		char address[64];

		host_of(zone->servers[i].address, address);
		if (address[0] == 0 || check_may_connect(run, address))
			zone->servers[n++] = zone->servers[i];
		else
			word_list_add(unasked, zone->servers[i].name);
	}
	zone->n_servers = n;
}
