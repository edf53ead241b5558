/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Comments out of a FileDescriptorSet.  A location in a file is a path of field
 * numbers and indexes (descriptor.proto, SourceCodeInfo); it is walked down to
 * the name it stands for.  What is built in is trusted, and still nothing is
 * followed that is not there.
 */

#include "certd/comments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/descriptors.h"
#include "proto/google/protobuf/descriptor.pb-c.h"
#include "proto/message.h"

#define COMMENTS_MAX 2048
#define NAME_MAX_ 192

typedef Google__Protobuf__FileDescriptorProto File;
typedef Google__Protobuf__DescriptorProto Message;
typedef Google__Protobuf__EnumDescriptorProto Enum;
typedef Google__Protobuf__ServiceDescriptorProto Service;
typedef Google__Protobuf__SourceCodeInfo__Location Location;

/* Field numbers that paths are made of. */
enum {
	FILE_MESSAGE = 4,
	FILE_ENUM = 5,
	FILE_SERVICE = 6,
	MESSAGE_FIELD = 2,
	MESSAGE_NESTED = 3,
	MESSAGE_ENUM = 4,
	ENUM_VALUE = 2,
	SERVICE_METHOD = 2,
};

struct comment {
	char name[NAME_MAX_];
	char *text;
};

struct comments {
	size_t n;
	struct comment at[COMMENTS_MAX];
};

void
comments_free(struct comments *comments)
{
	if (comments == NULL)
		return;
	for (size_t i = 0; i < comments->n; i++)
		free(comments->at[i].text);
	free(comments);
}

/* ---- names ---- */

struct walk {
	const int32_t *path;
	size_t left;
	char name[NAME_MAX_];
};

/* The next pair of number and index, if the index is below n. */
static bool
step(struct walk *walk, int number, size_t n, size_t *ret_index)
{
	if (walk->left < 2 || walk->path[0] != number || walk->path[1] < 0 ||
	    (size_t)walk->path[1] >= n)
		return false;
	*ret_index = (size_t)walk->path[1];
	walk->path += 2;
	walk->left -= 2;
	return true;
}

static void
append(struct walk *walk, const char *name)
{
	size_t len = strlen(walk->name);

	snprintf(walk->name + len, sizeof(walk->name) - len, ".%s", name);
}

static void
walk_enum(struct walk *walk, const Enum *type)
{
	size_t i;

	append(walk, type->name);
	if (step(walk, ENUM_VALUE, type->n_value, &i))
		append(walk, type->value[i]->name);
}

static void
walk_service(struct walk *walk, const Service *service)
{
	size_t i;

	append(walk, service->name);
	if (step(walk, SERVICE_METHOD, service->n_method, &i))
		append(walk, service->method[i]->name);
}

static void
walk_message(struct walk *walk, const Message *message)
{
	size_t i;

	append(walk, message->name);
	while (step(walk, MESSAGE_NESTED, message->n_nested_type, &i)) {
		message = message->nested_type[i];
		append(walk, message->name);
	}
	if (step(walk, MESSAGE_FIELD, message->n_field, &i))
		append(walk, message->field[i]->name);
	else if (step(walk, MESSAGE_ENUM, message->n_enum_type, &i))
		walk_enum(walk, message->enum_type[i]);
}

/* False for what has no name here, such as the file's own beginning. */
static bool
name_of(const File *file, const Location *location, struct walk *walk)
{
	size_t i;

	*walk =
	    (struct walk){ .path = location->path, .left = location->n_path };
	snprintf(walk->name, sizeof(walk->name), "%s", file->package);
	if (step(walk, FILE_MESSAGE, file->n_message_type, &i))
		walk_message(walk, file->message_type[i]);
	else if (step(walk, FILE_ENUM, file->n_enum_type, &i))
		walk_enum(walk, file->enum_type[i]);
	else if (step(walk, FILE_SERVICE, file->n_service, &i))
		walk_service(walk, file->service[i]);
	else
		return false;
	return walk->left == 0;
}

/* ---- texts ---- */

/* " A line\n and its next.\n\n A paragraph.\n" without the breaks in it. */
static char *
tidy(const char *raw)
{
	char *text = malloc(strlen(raw) + 1);
	size_t n = 0;
	unsigned breaks = 0;

	if (text == NULL)
		return NULL;
	for (; *raw != 0; raw++) {
		if (*raw == '\n') {
			breaks++;
			continue;
		}
		if (breaks > 0 && *raw == ' ' && (raw[1] == '\n'))
			continue;
		if (breaks > 0 && n > 0)
			text[n++] = breaks > 1 ? '\n' : ' ';
		if ((breaks > 0 || n == 0) && *raw == ' ') {
			breaks = 0;
			continue;
		}
		breaks = 0;
		text[n++] = *raw;
	}
	text[n] = 0;
	return text;
}

static bool
take_file(struct comments *comments, const File *file)
{
	if (file->source_code_info == NULL || file->package == NULL)
		return true;
	for (size_t i = 0; i < file->source_code_info->n_location; i++) {
		const Location *location = file->source_code_info->location[i];
		struct comment *to = &comments->at[comments->n];
		struct walk walk;

		if (location->leading_comments == NULL ||
		    !name_of(file, location, &walk))
			continue;
		if (comments->n == COMMENTS_MAX)
			return false;
		to->text = tidy(location->leading_comments);
		if (to->text == NULL)
			return false;
		memcpy(to->name, walk.name, sizeof(to->name));
		comments->n++;
	}
	return true;
}

STATUS
comments_new(struct comments **ret_comments)
{
	Google__Protobuf__FileDescriptorSet *set =
	    google__protobuf__file_descriptor_set__unpack(
		NULL, proto_comments_len, proto_comments);
	struct comments *comments = calloc(1, sizeof(*comments));
	bool ok = set != NULL && comments != NULL;

	for (size_t i = 0; ok && i < set->n_file; i++)
		ok = take_file(comments, set->file[i]);
	if (set != NULL)
		message_free(&set->base);
	if (!ok) {
		comments_free(comments);
		return message_no_memory();
	}
	*ret_comments = comments;
	return status_ok();
}

const char *
comments_of(
    const struct comments *comments, const char *type, const char *member)
{
	char name[NAME_MAX_];

	snprintf(name, sizeof(name), "%s%s%s", type, member == NULL ? "" : ".",
	    member == NULL ? "" : member);
	for (size_t i = 0; i < comments->n; i++)
		if (strcmp(comments->at[i].name, name) == 0)
			return comments->at[i].text;
	return "";
}
