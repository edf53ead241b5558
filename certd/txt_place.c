/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The place of a challenge's TXT record, for who puts it there (solver.c) and
 * for who looks before (check_dns01.c).  A wildcard's CNAME ends where the
 * record begins, so it is none to follow; it is told by a name beside it that
 * nobody has.
 */

#include "certd/txt_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/scoped.h"

STATUS
txt_place_find(struct dns_resolver *resolver, const char *name,
    struct dns_chain *ret_chain)
{
	scoped(free) struct dns_chain *chains = calloc(2, sizeof(*chains));
	const char *base = strchr(name, '.');
	char beside[DNS_NAME_MAX];
	const char *const names[] = { name, beside };
	struct dns_chain *chain, *other;
	struct status st;

	if (chains == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	if ((size_t)snprintf(beside, sizeof(beside), "_holdfast-none%s",
		base == NULL ? "" : base) >= sizeof(beside))
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "the host name is too long");
	st = dns_chain(resolver, names, 2, chains);
	if (failed(st))
		return st;
	chain = &chains[0];
	other = &chains[1];
	if (chain->n_hops >= 2 && other->n_hops >= 2 &&
	    strcasecmp(chain->hops[1], other->hops[1]) == 0) {
		chain->n_hops = 1;
		chain->n_addresses = 0;
		chain->end = DNS_CHAIN_NOTHING;
		chain->code = DNS_OK;
	}
	*ret_chain = *chain;
	return st;
}

size_t
txt_place_zone(const struct conf_strings *zones, const char *name)
{
	size_t len = strlen(name), best = 0;

	for (size_t i = 0; i < zones->len; i++) {
		size_t zone = strlen(zones->at[i]);

		if (zone > 0 && zones->at[i][zone - 1] == '.')
			zone--;
		if (zone <= best || zone > len ||
		    strncasecmp(name + len - zone, zones->at[i], zone) != 0)
			continue;
		if (zone == len || name[len - zone - 1] == '.')
			best = zone;
	}
	return best;
}
