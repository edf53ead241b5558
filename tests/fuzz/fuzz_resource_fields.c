/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as an origin, as a resource's name, and as a page token: no crash;
 * what is refused says why; an origin that is taken stays what it is when it is
 * taken again.
 */
#include <stdlib.h>
#include <string.h>

#include "certd/resource_fields.h"
#include "certd/resource_place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct caller caller = {
	.is = ALLOW_ADMINISTRATOR, .account = 1, .actor = "token"
};

static void
as_origin(char *text)
{
	struct api_call call = { .caller = &caller };
	struct resource_row row = { .id = 0 }, again = { .id = 0 };
	Holdfast__Certd__V1__Origin origin;

	holdfast__certd__v1__origin__init(&origin);
	origin.host = text;
	if (failed(resource_fields_origin(&call, &origin, &row))) {
		if (call.why[0] == 0)
			abort();
		return;
	}
	origin.host = row.origin_host;
	if (failed(resource_fields_origin(&call, &origin, &again)) ||
	    strcmp(row.origin_host, again.origin_host) != 0)
		abort();
}

static void
as_names(char *text)
{
	struct api_call call = { .caller = &caller };
	struct resource_row row = { .target = "shop-acme.edge.example" };
	scoped(names_done) struct names names = { 0 };

	if (failed(resource_fields_names(
		&call, "edge.example", &row, 1, &text, &names))) {
		if (call.why[0] == 0)
			abort();
	} else if (names.n != 1 ||
		   (hostname_is_wildcard(names.at[0]) &&
		       resource_fields_in_zone("edge.example", names.at[0]))) {
		abort();
	}
	if (!failed(resource_fields_name(&call, text, &row)) &&
	    strcmp(row.name, text) != 0)
		abort();
}

/* What is taken comes out again as it was, but for leading zeros. */
static void
as_token(const char *text)
{
	static const char *const orders[] = { "-id", "id", "name", "-name" };
	struct resource_place place, again;
	char token[RESOURCES_TOKEN_MAX];

	for (size_t i = 0; i < 4; i++) {
		if (failed(resource_place_read(orders[i], text, &place)) ||
		    place.is_first)
			continue;
		resource_place_print(&place, place.id, place.name, token);
		/* A zero in the middle of a name is no name's. */
		if (place.by_name && place.name[0] == 0)
			continue;
		if (failed(resource_place_read(orders[i], token, &again)) ||
		    again.id != place.id || strcmp(again.name, place.name) != 0)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);

	if (text == NULL)
		return 0;
	as_origin(text);
	as_names(text);
	as_token(text);
	free(text);
	return 0;
}
