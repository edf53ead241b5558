/* SPDX-License-Identifier: Apache-2.0 */

/* Waiting on a condition until a moment of the monotonic clock. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond;
static bool is_told; /* mutex guards */

static void
a_wait_ends_when_its_moment_has_come(void **state)
{
	int64_t until_ns = clock_mono_ns() + NS_PER_MS;

	(void)state;
	clock_cond_init(&cond);
	pthread_mutex_lock(&mutex);
	while (clock_cond_wait(&cond, &mutex, until_ns))
		;
	assert_true(clock_mono_ns() >= until_ns);
	/* At once: it is over. */
	assert_false(clock_cond_wait(&cond, &mutex, until_ns));
	assert_false(clock_cond_wait(&cond, &mutex, 0));
	pthread_mutex_unlock(&mutex);
	pthread_cond_destroy(&cond);
}

static void *
tell(void *arg)
{
	pthread_mutex_lock(&mutex);
	is_told = true;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&mutex);
	return arg;
}

static void
a_wait_ends_when_it_is_signalled(void **state)
{
	int64_t until_ns = clock_mono_ns() + 3600 * NS_PER_S;
	pthread_t thread;

	(void)state;
	clock_cond_init(&cond);
	pthread_mutex_lock(&mutex);
	assert_int_equal(pthread_create(&thread, NULL, tell, NULL), 0);
	while (!is_told)
		assert_true(clock_cond_wait(&cond, &mutex, until_ns));
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, NULL);
	pthread_cond_destroy(&cond);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_ends_when_its_moment_has_come),
		cmocka_unit_test(a_wait_ends_when_it_is_signalled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
