/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reads what edged answers.  The socket's other end is foreign to the web
 * server this runs in, so lengths, numbers and the signature's shape are
 * checked before any of it reaches libssl or a log.  Allocates nothing; runs on
 * the small stack of an ASYNC job.
 */

#include "edge/provider/reply.h"

#include "base/der.h"
#include "base/status.h"

bool
reply_parse(struct bytes message, uint32_t id, struct reply *ret_reply)
{
	struct sock_reply head;
	struct bytes bytes;

	if (!bytes_take(&message, sizeof(head), &bytes))
		return false;
	memcpy(&head, bytes.at, sizeof(head));
	if (head.magic != SOCK_MAGIC_REPLY || head.id != id ||
	    head.code > STATUS_UNAUTHENTICATED || head.length != message.len ||
	    head.length > SIGNATURE_MAX ||
	    (head.code == STATUS_OK && head.length == 0))
		return false;
	ret_reply->code = head.code;
	ret_reply->len = head.length;
	if (head.length > 0)
		memcpy(ret_reply->at, message.at, head.length);
	return true;
}

/* A positive INTEGER in its shortest form. */
static bool
take_positive(struct bytes *from)
{
	struct bytes n;

	if (!der_take(from, DER_INTEGER, &n) || n.len == 0 || n.at[0] >= 0x80)
		return false;
	return n.at[0] != 0 || (n.len > 1 && n.at[1] >= 0x80);
}

static bool
is_ecdsa(struct bytes signature)
{
	struct bytes pair;

	return der_take(&signature, DER_SEQUENCE, &pair) &&
	       signature.len == 0 && take_positive(&pair) &&
	       take_positive(&pair) && pair.len == 0;
}

bool
reply_signature_fits(
    enum sign_scheme scheme, size_t size_max, struct bytes signature)
{
	const struct sign_scheme_info *info = sign_scheme_info(scheme);

	if (info == NULL || signature.len > size_max)
		return false;
	if (info->padding != SIGN_PADDING_NONE || scheme == SCHEME_ED25519)
		return signature.len == size_max;
	return is_ecdsa(signature);
}

void
reply_text(const struct reply *reply, char ret_text[REPLY_TEXT_MAX])
{
	size_t len = 0;

	for (; len < reply->len && len < REPLY_TEXT_MAX - 1; len++) {
		uint8_t c = reply->at[len];

		ret_text[len] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	ret_text[len] = '\0';
}
