/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a proof and as a dossier's signature: under a key that has
 * signed neither, none holds.
 */
#include <stdlib.h>

#include "ledger/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t public_key[NOTE_KEY_LEN] = { 7 };
	const struct bytes octets = { data, size };
	struct checkpoint checkpoint;
	struct note_key key;
	uint64_t index;

	if (failed(note_key_make(
		"holdfast.test/ledger", NOTE_ED25519, public_key, &key)))
		abort();
	if (!failed(proof_verify(
		octets, bytes_of("entry"), &key, &index, &checkpoint)) ||
	    !failed(dossier_verify(bytes_of("{}"), octets, &key)))
		abort();
	return 0;
}
