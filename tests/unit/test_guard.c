/* SPDX-License-Identifier: Apache-2.0 */

/* What each address is let do, and the threads that work. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "certd/guard.h"
#include "certd/work.h"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static union address
address(const char *text)
{
	union address to;

	memset(&to, 0, sizeof(to));
	if (inet_pton(AF_INET, text, &to.v4.sin_addr) == 1) {
		to.v4.sin_family = AF_INET;
		return to;
	}
	assert_int_equal(inet_pton(AF_INET6, text, &to.v6.sin6_addr), 1);
	to.v6.sin6_family = AF_INET6;
	return to;
}

static void
an_address_opens_so_many_connections(void **state)
{
	struct guard *guard = guard_new(2);
	union address one = address("192.0.2.1"), two = address("192.0.2.2");

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_true(guard_admits(guard, &one.any));
		guard_opened(guard, &one.any);
	}
	assert_false(guard_admits(guard, &one.any));
	assert_true(guard_admits(guard, &two.any));
	guard_closed(guard, &one.any);
	assert_true(guard_admits(guard, &one.any));
	guard_free(guard);
	guard = guard_new(0);
	for (int i = 0; i < 100; i++) {
		assert_true(guard_admits(guard, &one.any));
		guard_opened(guard, &one.any);
	}
	guard_free(guard);
}

static void
a_network_of_ipv6_is_one_address(void **state)
{
	struct guard *guard = guard_new(1);
	union address one = address("2001:db8:1:2::1");
	union address same = address("2001:db8:1:2:ffff::9");
	union address other = address("2001:db8:1:3::1");
	union address mapped = address("::ffff:192.0.2.1");
	union address plain = address("192.0.2.1");

	(void)state;
	guard_opened(guard, &one.any);
	assert_false(guard_admits(guard, &same.any));
	assert_true(guard_admits(guard, &other.any));
	guard_opened(guard, &mapped.any);
	assert_false(guard_admits(guard, &plain.any));
	guard_free(guard);
}

static void
wrong_secrets_are_let_try_at_a_slow_rate(void **state)
{
	struct guard *guard = guard_new(0);
	union address one = address("192.0.2.1"), two = address("192.0.2.2");
	int64_t now_ns = 1000 * NS_PER_S;

	(void)state;
	for (int i = 0; i < GUARD_WRONG_BURST; i++)
		assert_int_equal(guard_wrong(guard, &one.any, now_ns), 0);
	assert_int_equal(guard_wrong(guard, &one.any, now_ns), GUARD_WRONG_S);
	/* Others are none the worse for it. */
	assert_int_equal(guard_wrong(guard, &two.any, now_ns), 0);
	/* What is refused makes the wait no longer. */
	for (int i = 0; i < 1000; i++)
		assert_int_equal(
		    guard_wrong(guard, &one.any, now_ns), GUARD_WRONG_S);
	now_ns += 2 * GUARD_WRONG_S * NS_PER_S;
	assert_int_equal(guard_wrong(guard, &one.any, now_ns), 0);
	assert_int_not_equal(guard_wrong(guard, &one.any, now_ns), 0);
	guard_free(guard);
}

static void
connections_are_counted_among_many_strangers(void **state)
{
	struct guard *guard = guard_new(1);
	union address one = address("192.0.2.1"), other = address("10.0.0.0");

	(void)state;
	guard_opened(guard, &one.any);
	for (uint32_t i = 0; i < 10000; i++) {
		other.v4.sin_addr.s_addr = htonl(0x0a000000 + i);
		(void)guard_wrong(guard, &other.any, (int64_t)i * NS_PER_S);
	}
	assert_false(guard_admits(guard, &one.any));
	guard_free(guard);
}

/* ---- work ---- */

static atomic_uint done;

static void
one_more(void *arg)
{
	(void)arg;
	atomic_fetch_add(&done, 1);
}

static void
wait_open(void *arg)
{
	pthread_mutex_t *gate = arg;

	pthread_mutex_lock(gate);
	pthread_mutex_unlock(gate);
}

static void
a_full_queue_refuses_and_what_it_took_is_done(void **state)
{
	struct work *work = work_new(1, 2);
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	unsigned taken = 0;

	(void)state;
	atomic_store(&done, 0);
	pthread_mutex_lock(&gate);
	assert_true(work_submit(work, wait_open, &gate));
	/* Two at most wait behind it, or behind that it has begun with. */
	while (work_submit(work, one_more, NULL))
		taken++;
	assert_in_range(taken, 1, 2);
	pthread_mutex_unlock(&gate);
	work_stop(work);
	assert_int_equal(atomic_load(&done), taken);
	assert_false(work_submit(work, one_more, NULL));
	work_free(work);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_opens_so_many_connections),
		cmocka_unit_test(a_network_of_ipv6_is_one_address),
		cmocka_unit_test(wrong_secrets_are_let_try_at_a_slow_rate),
		cmocka_unit_test(connections_are_counted_among_many_strangers),
		cmocka_unit_test(a_full_queue_refuses_and_what_it_took_is_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
