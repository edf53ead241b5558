/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as any of certd's requests: refused with a sentence, or read into a
 * message that, written out, is read as the same message again.  The first
 * octet chooses the request.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/holdfast/certd/v1/accounts.pb-c.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "proto/holdfast/certd/v1/edges.pb-c.h"
#include "proto/holdfast/certd/v1/resources.pb-c.h"
#include "proto/json.h"
#include "proto/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const TYPES[] = {
	&holdfast__certd__v1__upload_certificate_request__descriptor,
	&holdfast__certd__v1__update_resource_request__descriptor,
	&holdfast__certd__v1__create_resource_request__descriptor,
	&holdfast__certd__v1__list_certificates_request__descriptor,
	&holdfast__certd__v1__certificate__descriptor,
	&holdfast__certd__v1__create_token_request__descriptor,
	&holdfast__certd__v1__edge__descriptor,
};
#define N_TYPES (sizeof(TYPES) / sizeof(TYPES[0]))

static uint8_t *
pack(const ProtobufCMessage *message, size_t *ret_len)
{
	uint8_t *packed;

	*ret_len = protobuf_c_message_get_packed_size(message);
	packed = malloc(*ret_len + 1);
	if (packed == NULL)
		abort();
	protobuf_c_message_pack(message, packed);
	return packed;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const ProtobufCMessageDescriptor *type;
	scoped(message_free) ProtobufCMessage *first = NULL;
	scoped(message_free) ProtobufCMessage *second = NULL;
	scoped(free) uint8_t *a = NULL;
	scoped(free) uint8_t *b = NULL;
	scoped(free) char *text = NULL;
	char why[JSON_WHY_MAX] = "";
	size_t a_len, b_len;

	if (size == 0)
		return 0;
	type = TYPES[data[0] % N_TYPES];
	if (failed(json_read(
		type, (struct bytes){ data + 1, size - 1 }, &first, why))) {
		if (why[0] == 0 || first != NULL)
			abort();
		return 0;
	}
	if (failed(json_print(first, &text)) ||
	    failed(json_read(type, bytes_of(text), &second, why)))
		abort();
	a = pack(first, &a_len);
	b = pack(second, &b_len);
	if (a_len != b_len || memcmp(a, b, a_len) != 0)
		abort();
	return 0;
}
