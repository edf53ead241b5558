/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Composes messages; see message.h.  First every field is looked at, then all
 * is written: a value with a line end or another control character is refused
 * and never mended, so that what a person or a certificate is called begins no
 * header of its own.  Values that are for machines have alphabets of their own.
 */

#include "mail/message.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mail/address.h"
#include "mail/buffer.h"
#include "mail/header.h"
#include "mail/quoted_printable.h"

#define BOUNDARY "=_holdfast" /* "=_" is in no quoted-printable text */
#define RANDOM_LEN 16
#define YEAR_9999_S INT64_C(253402300799)

#define LETTER "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

struct mail_message {
	struct mail_buffer buffer;
	char from[MAIL_ADDRESS_MAX], to[MAIL_ADDRESS_MAX];
};

/* ---- what fields must look like ---- */

static struct status
check_id(const char *text)
{
	const size_t len = strlen(text);

	if (len > 0 && len <= MAIL_ID_MAX && text[0] != '.' &&
	    text[len - 1] != '.' && strstr(text, "..") == NULL &&
	    strspn(text, LETTER DIGIT ".-_") == len)
		return status_ok();
	return status_fail(STATUS_INVALID_ARGUMENT,
	    "must be 1 to 128 of A-Z, a-z, 0-9, \".\", \"-\" and \"_\", "
	    "without a dot at either end or two in a row");
}

static struct status
check_list_id(const char *text)
{
	if (text[0] != '[' && !failed(mail_address_check_domain(text)))
		return status_ok();
	return status_fail(
	    STATUS_INVALID_ARGUMENT, "must be a name like notices.example.com");
}

static struct status
check_url(const char *url)
{
	static const char HTTPS[] = "https://";

	if (strncmp(url, HTTPS, sizeof(HTTPS) - 1) != 0)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "must be an https URL");
	if (strlen(url) > MAIL_URL_MAX)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "is longer than it may be");
	/* RFC 3986 2: what is none of these is written with "%". */
	if (strspn(url, LETTER DIGIT "-._~:/?#[]@!$&'()*+,;=%") != strlen(url))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "has characters that stand in no URL");
	return status_ok();
}

static struct status
check_date(int64_t date_s)
{
	if (date_s >= 0 && date_s <= YEAR_9999_S)
		return status_ok();
	return status_fail(
	    STATUS_INVALID_ARGUMENT, "must be between 1970 and 9999");
}

static struct status
check_some_text(const char *text, size_t max)
{
	return text[0] == 0 ? status_fail(STATUS_INVALID_ARGUMENT, "is missing")
			    : mail_header_check_text(text, max);
}

static struct status
check_body(const char *text)
{
	return text[0] == 0 ? status_fail(STATUS_INVALID_ARGUMENT, "is missing")
			    : mail_quoted_printable_check(text, MAIL_BODY_MAX);
}

static struct status
check_name(const char *text)
{
	return text == NULL ? status_ok()
			    : mail_header_check_text(text, MAIL_NAME_MAX);
}

static struct status
check(const struct mail_fields *fields, const char **ret_field)
{
	const struct {
		const char *name;
		struct status st;
	} all[] = {
		{ "the sender's name", check_name(fields->from_name) },
		{ "the sender's address", mail_address_check(fields->from) },
		{ "the recipient's name", check_name(fields->to_name) },
		{ "the recipient's address", mail_address_check(fields->to) },
		{ "the subject",
		    check_some_text(fields->subject, MAIL_SUBJECT_MAX) },
		{ "the text", check_body(fields->text) },
		{ "the HTML", check_body(fields->html) },
		{ "the date", check_date(fields->date_s) },
		{ "the message's identifier",
		    fields->id == NULL ? status_ok() : check_id(fields->id) },
		{ "the thread", fields->thread == NULL
				    ? status_ok()
				    : check_id(fields->thread) },
		{ "the list's identifier",
		    fields->list_id == NULL ? status_ok()
					    : check_list_id(fields->list_id) },
		{ "the URL to unsubscribe at",
		    fields->unsubscribe_url == NULL
			? status_ok()
			: check_url(fields->unsubscribe_url) },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (failed(all[i].st)) {
			*ret_field = all[i].name;
			return all[i].st;
		}
	return status_ok();
}

/* ---- the header ---- */

/* RFC 5322 3.3, of no locale. */
static void
put_date(struct mail_buffer *buffer, int64_t date_s)
{
	static const char DAYS[] = "SunMonTueWedThuFriSat";
	static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const time_t moment = (time_t)date_s;
	struct tm tm;
	char text[64];

	gmtime_r(&moment, &tm);
	snprintf(text, sizeof(text),
	    "%.3s, %02d %.3s %04d %02d:%02d:%02d +0000", DAYS + 3 * tm.tm_wday,
	    tm.tm_mday, MONTHS + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
	mail_header_value(buffer, "Date", text);
}

static void
put_id(struct mail_buffer *buffer, const char *name, const char *id,
    const char *from)
{
	char text[MAIL_ID_MAX + MAIL_ADDRESS_MAX + 8];

	snprintf(text, sizeof(text), "<%s@%s>", id, mail_address_domain(from));
	mail_header_value(buffer, name, text);
}

static void
put_list(struct mail_buffer *buffer, const struct mail_fields *fields)
{
	char text[MAIL_URL_MAX + 8];

	if (fields->list_id != NULL) {
		snprintf(text, sizeof(text), "<%s>", fields->list_id);
		mail_header_value(buffer, "List-Id", text);
	}
	if (fields->unsubscribe_url != NULL) {
		snprintf(text, sizeof(text), "<%s>", fields->unsubscribe_url);
		mail_header_value(buffer, "List-Unsubscribe", text);
		mail_header_value(buffer, "List-Unsubscribe-Post",
		    "List-Unsubscribe=One-Click");
	}
}

static void
put_header(struct mail_buffer *buffer, const struct mail_fields *fields,
    const char *id)
{
	put_date(buffer, fields->date_s);
	mail_header_mailbox(buffer, "From", fields->from_name, fields->from);
	mail_header_mailbox(buffer, "To", fields->to_name, fields->to);
	mail_header_text(buffer, "Subject", fields->subject);
	put_id(buffer, "Message-ID", id, fields->from);
	/* Of one that nobody has: mail programs join those that name it. */
	if (fields->thread != NULL)
		put_id(buffer, "References", fields->thread, fields->from);
	mail_header_value(buffer, "Auto-Submitted", "auto-generated");
	put_list(buffer, fields);
	mail_header_value(buffer, "MIME-Version", "1.0");
	mail_header_value(buffer, "Content-Type",
	    "multipart/alternative; boundary=\"" BOUNDARY "\"");
	mail_buffer_line(buffer);
}

/* ---- the body ---- */

static void
put_part(struct mail_buffer *buffer, const char *type, const char *text)
{
	mail_buffer_text(buffer, "--" BOUNDARY);
	mail_buffer_line(buffer);
	mail_header_value(buffer, "Content-Type", type);
	mail_header_value(
	    buffer, "Content-Transfer-Encoding", "quoted-printable");
	mail_buffer_line(buffer);
	mail_quoted_printable(buffer, text);
	mail_buffer_line(buffer);
}

static struct status
make_id(char ret_id[2 * RANDOM_LEN + 1])
{
	uint8_t octets[RANDOM_LEN];

	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return status_fail(
		    STATUS_INTERNAL, "cannot be written: no random octets");
	bytes_to_hex((struct bytes){ octets, sizeof(octets) }, ret_id);
	return status_ok();
}

static struct status
compose(const struct mail_fields *fields, struct mail_message *message)
{
	struct mail_buffer *buffer = &message->buffer;
	char random[2 * RANDOM_LEN + 1];
	const char *id = fields->id;

	if (id == NULL) {
		struct status st = make_id(random);

		if (failed(st))
			return st;
		id = random;
	}
	put_header(buffer, fields, id);
	put_part(buffer, "text/plain; charset=utf-8", fields->text);
	/* The better one comes last (RFC 2046 5.1.4). */
	put_part(buffer, "text/html; charset=utf-8", fields->html);
	mail_buffer_text(buffer, "--" BOUNDARY "--");
	mail_buffer_line(buffer);
	if (buffer->is_failed)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "cannot be written: there is not enough memory");
	snprintf(message->from, sizeof(message->from), "%s", fields->from);
	snprintf(message->to, sizeof(message->to), "%s", fields->to);
	return status_ok();
}

STATUS
mail_message_new(const struct mail_fields *fields,
    struct mail_message **ret_message, char *ret_why)
{
	scoped(mail_message_free) struct mail_message *message = NULL;
	const char *field = "the message";
	struct status st = check(fields, &field);

	if (!failed(st)) {
		message = calloc(1, sizeof(*message));
		st = message == NULL
			 ? status_fail(STATUS_RESOURCE_EXHAUSTED,
			       "cannot be written: there is not enough memory")
			 : compose(fields, message);
	}
	if (failed(st)) {
		snprintf(ret_why, MAIL_WHY_MAX, "%s %s", field, st.why);
		return st;
	}
	*ret_message = message;
	message = NULL;
	return st;
}

void
mail_message_free(struct mail_message *message)
{
	if (message == NULL)
		return;
	free(message->buffer.at);
	free(message);
}

struct bytes
mail_message_octets(const struct mail_message *message)
{
	return (struct bytes){ (const uint8_t *)message->buffer.at,
		message->buffer.len };
}

const char *
mail_message_from(const struct mail_message *message)
{
	return message->from;
}

const char *
mail_message_to(const struct mail_message *message)
{
	return message->to;
}
