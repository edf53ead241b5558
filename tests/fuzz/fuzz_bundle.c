/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as one part, or as two at the first 0xff 0x00, with a passphrase
 * at hand: no crash, a reason for every refusal; what is taken has a leaf, is
 * checked without a crash, and its fullchain is read as the same bundle again,
 * with nothing to remark.
 */
#include <stdlib.h>
#include <string.h>

#include "pki/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct status
ask(void *ctx, struct secret **ret_passphrase)
{
	(void)ctx;
	*ret_passphrase = secret_new(5);
	if (*ret_passphrase == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	memcpy(secret_at(*ret_passphrase), "fuzz", 5);
	return status_ok();
}

static void
check_again(const struct bundle *bundle)
{
	struct bundle_input input = { .n_parts = 1 };
	struct bundle *again = NULL;
	char why[BUNDLE_WHY_MAX];
	char *pem = NULL;

	if (failed(bundle_fullchain(bundle, &pem)))
		abort();
	input.parts[0] = bytes_of(pem);
	if (failed(bundle_read(&input, &again, why)) ||
	    again->n_chain != bundle->n_chain ||
	    !pki_cert_equal(again->leaf, bundle->leaf))
		abort();
	for (size_t i = 0; i < bundle->n_chain; i++) {
		if (!pki_cert_equal(again->chain[i], bundle->chain[i]))
			abort();
	}
	bundle_free(again);
	free(pem);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bundle_policy policy = { .now_s = 1767225600 };
	const uint8_t *cut = memmem(data, size, "\xff", 2);
	struct bundle_input input = { .n_parts = 1 };
	struct bundle *bundle = NULL;
	char why[BUNDLE_WHY_MAX];

	input.passphrase.ask = ask;
	input.parts[0] = (struct bytes){ data, size };
	if (cut != NULL) {
		input.n_parts = 2;
		input.parts[0].len = (size_t)(cut - data);
		input.parts[1] =
		    (struct bytes){ cut + 2, size - input.parts[0].len - 2 };
	}
	if (failed(bundle_read(&input, &bundle, why))) {
		if (why[0] == 0)
			abort();
		return 0;
	}
	if (bundle->leaf == NULL)
		abort();
	if (failed(bundle_check(bundle, &policy, why)) && why[0] == 0)
		abort();
	check_again(bundle);
	bundle_free(bundle);
	return 0;
}
