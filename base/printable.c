/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 read strictly, and what of it may be shown.  Names in certificate
 * requests and reasons in records come from whoever asked for a signature; a
 * terminal, a browser or a log viewer must take them as text and as nothing
 * else.
 */
#include "base/printable.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

size_t
printable_take(struct bytes text, uint32_t *ret_point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t point;
	size_t len;

	if (text.len == 0)
		return 0;
	if (text.at[0] < 0x80) {
		*ret_point = text.at[0];
		return 1;
	}
	if (text.at[0] >= 0xc2 && text.at[0] <= 0xdf)
		len = 2;
	else if ((text.at[0] & 0xf0) == 0xe0)
		len = 3;
	else if (text.at[0] >= 0xf0 && text.at[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (text.len < len)
		return 0;
	point = text.at[0] & (0xffU >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((text.at[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text.at[i] & 0x3fU);
	}
	if (point < least[len] || point > 0x10ffff ||
	    (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret_point = point;
	return len;
}

bool
printable_point(uint32_t point)
{
	return !(point < 0x20 || (point >= 0x7f && point <= 0x9f) ||
		 (point >= 0x200b && point <= 0x200f) ||
		 (point >= 0x2028 && point <= 0x202e) ||
		 (point >= 0x2060 && point <= 0x206f) || point == 0xfeff);
}

size_t
printable_print(struct bytes text, char *ret_text, size_t max)
{
	size_t used = 0;

	while (text.len > 0) {
		uint32_t point = 0;
		size_t len = printable_take(text, &point);
		char piece[16];
		int n;

		if (len == 0) {
			n = snprintf(
			    piece, sizeof(piece), "\\x%02x", text.at[0]);
			len = 1;
		} else if (point == '\\' || point == '\n') {
			n = snprintf(piece, sizeof(piece), "\\%c",
			    point == '\n' ? 'n' : '\\');
		} else if (!printable_point(point)) {
			n = snprintf(
			    piece, sizeof(piece), "\\u%04" PRIx32, point);
		} else {
			memcpy(piece, text.at, len);
			n = (int)len;
		}
		if (used + (size_t)n >= max)
			break;
		memcpy(ret_text + used, piece, (size_t)n);
		used += (size_t)n;
		text.at += len;
		text.len -= len;
	}
	ret_text[used] = '\0';
	return used;
}

void
printable_cut(const char *text, char *ret_text, size_t max)
{
	struct bytes rest = bytes_of(text);
	uint32_t point;
	size_t len, used = 0;

	while ((len = printable_take(rest, &point)) > 0 && used + len < max) {
		memcpy(ret_text + used, rest.at, len);
		used += len;
		rest.at += len;
		rest.len -= len;
	}
	ret_text[used] = 0;
}
