/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Addresses of host names and of targets; see check_address.h.  Sets are
 * compared, not lists: servers answer in any order, and with a part of many.
 */

#include "certd/check_address.h"

#include <string.h>

bool
check_address_is_v6(const char *address)
{
	return strchr(address, ':') != NULL;
}

static bool
has(const struct dns_chain *chain, const char *address)
{
	for (size_t i = 0; i < chain->n_addresses; i++)
		if (strcmp(chain->addresses[i], address) == 0)
			return true;
	return false;
}

void
check_address_compare(const struct check_run *run,
    const struct check_host *host, enum check_family family,
    struct check_addresses *ret)
{
	*ret = (struct check_addresses){ .n = 0 };
	for (size_t i = 0; i < host->chain.n_addresses; i++) {
		const char *address = host->chain.addresses[i];

		if (family != CHECK_BOTH &&
		    check_address_is_v6(address) != (family == CHECK_V6))
			continue;
		ret->n++;
		word_list_add(&ret->all, address);
		if (has(&run->target, address))
			ret->n_ours++;
		else
			word_list_add(&ret->foreign, address);
	}
}

/* Is the name the top of its zone? */
static bool
is_apex(const struct check_run *run, const char *name)
{
	struct dns_question question = { name, DNS_SOA, NULL };
	struct dns_answer answer = { .code = DNS_NO_ANSWER };
	bool found = false;

	if (check_is_late(run) ||
	    failed(dns_ask(run->config->resolver, &question, 1, &answer)))
		return false;
	for (size_t i = 0; i < answer.n_records && !found; i++)
		found = answer.records[i].type == DNS_SOA &&
			strcmp(answer.records[i].name, name) == 0;
	dns_answer_done(&answer);
	return found;
}

void
check_address_line(const struct check_run *run, const struct check_host *host,
    struct check_finding *finding)
{
	if (!run->has_target) {
		check_remedy(finding,
		    "put into the DNS:  %s.  A  ADDRESS-OF-AN-EDGE",
		    host->name);
		return;
	}
	if (is_apex(run, host->name))
		check_remedy(finding,
		    "%s is the top of its zone, where no CNAME may stand: use "
		    "your DNS provider's ALIAS or ANAME record (or CNAME "
		    "flattening):  %s.  ALIAS  %s.",
		    host->name, host->name, run->resource.target);
	else
		check_remedy(finding, "put into the DNS:  %s.  CNAME  %s.",
		    host->name, run->resource.target);
}
