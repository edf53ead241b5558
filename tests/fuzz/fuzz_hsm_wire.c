/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages between door and worker, each way, from hostile octets: the head,
 * then the body as each kind of request and reply in turn.
 */

#include <stdint.h>
#include <stdlib.h>

#include "hsm/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool ok)
{
	if (!ok)
		abort();
}

/* A borrowed view must lie within the message. */
static void
check_within(struct bytes part, struct bytes whole)
{
	check(part.at >= whole.at && part.len <= whole.len &&
	      part.at + part.len <= whole.at + whole.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bytes whole = { data, size };
	static struct hsm_key key;
	struct wire_head head;
	struct wire_result result;
	struct wire_config config;
	struct wire_query query;
	struct wire_import import;
	struct wire_blob blob;
	struct wire_op op;
	struct bytes body, rest;

	if (!wire_open(whole, &head, &body))
		return 0;
	check(head.count <= HSM_BATCH_MAX);
	rest = body;
	for (uint32_t i = 0; i < head.count; i++) {
		if (!wire_take_result(&rest, &result))
			break;
		check_within(result.signature, whole);
		check(result.signature.len <= SIGNATURE_MAX);
	}
	rest = body;
	while (wire_take_op(&rest, &op))
		check_within(op.input, whole);
	rest = body;
	if (wire_take_key(&rest, &key))
		check(key.spki_len <= HSM_SPKI_MAX &&
		      strlen(key.label) < HSM_LABEL_MAX);
	rest = body;
	if (wire_take_query(&rest, &query))
		check(strlen(query.label) < HSM_LABEL_MAX);
	rest = body;
	if (wire_take_import(&rest, &import)) {
		check_within(import.blob, whole);
		check_within(import.spki, whole);
		check(import.blob.len > 0 && import.blob.len <= HSM_BLOB_MAX);
		check(import.spki.len > 0 && import.spki.len <= HSM_SPKI_MAX);
	}
	rest = body;
	while (wire_take_blob(&rest, &blob)) {
		check_within(blob.blob, whole);
		check_within(blob.spki, whole);
		check(blob.blob.len > 0 && blob.blob.len <= HSM_BLOB_MAX);
		check(blob.spki.len > 0 && blob.spki.len <= HSM_SPKI_MAX);
		check(blob.alg <= KEY_ALG_ED25519);
	}
	rest = body;
	if (wire_take_config(&rest, &config))
		check(strlen(config.lock_file) < WIRE_TEXT_MAX);
	return 0;
}
