/* SPDX-License-Identifier: Apache-2.0 */

/* Blocking calls side by side; see fan.h.  The threads live as long as the
 * call, so nothing outlasts it and nothing is shared but the next number. */

#include "certd/fan.h"

#include <pthread.h>
#include <stdatomic.h>

struct fan {
	size_t n;
	void (*fn)(void *ctx, size_t i);
	void *ctx;
	atomic_size_t next;
};

static void *
work(void *arg)
{
	struct fan *fan = arg;

	for (;;) {
		size_t i = atomic_fetch_add(&fan->next, 1);

		if (i >= fan->n)
			return NULL;
		fan->fn(fan->ctx, i);
	}
}

void
fan_out(size_t n, void (*fn)(void *ctx, size_t i), void *ctx)
{
	struct fan fan = { .n = n, .fn = fn, .ctx = ctx };
	pthread_t threads[FAN_MAX];
	size_t started = 0;

	atomic_init(&fan.next, 0);
	while (started < FAN_MAX && started + 1 < n &&
	       pthread_create(&threads[started], NULL, work, &fan) == 0)
		started++;
	work(&fan);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
}
