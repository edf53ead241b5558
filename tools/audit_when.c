/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Moments as people write them: RFC 3339, local date and time, or how long ago.
 * Days that no calendar has are refused, not carried over into the next month.
 */

#include <string.h>

#include "base/clock.h"
#include "tools/audit.h"

/* Exactly n digits off the front. */
static bool
take_digits(const char **text, int n, int *ret_number)
{
	int number = 0;

	for (int i = 0; i < n; i++) {
		if ((*text)[i] < '0' || (*text)[i] > '9')
			return false;
		number = number * 10 + ((*text)[i] - '0');
	}
	*text += n;
	*ret_number = number;
	return true;
}

static bool
take_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

static bool
parse_ago(const char *text, int64_t now_ns, int64_t *ret_ns)
{
	static const struct {
		const char *unit;
		int64_t s;
	} UNITS[] = { { "s", 1 }, { "m", 60 }, { "min", 60 }, { "h", 3600 },
		{ "d", 86400 }, { "w", 604800 } };
	int64_t number = 0;
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 9)
		return false;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (text[i] - '0');
	for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
		if (strcmp(text + digits, UNITS[i].unit) != 0)
			continue;
		if (number > now_ns / NS_PER_S / UNITS[i].s)
			return false;
		*ret_ns = now_ns - number * UNITS[i].s * NS_PER_S;
		return true;
	}
	return false;
}

static int
days_of(int year, int month)
{
	static const int DAYS[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return DAYS[month - 1] + (month == 2 && is_leap ? 1 : 0);
}

static bool
take_date(const char **text, struct tm *day)
{
	int year, month, mday;

	if (!take_digits(text, 4, &year) || !take_char(text, '-') ||
	    !take_digits(text, 2, &month) || !take_char(text, '-') ||
	    !take_digits(text, 2, &mday) || year < 1970 || year > 2261 ||
	    month < 1 || month > 12 || mday < 1 || mday > days_of(year, month))
		return false;
	day->tm_year = year - 1900;
	day->tm_mon = month - 1;
	day->tm_mday = mday;
	return true;
}

/* "14:00", "14:00:05", "14:00:05.25". */
static bool
take_time(const char **text, struct tm *day, int64_t *ret_fraction_ns)
{
	int64_t unit = NS_PER_S / 10;

	if (!take_digits(text, 2, &day->tm_hour) || !take_char(text, ':') ||
	    !take_digits(text, 2, &day->tm_min) || day->tm_hour > 23 ||
	    day->tm_min > 59)
		return false;
	if (!take_char(text, ':'))
		return true;
	if (!take_digits(text, 2, &day->tm_sec) || day->tm_sec > 60)
		return false;
	if (!take_char(text, '.'))
		return true;
	if (**text < '0' || **text > '9')
		return false;
	for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
		*ret_fraction_ns += (**text - '0') * unit;
	return true;
}

/* "Z", "+01:00"; what is left when there is none is local time. */
static bool
take_zone(const char **text, bool *ret_is_local, int64_t *ret_offset_s)
{
	int hours, minutes;
	bool is_west = **text == '-';

	*ret_is_local = **text == '\0';
	if (*ret_is_local)
		return true;
	if (take_char(text, 'Z') || take_char(text, 'z'))
		return true;
	if (!take_char(text, '+') && !take_char(text, '-'))
		return false;
	if (!take_digits(text, 2, &hours) || !take_char(text, ':') ||
	    !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_offset_s = (is_west ? -1 : 1) * (hours * 3600 + minutes * 60);
	return true;
}

static bool
parse_moment(const char *text, int64_t *ret_ns)
{
	struct tm day = { .tm_isdst = -1 };
	int64_t fraction_ns = 0, offset_s = 0;
	bool is_local = true;
	time_t t;

	if (!take_date(&text, &day))
		return false;
	if (*text == 'T' || *text == 't' || *text == ' ') {
		text++;
		if (!take_time(&text, &day, &fraction_ns) ||
		    !take_zone(&text, &is_local, &offset_s))
			return false;
	}
	if (*text != '\0')
		return false;
	t = is_local ? mktime(&day) : timegm(&day);
	if (t < 0)
		return false;
	*ret_ns = ((int64_t)t - offset_s) * NS_PER_S + fraction_ns;
	return true;
}

bool
audit_when(const char *text, int64_t now_ns, int64_t *ret_ns)
{
	if (strcmp(text, "now") == 0) {
		*ret_ns = now_ns;
		return true;
	}
	return parse_ago(text, now_ns, ret_ns) || parse_moment(text, ret_ns);
}
