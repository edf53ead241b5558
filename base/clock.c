/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times as text, RFC 3339 in UTC, for records and logs, and waiting until one.
 * Reading the clocks is inline in the header; nothing here asks the time zone,
 * and no wait depends on a clock that can be set.
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

void
clock_cond_init(pthread_cond_t *ret_cond)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(ret_cond, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

bool
clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_ns)
{
	const struct timespec until = { .tv_sec = until_ns / NS_PER_S,
		.tv_nsec = until_ns % NS_PER_S };

	return pthread_cond_timedwait(cond, mutex, &until) == 0;
}
