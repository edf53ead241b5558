/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any lines as the header of an answer: no crash; texts end, waits are at most
 * a day, nonces are base64url.
 */
#include <stdlib.h>
#include <string.h>

#include "acme/header.h"
#include "acme/http_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct acme_http_reply *reply)
{
	if (strlen(reply->nonce) >= sizeof(reply->nonce) ||
	    strlen(reply->location) >= sizeof(reply->location) ||
	    strlen(reply->content_type) >= sizeof(reply->content_type) ||
	    reply->retry_after_ms < -1 ||
	    reply->retry_after_ms > ACME_HEADER_RETRY_MAX_MS)
		abort();
	if (reply->nonce[0] != '\0' &&
	    !acme_header_is_nonce(bytes_of(reply->nonce)))
		abort();
	for (size_t i = 0; i < reply->n_links; i++) {
		if (strlen(reply->links[i].rel) >= 32 ||
		    strlen(reply->links[i].url) >= 512 ||
		    reply->links[i].rel[0] == '\0')
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct acme_http_answer answer = { .max_len = 1024, .date_s = -1 };
	struct bytes rest = { data, size }, line;
	char why[ACME_HTTP_WHY_MAX];
	bool is_ok = true;

	while (rest.len > 0 && is_ok) {
		const uint8_t *end = memchr(rest.at, '\n', rest.len);
		size_t len =
		    end == NULL ? rest.len : (size_t)(end - rest.at) + 1;

		bytes_take(&rest, len, &line);
		is_ok = acme_http_answer_header(&answer, line) &&
			acme_http_answer_body(&answer, line);
	}
	if (!failed(acme_http_answer_finish(&answer, why)))
		check(&answer.reply);
	acme_http_reply_done(&answer.reply);
	return 0;
}
