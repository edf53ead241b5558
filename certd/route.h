/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ROUTE_H
#define CERTD_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"

/*
 * Which method a verb and a path mean, and how the path and the query fill in
 * its request.  Paths are as they came (RFC 3986): taken apart first, then
 * decoded, so that %2F is no slash.
 */
struct route_table;

#define ROUTE_VARIABLES_MAX 4
#define ROUTE_NAME_MAX 64
#define ROUTE_VALUE_MAX 1024
#define ROUTE_WHY_MAX 256

/* Of an api that is complete, which stays.  FAILED_PRECONDITION when a path of
 * its tables is none, or two methods are at one. */
STATUS route_table_new(const struct api *api, struct route_table **ret_table);
void route_table_free(struct route_table *table); /* NULL is allowed */
SCOPED_RELEASE(route_table_free, struct route_table *);

struct route_value {
	char name[ROUTE_NAME_MAX]; /* of the request's field */
	char value[ROUTE_VALUE_MAX];
};

struct route {
	/* NULL when the path is nothing, or is there for other verbs only. */
	const struct api_method *method;
	unsigned verbs; /* 1 << API_GET, ...: what the path is there for */
	size_t n_variables;
	struct route_value variables[ROUTE_VARIABLES_MAX];
};

/* The path without its query.  Any thread. */
void route_find(const struct route_table *table, enum api_verb verb,
    const char *path, struct route *ret_route);

/*
 * The variables into the request.  A field that the body has set must be the
 * same there.  ret_why (ROUTE_WHY_MAX) names the field.
 */
STATUS route_fill(
    const struct route *route, ProtobufCMessage *request, char *ret_why);

/*
 * For Location: the name in braces of the path below this method's own, in the
 * same service: "id" of GET "/v1/tokens/{id}" for POST "/v1/tokens".  false
 * when there is none.
 */
bool route_child(const struct route_table *table,
    const struct api_method *method, char ret_name[ROUTE_NAME_MAX]);

/* The verb's word, "GET"; and back, false for others. */
const char *route_verb_name(enum api_verb verb);
bool route_verb(const char *name, enum api_verb *ret_verb);

/* Take a template apart, for OpenAPI: the names in braces, in order, at most
 * ROUTE_VARIABLES_MAX.  Gives their number. */
size_t route_variables(
    const char *path, char ret_names[ROUTE_VARIABLES_MAX][ROUTE_NAME_MAX]);

#endif
