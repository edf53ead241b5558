/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What texts of callers must look like; see text.h.  Nothing is mended: what is
 * not well formed is refused, with a sentence that says how it should be.
 */

#include "certd/text.h"

#include <stdbool.h>
#include <string.h>

#include "base/printable.h"
#include "mail/address.h"

#define NAME_CHARS 40
#define DIGITS_MIN 3
#define DIGITS_MAX 15

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGIT "0123456789"

static struct status
refuse(struct api_call *call, const char *field, const char *how)
{
	return api_explain(call,
	    status_fail(STATUS_INVALID_ARGUMENT, "a field is not well formed"),
	    "%s %s", field, how);
}

static bool
is_printable(struct bytes text)
{
	while (text.len > 0) {
		uint32_t point = 0;
		size_t len = printable_take(text, &point);

		if (len == 0 || !printable_point(point))
			return false;
		text.at += len;
		text.len -= len;
	}
	return true;
}

STATUS
text_check_line(struct api_call *call, const char *field, const char *text,
    size_t min, size_t max)
{
	size_t len = strlen(text);

	if (len < min)
		return refuse(call, field, "is missing");
	if (len > max)
		return api_explain(call,
		    status_fail(STATUS_INVALID_ARGUMENT, "a text is too long"),
		    "%s is %zu octets long; %zu are the most", field, len, max);
	if (!is_printable(bytes_of(text)))
		return refuse(call, field,
		    "must be UTF-8 text without control characters");
	if (len > 0 && (text[0] == ' ' || text[len - 1] == ' '))
		return refuse(
		    call, field, "must not begin or end with a blank");
	return status_ok();
}

/* Letters, digits and hyphens, none of these at either end. */
static bool
is_label(const char *at, size_t len, const char *allowed)
{
	if (len == 0 || at[0] == '-' || at[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (strchr(allowed, at[i]) == NULL)
			return false;
	return true;
}

STATUS
text_check_name(struct api_call *call, const char *field, const char *text)
{
	size_t len = strlen(text);

	if (len <= NAME_CHARS && is_label(text, len, LOWER DIGIT "-"))
		return status_ok();
	return refuse(call, field,
	    "must be 1 to 40 of a-z, 0-9 and \"-\", without \"-\" at either "
	    "end");
}

STATUS
text_check_email(struct api_call *call, const char *field, const char *text)
{
	struct status st = mail_address_check(text);

	return failed(st) ? refuse(call, field, st.why) : st;
}

STATUS
text_check_phone(struct api_call *call, const char *field, const char *text)
{
	const char *rest = text[0] == '+' ? text + 1 : text;
	size_t digits = 0;

	for (const char *at = rest; *at != 0; at++)
		digits += strchr(DIGIT, *at) != NULL;
	if (strlen(text) < TEXT_PHONE_MAX && digits >= DIGITS_MIN &&
	    digits <= DIGITS_MAX &&
	    strspn(rest, DIGIT " -./()") == strlen(rest) &&
	    rest[strlen(rest) - 1] != ' ')
		return status_ok();
	return refuse(call, field,
	    "must be a telephone number of 3 to 15 digits, like "
	    "\"+49 30 123456\"");
}
