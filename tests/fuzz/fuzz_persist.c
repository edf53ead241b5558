/* SPDX-License-Identifier: Apache-2.0 */

/*
 * TXT records of dns-persist-01, as anybody's DNS server answers them, against
 * a wanted one.  A record that grants a wildcard grants the name too, and one
 * that grants grants itself.
 */

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "certd/solver_persist.h"

#define WANTED "ca.example; accounturi=https://ca.example/acct/123"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[1024];

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	if (!solver_persist_grants(text, WANTED, 1000))
		assert(!solver_persist_grants(
		    text, WANTED "; policy=wildcard", 1000));
	else
		assert(solver_persist_grants(text, text, 0) ||
		       strcasestr(text, "policy") != NULL);
	(void)solver_persist_grants(WANTED, text, 1000);
	return 0;
}
