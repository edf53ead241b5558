/* SPDX-License-Identifier: Apache-2.0 */

/*
 * PEM as people have it.  The reader looks for BEGIN and END marks rather than
 * lines, so blanks, missing newlines and text around blocks do not matter; each
 * such thing is marked once as tolerated.  It refuses what could be half of
 * something: a mark that is mangled, a block that does not end or ends as
 * another, base64 with a foreign character.  The text is only borrowed.
 */

#include "pki/pem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"
#define LINE_LEN 64

static struct status refuse(char *ret_why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct status
refuse(char *ret_why, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_why, PEM_WHY_MAX, format, arguments);
	va_end(arguments);
	return status_fail(STATUS_INVALID_ARGUMENT, "the PEM cannot be read");
}

const char *
pem_tolerated_text(enum pem_tolerated bit)
{
	switch (bit) {
	case PEM_BOM:
		return "removed a byte order mark";
	case PEM_CRLF:
		return "read lines that end in CR LF";
	case PEM_CR:
		return "read lines that end in CR alone";
	case PEM_BLANKS:
		return "removed blanks around and inside lines";
	case PEM_TEXT:
		return "ignored text between blocks";
	case PEM_NO_NEWLINE:
		return "ended the last line";
	case PEM_GLUED:
		return "parted blocks that shared a line";
	case PEM_TOLERATED_END_:
		break;
	}
	return "";
}

/* ---- octets and lines ---- */

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

static bool
is_newline(uint8_t c)
{
	return c == '\n' || c == '\r';
}

static const uint8_t *
find(struct bytes in, const char *text)
{
	return memmem(in.at, in.len, text, strlen(text));
}

/* What stands before at, and what from there on. */
static struct bytes
up_to(struct bytes from, const uint8_t *at)
{
	return (struct bytes){ from.at, (size_t)(at - from.at) };
}

static struct bytes
behind(struct bytes from, const uint8_t *at)
{
	return (struct bytes){ at, from.len - (size_t)(at - from.at) };
}

/* Ends of lines in it: LF, CR LF, CR. */
static unsigned
count_lines(struct bytes in)
{
	unsigned n = 0;

	for (size_t i = 0; i < in.len; i++) {
		if (in.at[i] == '\n' ||
		    (in.at[i] == '\r' &&
			(i + 1 == in.len || in.at[i + 1] != '\n')))
			n++;
	}
	return n;
}

/* A line off the front, without what ends it. */
static struct bytes
take_line(struct bytes *from)
{
	struct bytes line = { from->at, 0 };
	size_t skip = 0;

	while (line.len < from->len && !is_newline(from->at[line.len]))
		line.len++;
	if (line.len < from->len)
		skip = from->at[line.len] == '\r' && line.len + 1 < from->len &&
			       from->at[line.len + 1] == '\n'
			   ? 2
			   : 1;
	from->at += line.len + skip;
	from->len -= line.len + skip;
	return line;
}

static bool
is_all_blank(struct bytes in)
{
	for (size_t i = 0; i < in.len; i++) {
		if (!is_blank(in.at[i]) && !is_newline(in.at[i]))
			return false;
	}
	return true;
}

static bool
has_blanks(struct bytes in)
{
	for (size_t i = 0; i < in.len; i++) {
		if (is_blank(in.at[i]))
			return true;
	}
	return false;
}

/* ---- blocks ---- */

static bool
is_utf16(struct bytes text)
{
	return text.len >= 2 && ((text.at[0] == 0xff && text.at[1] == 0xfe) ||
				    (text.at[0] == 0xfe && text.at[1] == 0xff));
}

bool
pem_is(struct bytes text)
{
	return is_utf16(text) || find(text, BEGIN) != NULL;
}

void
pem_reader_init(struct pem_reader *reader, struct bytes text)
{
	*reader = (struct pem_reader){ .rest = text, .line = 1 };
	if (text.len >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0) {
		reader->rest = behind(text, text.at + 3);
		reader->tolerated |= PEM_BOM;
	}
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '\r')
			reader->tolerated |=
			    i + 1 < text.len && text.at[i + 1] == '\n'
				? PEM_CRLF
				: PEM_CR;
	}
	if (text.len > 0 && !is_newline(text.at[text.len - 1]))
		reader->tolerated |= PEM_NO_NEWLINE;
}

/* What stands between two blocks, or around them. */
static struct status
check_between(struct pem_reader *reader, struct bytes between, char *ret_why)
{
	static const char *const marks[] = { "-BEGIN ", "-END " };

	for (size_t i = 0; i < 2; i++) {
		const uint8_t *at = find(between, marks[i]);

		if (at == NULL)
			continue;
		return refuse(ret_why,
		    "line %u: there is %s here; a block begins with "
		    "\"-----BEGIN LABEL-----\" and ends with \"-----END "
		    "LABEL-----\", the same label and five dashes each",
		    reader->line + count_lines(up_to(between, at)),
		    i == 0 ? "a BEGIN that is mangled"
			   : "an END without its BEGIN");
	}
	if (!is_all_blank(between))
		reader->tolerated |= PEM_TEXT;
	else if (has_blanks(between))
		reader->tolerated |= PEM_BLANKS;
	return status_ok();
}

/*
 * The label and the dashes behind it off the front of *from; false when they
 * are not on this line, or no label.
 */
static bool
take_label(struct bytes *from, char ret_label[PEM_LABEL_MAX])
{
	struct bytes rest = *from;
	struct bytes line = take_line(&rest);
	const uint8_t *dashes = find(line, DASHES);
	struct bytes label;

	if (dashes == NULL)
		return false;
	label = up_to(line, dashes);
	if (label.len == 0 || label.len >= PEM_LABEL_MAX ||
	    label.at[0] == ' ' || label.at[label.len - 1] == ' ')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		if (label.at[i] < 0x20 || label.at[i] > 0x7e)
			return false;
	}
	memcpy(ret_label, label.at, label.len);
	ret_label[label.len] = 0;
	*from = behind(*from, dashes + strlen(DASHES));
	return true;
}

/* RFC 1421 4.4: lines with a colon, then an empty one. */
static bool
split_headers(struct bytes inner, struct pem_block *block)
{
	struct bytes from = inner;
	struct bytes line = take_line(&from);

	if (is_all_blank(line))
		line = take_line(&from);
	block->body = inner;
	block->headers = (struct bytes){ line.at, 0 };
	if (memchr(line.at, ':', line.len) == NULL)
		return true;
	while (from.len > 0 && !is_all_blank(line)) {
		block->headers.len =
		    (size_t)(line.at + line.len - block->headers.at);
		line = take_line(&from);
	}
	block->body = from;
	return is_all_blank(line);
}

/* From behind a BEGIN mark. */
static struct status
take_block(
    struct pem_reader *reader, struct pem_block *ret_block, char *ret_why)
{
	struct bytes rest = reader->rest;
	const uint8_t *end, *next;
	char label[PEM_LABEL_MAX];
	struct bytes inner;

	ret_block->line = reader->line;
	if (!take_label(&rest, ret_block->label))
		return refuse(ret_why,
		    "line %u: this BEGIN has no label, or not five dashes "
		    "behind it",
		    reader->line);
	end = find(rest, END);
	next = find(rest, BEGIN);
	if (end == NULL || (next != NULL && next < end))
		return refuse(ret_why,
		    "line %u: the block \"%s\" that begins here does not end; "
		    "copy it whole, from BEGIN to END",
		    reader->line, ret_block->label);
	inner = up_to(rest, end);
	reader->line += count_lines(inner);
	rest = behind(rest, end + strlen(END));
	if (!take_label(&rest, label) || strcmp(label, ret_block->label) != 0)
		return refuse(ret_why,
		    "line %u: the block \"%s\" does not end with \"-----END "
		    "%s-----\"",
		    reader->line, ret_block->label, ret_block->label);
	if (!split_headers(inner, ret_block))
		return refuse(ret_why,
		    "line %u: there is no empty line behind the headers of "
		    "\"%s\"",
		    ret_block->line, ret_block->label);
	if (has_blanks(ret_block->body))
		reader->tolerated |= PEM_BLANKS;
	reader->rest = rest;
	reader->is_behind_end = true;
	return status_ok();
}

STATUS
pem_reader_next(struct pem_reader *reader, struct pem_block *ret_block,
    bool *ret_found, char *ret_why)
{
	struct pem_block block = { .line = 0 };
	struct bytes between = reader->rest;
	const uint8_t *begin;
	struct status st;

	if (is_utf16(reader->rest))
		return refuse(ret_why,
		    "the text is in UTF-16; save it as UTF-8 or as plain text");
	begin = find(reader->rest, BEGIN);
	if (begin != NULL)
		between = up_to(reader->rest, begin);
	st = check_between(reader, between, ret_why);
	if (!failed(st) && begin > reader->rest.at && begin[-1] == '-')
		st = refuse(ret_why,
		    "line %u: this BEGIN has more than five dashes in front",
		    reader->line + count_lines(between));
	if (failed(st))
		return st;
	if (begin == NULL) {
		*ret_found = false;
		return st;
	}
	if (reader->is_behind_end && count_lines(between) == 0)
		reader->tolerated |= PEM_GLUED;
	reader->line += count_lines(between);
	reader->rest = behind(reader->rest, begin + strlen(BEGIN));
	st = take_block(reader, &block, ret_why);
	if (failed(st))
		return st;
	*ret_block = block;
	*ret_found = true;
	return st;
}

/* ---- what is in a block ---- */

static bool
is_digit(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* The body without blanks, in lines of line_len, 0: in one. */
static struct status
strip(const struct pem_block *block, size_t line_len, uint8_t *ret_at,
    size_t *ret_len, char *ret_why)
{
	const struct bytes body = block->body;
	size_t len = 0, column = 0;
	unsigned line;

	for (size_t i = 0; i < body.len; i++) {
		if (is_blank(body.at[i]) || is_newline(body.at[i]))
			continue;
		if (!is_digit(body.at[i]) && body.at[i] != '=') {
			line = block->line + count_lines(block->headers) +
			       (block->headers.len > 0 ? 3 : 0);
			line += count_lines(up_to(body, body.at + i));
			return refuse(ret_why,
			    "line %u: the block \"%s\" holds a character that "
			    "is not base64; copy it whole and unchanged",
			    line, block->label);
		}
		if (line_len != 0 && column == line_len) {
			ret_at[len++] = '\n';
			column = 0;
		}
		ret_at[len++] = body.at[i];
		column++;
	}
	*ret_len = len;
	return status_ok();
}

STATUS
pem_decode(const struct pem_block *block, uint8_t *ret_at, size_t *ret_len,
    char *ret_why)
{
	struct status st;
	size_t len = 0;

	st = strip(block, 0, ret_at, &len, ret_why);
	if (failed(st))
		return st;
	/* In place: three octets are written where four were read. */
	if (len == 0 ||
	    !base64_decode((struct bytes){ ret_at, len }, ret_at, len, ret_len))
		return refuse(ret_why,
		    "line %u: the block \"%s\" is cut short or damaged; copy "
		    "it whole, from BEGIN to END",
		    block->line, block->label);
	return st;
}

/* A mark's line and a zero; returns its length. */
static size_t
print_mark(char *ret_at, const char *mark, const char *label)
{
	const char *const parts[] = { mark, label, DASHES, "\n" };
	size_t used = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		memcpy(ret_at + used, parts[i], strlen(parts[i]));
		used += strlen(parts[i]);
	}
	ret_at[used] = 0;
	return used;
}

STATUS
pem_tidy(
    const struct pem_block *block, char *ret_at, size_t *ret_len, char *ret_why)
{
	struct bytes headers = block->headers;
	struct status st;
	size_t used, len = 0;

	used = print_mark(ret_at, BEGIN, block->label);
	while (headers.len > 0) {
		struct bytes line = take_line(&headers);

		while (line.len > 0 && is_blank(line.at[line.len - 1]))
			line.len--;
		memcpy(ret_at + used, line.at, line.len);
		used += line.len;
		ret_at[used++] = '\n';
	}
	if (block->headers.len > 0)
		ret_at[used++] = '\n';
	st = strip(block, LINE_LEN, (uint8_t *)ret_at + used, &len, ret_why);
	if (failed(st))
		return st;
	used += len;
	ret_at[used++] = '\n';
	*ret_len = used + print_mark(ret_at + used, END, block->label);
	return st;
}

size_t
pem_encode_max(const char *label, size_t len)
{
	return sizeof(BEGIN DASHES "\n" END DASHES "\n") + 2 * strlen(label) +
	       BASE64_MAX(len) + len / (LINE_LEN / 4 * 3) + 1;
}

size_t
pem_encode(const char *label, struct bytes octets, char *ret_text)
{
	const size_t step = LINE_LEN / 4 * 3;
	size_t used = print_mark(ret_text, BEGIN, label);

	for (size_t i = 0; i < octets.len; i += step) {
		const size_t left = octets.len - i;
		const struct bytes line = { octets.at + i,
			left < step ? left : step };

		used += base64_encode(line, ret_text + used);
		ret_text[used++] = '\n';
	}
	return used + print_mark(ret_text + used, END, label);
}
