/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any address: its path is a method's or nothing, its query is read or refused,
 * and what comes out of either is UTF-8 without zeros that encodes and decodes
 * to itself.
 */
#include <stdlib.h>
#include <string.h>

#include "certd/query.h"
#include "certd/route.h"
#include "proto/holdfast/certd/v1/certificates.pb-c.h"
#include "proto/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SERVICE &holdfast__certd__v1__certificates__descriptor

static const struct api_method METHODS[] = {
	{ .service = SERVICE,
	    .name = "Get",
	    .verb = API_GET,
	    .path = "/v1/certificates/{id}" },
	{ .service = SERVICE,
	    .name = "List",
	    .verb = API_GET,
	    .path = "/v1/certificates" },
	{ .service = SERVICE,
	    .name = "Update",
	    .verb = API_GET,
	    .path = "/v1/x/{name}/{id}:act" },
};

static struct status
check(void *ctx, const char *name, const char *value)
{
	char encoded[3 * QUERY_VALUE_MAX + 1], decoded[QUERY_VALUE_MAX];

	(void)ctx;
	if (name[0] == 0 || strlen(name) >= QUERY_NAME_MAX ||
	    !query_encode(value, encoded, sizeof(encoded)) ||
	    !query_decode(
		encoded, strlen(encoded), true, decoded, sizeof(decoded)) ||
	    strcmp(decoded, value) != 0)
		abort();
	return status_ok();
}

static void
try_path(const struct route_table *table, const char *path)
{
	struct route route;
	ProtobufCMessage *request;
	char why[ROUTE_WHY_MAX] = "";

	route_find(table, API_GET, path, &route);
	if (route.method == NULL)
		return;
	for (size_t i = 0; i < route.n_variables; i++)
		if (failed(check(NULL, "x", route.variables[i].value)))
			abort();
	request = message_new(
	    &holdfast__certd__v1__update_certificate_request__descriptor);
	if (failed(route_fill(&route, request, why)) && why[0] == 0)
		abort();
	message_free(request);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct route_table *table;
	char *text = malloc(size + 1), *query, why[QUERY_WHY_MAX] = "";

	if (table == NULL) {
		struct api *api = api_new();

		if (failed(api_add(api, METHODS, 3, NULL)) ||
		    failed(route_table_new(api, &table)))
			abort();
		api_free(api);
	}
	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	query = strchr(text, '?');
	if (query != NULL) {
		*query++ = 0;
		if (failed(query_each(query, check, NULL, why)) && why[0] == 0)
			abort();
	}
	try_path(table, text);
	free(text);
	return 0;
}
