/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any response of a web server: read whole or in any two parts it comes to the
 * same, and what is kept is within its bounds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "edge/http_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct http_reply *reply)
{
	if (reply->status < 200 || reply->status > 599 ||
	    reply->body_len > HTTP_REPLY_BODY_MAX ||
	    memchr(reply->location, 0, HTTP_REPLY_LOCATION_MAX) == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_reply whole = { 0 }, part = { 0 };
	enum http_reply_state state =
	    http_reply_parse((struct bytes){ data, size }, true, &whole);

	if (state == HTTP_REPLY_MORE)
		abort();
	if (state == HTTP_REPLY_DONE)
		check(&whole);
	for (size_t i = 0; i < size; i += 1 + size / 16) {
		enum http_reply_state so_far =
		    http_reply_parse((struct bytes){ data, i }, false, &part);

		if (so_far == HTTP_REPLY_BAD && state == HTTP_REPLY_DONE)
			abort();
		if (so_far != HTTP_REPLY_DONE)
			continue;
		check(&part);
		if (state != HTTP_REPLY_DONE || part.status != whole.status ||
		    part.body_len != whole.body_len ||
		    memcmp(part.body, whole.body, part.body_len) != 0)
			abort();
	}
	return 0;
}
