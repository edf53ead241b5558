/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as an entry of the ledger: what is decoded encodes again within
 * its bound, and what was encoded decodes to the same octets.  Filters take
 * any entry.
 */
#include <stdlib.h>
#include <string.h>

#include "ledger/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct entry_filter filter = { .identity = "edge/*" };
	uint8_t once[ENTRY_MAX], again[ENTRY_MAX];
	uint8_t names[ENTRY_NAMES_MAX], more_names[ENTRY_NAMES_MAX];
	struct entry entry, back;
	size_t len;

	if (failed(entry_decode((struct bytes){ data, size }, names, &entry)))
		return 0;
	(void)entry_matches(&filter, &entry);
	len = entry_encode(&entry, once);
	if (len > ENTRY_MAX ||
	    failed(
		entry_decode((struct bytes){ once, len }, more_names, &back)) ||
	    entry_encode(&back, again) != len || memcmp(once, again, len) != 0)
		abort();
	return 0;
}
