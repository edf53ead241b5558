/* SPDX-License-Identifier: Apache-2.0 */
/* What edged answers is read within bounds, and shown as one line of text. */
#include <stdint.h>
#include <stdlib.h>

#include "edge/provider/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The id of the seeds in the corpus. */
#define ID 1

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum sign_scheme schemes[] = { SCHEME_RSA_PKCS1_SHA256,
		SCHEME_ECDSA_SECP256R1_SHA256, SCHEME_ED25519 };
	struct reply reply;
	char text[REPLY_TEXT_MAX];

	if (!reply_parse((struct bytes){ data, size }, ID, &reply))
		return 0;
	if (reply.len > SIGNATURE_MAX ||
	    reply.len + sizeof(struct sock_reply) != size)
		abort();
	for (size_t i = 0; i < 3; i++) {
		struct bytes signature = { reply.at, reply.len };

		if (reply_signature_fits(schemes[i], 72, signature) &&
		    reply.len > 72)
			abort();
	}
	reply_text(&reply, text);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c < ' ' || *c > '~')
			abort();
	}
	return 0;
}
