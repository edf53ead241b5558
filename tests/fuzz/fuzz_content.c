/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes have a context, and a context that is not raw is never empty. */
#include <stdint.h>
#include <stdlib.h>

#include "edge/provider/content.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum sign_context context =
	    content_context((struct bytes){ data, size });

	if (context == CONTEXT_NONE || sign_context_name(context) == NULL ||
	    (context != CONTEXT_RAW && size == 0))
		abort();
	return 0;
}
