/* SPDX-License-Identifier: Apache-2.0 */

/* What any web server on the internet sends to the checks: header lines up to
 * an empty one, then a body, in pieces. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "certd/http_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
use(const struct http_answer *answer)
{
	if (strlen(answer->server) >= sizeof(answer->server) ||
	    strlen(answer->location) >= sizeof(answer->location) ||
	    strlen(answer->content_type) >= sizeof(answer->content_type) ||
	    answer->body_len > HTTP_ANSWER_BODY_MAX || answer->status < 0 ||
	    answer->status > 999)
		abort();
	(void)http_answer_is(answer, "test");
	(void)http_answer_is_html(answer);
	(void)http_answer_is_redirect(answer);
	(void)http_answer_wants_login(answer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_answer answer = { .status = 0 };
	bool is_body = false;

	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end == NULL ? size : (size_t)(end + 1 - data);
		struct bytes piece = { data, len };

		if (is_body)
			(void)http_answer_body(&answer, piece);
		else
			http_answer_header(&answer, piece);
		if (len <= 2 && end != NULL)
			is_body = true;
		use(&answer);
		data += len;
		size -= len;
	}
	return 0;
}
