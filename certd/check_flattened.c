/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Addresses where a CNAME is expected.  A provider that flattens CNAMEs (ALIAS,
 * ANAME) answers with the target's own addresses, which works until they
 * change.  Others are somebody else's servers: a proxying CDN, or where the
 * name pointed before.
 */

#include "certd/check_address.h"

static void
is_flattened(const struct check_run *run, const struct check_host *host,
    struct check_addresses *addresses, struct check_finding *finding)
{
	finding->result = CHECK_WARNING;
	check_seen(finding,
	    "%s has the addresses of %s (%s) and no CNAME to it: a flattened "
	    "CNAME (ALIAS, ANAME) or addresses written by hand",
	    host->name, run->resource.target, word_list_end(&addresses->all));
	check_why(finding,
	    "it works, for http-01 too, but addresses written by hand stay "
	    "when the edges' change, and what is flattened follows late");
	check_address_line(run, host, finding);
}

static void
is_elsewhere(const struct check_run *run, const struct check_host *host,
    struct check_addresses *addresses, struct check_finding *finding)
{
	check_seen(finding, "%s has %s%s", host->name,
	    word_list_end(&addresses->foreign),
	    addresses->n_ours > 0
		? ", which are not the target's, among others that are"
		: ", and no CNAME");
	check_why(finding,
	    "these are not the addresses of %s: %s. A front that forwards (a "
	    "CDN's proxy) ends TLS with a certificate of its own; else the "
	    "name still points to an old server",
	    run->resource.target,
	    addresses->n_ours > 0 ? "some visitors, and some CAs, go elsewhere"
				  : "visitors and CAs go elsewhere");
	check_remedy(finding,
	    "turn the proxy off for this name (\"DNS only\") or take these "
	    "addresses out, and ");
	check_address_line(run, host, finding);
}

static struct status
judge(struct check_run *run, const struct check_host *host)
{
	struct check_finding finding = { .result = check_weigh(run, host),
		.hostname = host->name };
	struct check_addresses v4, v6;

	if (!run->has_target || host->chain.end != DNS_CHAIN_ADDRESS)
		return check_say(run, CHECK_NOT_APPLICABLE, host->name,
		    run->has_target ? "it has no address"
				    : "no target is known for it");
	if (host->reaches_target || host->is_ours)
		return check_say(run, CHECK_PASS, host->name,
		    host->is_ours ? "it is in the operator's own zone"
				  : "a CNAME leads to the target");
	check_address_compare(run, host, CHECK_V4, &v4);
	check_address_compare(run, host, CHECK_V6, &v6);
	/* Whether IPv6 leads elsewhere is a check of its own. */
	if (v4.n == 0)
		v4 = v6;
	if (v4.n == v4.n_ours)
		is_flattened(run, host, &v4, &finding);
	else if (host->chain.n_hops > 1)
		return check_say(run, CHECK_NOT_APPLICABLE, host->name,
		    "a CNAME leads elsewhere, see the finding before");
	else
		is_elsewhere(run, host, &v4, &finding);
	return check_add(run, &finding);
}

struct status
check_flattened(struct check_run *run)
{
	struct status st = status_ok();

	for (size_t i = 0; i < run->n_hosts && !failed(st); i++)
		st = judge(run, &run->hosts[i]);
	return st;
}
