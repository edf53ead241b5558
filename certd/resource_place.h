/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_RESOURCE_PLACE_H
#define CERTD_RESOURCE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "certd/store_resources.h"

/*
 * Where a page of resources begins: the order that is asked for, and behind
 * which row; as a token that callers only hand back.  Pure functions.
 */
struct resource_place {
	bool by_name, is_back; /* "name", "-..." */
	bool is_first;         /* at the begin of the list */
	int64_t id;
	char name[RESOURCE_NAME_MAX];
	char letter; /* of the order, in a token */
};

/* Both may be NULL or empty: "-id", and the first page.  INVALID_ARGUMENT for
 * an order there is not, and for a token that no list of that order gave. */
STATUS resource_place_read(
    const char *order_by, const char *token, struct resource_place *ret_place);

/* The token of the page behind the row of this id and name. */
void resource_place_print(const struct resource_place *place, int64_t id,
    const char *name, char ret_token[RESOURCES_TOKEN_MAX]);

#endif
