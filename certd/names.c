/* SPDX-License-Identifier: Apache-2.0 */

/* Host names of a resource or of a certificate; see names.h. */

#include "certd/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
names_done(struct names *names)
{
	free(names->at);
	*names = (struct names){ 0 };
}

bool
names_add(struct names *names, const char *name)
{
	/* Powers of two: grown when n is one. */
	if ((names->n & (names->n - 1)) == 0) {
		size_t room = names->n == 0 ? 1 : 2 * names->n;
		void *more = realloc(names->at, room * sizeof(*names->at));

		if (more == NULL)
			return false;
		names->at = more;
	}
	snprintf(names->at[names->n++], HOSTNAME_MAX, "%s", name);
	return true;
}

bool
names_has(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->at[i], name) == 0)
			return true;
	return false;
}

bool
names_cover(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (hostname_covers(names->at[i], name))
			return true;
	return false;
}
