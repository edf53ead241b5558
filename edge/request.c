/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The messages of edge/sock.h, checked.  What a web server sends is foreign: a
 * worker may be broken or taken over, so every field is bounded here before
 * anything else sees it.  What a key may sign is not judged here; keyd does.
 */

#include "edge/request.h"

#include <string.h>

#define TIMEOUT_MS_MAX 60000

bool
request_id(struct bytes message, uint32_t *ret_id)
{
	struct sock_request request;

	if (message.len < sizeof(request))
		return false;
	memcpy(&request, message.at, sizeof(request));
	if (request.magic != SOCK_MAGIC_REQUEST)
		return false;
	*ret_id = request.id;
	return true;
}

static struct status
invalid(const char *why)
{
	return status_fail(STATUS_INVALID_ARGUMENT, why);
}

STATUS
request_parse(struct bytes message, struct sock_request *ret_request,
    struct bytes *ret_content)
{
	struct sock_request request;
	struct bytes header;

	if (!bytes_take(&message, sizeof(request), &header))
		return invalid("message is shorter than a request's header");
	memcpy(&request, header.at, sizeof(request));
	if (request.magic != SOCK_MAGIC_REQUEST)
		return invalid("message is not a request of this version");
	if (request.zero != 0)
		return invalid("reserved field of the request is not zero");
	if (request.timeout_ms < 1 || request.timeout_ms > TIMEOUT_MS_MAX)
		return invalid("timeout_ms must be 1 to 60000");
	if (request.length < 1 || request.length > SIGN_CONTENT_MAX)
		return invalid("content must have 1 to 16384 octets");
	if (request.length != message.len)
		return invalid("length differs from the octets that follow");
	if (sign_scheme_info(request.scheme) == NULL)
		return invalid("unknown signature scheme");
	if (request.context <= CONTEXT_NONE || request.context >= CONTEXT_END_)
		return invalid("unknown signing context");

	*ret_request = request;
	*ret_content = message;
	return status_ok();
}

/* Length of at most max octets of text that does not end within a character. */
static size_t
text_cut(struct bytes text, size_t max)
{
	if (text.len <= max)
		return text.len;
	while (max > 0 && (text.at[max] & 0xc0) == 0x80)
		max--;
	return max;
}

size_t
reply_write(
    uint32_t id, enum status_code code, struct bytes body, uint8_t *ret_message)
{
	struct sock_reply reply = {
		.magic = SOCK_MAGIC_REPLY,
		.id = id,
		.code = code,
		.length = (uint32_t)text_cut(body, SIGNATURE_MAX),
	};

	memcpy(ret_message, &reply, sizeof(reply));
	if (reply.length > 0)
		memcpy(ret_message + sizeof(reply), body.at, reply.length);
	return sizeof(reply) + reply.length;
}
