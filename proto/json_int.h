/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_JSON_INT_H
#define PROTO_JSON_INT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <protobuf-c/protobuf-c.h>

#include "base/status.h"

/*
 * Between json.c (messages) and json_value.c (single values).
 *
 * Where the reader is, for its messages.
 */
struct json_place {
	char *why; /* JSON_WHY_MAX octets */
	char path[128];
	size_t len;
	/* From a path or a query: everything is text. */
	bool texts;
};

/* "path: sentence" into place->why; INVALID_ARGUMENT. */
struct status json_complain(const struct json_place *place, const char *format,
    ...) __attribute__((format(printf, 2, 3)));

/* Octets that one value of this type takes in a message; 0: not supported. */
size_t json_value_size(ProtobufCType type);

/*
 * One value, but for messages, into at, which holds its default and may be
 * released whatever happens.
 */
STATUS json_value_read(struct json_place *place,
    const ProtobufCFieldDescriptor *field, const json_t *value, void *at);

/* A new value; NULL when memory ends.  Not for messages. */
json_t *json_value_print(const ProtobufCFieldDescriptor *field, const void *at);

#endif
