/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_MESSAGE_H
#define PROTO_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"

/*
 * protobuf-c messages that are built by hand and released with
 * protobuf_c_message_free_unpacked: every string, buffer and element is
 * malloc'd.  All give false or NULL when memory ends; what is there then is
 * still released by message_free.
 */

/* A new message, all fields at their defaults. */
ProtobufCMessage *message_new(const ProtobufCMessageDescriptor *descriptor);
void message_free(ProtobufCMessage *message); /* NULL is allowed */
SCOPED_RELEASE(message_free, ProtobufCMessage *);

/* Set a string field to a copy (releases what was there); "" is the default. */
bool message_text(char **field, const char *text);
bool message_bytes(ProtobufCBinaryData *field, struct bytes bytes);

/*
 * Append a new message to a repeated field: (&msg->n_items, &msg->items).
 * Gives the element, to be filled in place.  Of a list that was made by
 * appending alone: one that was unpacked has no room to grow in.
 */
void *message_append(
    size_t *n, void *items, const ProtobufCMessageDescriptor *descriptor);
/* Append a copy of a string to a repeated string field. */
bool message_append_text(size_t *n, char ***items, const char *text);
bool message_append_int64(size_t *n, int64_t **items, int64_t value);

/* What to say when one of them failed. */
struct status message_no_memory(void);

#endif
