/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a key stub, as DER and as PEM: what is taken is exactly what
 * encoding its key again gives.
 */
#include <stdlib.h>

#include "base/stub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_be_the_only_form(const struct stub *stub, struct bytes der)
{
	uint8_t again[STUB_DER_MAX];
	char pem[STUB_PEM_MAX];
	size_t len;

	if (failed(stub_encode_der(stub->spki, again, &len)) ||
	    !bytes_equal(der, (struct bytes){ again, len }) ||
	    failed(stub_encode_pem(stub->spki, pem)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bytes input = { data, size };
	uint8_t der[STUB_DER_MAX];
	struct stub stub;

	if (!failed(stub_decode_der(input, &stub)))
		must_be_the_only_form(&stub, input);
	if (!failed(stub_decode_pem(input, der, &stub))) {
		/* The SPKI is the last of the DER. */
		const uint8_t *end = stub.spki.at + stub.spki.len;

		if (stub.spki.at < der || end > der + sizeof(der))
			abort();
		must_be_the_only_form(
		    &stub, (struct bytes){ der, (size_t)(end - der) });
	}
	return 0;
}
