/* SPDX-License-Identifier: Apache-2.0 */

/* protobuf-c messages built by hand; see message.h. */

#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

ProtobufCMessage *
message_new(const ProtobufCMessageDescriptor *descriptor)
{
	ProtobufCMessage *message = calloc(1, descriptor->sizeof_message);

	if (message != NULL)
		protobuf_c_message_init(descriptor, message);
	return message;
}

void
message_free(ProtobufCMessage *message)
{
	protobuf_c_message_free_unpacked(message, NULL);
}

bool
message_text(char **field, const char *text)
{
	char *copy = strdup(text == NULL ? "" : text);

	if (copy == NULL)
		return false;
	/* The default is no memory of ours. */
	if (*field != protobuf_c_empty_string)
		free(*field);
	*field = copy;
	return true;
}

bool
message_bytes(ProtobufCBinaryData *field, struct bytes bytes)
{
	uint8_t *copy = malloc(bytes.len == 0 ? 1 : bytes.len);

	if (copy == NULL)
		return false;
	if (bytes.len > 0)
		memcpy(copy, bytes.at, bytes.len);
	free(field->data);
	*field = (ProtobufCBinaryData){ bytes.len, copy };
	return true;
}

/* Room for one more element; NULL when memory ends, and nothing is lost. */
static void *
grow(size_t n, void *items, size_t each)
{
	/* Powers of two: grown when n is one. */
	if ((n & (n - 1)) != 0)
		return items;
	return realloc(items, (n == 0 ? 1 : 2 * n) * each);
}

void *
message_append(
    size_t *n, void *items, const ProtobufCMessageDescriptor *descriptor)
{
	ProtobufCMessage ***list = items;
	ProtobufCMessage *message = message_new(descriptor);
	ProtobufCMessage **more = grow(*n, *list, sizeof(*more));

	if (more != NULL)
		*list = more;
	if (message == NULL || more == NULL) {
		free(message);
		return NULL;
	}
	more[(*n)++] = message;
	return message;
}

bool
message_append_text(size_t *n, char ***items, const char *text)
{
	char *copy = strdup(text);
	char **more = grow(*n, *items, sizeof(*more));

	if (more != NULL)
		*items = more;
	if (copy == NULL || more == NULL) {
		free(copy);
		return false;
	}
	more[(*n)++] = copy;
	return true;
}

bool
message_append_int64(size_t *n, int64_t **items, int64_t value)
{
	int64_t *more = grow(*n, *items, sizeof(*more));

	if (more == NULL)
		return false;
	*items = more;
	more[(*n)++] = value;
	return true;
}

struct status
message_no_memory(void)
{
	return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
}
