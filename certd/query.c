/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Percent-encoding and queries.  What is not well formed is refused and never
 * guessed at: a half escape, a zero, octets that are no UTF-8, a name or value
 * beyond its maximum.
 */

#include "certd/query.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/printable.h"

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
is_utf8(struct bytes text)
{
	struct bytes taken;
	uint32_t point;

	while (text.len > 0)
		if (!bytes_take(&text, printable_take(text, &point), &taken) ||
		    taken.len == 0)
			return false;
	return true;
}

bool
query_decode(const char *text, size_t len, bool plus_is_blank, char *ret_text,
    size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '+' && plus_is_blank)
			c = ' ';
		if (c == '%') {
			int high = i + 2 < len ? hex(text[i + 1]) : -1;
			int low = high < 0 ? -1 : hex(text[i + 2]);

			if (low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (c == 0 || n + 1 >= max)
			return false;
		ret_text[n++] = c;
	}
	ret_text[n] = 0;
	return is_utf8((struct bytes){ (const uint8_t *)ret_text, n });
}

bool
query_encode(const char *text, char *ret_text, size_t max)
{
	static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";
	static const char HEX[] = "0123456789ABCDEF";
	size_t n = 0;

	for (; *text != 0; text++) {
		uint8_t c = (uint8_t)*text;

		if (n + 4 > max)
			return false;
		if (strchr(PLAIN, c) != NULL) {
			ret_text[n++] = (char)c;
			continue;
		}
		ret_text[n++] = '%';
		ret_text[n++] = HEX[c >> 4];
		ret_text[n++] = HEX[c & 15];
	}
	ret_text[n] = 0;
	return true;
}

static STATUS
take_parameter(
    const char *at, size_t len, query_fn each, void *ctx, char *ret_why)
{
	char name[QUERY_NAME_MAX], value[QUERY_VALUE_MAX];
	const char *equals = memchr(at, '=', len);
	size_t name_len = equals == NULL ? len : (size_t)(equals - at);
	size_t value_at = equals == NULL ? len : name_len + 1;

	if (name_len == 0 ||
	    !query_decode(at, name_len, true, name, sizeof(name)) ||
	    !query_decode(
		at + value_at, len - value_at, true, value, sizeof(value))) {
		snprintf(ret_why, QUERY_WHY_MAX,
		    "the query is not well formed: write name=value&..., other "
		    "characters percent-encoded, values of at most %d octets",
		    QUERY_VALUE_MAX - 1);
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "the query is not well formed");
	}
	return each(ctx, name, value);
}

STATUS
query_each(const char *query, query_fn each, void *ctx, char *ret_why)
{
	struct status st = status_ok();
	size_t n = 0;

	while (*query != 0 && !failed(st)) {
		size_t len = strcspn(query, "&");

		if (++n > QUERY_PARAMETERS_MAX) {
			snprintf(ret_why, QUERY_WHY_MAX,
			    "the query has more than %d parameters",
			    QUERY_PARAMETERS_MAX);
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "the query has too many parameters");
		}
		if (len > 0)
			st = take_parameter(query, len, each, ctx, ret_why);
		query += len + (query[len] == '&' ? 1 : 0);
	}
	return st;
}
