/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The authoritative servers of a zone, each asked itself, all at once.  One
 * whose name has no address stays in its place among the others, as one that
 * does not answer: who counts servers counts it too.
 */

#include "dns/resolver.h"

STATUS
dns_ask_servers(struct dns_resolver *resolver, const struct dns_zone *zone,
    const char *name, enum dns_type type,
    struct dns_answer ret_answers[DNS_ZONE_SERVERS_MAX])
{
	struct dns_question questions[DNS_ZONE_SERVERS_MAX] = { 0 };
	struct dns_answer answers[DNS_ZONE_SERVERS_MAX];
	struct status st;
	size_t n = 0;

	for (size_t i = 0; i < zone->n_servers; i++)
		if (zone->servers[i].address[0] != 0)
			questions[n++] = (struct dns_question){ .name = name,
				.type = type,
				.server = zone->servers[i].address };
	st = dns_ask(resolver, questions, n, answers);
	if (failed(st))
		return st;
	n = 0;
	for (size_t i = 0; i < zone->n_servers; i++)
		ret_answers[i] =
		    zone->servers[i].address[0] != 0
			? answers[n++]
			: (struct dns_answer){ .code = DNS_NO_ANSWER };
	return status_ok();
}
