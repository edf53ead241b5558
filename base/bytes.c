/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hex, both ways.  Reading is strict: exactly the digits asked for, nothing
 * before, between or after them, and no output at all when one is wrong.
 */
#include "base/bytes.h"

#include <assert.h>

#define FROM_HEX_MAX 64

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void
bytes_to_hex(struct bytes b, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < b.len; i++) {
		*ret_text++ = digits[b.at[i] >> 4];
		*ret_text++ = digits[b.at[i] & 15];
	}
	*ret_text = '\0';
}

bool
bytes_from_hex(const char *text, size_t len, uint8_t *ret_at)
{
	uint8_t parsed[FROM_HEX_MAX];

	assert(len <= FROM_HEX_MAX);
	for (size_t i = 0; i < len; i++) {
		int high = hex_value(text[2 * i]);
		int low = high < 0 ? -1 : hex_value(text[2 * i + 1]);

		if (low < 0)
			return false;
		parsed[i] = (uint8_t)(high << 4 | low);
	}
	if (text[2 * len] != '\0')
		return false;
	memcpy(ret_at, parsed, len);
	return true;
}
