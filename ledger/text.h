/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_TEXT_H
#define LEDGER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

/*
 * Strict reading of the text of notes and proofs: lines, decimal numbers,
 * UTF-8.  For foreign octets.
 */

/* A line up to its newline, which is taken too.  False without a newline. */
static inline bool
text_take_line(struct bytes *from, struct bytes *ret_line)
{
	const uint8_t *end =
	    from->len > 0 ? memchr(from->at, '\n', from->len) : NULL;
	size_t len;

	if (end == NULL)
		return false;
	len = (size_t)(end - from->at);
	*ret_line = (struct bytes){ from->at, len };
	from->at += len + 1;
	from->len -= len + 1;
	return true;
}

/* Take this very text off the front; false, and nothing taken, otherwise. */
static inline bool
text_take(struct bytes *from, const char *text)
{
	size_t len = strlen(text);

	if (from->len < len || memcmp(from->at, text, len) != 0)
		return false;
	from->at += len;
	from->len -= len;
	return true;
}

/* A decimal number below 2^63 without leading zeros. */
static inline bool
text_number(struct bytes text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (text.len == 0 || text.len > 19 ||
	    (text.at[0] == '0' && text.len > 1))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(text.at[i] - '0');
	}
	if (number > INT64_MAX)
		return false;
	*ret_number = number;
	return true;
}

/*
 * Length of the UTF-8 sequence that begins here (RFC 3629), and the character;
 * 0 when it is not one, or cut.  text is not empty.
 */
static inline size_t
text_utf8(struct bytes text, uint32_t *ret_char)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t head = text.at[0];
	uint32_t c;
	size_t len;

	if (head < 0x80) {
		*ret_char = head;
		return 1;
	}
	len = head >= 0xf0 ? 4 : head >= 0xe0 ? 3 : 2;
	if (head < 0xc2 || head > 0xf4 || text.len < len)
		return 0;
	c = head & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if ((text.at[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (text.at[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret_char = c;
	return len;
}

#endif
