/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The protobuf encoding of a batch, by hand: a batch is nothing but its
 * requests one after the other, so each can be appended as it is taken from
 * the pending table, without building a message of pointers first.  Decoding
 * is left to the generated code, which is made for bytes of others.
 */

#include "edge/batch.h"

#include <string.h>

/* Tags: field number << 3 | wire type; 0 is a varint, 2 has a length. */
enum {
	TAG_BATCH_REQUESTS = 1 << 3 | 2,
	TAG_ID = 1 << 3 | 0,
	TAG_KEY_ID = 2 << 3 | 2,
	TAG_SCHEME = 3 << 3 | 0,
	TAG_CONTEXT = 4 << 3 | 0,
	TAG_CONTENT = 5 << 3 | 2,
	TAG_TIMEOUT_MS = 6 << 3 | 0,
};

static size_t
varint_len(uint64_t value)
{
	size_t len = 1;

	while (value >= 0x80) {
		value >>= 7;
		len++;
	}
	return len;
}

static uint8_t *
put_varint(uint8_t *at, uint8_t tag, uint64_t value)
{
	*at++ = tag;
	while (value >= 0x80) {
		*at++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*at++ = (uint8_t)value;
	return at;
}

static uint8_t *
put_bytes(uint8_t *at, uint8_t tag, struct bytes value)
{
	at = put_varint(at, tag, value.len);
	if (value.len > 0)
		memcpy(at, value.at, value.len);
	return at + value.len;
}

size_t
batch_append(const struct batch_request *request, uint8_t *out, size_t out_max)
{
	struct bytes key = { request->key->at, KEY_ID_LEN };
	size_t inner = 1 + varint_len(request->id) + 1 + varint_len(key.len) +
		       key.len + 1 + varint_len(request->scheme) + 1 +
		       varint_len(request->context) + 1 +
		       varint_len(request->content.len) + request->content.len +
		       1 + varint_len(request->timeout_ms);
	uint8_t *at = out;

	if (1 + varint_len(inner) + inner > out_max)
		return 0;
	at = put_varint(at, TAG_BATCH_REQUESTS, inner);
	at = put_varint(at, TAG_ID, request->id);
	at = put_bytes(at, TAG_KEY_ID, key);
	at = put_varint(at, TAG_SCHEME, request->scheme);
	at = put_varint(at, TAG_CONTEXT, request->context);
	at = put_bytes(at, TAG_CONTENT, request->content);
	at = put_varint(at, TAG_TIMEOUT_MS, request->timeout_ms);
	return (size_t)(at - out);
}
