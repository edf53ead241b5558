/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a chain: no crash; what is taken is taken again, and is the same
 * then.
 */
#include <stdlib.h>
#include <string.h>

#include "acme/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[ACME_CHAIN_WHY_MAX] = "";
	char issuer[ACME_CHAIN_ISSUER_MAX], second[ACME_CHAIN_ISSUER_MAX];
	char *pem = NULL, *again = NULL;

	if (failed(acme_chain_read(
		(struct bytes){ data, size }, &pem, issuer, why))) {
		if (why[0] == '\0')
			abort();
		return 0;
	}
	if (failed(acme_chain_read(bytes_of(pem), &again, second, why)) ||
	    strcmp(pem, again) != 0 || strcmp(issuer, second) != 0)
		abort();
	free(pem);
	free(again);
	return 0;
}
