/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Monotonic nanoseconds, for deadlines and durations. */
static inline int64_t
clock_mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Nanoseconds since 1970 UTC, for records and certificates. */
static inline int64_t
clock_wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t
clock_wall_s(void)
{
	return clock_wall_ns() / 1000000000;
}

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

#define CLOCK_TEXT_MAX 32

/* RFC 3339 UTC with milliseconds, "2026-01-02T03:04:05.678Z". */
void clock_print(int64_t wall_ns, char ret_text[CLOCK_TEXT_MAX]);

#endif
