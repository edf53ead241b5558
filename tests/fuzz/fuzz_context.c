/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as content, in every context and scheme: at most one context takes
 * them, and none of the others takes what raw does not.
 */
#include <stdlib.h>

#include "keyd/context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const hosts[] = { "ca.test", "ca.test:14000" };
static const struct context_rules rules = { hosts, 2 };

static const unsigned schemes[] = { SCHEME_ECDSA_SECP256R1_SHA256,
	SCHEME_RSA_PKCS1_SHA256, SCHEME_RSA_PSS_RSAE_SHA256, SCHEME_ED25519 };
static const enum key_alg algs[] = { KEY_ALG_EC_P256, KEY_ALG_RSA_2048,
	KEY_ALG_RSA_2048, KEY_ALG_ED25519 };

/* First octet: where in the input the key's SPKI starts; so a CSR may hold it.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes content, spki;

	if (size < 2)
		return 0;
	content = (struct bytes){ data + 2, size - 2 };
	spki = content;
	if (data[0] < spki.len) {
		spki.at += data[0];
		spki.len -= data[0];
	}
	if (data[1] < spki.len)
		spki.len = data[1];
	for (size_t i = 0; i < 4; i++) {
		const struct policy_key key = { .alg = algs[i], .spki = spki };
		struct context_names names;
		unsigned taken = 0;

		for (unsigned c = 0; c <= CONTEXT_END_; c++) {
			if (c != CONTEXT_RAW)
				taken += !failed(context_check(&rules, c,
				    schemes[i], &key, content, &names));
			if (names.len > sizeof(names.at) ||
			    (names.len > 0 && names.at[names.len - 1] != 0))
				abort();
		}
		if (taken > 1)
			abort();
		if (taken == 1 && !failed(context_check(&rules, CONTEXT_RAW,
				      schemes[i], &key, content, &names)))
			abort();
	}
	return 0;
}
