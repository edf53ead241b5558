/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A CA's JSON, read strictly by jansson: types must be right, strings must fit,
 * URLs must be on the CA's own origin.  Refuses members that are there twice,
 * deep nests, and whatever is no object.  Members that nobody asks for are
 * passed over, as RFC 8555 (7.1) wants it.
 */

#include "acme/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "acme/client.h"
#include "acme/url.h"
#include "base/printable.h"

void
acme_json_show(struct bytes body, char ret_text[ACME_JSON_SHOWN_MAX])
{
	const bool is_cut = body.len > 60;
	char shown[ACME_JSON_SHOWN_MAX - 4];

	if (is_cut)
		body.len = 60;
	printable_print(body, shown, sizeof(shown));
	snprintf(
	    ret_text, ACME_JSON_SHOWN_MAX, "%s%s", shown, is_cut ? "..." : "");
}

/* ---- the whole ---- */

/* Brackets outside of strings; what is no JSON may be counted wrong. */
static bool
is_too_deep(struct bytes body)
{
	bool is_in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < body.len; i++) {
		const uint8_t c = body.at[i];

		if (is_in_string && c == '\\')
			i++;
		else if (c == '"')
			is_in_string = !is_in_string;
		else if (is_in_string)
			continue;
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
		if (depth > ACME_JSON_DEPTH_MAX)
			return true;
	}
	return false;
}

STATUS
acme_json_load(
    struct bytes body, json_t **ret_json, char ret_why[ACME_JSON_WHY_MAX])
{
	char shown[ACME_JSON_SHOWN_MAX], said[160];
	json_error_t error;
	json_t *json;

	acme_json_show(body, shown);
	if (is_too_deep(body)) {
		snprintf(ret_why, ACME_JSON_WHY_MAX,
		    "it is nested more than %d deep: %s", ACME_JSON_DEPTH_MAX,
		    shown);
		return status_fail(STATUS_INVALID_ARGUMENT, "not ACME's JSON");
	}
	json = json_loadb(
	    (const char *)body.at, body.len, JSON_REJECT_DUPLICATES, &error);
	if (json == NULL) {
		printable_print(bytes_of(error.text), said, sizeof(said));
		snprintf(ret_why, ACME_JSON_WHY_MAX,
		    "it is no JSON (line %d: %s): %s", error.line, said, shown);
		return status_fail(STATUS_INVALID_ARGUMENT, "not ACME's JSON");
	}
	if (!json_is_object(json)) {
		json_decref(json);
		snprintf(ret_why, ACME_JSON_WHY_MAX, "it is no JSON object: %s",
		    shown);
		return status_fail(STATUS_INVALID_ARGUMENT, "not ACME's JSON");
	}
	*ret_json = json;
	return status_ok();
}

void
acme_json_init(
    struct acme_json *ret_json, const json_t *object, const char *origin)
{
	ret_json->object = object;
	ret_json->origin = origin;
	ret_json->is_bad = false;
	ret_json->why[0] = '\0';
}

void
acme_json_bad(struct acme_json *json, const char *format, ...)
{
	va_list arguments;

	if (json->is_bad)
		return;
	json->is_bad = true;
	va_start(arguments, format);
	vsnprintf(json->why, sizeof(json->why), format, arguments);
	va_end(arguments);
}

/* ---- members ---- */

/* NULL: it is not there, or something is bad already. */
static const json_t *
member(struct acme_json *json, const char *name, enum acme_json_need need)
{
	const json_t *value = json_object_get(json->object, name);

	if (json->is_bad)
		return NULL;
	if (json_is_null(value))
		value = NULL;
	if (value == NULL && need == ACME_JSON_REQUIRED)
		acme_json_bad(json, "its \"%s\" is missing", name);
	return value;
}

static const char *
text_of(
    struct acme_json *json, const json_t *value, const char *name, size_t max)
{
	if (!json_is_string(value)) {
		acme_json_bad(json, "its \"%s\" is no string", name);
		return NULL;
	}
	if (json_string_length(value) >= max) {
		acme_json_bad(json, "its \"%s\" has more than %zu characters",
		    name, max - 1);
		return NULL;
	}
	return json_string_value(value);
}

void
acme_json_text(struct acme_json *json, const char *name,
    enum acme_json_need need, char *ret_text, size_t max)
{
	const json_t *value = member(json, name, need);
	const char *text =
	    value == NULL ? NULL : text_of(json, value, name, max);

	if (text != NULL)
		snprintf(ret_text, max, "%s", text);
}

void
acme_json_url_of(
    struct acme_json *json, const json_t *value, const char *name, char *ret)
{
	const char *url = text_of(json, value, name, ACME_URL_MAX);
	char shown[160];

	if (url == NULL)
		return;
	printable_print(bytes_of(url), shown, sizeof(shown));
	if (!acme_url_is_fit(url)) {
		acme_json_bad(json, "its \"%s\" is no URL: %s", name, shown);
		return;
	}
	if (json->origin != NULL && !acme_url_same_origin(url, json->origin)) {
		acme_json_bad(json,
		    "its \"%s\" leads away from the CA's own origin, to %s",
		    name, shown);
		return;
	}
	snprintf(ret, ACME_URL_MAX, "%s", url);
}

void
acme_json_url(struct acme_json *json, const char *name,
    enum acme_json_need need, char *ret_url)
{
	const json_t *value = member(json, name, need);

	if (value != NULL)
		acme_json_url_of(json, value, name, ret_url);
}

void
acme_json_time(struct acme_json *json, const char *name,
    enum acme_json_need need, int64_t *ret_s)
{
	const json_t *value = member(json, name, need);
	const char *text =
	    value == NULL ? NULL : text_of(json, value, name, 64);

	if (text != NULL && !acme_json_parse_time(text, ret_s))
		acme_json_bad(json, "its \"%s\" is no time of RFC 3339", name);
}

void
acme_json_flag(struct acme_json *json, const char *name, bool *ret_flag)
{
	const json_t *value = member(json, name, ACME_JSON_OPTIONAL);

	if (value == NULL)
		return;
	if (!json_is_boolean(value))
		acme_json_bad(
		    json, "its \"%s\" is neither true nor false", name);
	else
		*ret_flag = json_is_true(value);
}

const json_t *
acme_json_array(struct acme_json *json, const char *name,
    enum acme_json_need need, size_t max)
{
	const json_t *value = member(json, name, need);

	if (value == NULL)
		return NULL;
	if (!json_is_array(value)) {
		acme_json_bad(json, "its \"%s\" is no array", name);
		return NULL;
	}
	if (json_array_size(value) > max) {
		acme_json_bad(json, "its \"%s\" has %zu elements; %zu are most",
		    name, json_array_size(value), max);
		return NULL;
	}
	return value;
}

const json_t *
acme_json_object(
    struct acme_json *json, const char *name, enum acme_json_need need)
{
	const json_t *value = member(json, name, need);

	if (value != NULL && !json_is_object(value)) {
		acme_json_bad(json, "its \"%s\" is no object", name);
		return NULL;
	}
	return value;
}

/* ---- time ---- */

/* n digits, then the character end (unless 0); NULL: not so. */
static const char *
number(const char *text, int n, char end, int *ret_number)
{
	int value = 0;

	for (int i = 0; i < n; i++, text++) {
		if (*text < '0' || *text > '9')
			return NULL;
		value = value * 10 + (*text - '0');
	}
	if (end != 0 && *text++ != end)
		return NULL;
	*ret_number = value;
	return text;
}

/* "Z" or "+01:30". */
static bool
parse_offset(const char *text, int *ret_s)
{
	int sign = *text == '-' ? -1 : 1, hours, minutes;

	if ((*text == 'Z' || *text == 'z') && text[1] == '\0') {
		*ret_s = 0;
		return true;
	}
	if (*text != '+' && *text != '-')
		return false;
	text = number(text + 1, 2, ':', &hours);
	if (text != NULL)
		text = number(text, 2, 0, &minutes);
	if (text == NULL || *text != '\0' || hours > 23 || minutes > 59)
		return false;
	*ret_s = sign * (hours * 3600 + minutes * 60);
	return true;
}

bool
acme_json_parse_time(const char *text, int64_t *ret_s)
{
	struct tm tm = { .tm_isdst = 0 };
	int year, month, offset_s;

	if ((text = number(text, 4, '-', &year)) == NULL ||
	    (text = number(text, 2, '-', &month)) == NULL ||
	    (text = number(text, 2, 0, &tm.tm_mday)) == NULL ||
	    (*text != 'T' && *text != 't' && *text != ' ') ||
	    (text = number(text + 1, 2, ':', &tm.tm_hour)) == NULL ||
	    (text = number(text, 2, ':', &tm.tm_min)) == NULL ||
	    (text = number(text, 2, 0, &tm.tm_sec)) == NULL)
		return false;
	if (*text == '.') {
		const size_t n = strspn(text + 1, "0123456789");

		if (n == 0)
			return false;
		text += 1 + n;
	}
	if (!parse_offset(text, &offset_s) || year < 1970 || month < 1 ||
	    month > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	*ret_s = (int64_t)timegm(&tm) - offset_s;
	return true;
}
