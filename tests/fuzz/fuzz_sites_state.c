/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as the state of the sites, as they are and closed by their hash:
 * what is read is printed as exactly the same text.
 */
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "edge/sites.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define END_LEN (4 + 2 * SHA256_DIGEST_LENGTH + 1)

static void
read_one(struct bytes text)
{
	struct sites sites;
	char *again;
	size_t len;

	if (failed(sites_parse(text, &sites)))
		return;
	again = sites_print(&sites, &len);
	if (again == NULL ||
	    !bytes_equal(text, (struct bytes){ (uint8_t *)again, len }))
		abort();
	free(again);
	sites_done(&sites);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	char hex[2 * SHA256_DIGEST_LENGTH + 1];
	char *closed = malloc(size + END_LEN);

	if (closed == NULL)
		return 0;
	read_one((struct bytes){ data, size });
	if (size > 0)
		memcpy(closed, data, size);
	SHA256(data, size, digest);
	bytes_to_hex((struct bytes){ digest, sizeof(digest) }, hex);
	memcpy(closed + size, "end ", 4);
	memcpy(closed + size + 4, hex, sizeof(hex) - 1);
	closed[size + END_LEN - 1] = '\n';
	read_one((struct bytes){ (const uint8_t *)closed, size + END_LEN });
	free(closed);
	return 0;
}
