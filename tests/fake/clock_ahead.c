/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A library for LD_PRELOAD: the wall clock is ahead (or behind) by as many
 * seconds as the file CLOCK_AHEAD_FILE says, which holds one int64_t.  It is
 * mapped at the start, so it may be changed while a confined daemon runs.  The
 * monotonic clock, and whoever waits by it, are left alone; libfaketime 0.9.10
 * wakes such waits at once, over and over.  absl, and so gRPC, sleeps by futex
 * until a moment of the wall clock: the kernel is told which one of its own.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef int clock_gettime_fn(clockid_t clock, struct timespec *ret_ts);
typedef long syscall_fn(long number, ...);

static const _Atomic int64_t none;
static const _Atomic int64_t *ahead_s = &none;

#define SHOWN __attribute__((visibility("default")))

__attribute__((constructor)) static void
map_file(void)
{
	const char *path = getenv("CLOCK_AHEAD_FILE");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	void *at;

	if (fd < 0)
		return;
	at = mmap(NULL, sizeof(*ahead_s), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED)
		ahead_s = at;
}

/* The function that ours stands before; known keeps it, ret_fn points to a
 * pointer to a function. */
static void
find(const char *name, _Atomic(void *) *known, void *ret_fn)
{
	void *found = *known;

	if (found == NULL)
		*known = found = dlsym(RTLD_NEXT, name);
	memcpy(ret_fn, &found, sizeof(found));
}

SHOWN int
clock_gettime(clockid_t clock, struct timespec *ret_ts)
{
	static _Atomic(void *) known;
	clock_gettime_fn *real;
	int rc;

	find("clock_gettime", &known, &real);
	rc = real(clock, ret_ts);
	if (rc == 0 &&
	    (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		ret_ts->tv_sec += *ahead_s;
	return rc;
}

SHOWN time_t
time(time_t *ret_at)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (ret_at != NULL)
		*ret_at = ts.tv_sec;
	return ts.tv_sec;
}

SHOWN int
gettimeofday(struct timeval *restrict ret_tv, void *restrict zone)
{
	struct timespec ts = { 0 };
	int rc = clock_gettime(CLOCK_REALTIME, &ts);

	(void)zone;
	ret_tv->tv_sec = ts.tv_sec;
	ret_tv->tv_usec = ts.tv_nsec / 1000;
	return rc;
}

/* Of FUTEX_WAIT_BITSET alone: FUTEX_WAIT's time is a duration. */
static bool
waits_until(const long at[6])
{
	return (at[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET &&
	       (at[1] & FUTEX_CLOCK_REALTIME) != 0 && at[3] != 0;
}

SHOWN long
syscall(long number, ...)
{
	static _Atomic(void *) known;
	syscall_fn *real;
	struct timespec until;
	long at[6];
	va_list args;

	va_start(args, number);
	for (size_t i = 0; i < 6; i++)
		at[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_futex && waits_until(at)) {
		memcpy(&until, (const void *)at[3], sizeof(until));
		until.tv_sec -= *ahead_s;
		if (until.tv_sec < 0)
			until.tv_sec = 0;
		at[3] = (long)&until;
	}
	find("syscall", &known, &real);
	return real(number, at[0], at[1], at[2], at[3], at[4], at[5]);
}
