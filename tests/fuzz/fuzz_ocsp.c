/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a responder's answer: no crash; what is refused says why, and
 * what counts is of its time.
 */
#include <stdlib.h>

#include "pki/revocation.h"
#include "tests/fuzz/revoked_certs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pki_cert *issuer, *leaf;
	char why[REVOCATION_WHY_MAX] = "";
	struct revocation_answer answer;

	if (issuer == NULL) {
		issuer = revoked_cert(revoked_issuer_pem);
		leaf = revoked_cert(revoked_leaf_pem);
	}
	if (failed(revocation_answered((struct bytes){ data, size }, leaf,
		issuer, REVOKED_NOW_S, &answer, why))) {
		if (why[0] == 0)
			abort();
		return 0;
	}
	if (answer.updated_s > REVOKED_NOW_S + 300 ||
	    revocation_reason(answer.reason) == NULL)
		abort();
	return 0;
}
