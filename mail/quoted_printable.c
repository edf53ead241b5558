/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Quoted-printable; see quoted_printable.h.  A line of the text becomes one or
 * several, with a soft line break between them.  Blanks at a line's end are
 * encoded, for some servers take them away.
 */

#include "mail/quoted_printable.h"

#include <stdio.h>
#include <string.h>

#include "base/printable.h"

#define COLUMNS 75 /* and a "=" that says that the line goes on */

STATUS
mail_quoted_printable_check(const char *text, size_t max)
{
	struct bytes rest = bytes_of(text);

	if (rest.len > max)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "is longer than it may be");
	while (rest.len > 0) {
		uint32_t point = 0;
		size_t len = printable_take(rest, &point);
		bool is_line =
		    point == '\n' || (point == '\r' && rest.at[1] == '\n');

		if (len == 0 || (point < ' ' && point != '\t' && !is_line) ||
		    (point >= 0x7f && point < 0xa0))
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "must be UTF-8 text without other control "
			    "characters than tabs and line ends");
		rest.at += len;
		rest.len -= len;
	}
	return status_ok();
}

static bool
must_be_encoded(const char *c, const char *end, bool begins)
{
	if ((*c == ' ' || *c == '\t') && c + 1 == end)
		return true;
	if (begins && (*c == '.' || strncmp(c, "From ", 5) == 0))
		return true;
	return *c == '=' || (*c != ' ' && *c != '\t' && (*c < '!' || *c > '~'));
}

static void
put_line(struct mail_buffer *buffer, const char *at, const char *end)
{
	for (; at < end; at++) {
		char piece[4] = { *at };

		/* Encoded or not: there must be room for three columns, so
		 * that both begin at the same place. */
		if (buffer->column + 3 > COLUMNS) {
			mail_buffer_text(buffer, "=");
			mail_buffer_line(buffer);
		}
		if (must_be_encoded(at, end, buffer->column == 0))
			snprintf(
			    piece, sizeof(piece), "=%02X", (unsigned char)*at);
		mail_buffer_text(buffer, piece);
	}
}

void
mail_quoted_printable(struct mail_buffer *buffer, const char *text)
{
	for (;;) {
		const char *end = strchr(text, '\n');

		if (end == NULL) {
			put_line(buffer, text, text + strlen(text));
			return;
		}
		put_line(buffer, text,
		    end > text && end[-1] == '\r' ? end - 1 : end);
		mail_buffer_line(buffer);
		text = end + 1;
	}
}
