/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any texts as the fields of a message: what is composed has one header block
 * of the fields that it is to have, each once, no bare CR or LF, no long line,
 * three boundaries, and bodies that decode to what they were.
 */

#include <stdlib.h>
#include <string.h>

#include "mail/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIELDS_MAX 10
#define HEADER_LINE_MAX 998
#define BODY_LINE_MAX 76

static void
demand(bool is_so)
{
	if (!is_so)
		abort();
}

/* The next text, which a zero ends; copied. */
static char *
take(const uint8_t **data, size_t *size)
{
	const uint8_t *end = *size > 0 ? memchr(*data, 0, *size) : NULL;
	size_t len = end == NULL ? *size : (size_t)(end - *data);
	char *text = malloc(len + 1);

	demand(text != NULL);
	if (len > 0)
		memcpy(text, *data, len);
	text[len] = 0;
	*data += len;
	*size -= len;
	if (*size > 0) {
		(*data)++;
		(*size)--;
	}
	return text;
}

static void
check_name(struct bytes line, unsigned *seen)
{
	static const char *const NAMES[] = { "Date", "From", "To", "Subject",
		"Message-ID", "References", "Auto-Submitted", "List-Id",
		"List-Unsubscribe", "List-Unsubscribe-Post", "MIME-Version",
		"Content-Type" };

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		size_t len = strlen(NAMES[i]);

		if (line.len > len && line.at[len] == ':' &&
		    memcmp(line.at, NAMES[i], len) == 0) {
			demand((*seen & 1U << i) == 0);
			*seen |= 1U << i;
			return;
		}
	}
	abort();
}

/* A line without its end. */
static struct bytes
take_line(struct bytes *rest)
{
	const uint8_t *end = memchr(rest->at, '\n', rest->len);
	struct bytes line;

	demand(end != NULL && end > rest->at && end[-1] == '\r');
	line = (struct bytes){ rest->at, (size_t)(end - 1 - rest->at) };
	for (size_t i = 0; i < line.len; i++)
		demand(line.at[i] >= ' ' || line.at[i] == '\t');
	for (size_t i = 0; i < line.len; i++)
		demand(line.at[i] < 0x7f);
	rest->at += line.len + 2;
	rest->len -= line.len + 2;
	return line;
}

static void
check_header(struct bytes *rest)
{
	unsigned seen = 0;
	struct bytes line;

	while ((line = take_line(rest)).len > 0) {
		demand(line.len <= HEADER_LINE_MAX);
		if (line.at[0] == ' ')
			demand(seen != 0 && line.len > 1 && line.at[1] != 0);
		else
			check_name(line, &seen);
	}
	/* Date, From, To, Subject, Message-ID, Auto-Submitted, MIME. */
	demand((seen & 0xc5f) == 0xc5f);
}

static bool
is(struct bytes line, const char *text)
{
	return bytes_equal(line, bytes_of(text));
}

/* The octets that it stands for, at *at of text, where "\n" may have been
 * "\r\n". */
static void
follow(struct bytes line, const char **at)
{
	bool goes_on = line.len > 0 && line.at[line.len - 1] == '=';

	line.len -= goes_on;
	for (size_t i = 0; i < line.len; i++) {
		uint8_t octet = line.at[i];

		if (octet == '=') {
			char hex[3] = { 0 };

			demand(i + 2 < line.len);
			memcpy(hex, line.at + i + 1, 2);
			demand(bytes_from_hex(hex, 1, &octet));
			i += 2;
		}
		demand((uint8_t) * (*at)++ == octet);
	}
	if (goes_on)
		return;
	*at += **at == '\r';
	*at += **at == '\n';
}

static void
check_part(struct bytes *rest, const char *text)
{
	struct bytes line;

	while (take_line(rest).len > 0)
		;
	for (;;) {
		line = take_line(rest);
		demand(line.len <= BODY_LINE_MAX);
		if (is(line, "--=_holdfast") || is(line, "--=_holdfast--"))
			break;
		demand(line.len == 0 || line.at[0] != '.');
		follow(line, &text);
	}
	demand(*text == 0);
}

static void
check(struct bytes rest, const struct mail_fields *fields)
{
	check_header(&rest);
	demand(is(take_line(&rest), "--=_holdfast"));
	check_part(&rest, fields->text);
	check_part(&rest, fields->html);
	demand(rest.len == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t flags = size > 0 ? data[0] : 0;
	char *texts[FIELDS_MAX], why[MAIL_WHY_MAX] = "";
	struct mail_message *message = NULL;
	struct mail_fields fields;

	if (size > 0) {
		data++;
		size--;
	}
	for (size_t i = 0; i < FIELDS_MAX; i++)
		texts[i] = take(&data, &size);
	fields = (struct mail_fields){
		.subject = texts[0],
		.text = texts[1],
		.html = texts[2],
		.to_name = flags & 1 ? texts[3] : NULL,
		.from_name = flags & 2 ? texts[4] : NULL,
		.to = flags & 4 ? texts[5] : "ops@example.net",
		.from = flags & 8 ? texts[6] : "holdfast@example.com",
		.thread = flags & 16 ? texts[7] : NULL,
		.list_id = flags & 32 ? texts[8] : NULL,
		.unsubscribe_url = flags & 64 ? texts[9] : NULL,
		.id = flags & 128 ? texts[7] : "n-1",
		.date_s = (int64_t)flags << 24,
	};
	if (failed(mail_message_new(&fields, &message, why)))
		demand(strlen(why) > 0 && message == NULL);
	else
		check(mail_message_octets(message), &fields);
	mail_message_free(message);
	for (size_t i = 0; i < FIELDS_MAX; i++)
		free(texts[i]);
	return 0;
}
