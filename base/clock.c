/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times as text, RFC 3339 in UTC, for records and logs.  Reading the clocks is
 * inline in the header; this file only prints and never asks the time zone.
 */
#include "base/clock.h"

#include <stdio.h>

void
clock_print(int64_t wall_ns, char ret_text[CLOCK_TEXT_MAX])
{
	int64_t s = wall_ns / NS_PER_S;
	int64_t ns = wall_ns % NS_PER_S;
	struct tm utc;
	time_t t;

	if (ns < 0) {
		s--;
		ns += NS_PER_S;
	}
	t = (time_t)s;
	gmtime_r(&t, &utc); /* 64-bit ns stay within the years 1677..2262 */
	snprintf(ret_text, CLOCK_TEXT_MAX,
	    "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (utc.tm_year + 1900) % 10000,
	    (utc.tm_mon + 1) % 100, utc.tm_mday % 100, utc.tm_hour % 100,
	    utc.tm_min % 100, utc.tm_sec % 100, (int)(ns / NS_PER_MS) % 1000);
}
