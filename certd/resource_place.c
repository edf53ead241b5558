/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Page tokens of resources: "D17", "N17.73686f70": the order, the last id, and
 * for orders by name the last name in hex.  They are read strictly, so what a
 * caller makes up is refused and not taken for some page.
 */

#include "certd/resource_place.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

#define DIGITS_MAX 18

static const struct {
	const char *order_by;
	bool by_name, is_back;
	char letter;
} orders[] = {
	{ "", false, true, 'D' },
	{ "-id", false, true, 'D' },
	{ "id", false, false, 'A' },
	{ "name", true, false, 'N' },
	{ "-name", true, true, 'R' },
};
#define N_ORDERS (sizeof(orders) / sizeof(orders[0]))

void
resource_place_print(const struct resource_place *place, int64_t id,
    const char *name, char ret_token[RESOURCES_TOKEN_MAX])
{
	int len = snprintf(
	    ret_token, RESOURCES_TOKEN_MAX, "%c%" PRId64, place->letter, id);

	if (!place->by_name)
		return;
	ret_token[len] = '.';
	bytes_to_hex(bytes_of(name), ret_token + len + 1);
}

static bool
read_name(const char *hex, char ret_name[RESOURCE_NAME_MAX])
{
	uint8_t octets[RESOURCE_NAME_MAX] = { 0 };
	size_t len = strlen(hex);

	if (len == 0 || len % 2 != 0 || len / 2 >= sizeof(octets))
		return false;
	/* bytes_from_hex takes 64 octets at most. */
	for (size_t i = 0; i < len / 2; i++) {
		const char pair[] = { hex[2 * i], hex[2 * i + 1], 0 };

		if (!bytes_from_hex(pair, 1, &octets[i]))
			return false;
	}
	memcpy(ret_name, octets, sizeof(octets));
	return true;
}

/* Behind the letter. */
static bool
read_token(const char *token, struct resource_place *place)
{
	size_t digits = strspn(token, "0123456789");

	if (digits == 0 || digits > DIGITS_MAX)
		return false;
	for (size_t i = 0; i < digits; i++)
		place->id = 10 * place->id + (token[i] - '0');
	if (!place->by_name)
		return token[digits] == 0;
	return token[digits] == '.' &&
	       read_name(token + digits + 1, place->name);
}

STATUS
resource_place_read(
    const char *order_by, const char *token, struct resource_place *ret_place)
{
	struct resource_place place = { 0 };
	size_t i = 0;

	order_by = order_by == NULL ? "" : order_by;
	token = token == NULL ? "" : token;
	while (i < N_ORDERS && strcmp(orders[i].order_by, order_by) != 0)
		i++;
	if (i == N_ORDERS)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "order_by is \"id\" or \"name\", with \"-\" in front to "
		    "turn it round");
	place.by_name = orders[i].by_name;
	place.is_back = orders[i].is_back;
	place.letter = orders[i].letter;
	place.is_first = token[0] == 0;
	if (!place.is_first &&
	    (token[0] != place.letter || !read_token(token + 1, &place)))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "page_token is none that this list gave; leave it empty to "
		    "begin again");
	*ret_place = place;
	return status_ok();
}
