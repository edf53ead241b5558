/* SPDX-License-Identifier: Apache-2.0 */

/* An AAAA that leads elsewhere than the A: left behind when the name moved, and
 * seen first by CAs and by many visitors. */

#include "certd/check_address.h"

static struct status
judge(struct check_run *run, const struct check_host *host)
{
	struct check_finding finding = { .result = check_weigh(run, host),
		.hostname = host->name };
	struct check_addresses v4, v6;

	check_address_compare(run, host, CHECK_V4, &v4);
	check_address_compare(run, host, CHECK_V6, &v6);
	if (v6.n == 0)
		return check_say(run, CHECK_NOT_APPLICABLE, host->name,
		    "no IPv6 address: CAs and visitors come by IPv4");
	if (host->reaches_target || host->is_ours || !run->has_target ||
	    v6.n == v6.n_ours)
		return check_say(run, CHECK_PASS, host->name,
		    run->has_target
			? "its IPv6 addresses are the target's"
			: "no target is known that they could differ from");
	if (v4.n_ours == 0)
		return check_say(run, CHECK_NOT_APPLICABLE, host->name,
		    "its IPv4 addresses are not the target's either, see "
		    "above");
	check_seen(&finding, "%s has AAAA %s, not %s's, and A %s, which is",
	    host->name, word_list_end(&v6.foreign), run->resource.target,
	    word_list_end(&v4.all));
	check_why(&finding, "CAs prefer IPv6 and so ask another server than "
			    "the one that has the answer; so do visitors");
	check_remedy(&finding, "take the AAAA record of %s out of the DNS, or ",
	    host->name);
	check_address_line(run, host, &finding);
	return check_add(run, &finding);
}

struct status
check_ipv6(struct check_run *run)
{
	struct status st = status_ok();

	for (size_t i = 0; i < run->n_hosts && !failed(st); i++)
		st = judge(run, &run->hosts[i]);
	return st;
}
