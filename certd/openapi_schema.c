/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Types as JSON Schema (2020-12, what OpenAPI 3.1 has), as json.h maps them.
 * One schema a message or enum, under the last part of its name, keyd's with
 * its own before it; two of one name would be a mistake in the .proto files and
 * end the making.
 */

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "certd/openapi_int.h"
#include "proto/json.h"

#define KEYD "holdfast.keyd.v1."

/* "holdfast.certd.v1.UpdateResourceRequest.Field" is
 * "UpdateResourceRequestField", "holdfast.keyd.v1.Key" is "KeydKey". */
static void
name_of(const char *full, const char *package, char *ret_name, size_t max)
{
	size_t len = strlen(package), n = 0;

	if (strncmp(full, KEYD, sizeof(KEYD) - 1) == 0)
		n = (size_t)snprintf(ret_name, max, "Keyd");
	if (strncmp(full, package, len) == 0 && full[len] == '.')
		full += len + 1;
	for (; *full != 0 && n + 1 < max; full++)
		if (*full != '.')
			ret_name[n++] = *full;
	ret_name[n] = 0;
}

/* Is the schema of that name still to be made? */
static bool
claim(struct openapi_maker *maker, const char *name, const char *full)
{
	const json_t *holder = json_object_get(maker->names, name);

	if (holder == NULL) {
		openapi_put(maker, maker->names, name, json_string(full));
		return true;
	}
	if (strcmp(json_string_value(holder), full) != 0)
		maker->failed = true;
	return false;
}

/* ---- enums ---- */

static json_t *
enum_schema(struct openapi_maker *maker, const ProtobufCEnumDescriptor *type)
{
	json_t *schema = json_object(), *words = json_array();
	char text[2048];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "%s",
	    comments_of(maker->comments, type->name, NULL));
	for (unsigned i = 0; i < type->n_values; i++) {
		const char *comment = comments_of(
		    maker->comments, type->name, type->values[i].name);
		char word[JSON_WORD_MAX];

		json_word(type, &type->values[i], word, sizeof(word));
		openapi_append(maker, words, json_string(word));
		if (comment[0] != 0 && n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "%s- `%s`: %s", n == 0 ? "" : "\n", word, comment);
	}
	openapi_put(maker, schema, "type", json_string("string"));
	openapi_put_text(maker, schema, "description", text);
	openapi_put(maker, schema, "enum", words);
	return schema;
}

static json_t *
enum_ref(struct openapi_maker *maker, const ProtobufCEnumDescriptor *type)
{
	char name[128];

	name_of(type->name, type->package_name, name, sizeof(name));
	if (claim(maker, name, type->name))
		openapi_put(
		    maker, maker->schemas, name, enum_schema(maker, type));
	return openapi_ref("schemas", name);
}

/* ---- fields ---- */

static json_t *
value_schema(struct openapi_maker *maker, const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
		return json_pack(
		    "{s:s, s:s}", "type", "integer", "format", "int32");
	case PROTOBUF_C_TYPE_INT64:
		return json_pack(
		    "{s:s, s:s}", "type", "integer", "format", "int64");
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_UINT64:
		return json_pack("{s:s, s:i}", "type", "integer", "minimum", 0);
	case PROTOBUF_C_TYPE_DOUBLE:
		return json_pack("{s:s}", "type", "number");
	case PROTOBUF_C_TYPE_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case PROTOBUF_C_TYPE_BYTES:
		return json_pack("{s:s, s:s}", "type", "string",
		    "contentEncoding", "base64");
	case PROTOBUF_C_TYPE_ENUM:
		return enum_ref(maker, field->descriptor);
	case PROTOBUF_C_TYPE_MESSAGE:
		return openapi_schema(maker, field->descriptor);
	default:
		return json_pack("{s:s}", "type", "string");
	}
}

json_t *
openapi_field(
    struct openapi_maker *maker, const ProtobufCFieldDescriptor *field)
{
	json_t *value = value_schema(maker, field);

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return json_pack("{s:s, s:o}", "type", "array", "items", value);
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return json_pack(
		    "{s:[o, {s:s}]}", "anyOf", value, "type", "null");
	return value;
}

/* ---- messages ---- */

/* Over REST it is told by which fields stand in the body. */
static bool
is_change(const ProtobufCFieldDescriptor *field)
{
	return strcmp(field->name, "change") == 0 &&
	       field->label == PROTOBUF_C_LABEL_REPEATED &&
	       field->type == PROTOBUF_C_TYPE_ENUM;
}

/* method: whose body it is, or NULL. */
static json_t *
message_schema(struct openapi_maker *maker,
    const ProtobufCMessageDescriptor *message, const struct api_method *method)
{
	json_t *schema = json_object(), *properties = json_object();

	for (unsigned i = 0; i < message->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &message->fields[i];
		json_t *property;

		if (is_change(field) ||
		    (method != NULL && openapi_is_in_path(method, field->name)))
			continue;
		property = openapi_field(maker, field);
		if (property == NULL)
			maker->failed = true;
		else
			openapi_put_text(maker, property, "description",
			    comments_of(
				maker->comments, message->name, field->name));
		openapi_put(maker, properties, field->name, property);
	}
	openapi_put(maker, schema, "type", json_string("object"));
	openapi_put_text(maker, schema, "description",
	    comments_of(maker->comments, message->name, NULL));
	openapi_put(maker, schema, "properties", properties);
	return schema;
}

json_t *
openapi_schema(
    struct openapi_maker *maker, const ProtobufCMessageDescriptor *message)
{
	char name[128];

	name_of(message->name, message->package_name, name, sizeof(name));
	if (claim(maker, name, message->name)) {
		/* There first, should it hold itself. */
		openapi_put(maker, maker->schemas, name, json_object());
		openapi_put(maker, maker->schemas, name,
		    message_schema(maker, message, NULL));
	}
	return openapi_ref("schemas", name);
}

json_t *
openapi_body(struct openapi_maker *maker, const struct api_method *method)
{
	const ProtobufCMessageDescriptor *input = openapi_method(method)->input;
	json_t *schema;
	char name[128];

	if (strchr(method->path, '{') == NULL)
		return openapi_schema(maker, input);
	name_of(input->name, input->package_name, name, sizeof(name) - 5);
	schema = message_schema(maker, input, method);
	if (json_object_size(json_object_get(schema, "properties")) == 0) {
		json_decref(schema);
		return NULL;
	}
	memcpy(name + strlen(name), "Body", 5);
	openapi_put(maker, maker->schemas, name, schema);
	return openapi_ref("schemas", name);
}

/* ---- requests and replies ---- */

/* All names that a message's schema leads to, into a set. */
static void
reach(struct openapi_maker *maker, const ProtobufCMessageDescriptor *message,
    json_t *set)
{
	char name[128];

	name_of(message->name, message->package_name, name, sizeof(name));
	if (json_object_get(set, name) != NULL)
		return;
	openapi_put(maker, set, name, json_true());
	for (unsigned i = 0; i < message->n_fields; i++)
		if (message->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
			reach(maker, message->fields[i].descriptor, set);
}

static void
require_all(struct openapi_maker *maker, json_t *schema)
{
	json_t *required = json_array(), *value;
	const char *name;

	json_object_foreach(json_object_get(schema, "properties"), name, value)
	    openapi_append(maker, required, json_string(name));
	if (json_array_size(required) > 0)
		openapi_put(maker, schema, "required", required);
	else
		json_decref(required);
}

void
openapi_schema_finish(struct openapi_maker *maker, const struct api *api)
{
	json_t *asked = json_object(), *answered = json_object(), *schema;
	const char *name;

	for (size_t i = 0; i < api_count(api); i++) {
		const struct api_method *method = api_at(api, i);

		if (method->path == NULL)
			continue;
		reach(maker, openapi_method(method)->input, asked);
		reach(maker, openapi_method(method)->output, answered);
	}
	json_object_foreach(maker->schemas, name, schema)
	{
		if (json_object_get(schema, "properties") == NULL)
			continue;
		if (json_object_get(answered, name) == NULL)
			openapi_put(maker, schema, "additionalProperties",
			    json_false());
		else if (json_object_get(asked, name) == NULL)
			require_all(maker, schema);
	}
	json_decref(asked);
	json_decref(answered);
}
