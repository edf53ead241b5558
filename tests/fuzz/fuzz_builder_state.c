/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a builder's saved state, with the hash that makes them look
 * whole: what is taken saves as it was and can grow.
 */
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/builder.h"

#define HEAD "holdfast ledger 1\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t head = sizeof(HEAD) - 1, len = head + size + 32;
	scoped(free) uint8_t *octets = malloc(len);
	scoped(free) uint8_t *saved = NULL;
	scoped(builder_free) struct builder *builder = NULL;
	struct merkle_hash root;
	size_t saved_len;

	if (octets == NULL)
		return 0;
	memcpy(octets, HEAD, head);
	if (size > 0)
		memcpy(octets + head, data, size);
	SHA256(octets, head + size, octets + head + size);
	if (failed(builder_load((struct bytes){ octets, len }, &builder)))
		return 0;
	if (failed(builder_save(builder, &saved, &saved_len)) ||
	    saved_len != len || memcmp(saved, octets, len) != 0)
		abort();
	builder_root(builder, &root);
	if (builder_size(builder) < INT64_MAX &&
	    failed(builder_append(builder, bytes_of("entry"), NULL, NULL)))
		abort();
	return 0;
}
