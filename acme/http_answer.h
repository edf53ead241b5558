/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACME_HTTP_ANSWER_H
#define ACME_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acme/http.h"
#include "base/bytes.h"
#include "base/status.h"

/* An HTTP answer while it comes, out of foreign octets.  One thread. */
struct acme_http_answer {
	struct acme_http_reply reply;
	size_t max_len; /* of its body */
	bool cuts;      /* what is longer */
	size_t room, header_len;
	char retry_after[64];
	int64_t date_s; /* the server's; -1: not said */
	bool is_too_long, is_cut;
};

/* One line of the header, as it came, or a piece of the body; false: too much,
 * or no memory.  The reply is to be released by acme_http_reply_done. */
bool acme_http_answer_header(
    struct acme_http_answer *answer, struct bytes line);
bool acme_http_answer_body(
    struct acme_http_answer *answer, struct bytes octets);

/* Closes the body with a zero and reckons retry_after_ms. */
STATUS acme_http_answer_finish(struct acme_http_answer *answer, char *ret_why);

#endif
