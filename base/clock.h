/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
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

/* A condition whose times are clock_mono_ns's. */
void clock_cond_init(pthread_cond_t *ret_cond);
/* With the mutex held, which is let go of meanwhile; false when the moment
 * has come.  True may mean nothing: look again at what was waited for. */
bool clock_cond_wait(
    pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_ns);

#endif
