/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Registered domains, by libpsl.  The system's list is newer than the library's
 * and is read before certd confines itself; it then stays for the process'
 * life.
 */

#include "certd/limiter_domain.h"

#include <libpsl.h>
#include <stdio.h>
#include <string.h>

static psl_ctx_t *latest;

void
limiter_domain_preload(void)
{
	if (latest == NULL)
		latest = psl_latest(NULL);
}

void
limiter_domain_of(const char *name, char ret_domain[HOSTNAME_MAX])
{
	const psl_ctx_t *list = latest != NULL ? latest : psl_builtin();
	const char *found;

	if (strncmp(name, "*.", 2) == 0)
		name += 2;
	found = list == NULL ? NULL : psl_registrable_domain(list, name);
	(void)!snprintf(
	    ret_domain, HOSTNAME_MAX, "%s", found == NULL ? name : found);
}
