/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The name itself.  What is no host name was refused before; here is said how
 * DNS and certificates spell it, and that no CA on the internet issues for
 * names that are nobody's there.
 */

#include <string.h>

#include "certd/check.h"

/* RFC 2606, 6761, 6762, 8375, and what ICANN keeps out of the root. */
static const char *const NOT_PUBLIC[] = { "test", "example", "invalid",
	"localhost", "local", "internal", "home.arpa", "lan", "corp", "home",
	"mail", "onion" };

static const char *
private_part(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(NOT_PUBLIC) / sizeof(NOT_PUBLIC[0]);
	     i++) {
		size_t part = strlen(NOT_PUBLIC[i]);

		if (len > part && name[len - part - 1] == '.' &&
		    strcmp(name + len - part, NOT_PUBLIC[i]) == 0)
			return NOT_PUBLIC[i];
	}
	return NULL;
}

static struct status
look(struct check_run *run, const struct check_host *host)
{
	struct check_finding finding = { .result = CHECK_PASS,
		.hostname = host->name };
	const char *part = private_part(host->name);

	check_seen(&finding, "%s", host->name);
	if (host->is_wildcard)
		check_seen(&finding, " (a wildcard: one label in its place)");
	if (strstr(host->name, "xn--") != NULL)
		check_seen(&finding,
		    " (as DNS and certificates spell an international name)");
	if (part == NULL && strchr(host->name, '.') != NULL)
		return check_add(run, &finding);
	finding.result = CHECK_WARNING;
	if (part != NULL)
		check_why(&finding,
		    ".%s is no public domain: CAs on the internet issue no "
		    "certificates for it",
		    part);
	else
		check_why(&finding,
		    "it has no dot: CAs on the internet issue no certificates "
		    "for such names");
	check_remedy(&finding, "use a CA of your own, or a name in a domain "
			       "that is registered to you");
	return check_add(run, &finding);
}

struct status
check_name(struct check_run *run)
{
	struct status st = status_ok();

	for (size_t i = 0; i < run->n_hosts && !failed(st); i++)
		st = look(run, &run->hosts[i]);
	return st;
}
