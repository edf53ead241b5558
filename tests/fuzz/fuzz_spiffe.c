/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as an identity and as a pattern: what is taken prints back as it
 * was, a pattern that matches is well formed, and so is one that names an edge
 * group, which by itself matches nobody.
 */
#include <stdlib.h>
#include <string.h>

#include "base/spiffe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct spiffe edge = { "d", ROLE_EDGE, "fra-1" };
	char *text = malloc(size + 1);
	char printed[SPIFFE_ID_MAX];
	struct spiffe id;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (!failed(spiffe_parse(text, &id)) &&
	    (failed(spiffe_print(&id, printed)) || strcmp(text, printed) != 0))
		abort();
	if (spiffe_pattern_group(text) != NULL &&
	    (!spiffe_pattern_ok(text) || spiffe_matches(&edge, text)))
		abort();
	if (spiffe_matches(&edge, text) &&
	    (!spiffe_pattern_ok(text) || strncmp(text, "edge/", 5) != 0))
		abort();
	free(text);
	return 0;
}
