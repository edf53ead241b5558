/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_TEXT_H
#define LEDGER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

/*
 * Strict reading of the text of notes and proofs: lines and decimal numbers.
 * For foreign octets.
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

#endif
