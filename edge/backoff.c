/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The pace of attempts.  The chance comes from the kernel; where it has none
 * yet the whole delay is waited, which is safe if less even.
 */

#include "edge/backoff.h"

#include <sys/random.h>

static int64_t
jittered(int64_t delay_ns)
{
	uint16_t chance;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(chance))
		return delay_ns;
	return delay_ns / 2 + delay_ns / 2 * chance / UINT16_MAX;
}

int64_t
backoff_ns(unsigned fails, size_t n_endpoints)
{
	int64_t delay_ns = BACKOFF_FIRST_NS;

	if (fails < n_endpoints)
		return 0;
	for (size_t i = n_endpoints; i < fails && delay_ns < BACKOFF_MAX_NS;
	     i++)
		delay_ns *= 2;
	return jittered(delay_ns < BACKOFF_MAX_NS ? delay_ns : BACKOFF_MAX_NS);
}
