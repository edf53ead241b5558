/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Header fields; see header.h.  A long one goes on in the next line behind the
 * blank that stood there (RFC 5322 2.2.3).  Text beyond ASCII becomes encoded
 * words of at most 75 columns, each of whole characters (RFC 2047 2, 5), in
 * base64, of which no octet means anything in a header.
 */

#include "mail/header.h"

#include <string.h>

#include "base/base64.h"
#include "base/printable.h"

#define COLUMNS 76
#define WORD_OCTETS 39 /* fits behind the longest name of a field */

STATUS
mail_header_check_text(const char *text, size_t max)
{
	struct bytes rest = bytes_of(text);

	if (rest.len > max)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "is longer than it may be");
	if (rest.len > 0 && (text[0] == ' ' || text[rest.len - 1] == ' '))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "must not begin or end with a blank");
	while (rest.len > 0) {
		uint32_t point = 0;
		size_t len = printable_take(rest, &point);

		if (len == 0 || !printable_point(point))
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "must be UTF-8 text without line ends and other "
			    "control characters");
		rest.at += len;
		rest.len -= len;
	}
	return status_ok();
}

static void
begin(struct mail_buffer *buffer, const char *name)
{
	mail_buffer_text(buffer, name);
	mail_buffer_text(buffer, ":");
}

/* A blank, or a new line that begins with one. */
static void
make_place(struct mail_buffer *buffer, size_t len)
{
	if (buffer->column + 1 + len > COLUMNS)
		mail_buffer_line(buffer);
	mail_buffer_text(buffer, " ");
}

/* ---- encoded words ---- */

/* Octets of as many whole characters as fit into one. */
static size_t
take_word(struct bytes text)
{
	size_t taken = 0;

	while (taken < text.len) {
		struct bytes rest = { text.at + taken, text.len - taken };
		uint32_t point;
		size_t len = printable_take(rest, &point);

		if (len == 0 || taken + len > WORD_OCTETS)
			break;
		taken += len;
	}
	return taken;
}

static void
put_encoded(struct mail_buffer *buffer, const char *text)
{
	struct bytes rest = bytes_of(text), taken;
	char word[BASE64_MAX(WORD_OCTETS)];

	while (bytes_take(&rest, take_word(rest), &taken) && taken.len > 0) {
		size_t len = base64_encode(taken, word);

		make_place(buffer, len + 12);
		mail_buffer_text(buffer, "=?UTF-8?B?");
		mail_buffer_text(buffer, word);
		mail_buffer_text(buffer, "?=");
	}
}

/* ASCII that nobody takes for encoded words. */
static bool
is_plain(const char *text)
{
	for (const char *c = text; *c != 0; c++)
		if ((unsigned char)*c >= 0x7f)
			return false;
	return strstr(text, "=?") == NULL;
}

/* ---- texts ---- */

/* Does each word fit into a line?  Blanks stand before their word. */
static bool
can_be_folded(const char *text)
{
	while (*text != 0) {
		size_t blanks = strspn(text, " ");
		size_t len = blanks + strcspn(text + blanks, " ");

		if (len + 1 > COLUMNS)
			return false;
		text += len;
	}
	return true;
}

static void
put_words(struct mail_buffer *buffer, const char *text)
{
	bool is_first = true;

	while (*text != 0) {
		size_t blanks = strspn(text, " ");
		size_t len = blanks + strcspn(text + blanks, " ");

		if (is_first)
			make_place(buffer, len);
		else if (buffer->column + len > COLUMNS)
			mail_buffer_line(buffer);
		mail_buffer_add(
		    buffer, (struct bytes){ (const uint8_t *)text, len });
		is_first = false;
		text += len;
	}
}

void
mail_header_text(struct mail_buffer *buffer, const char *name, const char *text)
{
	begin(buffer, name);
	if (is_plain(text) && can_be_folded(text))
		put_words(buffer, text);
	else
		put_encoded(buffer, text);
	mail_buffer_line(buffer);
}

/* ---- mailboxes ---- */

/* Octets of it as a quoted string. */
static size_t
quoted_len(const char *text)
{
	size_t len = 2;

	for (const char *c = text; *c != 0; c++)
		len += *c == '"' || *c == '\\' ? 2 : 1;
	return len;
}

static void
put_quoted(struct mail_buffer *buffer, const char *text)
{
	make_place(buffer, quoted_len(text));
	mail_buffer_text(buffer, "\"");
	for (const char *c = text; *c != 0; c++) {
		if (*c == '"' || *c == '\\')
			mail_buffer_text(buffer, "\\");
		mail_buffer_add(
		    buffer, (struct bytes){ (const uint8_t *)c, 1 });
	}
	mail_buffer_text(buffer, "\"");
}

void
mail_header_mailbox(struct mail_buffer *buffer, const char *name,
    const char *display, const char *address)
{
	begin(buffer, name);
	if (display != NULL && display[0] != 0) {
		if (is_plain(display) && quoted_len(display) < COLUMNS)
			put_quoted(buffer, display);
		else
			put_encoded(buffer, display);
	}
	make_place(buffer, strlen(address) + 2);
	mail_buffer_text(buffer, "<");
	mail_buffer_text(buffer, address);
	mail_buffer_text(buffer, ">");
	mail_buffer_line(buffer);
}

/* ---- for machines ---- */

void
mail_header_value(
    struct mail_buffer *buffer, const char *name, const char *value)
{
	begin(buffer, name);
	make_place(buffer, strlen(value));
	mail_buffer_text(buffer, value);
	mail_buffer_line(buffer);
}
