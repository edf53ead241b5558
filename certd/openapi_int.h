/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_OPENAPI_INT_H
#define CERTD_OPENAPI_INT_H

#include <stdbool.h>

#include <jansson.h>

#include <protobuf-c/protobuf-c.h>

#include "certd/api.h"
#include "certd/comments.h"

/* Between openapi.c (the document), openapi_path.c (operations) and
 * openapi_schema.c (types). */
struct openapi_maker {
	const struct comments *comments;
	json_t *schemas; /* components/schemas, by name */
	json_t *names;   /* whose each of them is */
	json_t *paths;
	json_t *tags;
	bool failed; /* memory ended, or two types are of one name */
};

/* Put value, which is taken over, into object or at the end of list. */
void openapi_put(struct openapi_maker *maker, json_t *object, const char *name,
    json_t *value);
void openapi_append(struct openapi_maker *maker, json_t *list, json_t *value);
/* {"$ref": "#/components/<kind>/<name>"} */
json_t *openapi_ref(const char *kind, const char *name);
/* A text, but none when it is empty. */
void openapi_put_text(struct openapi_maker *maker, json_t *object,
    const char *name, const char *text);

/* A reference to a message's schema, which is made when it is not there. */
json_t *openapi_schema(
    struct openapi_maker *maker, const ProtobufCMessageDescriptor *message);
/* A request's body: without what stands in the path, as a schema of its own. */
json_t *openapi_body(
    struct openapi_maker *maker, const struct api_method *method);
/* The schema of one field. */
json_t *openapi_field(
    struct openapi_maker *maker, const ProtobufCFieldDescriptor *field);
/* Say of replies that every field is there, of what only requests have that
 * nothing else may be. */
void openapi_schema_finish(struct openapi_maker *maker, const struct api *api);

/* Add what is no method: GET /v1/live. */
void openapi_live(struct openapi_maker *maker);
/* Add a method to paths. */
void openapi_path(struct openapi_maker *maker, const struct api *api,
    const struct api_method *method);

const ProtobufCMethodDescriptor *openapi_method(
    const struct api_method *method);
/* Does the path of the method name that field? */
bool openapi_is_in_path(const struct api_method *method, const char *field);

#endif
