/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A member's CSR, as anyone with a join secret may send it.  A key that comes
 * out must be a P-256 key.
 */

#include <stdlib.h>

#include "base/signing.h"
#include "keyd/csr_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t spki[CSR_KEY_SPKI_MAX];
	size_t len;

	if (!failed(csr_key_read((struct bytes){ data, size }, spki, &len)) &&
	    (len > sizeof(spki) || key_alg_of_spki((struct bytes){
				       spki, len }) != KEY_ALG_EC_P256))
		abort();
	return 0;
}
