/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML into a C struct, by walking libyaml's events along a schema.  The schema
 * leads: what it does not name is refused where it stands, so depth, size and
 * types are bounded by the schema and not by the file.  Events, not libyaml's
 * document tree, because the tree has already followed aliases and dropped
 * anchors and positions by the time one could refuse them.
 *
 * Reading a map is read_map; everything it meets goes through read_value; what
 * it did not meet gets its default, which is read by the same read_value.
 */
#include "base/conf.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/conf_scalar.h"
#include "base/nearest.h"

#define LIST_MAX 4096
#define FIELDS_MAX 64 /* in one map: a bit each */

struct reader {
	const char *name; /* stands before every message */
	char *error;
	yaml_parser_t parser;
	yaml_event_t event; /* the one being looked at */
};

static bool read_value(
    struct reader *reader, const struct conf_field *field, void *member);

static __attribute__((format(printf, 3, 4))) bool
complain(struct reader *reader, yaml_mark_t at, const char *format, ...)
{
	va_list args;
	int len = snprintf(reader->error, CONF_ERROR_MAX,
	    "%.256s:%zu:%zu: ", reader->name, at.line + 1, at.column + 1);

	va_start(args, format);
	vsnprintf(
	    reader->error + len, CONF_ERROR_MAX - (size_t)len, format, args);
	va_end(args);
	return false;
}

static bool
complain_of_syntax(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;

	if (parser->error == YAML_MEMORY_ERROR)
		return complain(reader, parser->mark, "out of memory");
	if (parser->error == YAML_READER_ERROR)
		return complain(reader, parser->mark,
		    "not clean text (%s); save the file as UTF-8",
		    parser->problem != NULL ? parser->problem : "encoding");
	return complain(reader, parser->problem_mark,
	    "this is not YAML: %s; mind indentation and quotes",
	    parser->problem != NULL ? parser->problem : "syntax error");
}

/* Look at the next event; refuses what no schema of ours can want. */
static bool
next(struct reader *reader)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;
	const yaml_event_t *event = &reader->event;

	yaml_event_delete(&reader->event);
	if (yaml_parser_parse(&reader->parser, &reader->event) == 0)
		return complain_of_syntax(reader);
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return complain(reader, event->start_mark,
		    "aliases (*name) are not supported; write it out");
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		break;
	default:
		break;
	}
	if (anchor != NULL)
		return complain(reader, event->start_mark,
		    "anchors (&name) are not supported; write it out");
	if (tag != NULL)
		return complain(reader, event->start_mark,
		    "tags (!name) are not supported; leave it out");
	return true;
}

/* The scalar's text; NULL, after a complaint, when it has a zero inside. */
static const char *
scalar_text(struct reader *reader)
{
	const char *text = (const char *)reader->event.data.scalar.value;

	if (strlen(text) == reader->event.data.scalar.length)
		return text;
	complain(reader, reader->event.start_mark,
	    "there is a zero character in this text; leave it out");
	return NULL;
}

static bool
is_absent(const yaml_event_t *event)
{
	return event->type == YAML_SCALAR_EVENT &&
	       event->data.scalar.length == 0 &&
	       event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* One scalar at the current event, as the field's type. */
static bool
read_scalar(struct reader *reader, const struct conf_field *field, void *member)
{
	char why[CONF_WHY_MAX];
	const char *text;

	if (is_absent(&reader->event))
		return complain(reader, reader->event.start_mark,
		    "\"%s\" has no value; write one, or \"\" for none",
		    field->key);
	if (reader->event.type != YAML_SCALAR_EVENT)
		return complain(reader, reader->event.start_mark,
		    "\"%s\" takes one value, not a list or a map", field->key);
	text = scalar_text(reader);
	if (text == NULL)
		return false;
	if (!conf_scalar_read(field, text, member, why))
		return complain(reader, reader->event.start_mark, "\"%s\" %s",
		    field->key, why);
	return true;
}

/* Make room for one zeroed element more at the end of a list. */
static bool
grow(struct reader *reader, const struct conf_field *field, void **at,
    size_t len, size_t elem_size)
{
	uint64_t max = field->max != 0 ? field->max : LIST_MAX;
	void *grown;

	if (len >= max)
		return complain(reader, reader->event.start_mark,
		    "\"%s\" has more than %" PRIu64 " entries", field->key,
		    max);
	grown = reallocarray(*at, len + 1, elem_size);
	if (grown == NULL)
		return complain(
		    reader, reader->event.start_mark, "out of memory");
	memset((char *)grown + len * elem_size, 0, elem_size);
	*at = grown;
	return true;
}

static bool
read_strings(
    struct reader *reader, const struct conf_field *field, void *member)
{
	/* Bounds of the list are not those of its entries. */
	const struct conf_field entry = { .key = field->key,
		.type = CONF_STRING };
	struct conf_strings *list = member;
	void *at = list->at;

	if (!grow(reader, field, &at, list->len, sizeof(*list->at)))
		return false;
	list->at = at;
	if (!read_scalar(reader, &entry, &list->at[list->len]))
		return false;
	list->len++;
	return true;
}

static const struct conf_field *
find_field(const struct conf_field *schema, const char *key)
{
	while (schema->key != NULL && strcmp(schema->key, key) != 0)
		schema++;
	return schema->key != NULL ? schema : NULL;
}

static bool
complain_of_key(
    struct reader *reader, const struct conf_field *schema, const char *key)
{
	const char *keys[FIELDS_MAX + 1] = { NULL };
	char quoted[CONF_QUOTE_MAX];
	const char *nearest;

	for (size_t i = 0; schema[i].key != NULL; i++)
		keys[i] = schema[i].key;
	nearest = nearest_word(key, keys);
	conf_scalar_quote(key, quoted);
	if (nearest != NULL)
		return complain(reader, reader->event.start_mark,
		    "unknown key %s; did you mean \"%s\"?", quoted, nearest);
	return complain(reader, reader->event.start_mark,
	    "unknown key %s; the manual page lists what belongs here", quoted);
}

/* Give a field that the file does not name its default. */
static bool
read_default(
    struct reader *reader, const struct conf_field *field, void *member)
{
	struct reader of_default = { .name = reader->name,
		.error = reader->error };
	bool ok;

	if (field->type == CONF_MAP) {
		/* The whole map is optional, so what it requires is not. */
		for (const struct conf_field *f = field->fields; f->key != NULL;
		     f++) {
			if (!read_default(
				reader, f, (char *)member + f->offset))
				return false;
		}
		return true;
	}
	if (field->default_text == NULL)
		return true;
	if (yaml_parser_initialize(&of_default.parser) == 0)
		return complain(
		    reader, reader->event.start_mark, "out of memory");
	yaml_parser_set_input_string(&of_default.parser,
	    (const unsigned char *)field->default_text,
	    strlen(field->default_text));
	/* The stream, the document, the value. */
	ok = next(&of_default) && next(&of_default) && next(&of_default) &&
	     read_value(&of_default, field, member);
	yaml_event_delete(&of_default.event);
	yaml_parser_delete(&of_default.parser);
	return ok;
}

static bool
read_unseen(struct reader *reader, const struct conf_field *schema,
    uint64_t seen, yaml_mark_t map_at, void *config)
{
	for (size_t i = 0; schema[i].key != NULL; i++) {
		if ((seen >> i & 1) != 0)
			continue;
		if (schema[i].required)
			return complain(reader, map_at,
			    "\"%s\" is missing; it is required here",
			    schema[i].key);
		if (!read_default(
			reader, &schema[i], (char *)config + schema[i].offset))
			return false;
	}
	return true;
}

/* The keys and values up to the end of the map that has just begun. */
static bool
read_map(struct reader *reader, const struct conf_field *schema, void *config)
{
	const yaml_mark_t map_at = reader->event.start_mark;
	uint64_t seen = 0;

	while (next(reader) && reader->event.type != YAML_MAPPING_END_EVENT) {
		const struct conf_field *field;
		const char *key;
		uint64_t bit;

		if (reader->event.type != YAML_SCALAR_EVENT)
			return complain(reader, reader->event.start_mark,
			    "a list or a map stands where a key should");
		key = scalar_text(reader);
		if (key == NULL)
			return false;
		field = find_field(schema, key);
		if (field == NULL)
			return complain_of_key(reader, schema, key);
		assert(field - schema < FIELDS_MAX);
		bit = UINT64_C(1) << (field - schema);
		if ((seen & bit) != 0)
			return complain(reader, reader->event.start_mark,
			    "\"%s\" is given twice; remove one", field->key);
		seen |= bit;
		if (!next(reader) ||
		    !read_value(reader, field, (char *)config + field->offset))
			return false;
	}
	return reader->event.type == YAML_MAPPING_END_EVENT &&
	       read_unseen(reader, schema, seen, map_at, config);
}

static bool
read_maps(struct reader *reader, const struct conf_field *field, void *member)
{
	struct conf_maps *list = member;

	if (reader->event.type != YAML_MAPPING_START_EVENT)
		return complain(reader, reader->event.start_mark,
		    "each entry of \"%s\" is a map of keys and values",
		    field->key);
	if (!grow(reader, field, &list->at, list->len, field->elem_size))
		return false;
	/* Counted before it is read, so that conf_free finds it half read. */
	list->len++;
	return read_map(reader, field->fields,
	    (char *)list->at + (list->len - 1) * field->elem_size);
}

static bool
read_list(struct reader *reader, const struct conf_field *field, void *member)
{
	const yaml_mark_t list_at = reader->event.start_mark;
	uint64_t len = 0;

	if (reader->event.type != YAML_SEQUENCE_START_EVENT)
		return complain(reader, list_at,
		    "\"%s\" is a list; start each entry with \"- \"",
		    field->key);
	while (next(reader) && reader->event.type != YAML_SEQUENCE_END_EVENT) {
		if (field->type == CONF_STRINGS
			? !read_strings(reader, field, member)
			: !read_maps(reader, field, member))
			return false;
		len++;
	}
	if (reader->event.type != YAML_SEQUENCE_END_EVENT)
		return false;
	if (len < field->min)
		return complain(reader, list_at,
		    "\"%s\" needs at least %" PRIu64 " entries", field->key,
		    field->min);
	return true;
}

static bool
read_value(struct reader *reader, const struct conf_field *field, void *member)
{
	if (conf_scalar_is(field->type))
		return read_scalar(reader, field, member);
	if (field->type != CONF_MAP)
		return read_list(reader, field, member);
	if (reader->event.type != YAML_MAPPING_START_EVENT)
		return complain(reader, reader->event.start_mark,
		    "\"%s\" is a map; write its keys indented below it",
		    field->key);
	return read_map(reader, field->fields, member);
}

static bool
read_stream(
    struct reader *reader, const struct conf_field *schema, void *config)
{
	if (!next(reader) || !next(reader)) /* the stream, its first part */
		return false;
	/* An empty file is an empty map. */
	if (reader->event.type == YAML_STREAM_END_EVENT)
		return read_unseen(
		    reader, schema, 0, reader->event.start_mark, config);
	if (!next(reader))
		return false;
	if (is_absent(&reader->event)) {
		if (!read_unseen(
			reader, schema, 0, reader->event.start_mark, config))
			return false;
	} else if (reader->event.type != YAML_MAPPING_START_EVENT) {
		return complain(reader, reader->event.start_mark,
		    "the file must hold keys and values, as in \"key: value\"");
	} else if (!read_map(reader, schema, config)) {
		return false;
	}
	if (!next(reader) || !next(reader)) /* the document's end, and then */
		return false;
	if (reader->event.type != YAML_STREAM_END_EVENT)
		return complain(reader, reader->event.start_mark,
		    "a second document starts here; a file holds one");
	return true;
}

STATUS
conf_parse(const char *name, const char *text, size_t len,
    const struct conf_field *schema, void *config,
    char ret_error[CONF_ERROR_MAX])
{
	struct reader reader = { .name = name, .error = ret_error };
	bool ok;

	if (yaml_parser_initialize(&reader.parser) == 0)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &reader.parser, (const unsigned char *)text, len);
	ok = read_stream(&reader, schema, config);
	yaml_event_delete(&reader.event);
	yaml_parser_delete(&reader.parser);
	if (ok)
		return status_ok();
	conf_free(schema, config);
	return status_fail(STATUS_INVALID_ARGUMENT,
	    "the configuration has an error; the message says where");
}

static void
free_strings(struct conf_strings *list)
{
	for (size_t i = 0; i < list->len; i++)
		free(list->at[i]);
	free(list->at);
	*list = (struct conf_strings){ 0 };
}

static void
free_maps(const struct conf_field *field, struct conf_maps *list)
{
	for (size_t i = 0; i < list->len; i++)
		conf_free(
		    field->fields, (char *)list->at + i * field->elem_size);
	free(list->at);
	*list = (struct conf_maps){ 0 };
}

void
conf_free(const struct conf_field *schema, void *config)
{
	for (; schema->key != NULL; schema++) {
		void *member = (char *)config + schema->offset;

		switch (schema->type) {
		case CONF_STRING:
			free(*(char **)member);
			*(char **)member = NULL;
			break;
		case CONF_STRINGS:
			free_strings(member);
			break;
		case CONF_MAP:
			conf_free(schema->fields, member);
			break;
		case CONF_MAPS:
			free_maps(schema, member);
			break;
		case CONF_BOOL:
			*(bool *)member = false;
			break;
		case CONF_CHOICE:
			*(int *)member = 0;
			break;
		case CONF_UINT:
		case CONF_SIZE:
		case CONF_DURATION:
			*(uint64_t *)member = 0;
			break;
		}
	}
}
