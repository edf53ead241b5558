/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where each name leads: along its CNAMEs to the resource's own target, and
 * from there to an address.  A name that is not there, one that leads in
 * circles, into nothing or to servers that do not answer for it are told apart.
 * Names with addresses and no CNAME are for check_flattened.c to judge.
 */

#include <inttypes.h>
#include <string.h>

#include "certd/check_address.h"
#include "certd/check_servers.h"

#define LEVELS_MAX 4

/* ---- what was seen ---- */

static void
show_chain(const struct check_host *host, struct check_finding *finding)
{
	const struct dns_chain *chain = &host->chain;
	struct word_list addresses = { 0 };

	for (size_t i = 0; i + 1 < chain->n_hops; i++)
		check_seen(finding, "%s%s CNAME %s (TTL %" PRIu32 " s)",
		    i == 0 ? "" : ", ", chain->hops[i], chain->hops[i + 1],
		    chain->ttls_s[i]);
	for (size_t i = 0; i < chain->n_addresses; i++)
		word_list_add(&addresses, chain->addresses[i]);
	if (chain->n_addresses > 0)
		check_seen(finding, "%s%s has %s",
		    chain->n_hops > 1 ? "; " : "",
		    chain->n_hops > 1 ? "the last" : host->name,
		    word_list_end(&addresses));
	if (host->answers[0] != 0)
		check_detail(finding, "%s", host->answers);
}

static const char *
last_hop(const struct check_host *host)
{
	const struct dns_chain *chain = &host->chain;

	return chain->n_hops == 0 ? host->name : chain->hops[chain->n_hops - 1];
}

/* ---- servers that do not answer for their zone ---- */

static void
name_lame(const struct dns_zone *zone, const struct dns_answer *answers,
    struct check_finding *finding)
{
	size_t lame = 0;

	for (size_t i = 0; i < zone->n_servers; i++) {
		const char *address = zone->servers[i].address;

		if (answers[i].code == DNS_OK && answers[i].is_authoritative)
			continue;
		check_seen(finding, "%s%s (%s) %s", lame == 0 ? "; " : ", ",
		    zone->servers[i].name,
		    address[0] == 0 ? "no address" : address,
		    answers[i].code == DNS_OK ? "does not answer for it (lame)"
					      : dns_code_name(answers[i].code));
		lame++;
	}
	if (lame > 0)
		check_why(finding,
		    "; %zu of %zu servers of zone %s do not answer for it",
		    lame, zone->n_servers, zone->name);
}

/* The closest zone above that answers; what it delegates does not. */
static void
look_above(const struct check_run *run, const char *name,
    struct check_finding *finding)
{
	struct dns_zone zone = { .n_servers = 0 };
	char why[DNS_WHY_MAX];
	const char *above = strchr(name, '.');

	for (unsigned i = 0;
	     i < LEVELS_MAX && above != NULL && !check_is_late(run); i++) {
		if (!failed(dns_find_zone(
			run->config->resolver, above + 1, &zone, why))) {
			check_seen(finding,
			    "; the zone above, %s, answers, and the servers "
			    "that it names for %s do not (lame), or DNSSEC "
			    "fails there",
			    zone.name, name);
			return;
		}
		name = above + 1;
		above = strchr(name, '.');
	}
}

static void
look_for_lame(const struct check_run *run, const char *name,
    struct check_finding *finding)
{
	struct dns_zone zone = { .n_servers = 0 };
	struct dns_answer answers[DNS_ZONE_SERVERS_MAX];
	struct word_list unasked = { 0 };
	char why[DNS_WHY_MAX] = "";

	if (check_is_late(run))
		return;
	if (failed(dns_find_zone(run->config->resolver, name, &zone, why))) {
		check_seen(finding, "; %s", why);
		look_above(run, name, finding);
		return;
	}
	check_servers_choose(run, &zone, &unasked);
	if (failed(dns_ask_servers(
		run->config->resolver, &zone, zone.name, DNS_SOA, answers)))
		return;
	name_lame(&zone, answers, finding);
	for (size_t i = 0; i < zone.n_servers; i++)
		dns_answer_done(&answers[i]);
}

/* ---- the verdict ---- */

static void
is_missing(const struct check_run *run, const struct check_host *host,
    struct check_finding *finding)
{
	bool is_nx = host->chain.end == DNS_CHAIN_NXDOMAIN;
	const char *last = last_hop(host);

	if (host->reaches_target || host->is_ours) {
		check_seen(finding, "; %s %s", last,
		    is_nx ? "does not exist (NXDOMAIN)" : "has no address");
		check_why(finding,
		    "the operator's zone has no address for this resource's "
		    "target");
		check_remedy(finding,
		    "the operator puts into the zone:  %s.  A  "
		    "ADDRESS-OF-AN-EDGE",
		    last);
		return;
	}
	if (host->chain.n_hops > 1) {
		check_seen(finding, "; %s %s", last,
		    is_nx ? "does not exist (NXDOMAIN): the CNAME dangles"
			  : "has no address");
		check_why(finding,
		    "visitors and CAs find no server; who can register the "
		    "name it points at can serve this one");
	} else {
		check_seen(finding, "%s %s", host->name,
		    is_nx ? "does not exist (NXDOMAIN)"
			  : "exists and has neither CNAME nor address");
		check_why(finding, "visitors and CAs find no server");
	}
	check_address_line(run, host, finding);
}

static void
is_failing(const struct check_run *run, const struct check_host *host,
    struct check_finding *finding)
{
	const char *last = last_hop(host);

	check_seen(finding, "%s%s: %s", host->chain.n_hops > 1 ? "; " : "",
	    last, dns_code_name(host->chain.code));
	check_why(finding,
	    "CAs take a look-up that fails for a no, and visitors find no "
	    "server");
	look_for_lame(run, last, finding);
	check_remedy(finding,
	    "see that all name servers of the zone of %s answer for it, that "
	    "the registry's list of them is right, and that DNSSEC "
	    "signatures are valid",
	    last);
}

static void
is_circular(const struct check_run *run, const struct check_host *host,
    struct check_finding *finding)
{
	check_seen(finding, "; %s",
	    host->chain.end == DNS_CHAIN_LOOP
		? "the CNAMEs lead in a circle"
		: "more CNAMEs than resolvers follow");
	check_why(finding, "no resolver comes to an address");
	check_address_line(run, host, finding);
}

/* It has an address; where does that belong? */
static void
leads_somewhere(const struct check_run *run, const struct check_host *host,
    struct check_finding *finding)
{
	struct check_addresses addresses;

	if (host->reaches_target || host->is_ours || !run->has_target) {
		finding->result = CHECK_PASS;
		if (host->resolvers_differ) {
			finding->result = CHECK_WARNING;
			check_why(finding, "the resolvers differ: a change is "
					   "still spreading");
			check_remedy(
			    finding, "wait until its old TTL has passed");
		}
		return;
	}
	check_address_compare(run, host, CHECK_BOTH, &addresses);
	if (host->chain.n_hops == 1 || addresses.n == addresses.n_ours) {
		finding->result = CHECK_NOT_APPLICABLE;
		check_seen(finding, "; no CNAME to %s, see the next finding",
		    run->resource.target);
		return;
	}
	check_why(finding,
	    "it leads to %s and not to this resource's target: visitors and "
	    "CAs go elsewhere",
	    last_hop(host));
	check_address_line(run, host, finding);
}

static struct status
judge(struct check_run *run, const struct check_host *host)
{
	struct check_finding finding = { .result = check_weigh(run, host),
		.hostname = host->name };

	show_chain(host, &finding);
	switch (host->chain.end) {
	case DNS_CHAIN_ADDRESS:
		leads_somewhere(run, host, &finding);
		break;
	case DNS_CHAIN_NOTHING:
	case DNS_CHAIN_NXDOMAIN:
		is_missing(run, host, &finding);
		break;
	case DNS_CHAIN_LOOP:
	case DNS_CHAIN_TOO_LONG:
		is_circular(run, host, &finding);
		break;
	case DNS_CHAIN_FAILED:
		is_failing(run, host, &finding);
		break;
	}
	return check_add(run, &finding);
}

struct status
check_dns(struct check_run *run)
{
	struct status st = status_ok();

	for (size_t i = 0; i < run->n_hosts && !failed(st); i++)
		st = judge(run, &run->hosts[i]);
	return st;
}
