/* SPDX-License-Identifier: Apache-2.0 */

/* What a web server sends to edged: the first octets of foreign origin. */

#include <stdlib.h>

#include "edge/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes message = { data, size }, content = { 0 };
	struct sock_request request = { 0 };
	uint8_t reply[REPLY_MAX];
	uint32_t id;
	struct status st = request_parse(message, &request, &content);

	if (failed(st) && (content.at != NULL || request.magic != 0))
		abort(); /* a failed call wrote its result */
	if (!failed(st)) {
		if (content.at + content.len != data + size ||
		    content.len < 1 || content.len > SIGN_CONTENT_MAX ||
		    sign_scheme_info(request.scheme) == NULL ||
		    sign_context_name((enum sign_context)request.context) ==
			NULL)
			abort();
		if (!request_id(message, &id) || id != request.id)
			abort(); /* valid, but nobody to answer */
	}
	if (reply_write(0, STATUS_OK, message, reply) > REPLY_MAX)
		abort();
	return 0;
}
