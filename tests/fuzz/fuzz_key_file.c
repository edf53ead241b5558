/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a key file, with a passphrase at hand: no crash, no hang, and
 * what is taken is one key, whose own PKCS#8 is read as the same key again.
 */
#include <stdlib.h>
#include <string.h>

#include "pki/key_file.h"

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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct key_file_passphrase passphrase = { ask, NULL };
	struct key_file file, again;
	char why[KEY_FILE_WHY_MAX];

	if (failed(key_file_read(
		(struct bytes){ data, size }, &passphrase, &file, why))) {
		if (why[0] == 0)
			abort();
		return 0;
	}
	if (failed(
		key_file_read(secret_bytes(file.pkcs8), NULL, &again, why)) ||
	    again.spki_len != file.spki_len || again.alg != file.alg ||
	    memcmp(again.spki, file.spki, file.spki_len) != 0)
		abort();
	key_file_done(&again);
	key_file_done(&file);
	return 0;
}
