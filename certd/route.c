/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From verb and path to a method.  Templates and paths are compared segment by
 * segment: a literal octet for octet, a variable with anything but nothing; of
 * two that fit, the one with more literals is meant.  An act (":replace")
 * stands behind the last colon as it came; a colon that belongs to a value is
 * written %3A.  What the paths hold is read by json.h, what is in escapes by
 * query.h: both strictly.
 */

#include "certd/route.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/query.h"
#include "proto/json.h"
#include "proto/message.h"

#define SEGMENTS_MAX 8

struct segment {
	const char *at; /* without its act */
	size_t len;
	const char *act; /* without its colon */
	size_t act_len;
	bool is_variable;
};

struct template
{
	const struct api_method *method;
	size_t n;
	struct segment segments[SEGMENTS_MAX];
	size_t literals;
};

struct route_table {
	size_t n;
	struct template templates[];
};

static const char *const VERBS[] = {
	[API_GET] = "GET",
	[API_POST] = "POST",
	[API_PATCH] = "PATCH",
	[API_DELETE] = "DELETE",
};
#define N_VERBS (sizeof(VERBS) / sizeof(VERBS[0]))

const char *
route_verb_name(enum api_verb verb)
{
	return VERBS[verb];
}

bool
route_verb(const char *name, enum api_verb *ret_verb)
{
	for (size_t i = 0; i < N_VERBS; i++) {
		if (strcmp(name, VERBS[i]) != 0)
			continue;
		*ret_verb = (enum api_verb)i;
		return true;
	}
	return false;
}

/* ---- taking apart ---- */

static bool
same(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

/* "/a/b:c" into segments; false when it is no such path. */
static bool
split(const char *path, struct segment *ret_segments, size_t *ret_n)
{
	size_t n = 0;

	while (*path == '/') {
		struct segment *segment = &ret_segments[n];
		size_t whole = strcspn(path + 1, "/");
		const char *colon;

		if (n == SEGMENTS_MAX || whole == 0)
			return false;
		*segment = (struct segment){ .at = path + 1, .len = whole };
		colon = memrchr(segment->at, ':', whole);
		if (colon != NULL) {
			segment->len = (size_t)(colon - segment->at);
			segment->act = colon + 1;
			segment->act_len = whole - segment->len - 1;
			if (segment->act_len == 0 ||
			    memchr(segment->at, ':', segment->len) != NULL)
				return false;
		}
		path += 1 + whole;
		n++;
	}
	*ret_n = n;
	return *path == 0 && n > 0;
}

/* ---- the table ---- */

static STATUS
compile(const struct api_method *method, struct template *ret_template)
{
	struct template template = { .method = method };

	if (!split(method->path, template.segments, &template.n))
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "a path in the tables of methods is no path");
	for (size_t i = 0; i < template.n; i++) {
		struct segment *segment = &template.segments[i];

		segment->is_variable = segment->len > 2 &&
				       segment->at[0] == '{' &&
				       segment->at[segment->len - 1] == '}';
		if (!segment->is_variable) {
			template.literals++;
			continue;
		}
		segment->at++;
		segment->len -= 2;
		if (segment->len >= ROUTE_NAME_MAX)
			return status_fail(STATUS_FAILED_PRECONDITION,
			    "a path in the tables of methods has a name that "
			    "is too long");
	}
	*ret_template = template;
	return status_ok();
}

/* Would one path fit both? */
static bool
collide(const struct template *a, const struct template *b)
{
	if (a->method->verb != b->method->verb || a->n != b->n ||
	    a->literals != b->literals)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct segment *x = &a->segments[i];
		const struct segment *y = &b->segments[i];

		if (x->is_variable != y->is_variable ||
		    !same(x->act, x->act_len, y->act, y->act_len))
			return false;
		if (!x->is_variable && !same(x->at, x->len, y->at, y->len))
			return false;
	}
	return true;
}

STATUS
route_table_new(const struct api *api, struct route_table **ret_table)
{
	size_t n = api_count(api);
	scoped(route_table_free) struct route_table *table =
	    calloc(1, sizeof(*table) + n * sizeof(table->templates[0]));

	if (table == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	for (size_t i = 0; i < n; i++) {
		const struct api_method *method = api_at(api, i);
		struct status st;

		if (method->path == NULL) /* by gRPC alone */
			continue;
		st = compile(method, &table->templates[table->n]);
		if (failed(st))
			return st;
		for (size_t j = 0; j < table->n; j++)
			if (collide(&table->templates[j],
				&table->templates[table->n]))
				return status_fail(STATUS_FAILED_PRECONDITION,
				    "two methods are at one path");
		table->n++;
	}
	*ret_table = table;
	table = NULL;
	return status_ok();
}

void
route_table_free(struct route_table *table)
{
	free(table);
}

/* ---- finding ---- */

static bool
fits(const struct template *template, const struct segment *path, size_t n)
{
	if (n != template->n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct segment *asked = &template->segments[i];

		if (!same(asked->act, asked->act_len, path[i].act,
			path[i].act_len) ||
		    path[i].len == 0)
			return false;
		if (!asked->is_variable &&
		    !same(asked->at, asked->len, path[i].at, path[i].len))
			return false;
	}
	return true;
}

static bool
take_variables(const struct template *template, const struct segment *path,
    struct route *route)
{
	for (size_t i = 0; i < template->n; i++) {
		const struct segment *asked = &template->segments[i];
		struct route_value *to;

		if (!asked->is_variable)
			continue;
		if (route->n_variables == ROUTE_VARIABLES_MAX)
			return false;
		to = &route->variables[route->n_variables++];
		snprintf(to->name, sizeof(to->name), "%.*s", (int)asked->len,
		    asked->at);
		if (!query_decode(path[i].at, path[i].len, false, to->value,
			sizeof(to->value)))
			return false;
	}
	return true;
}

void
route_find(const struct route_table *table, enum api_verb verb,
    const char *path, struct route *ret_route)
{
	struct segment segments[SEGMENTS_MAX];
	const struct template *best = NULL;
	size_t n, most = 0;

	ret_route->method = NULL;
	ret_route->verbs = 0;
	ret_route->n_variables = 0;
	if (!split(path, segments, &n))
		return;
	for (size_t i = 0; i < table->n; i++) {
		const struct template *template = &table->templates[i];

		if (!fits(template, segments, n))
			continue;
		if (template->literals < most)
			continue;
		if (template->literals > most) {
			/* What is meant is the other resource. */
			most = template->literals;
			ret_route->verbs = 0;
			best = NULL;
		}
		ret_route->verbs |= 1u << template->method->verb;
		if (template->method->verb == verb)
			best = template;
	}
	if (best == NULL)
		return;
	if (take_variables(best, segments, ret_route))
		ret_route->method = best->method;
	else
		ret_route->verbs = 0;
}

/* ---- into the request ---- */

/* A plain field of both, compared. */
static bool
is_same(const ProtobufCMessage *a, const ProtobufCMessage *b,
    const ProtobufCFieldDescriptor *field)
{
	const uint8_t *x = (const uint8_t *)a + field->offset;
	const uint8_t *y = (const uint8_t *)b + field->offset;

	if (field->type == PROTOBUF_C_TYPE_STRING)
		return strcmp(*(char *const *)(const void *)x,
			   *(char *const *)(const void *)y) == 0;
	if (field->type == PROTOBUF_C_TYPE_INT64 ||
	    field->type == PROTOBUF_C_TYPE_UINT64)
		return memcmp(x, y, 8) == 0;
	return memcmp(x, y, 4) == 0;
}

static STATUS
fill_one(
    const struct route_value *from, ProtobufCMessage *request, char *ret_why)
{
	const ProtobufCFieldDescriptor *field =
	    protobuf_c_message_descriptor_get_field_by_name(
		request->descriptor, from->name);
	scoped(message_free) ProtobufCMessage *none = NULL;
	scoped(message_free) ProtobufCMessage *only = NULL;
	struct status st;

	if (field == NULL || field->label == PROTOBUF_C_LABEL_REPEATED ||
	    field->type == PROTOBUF_C_TYPE_BYTES ||
	    field->type == PROTOBUF_C_TYPE_MESSAGE)
		return status_fail(STATUS_INTERNAL,
		    "a path names what its request has no plain field for");
	none = message_new(request->descriptor);
	only = message_new(request->descriptor);
	if (none == NULL || only == NULL)
		return message_no_memory();
	if (is_same(request, none, field))
		return json_set(request, from->name, from->value, ret_why);
	st = json_set(only, from->name, from->value, ret_why);
	if (failed(st) || is_same(only, request, field))
		return st;
	snprintf(ret_why, ROUTE_WHY_MAX,
	    "%s: the body says another one than the path", from->name);
	return status_fail(
	    STATUS_INVALID_ARGUMENT, "the body and the path disagree");
}

STATUS
route_fill(const struct route *route, ProtobufCMessage *request, char *ret_why)
{
	struct status st = status_ok();

	_Static_assert(ROUTE_WHY_MAX >= JSON_WHY_MAX, "the sentence fits");
	for (size_t i = 0; i < route->n_variables && !failed(st); i++)
		st = fill_one(&route->variables[i], request, ret_why);
	return st;
}

/* ---- for Location and OpenAPI ---- */

bool
route_child(const struct route_table *table, const struct api_method *method,
    char ret_name[ROUTE_NAME_MAX])
{
	const struct template *parent = NULL, *child;

	for (size_t i = 0; i < table->n; i++)
		if (table->templates[i].method == method)
			parent = &table->templates[i];
	for (size_t i = 0; parent != NULL && i < table->n; i++) {
		size_t len = strlen(method->path);

		child = &table->templates[i];
		if (child->method->verb == API_GET &&
		    child->method->service == method->service &&
		    child->n == parent->n + 1 &&
		    child->segments[parent->n].is_variable &&
		    child->segments[parent->n].act_len == 0 &&
		    strncmp(child->method->path, method->path, len) == 0) {
			snprintf(ret_name, ROUTE_NAME_MAX, "%.*s",
			    (int)child->segments[parent->n].len,
			    child->segments[parent->n].at);
			return true;
		}
	}
	return false;
}

size_t
route_variables(
    const char *path, char ret_names[ROUTE_VARIABLES_MAX][ROUTE_NAME_MAX])
{
	size_t n = 0;

	for (const char *open = strchr(path, '{');
	     open != NULL && n < ROUTE_VARIABLES_MAX;
	     open = strchr(open + 1, '{'))
		snprintf(ret_names[n++], ROUTE_NAME_MAX, "%.*s",
		    (int)strcspn(open + 1, "}"), open + 1);
	return n;
}
