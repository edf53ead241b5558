/* SPDX-License-Identifier: Apache-2.0 */

/* What any mail server says, line by line: what is kept is bounded, and what is
 * shown of it is fit to be seen and cut where it is to be. */

#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "mail/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SHOWN_MAX 201

static void
check(const struct smtp_reply *reply)
{
	char shown[SHOWN_MAX];
	struct bytes rest;

	if (reply->len > sizeof(reply->text) ||
	    (reply->code != 0 && (reply->code < 200 || reply->code > 599)))
		abort();
	smtp_reply_print(reply, shown, sizeof(shown));
	rest = bytes_of(shown);
	if ((reply->code == 0) != (rest.len == 0))
		abort();
	while (rest.len > 0) {
		uint32_t point = 0;
		size_t len = printable_take(rest, &point);

		if (len == 0 || !printable_point(point))
			abort();
		rest.at += len;
		rest.len -= len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_reply reply = { .code = 0 };

	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end == NULL ? size : (size_t)(end + 1 - data);

		smtp_reply_line(&reply, (struct bytes){ data, len });
		check(&reply);
		data += len;
		size -= len;
	}
	return 0;
}
