/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_BATCH_H
#define EDGE_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/signing.h"

/* holdfast.keyd.v1.SignBatch, written field by field (signer.proto). */

#define BATCH_REQUESTS_MAX 64
/* Below keyd's limit on a message, and room for any one request. */
#define BATCH_OCTETS_MAX ((size_t)128 * 1024)

struct batch_request {
	uint64_t id;
	const struct key_id *key;
	uint32_t scheme;
	uint32_t context;
	struct bytes content;
	uint32_t timeout_ms;
};

/*
 * Append one request to the batch in out; returns the octets it took, or 0 when
 * out_max cannot hold it (nothing is written then).
 */
size_t batch_append(
    const struct batch_request *request, uint8_t *out, size_t out_max);

#endif
