/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a host name: no crash; what is taken fits, is plain, stays what
 * it is when it is taken again, and covers itself.
 */
#include <stdlib.h>
#include <string.h>

#include "pki/hostname.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	char name[HOSTNAME_MAX], again[HOSTNAME_MAX];
	char why[HOSTNAME_WHY_MAX] = "";

	if (text == NULL)
		return 0;
	if (failed(hostname_normalize(text, name, why))) {
		if (why[0] == 0)
			abort();
	} else if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.*") !=
		       strlen(name) ||
		   failed(hostname_normalize(name, again, why)) ||
		   strcmp(name, again) != 0 || !hostname_covers(name, name)) {
		abort();
	}
	free(text);
	return 0;
}
