/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages and JSON, field by field along the descriptor, which leads: what it
 * does not name is refused, so depth and types are bounded by the .proto and
 * not by the caller.  What is read is one object, strictly; what is written
 * leaves nothing out.  Single values are in json_value.c.
 */

#include "proto/json.h"

#include <assert.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/printable.h"
#include "proto/json_int.h"
#include "proto/message.h"

#define FIELDS_MAX 64
#define SHOWN_MAX 48

struct status
json_complain(const struct json_place *place, const char *format, ...)
{
	int len = 0;
	va_list args;

	if (place->len > 0)
		len = snprintf(place->why, JSON_WHY_MAX, "%s: ", place->path);
	va_start(args, format);
	vsnprintf(place->why + len, JSON_WHY_MAX - (size_t)len, format, args);
	va_end(args);
	return status_fail(
	    STATUS_INVALID_ARGUMENT, "the request cannot be read");
}

/* ---- where we are ---- */

/* Gives the length to go back to. */
static size_t
enter(struct json_place *place, const char *name)
{
	size_t before = place->len;
	int n = snprintf(place->path + before, sizeof(place->path) - before,
	    "%s%s", before == 0 ? "" : ".", name);

	place->len = before + (size_t)n;
	if (place->len >= sizeof(place->path))
		place->len = sizeof(place->path) - 1;
	return before;
}

static size_t
enter_element(struct json_place *place, size_t i)
{
	size_t before = place->len;
	int n = snprintf(
	    place->path + before, sizeof(place->path) - before, "[%zu]", i);

	place->len = before + (size_t)n;
	if (place->len >= sizeof(place->path))
		place->len = sizeof(place->path) - 1;
	return before;
}

static void
leave(struct json_place *place, size_t before)
{
	place->len = before;
	place->path[before] = 0;
}

static STATUS
complain_of_name(struct json_place *place,
    const ProtobufCMessageDescriptor *descriptor, const char *name)
{
	const char *names[FIELDS_MAX + 1], *nearest;
	char shown[SHOWN_MAX];
	unsigned n = 0;

	for (; n < descriptor->n_fields && n < FIELDS_MAX; n++)
		names[n] = descriptor->fields[n].name;
	names[n] = NULL;
	printable_print(bytes_of(name), shown, sizeof(shown));
	enter(place, shown);
	nearest = nearest_word(name, names);
	if (nearest == NULL)
		return json_complain(place, "there is no such field");
	return json_complain(
	    place, "there is no such field; did you mean \"%s\"?", nearest);
}

/* ---- reading ---- */

static STATUS read_message(
    struct json_place *place, const json_t *json, ProtobufCMessage *message);

static void *
member(const ProtobufCMessage *message, unsigned offset)
{
	union {
		const ProtobufCMessage *in;
		uint8_t *out;
	} at = { .in = message };

	return at.out + offset;
}

static STATUS
read_child(struct json_place *place, const ProtobufCFieldDescriptor *field,
    const json_t *value, ProtobufCMessage **at)
{
	/* In the parent at once: released with it. */
	*at = message_new(field->descriptor);
	if (*at == NULL)
		return message_no_memory();
	return read_message(place, value, *at);
}

/* Room for n more elements, all zero, which is what may be released. */
static void *
make_room(const ProtobufCFieldDescriptor *field, ProtobufCMessage *message,
    size_t more)
{
	size_t *n = member(message, field->quantifier_offset);
	uint8_t **list = member(message, field->offset);
	size_t size = json_value_size(field->type);
	uint8_t *grown = realloc(*list, (*n + more) * size);

	if (grown == NULL)
		return NULL;
	*list = grown;
	memset(grown + *n * size, 0, more * size);
	*n += more;
	return grown + (*n - more) * size;
}

static STATUS
read_element(struct json_place *place, const ProtobufCFieldDescriptor *field,
    const json_t *value, void *at)
{
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return read_child(place, field, value, at);
	return json_value_read(place, field, value, at);
}

static STATUS
read_list(struct json_place *place, const ProtobufCFieldDescriptor *field,
    const json_t *list, ProtobufCMessage *message)
{
	size_t n = json_array_size(list);
	size_t size = json_value_size(field->type);
	uint8_t *at;
	struct status st = status_ok();

	if (!json_is_array(list))
		return json_complain(place, "must be a list");
	if (n == 0)
		return st;
	at = make_room(field, message, n);
	if (at == NULL)
		return message_no_memory();
	for (size_t i = 0; i < n && !failed(st); i++) {
		size_t before = enter_element(place, i);

		/* Texts of a list have no default to be released. */
		st = read_element(
		    place, field, json_array_get(list, i), at + i * size);
		leave(place, before);
	}
	return st;
}

static STATUS
read_field(struct json_place *place, const ProtobufCFieldDescriptor *field,
    const json_t *value, ProtobufCMessage *message)
{
	void *at = member(message, field->offset);

	assert(json_value_size(field->type) != 0);
	assert((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0);
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return read_list(place, field, value, message);
	if (field->type == PROTOBUF_C_TYPE_MESSAGE && json_is_null(value))
		return status_ok();
	return read_element(place, field, value, at);
}

static STATUS
read_message(
    struct json_place *place, const json_t *json, ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;
	union {
		const json_t *in;
		json_t *out; /* jansson walks objects without const */
	} object = { .in = json };

	if (!json_is_object(json))
		return json_complain(
		    place, place->len == 0 ? "the request must be an object"
					   : "must be an object");
	for (void *it = json_object_iter(object.out); it != NULL;
	     it = json_object_iter_next(object.out, it)) {
		const char *name = json_object_iter_key(it);
		const ProtobufCFieldDescriptor *field =
		    protobuf_c_message_descriptor_get_field_by_name(
			descriptor, name);
		size_t before;
		struct status st;

		if (field == NULL)
			return complain_of_name(place, descriptor, name);
		before = enter(place, name);
		st = read_field(
		    place, field, json_object_iter_value(it), message);
		if (failed(st))
			return st;
		leave(place, before);
	}
	return status_ok();
}

/* ---- which fields to change ---- */

static const ProtobufCFieldDescriptor *
change_field(const ProtobufCMessageDescriptor *descriptor)
{
	const ProtobufCFieldDescriptor *field =
	    protobuf_c_message_descriptor_get_field_by_name(
		descriptor, "change");

	if (field != NULL && field->label == PROTOBUF_C_LABEL_REPEATED &&
	    field->type == PROTOBUF_C_TYPE_ENUM)
		return field;
	return NULL;
}

/* FIELD_ORIGIN is origin. */
static bool
changes(const ProtobufCEnumDescriptor *type, const ProtobufCEnumValue *value,
    const json_t *object)
{
	char word[JSON_WORD_MAX];

	json_word(type, value, word, sizeof(word));
	return json_object_get(object, word) != NULL;
}

static STATUS
fill_change(ProtobufCMessage *message, const json_t *object)
{
	const ProtobufCFieldDescriptor *field =
	    change_field(message->descriptor);
	const ProtobufCEnumDescriptor *type;

	if (field == NULL || json_object_get(object, "change") != NULL)
		return status_ok();
	type = field->descriptor;
	for (unsigned i = 0; i < type->n_values; i++) {
		int *at;

		if (!changes(type, &type->values[i], object))
			continue;
		at = make_room(field, message, 1);
		if (at == NULL)
			return message_no_memory();
		*at = type->values[i].value;
	}
	return status_ok();
}

/* ---- the text ---- */

/* Before jansson sees it, which would go much deeper. */
static bool
is_too_deep(struct bytes text)
{
	unsigned depth = 0;
	bool in_text = false;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i];

		if (in_text) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_text = false;
		} else if (c == '"') {
			in_text = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_DEPTH_MAX)
				return true;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

static STATUS
load(struct json_place *place, struct bytes text, json_t **ret_json)
{
	json_error_t error;
	char shown[JSON_ERROR_TEXT_LENGTH];

	if (is_too_deep(text))
		return json_complain(place,
		    "the request is nested more than %d deep", JSON_DEPTH_MAX);
	*ret_json = json_loadb(
	    (const char *)text.at, text.len, JSON_REJECT_DUPLICATES, &error);
	if (*ret_json != NULL)
		return status_ok();
	/* It quotes the text. */
	printable_print(bytes_of(error.text), shown, sizeof(shown));
	return json_complain(place, "no JSON, line %d, column %d: %s",
	    error.line, error.column, shown);
}

static void
wipe_and_free(void *at)
{
	if (at != NULL)
		explicit_bzero(at, malloc_usable_size(at));
	free(at);
}

void
json_guard(void)
{
	json_set_alloc_funcs(malloc, wipe_and_free);
}

STATUS
json_read(const ProtobufCMessageDescriptor *descriptor, struct bytes text,
    ProtobufCMessage **ret_message, char *ret_why)
{
	struct json_place place = { .why = ret_why };
	ProtobufCMessage *message = NULL;
	json_t *json = NULL;
	struct status st = load(&place, text, &json);

	if (failed(st))
		return st;
	message = message_new(descriptor);
	st = message == NULL ? message_no_memory()
			     : read_message(&place, json, message);
	if (!failed(st))
		st = fill_change(message, json);
	json_decref(json);
	if (failed(st)) {
		message_free(message);
		return st;
	}
	*ret_message = message;
	return st;
}

STATUS
json_set(ProtobufCMessage *message, const char *name, const char *text,
    char *ret_why)
{
	struct json_place place = { .why = ret_why, .texts = true };
	const ProtobufCFieldDescriptor *field =
	    protobuf_c_message_descriptor_get_field_by_name(
		message->descriptor, name);
	json_t *value;
	void *at;
	struct status st;

	if (field == NULL)
		return complain_of_name(&place, message->descriptor, name);
	enter(&place, name);
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return json_complain(&place, "cannot stand in an address");
	value = json_string(text);
	if (value == NULL)
		return json_complain(&place, "is no UTF-8");
	at = field->label == PROTOBUF_C_LABEL_REPEATED
		 ? make_room(field, message, 1)
		 : member(message, field->offset);
	st = at == NULL ? message_no_memory()
			: json_value_read(&place, field, value, at);
	json_decref(value);
	return st;
}

/* ---- writing ---- */

static json_t *print_message(const ProtobufCMessage *message);

static json_t *
print_element(const ProtobufCFieldDescriptor *field, const void *at)
{
	const ProtobufCMessage *child;

	if (field->type != PROTOBUF_C_TYPE_MESSAGE)
		return json_value_print(field, at);
	child = *(ProtobufCMessage *const *)at;
	return child == NULL ? json_null() : print_message(child);
}

static json_t *
print_field(
    const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message)
{
	size_t size = json_value_size(field->type), n;
	const uint8_t *at;
	json_t *list;

	if (field->label != PROTOBUF_C_LABEL_REPEATED)
		return print_element(field, member(message, field->offset));
	n = *(size_t *)member(message, field->quantifier_offset);
	at = *(uint8_t **)member(message, field->offset);
	list = json_array();
	for (size_t i = 0; list != NULL && i < n; i++) {
		if (json_array_append_new(
			list, print_element(field, at + i * size)) == 0)
			continue;
		json_decref(list);
		list = NULL;
	}
	return list;
}

static json_t *
print_message(const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;
	json_t *object = json_object();

	for (unsigned i = 0; object != NULL && i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &descriptor->fields[i];

		if (json_object_set_new(
			object, field->name, print_field(field, message)) == 0)
			continue;
		json_decref(object);
		object = NULL;
	}
	return object;
}

STATUS
json_print(const ProtobufCMessage *message, char **ret_text)
{
	json_t *json = print_message(message);
	char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

	json_decref(json);
	if (text == NULL)
		return message_no_memory();
	*ret_text = text;
	return status_ok();
}
