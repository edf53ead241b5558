/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Header fields of a CA's answers, each read by a small scanner that never
 * looks behind its octets.  What is malformed counts as not said: no answer is
 * refused for a header field that is merely a hint.
 */

#include "acme/header.h"

#include <string.h>
#include <strings.h>
#include <time.h>

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct bytes
trimmed(struct bytes text)
{
	while (text.len > 0 && is_blank(text.at[0])) {
		text.at++;
		text.len--;
	}
	while (text.len > 0 && is_blank(text.at[text.len - 1]))
		text.len--;
	return text;
}

/* Exactly n digits off the front. */
static bool
take_number(struct bytes *from, size_t n, int *ret_number)
{
	struct bytes digits, rest = *from;
	int number = 0;

	if (!bytes_take(&rest, n, &digits))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (digits.at[i] < '0' || digits.at[i] > '9')
			return false;
		number = number * 10 + (digits.at[i] - '0');
	}
	*from = rest;
	*ret_number = number;
	return true;
}

static bool
take_text(struct bytes *from, const char *text)
{
	struct bytes rest = *from, taken;

	if (!bytes_take(&rest, strlen(text), &taken) ||
	    !bytes_equal(taken, bytes_of(text)))
		return false;
	*from = rest;
	return true;
}

static bool
take_month(struct bytes *from, int *ret_month)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

	for (int i = 0; i < 12; i++) {
		if (take_text(from, months[i])) {
			*ret_month = i;
			return true;
		}
	}
	return false;
}

bool
acme_header_date(struct bytes value, int64_t *ret_s)
{
	struct bytes at = trimmed(value), day_name;
	struct tm tm = { .tm_isdst = 0 };
	int year;

	/* "Sun, 06 Nov 1994 08:49:37 GMT" */
	if (!bytes_take(&at, 3, &day_name) || !take_text(&at, ", ") ||
	    !take_number(&at, 2, &tm.tm_mday) || !take_text(&at, " ") ||
	    !take_month(&at, &tm.tm_mon) || !take_text(&at, " ") ||
	    !take_number(&at, 4, &year) || !take_text(&at, " ") ||
	    !take_number(&at, 2, &tm.tm_hour) || !take_text(&at, ":") ||
	    !take_number(&at, 2, &tm.tm_min) || !take_text(&at, ":") ||
	    !take_number(&at, 2, &tm.tm_sec) || !take_text(&at, " GMT") ||
	    at.len != 0)
		return false;
	if (year < 1970 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	tm.tm_year = year - 1900;
	*ret_s = (int64_t)timegm(&tm);
	return true;
}

int64_t
acme_header_retry_after_ms(struct bytes value, int64_t now_s)
{
	const int64_t most_s = ACME_HEADER_RETRY_MAX_MS / 1000;
	int64_t wait_s = 0, date_s;

	value = trimmed(value);
	if (acme_header_date(value, &date_s)) {
		wait_s = date_s > now_s ? date_s - now_s : 0;
	} else {
		if (value.len == 0)
			return -1;
		for (size_t i = 0; i < value.len; i++) {
			if (value.at[i] < '0' || value.at[i] > '9')
				return -1;
			if (wait_s <= most_s)
				wait_s = wait_s * 10 + (value.at[i] - '0');
		}
	}
	return (wait_s < most_s ? wait_s : most_s) * 1000;
}

void
acme_header_media_type(struct bytes value, char *ret_type, size_t max)
{
	const uint8_t *end =
	    value.len == 0 ? NULL : memchr(value.at, ';', value.len);

	if (end != NULL)
		value.len = (size_t)(end - value.at);
	value = trimmed(value);
	ret_type[0] = '\0';
	if (value.len >= max)
		return;
	for (size_t i = 0; i < value.len; i++) {
		const uint8_t c = value.at[i];

		ret_type[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	ret_type[value.len] = '\0';
}

/* ---- links ---- */

/* Octets up to one of these or the end. */
static struct bytes
take_up_to(struct bytes *from, const char *ends)
{
	struct bytes taken = { from->at, 0 };

	while (taken.len < from->len && from->at[taken.len] != '\0' &&
	       strchr(ends, from->at[taken.len]) == NULL)
		taken.len++;
	from->at += taken.len;
	from->len -= taken.len;
	return taken;
}

static void
take_one(struct bytes *from)
{
	if (from->len > 0) {
		from->at++;
		from->len--;
	}
}

/* A parameter's value: a token or a quoted string; a backslash in one stands
 * for itself, for no relation has any. */
static struct bytes
take_value(struct bytes *from)
{
	struct bytes value;

	if (from->len == 0 || from->at[0] != '"')
		return trimmed(take_up_to(from, ";,"));
	take_one(from);
	value = take_up_to(from, "\"");
	take_one(from);
	take_up_to(from, ";,");
	return value;
}

static bool
keep(struct bytes text, char *ret_text, size_t max)
{
	if (text.len == 0 || text.len >= max ||
	    memchr(text.at, '\0', text.len) != NULL)
		return false;
	memcpy(ret_text, text.at, text.len);
	ret_text[text.len] = '\0';
	return true;
}

/* Behind the ">": parameters up to the next link. */
static struct bytes
take_rel(struct bytes *from)
{
	struct bytes rel = { from->at, 0 };

	take_up_to(from, ";,");
	while (from->len > 0 && from->at[0] == ';') {
		struct bytes name, value = { from->at, 0 };

		take_one(from);
		name = trimmed(take_up_to(from, "=;,"));
		if (from->len > 0 && from->at[0] == '=') {
			take_one(from);
			value = take_value(from);
		}
		/* RFC 8288 3.3: the first one counts. */
		if (rel.len == 0 && name.len == 3 &&
		    strncasecmp((const char *)name.at, "rel", 3) == 0)
			rel = value;
		if (from->len > 0 && from->at[0] == '\0')
			break;
	}
	return rel;
}

bool
acme_header_link(struct bytes *value, struct acme_header_link *ret_link)
{
	while (value->len > 0) {
		struct acme_header_link link;
		struct bytes url, rel;

		take_up_to(value, "<");
		take_one(value);
		url = take_up_to(value, ">");
		take_one(value);
		if (value->len == 0)
			return false;
		rel = take_rel(value);
		if (keep(url, link.url, sizeof(link.url)) &&
		    keep(rel, link.rel, sizeof(link.rel))) {
			*ret_link = link;
			return true;
		}
	}
	return false;
}

bool
acme_header_is_nonce(struct bytes value)
{
	for (size_t i = 0; i < value.len; i++) {
		const uint8_t c = value.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return value.len > 0;
}
