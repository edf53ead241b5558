/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_JSON_H
#define PROTO_JSON_H

#include <protobuf-c/protobuf-c.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * Messages as JSON and back, by their descriptors; docs/REST.md has the
 * mapping.  Names are those of the .proto, numbers are numbers, octets are
 * base64, enums are lower-case words without their type's name.
 *
 * Any thread.  ret_why (JSON_WHY_MAX octets) gets a sentence that names the
 * place: "parts.certificate: must be a text".
 */
#define JSON_WHY_MAX 256
#define JSON_DEPTH_MAX 16

/* From here on what JSON is read into is wiped when it is let go: there may be
 * passwords in it.  Once, before threads read any. */
void json_guard(void);

/* Every field, also those at their defaults; malloc'd.  Only memory ends it. */
STATUS json_print(const ProtobufCMessage *message, char **ret_text);

/*
 * One JSON object (RFC 8259) and nothing after it.  Refuses what the message
 * has no field for, names given twice, wrong types, more than JSON_DEPTH_MAX
 * levels and what is no UTF-8.  The message is released by message_free.
 *
 * A repeated enum field named "change" that is not given is filled with the
 * value FIELD_X for each field x that is.
 */
STATUS json_read(const ProtobufCMessageDescriptor *descriptor,
    struct bytes text, ProtobufCMessage **ret_message, char *ret_why);

/*
 * Set one field from a text, as a path or a query has it: "17", "true",
 * "personal".  Repeated fields get one more element.
 */
STATUS json_set(ProtobufCMessage *message, const char *field, const char *text,
    char *ret_why);

/* The word for an enum's value: "personal" for CERTIFICATE_KIND_PERSONAL; max
 * octets with the zero. */
void json_word(const ProtobufCEnumDescriptor *type,
    const ProtobufCEnumValue *value, char *ret_word, size_t max);
#define JSON_WORD_MAX 64

#endif
