/* SPDX-License-Identifier: Apache-2.0 */
/* keyd/budget.c: how often an identity may use a key. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "keyd/budget.h"

static const struct policy_key web = { .id = { { 1 } } },
			       other = { .id = { { 2 } } };

static struct spiffe
edge(const char *name)
{
	struct spiffe id = { .domain = "example.org", .role = ROLE_EDGE };

	snprintf(id.name, sizeof(id.name), "%s", name);
	return id;
}

static enum status_code
take(struct budget *budget, struct spiffe who, const struct policy_key *key,
    struct policy_budget allowed, int64_t now_ns)
{
	const struct policy_permit permit = { key, allowed };

	return budget_take(budget, &who, &permit, now_ns).code;
}

static const struct policy_budget ten = { 10, 3 };

static void
takes_the_burst_and_then_what_the_rate_gives(void **state)
{
	scoped(budget_free) struct budget *budget = budget_new();
	int64_t now_ns = 5 * NS_PER_S;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    take(budget, edge("a"), &web, ten, now_ns), STATUS_OK);
	assert_int_equal(take(budget, edge("a"), &web, ten, now_ns),
	    STATUS_RESOURCE_EXHAUSTED);
	now_ns += NS_PER_S / 10;
	assert_int_equal(take(budget, edge("a"), &web, ten, now_ns), STATUS_OK);
	assert_int_equal(take(budget, edge("a"), &web, ten, now_ns),
	    STATUS_RESOURCE_EXHAUSTED);
	/* However long it waits, no more than a burst is saved up. */
	now_ns += 100 * NS_PER_S;
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    take(budget, edge("a"), &web, ten, now_ns), STATUS_OK);
	assert_int_equal(take(budget, edge("a"), &web, ten, now_ns),
	    STATUS_RESOURCE_EXHAUSTED);
}

static void
each_identity_and_each_key_has_its_own(void **state)
{
	const struct policy_budget one = { 1, 1 };
	scoped(budget_free) struct budget *budget = budget_new();
	struct spiffe operator= edge("a");

	(void)state;
	operator.role = ROLE_OPERATOR;
	assert_int_equal(take(budget, edge("a"), &web, one, 1), STATUS_OK);
	assert_int_equal(take(budget, edge("b"), &web, one, 1), STATUS_OK);
	assert_int_equal(take(budget, edge("a"), &other, one, 1), STATUS_OK);
	assert_int_equal(take(budget, operator, & web, one, 1), STATUS_OK);
	assert_int_equal(
	    take(budget, edge("a"), &web, one, 1), STATUS_RESOURCE_EXHAUSTED);
}

static void
without_a_budget_nothing_is_counted(void **state)
{
	const struct policy_budget none = { 0, 0 }, one = { 1, 1 };
	scoped(budget_free) struct budget *budget = budget_new();

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(
		    take(budget, edge("a"), &web, none, 1), STATUS_OK);
	assert_int_equal(take(budget, edge("a"), &web, one, 1), STATUS_OK);
}

static void
a_burst_of_zero_is_as_many_as_the_rate(void **state)
{
	const struct policy_budget two = { 2, 0 };
	scoped(budget_free) struct budget *budget = budget_new();

	(void)state;
	assert_int_equal(take(budget, edge("a"), &web, two, 1), STATUS_OK);
	assert_int_equal(take(budget, edge("a"), &web, two, 1), STATUS_OK);
	assert_int_equal(
	    take(budget, edge("a"), &web, two, 1), STATUS_RESOURCE_EXHAUSTED);
}

static void
a_larger_budget_counts_at_once(void **state)
{
	const struct policy_budget slow = { 1, 1000 }, fast = { 1000, 1000 };
	scoped(budget_free) struct budget *budget = budget_new();

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(
		    take(budget, edge("a"), &web, slow, 1), STATUS_OK);
	assert_int_equal(
	    take(budget, edge("a"), &web, slow, 1), STATUS_RESOURCE_EXHAUSTED);
	/* A quarter of an hour would be left to wait at the old rate; at the
	 * new one a millisecond is. */
	assert_int_equal(
	    take(budget, edge("a"), &web, fast, 1), STATUS_RESOURCE_EXHAUSTED);
	assert_int_equal(
	    take(budget, edge("a"), &web, fast, 1 + NS_PER_MS), STATUS_OK);
}

/* Many more identities than there is room for, all of them busy or idle. */
static enum status_code
many(struct budget *budget, unsigned first, unsigned n,
    struct policy_budget allowed, int64_t now_ns)
{
	char name[16];

	for (unsigned i = first; i < first + n; i++) {
		enum status_code code;

		snprintf(name, sizeof(name), "e%u", i);
		code = take(budget, edge(name), &web, allowed, now_ns);
		if (code != STATUS_OK)
			return code;
	}
	return STATUS_OK;
}

static void
full_buckets_are_forgotten_and_those_in_use_are_not(void **state)
{
	const struct policy_budget one = { 1, 1 };
	scoped(budget_free) struct budget *budget = budget_new();

	(void)state;
	assert_int_equal(many(budget, 0, 40000, one, NS_PER_S), STATUS_OK);
	/* A second later all of them are full again, and make room. */
	assert_int_equal(
	    many(budget, 40000, 40000, one, 3 * NS_PER_S), STATUS_OK);
	assert_int_equal(many(budget, 80000, 100000, one, 3 * NS_PER_S),
	    STATUS_RESOURCE_EXHAUSTED);
	/* Whoever is counted stays counted. */
	assert_int_equal(take(budget, edge("e40000"), &web, one, 3 * NS_PER_S),
	    STATUS_RESOURCE_EXHAUSTED);
}

#define THREADS 4
#define TRIES 2000

struct taker {
	struct budget *budget;
	atomic_uint *taken;
};

static void *
try_often(void *ctx)
{
	const struct policy_budget thousand = { 1, 1000 };
	const struct taker *taker = ctx;

	for (int i = 0; i < TRIES; i++)
		if (take(taker->budget, edge("a"), &web, thousand, 1) ==
		    STATUS_OK)
			atomic_fetch_add(taker->taken, 1);
	return NULL;
}

static void
threads_together_get_no_more_than_the_burst(void **state)
{
	scoped(budget_free) struct budget *budget = budget_new();
	atomic_uint taken = 0;
	struct taker taker = { budget, &taken };
	pthread_t threads[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, try_often, &taker), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(taken, 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_burst_and_then_what_the_rate_gives),
		cmocka_unit_test(each_identity_and_each_key_has_its_own),
		cmocka_unit_test(without_a_budget_nothing_is_counted),
		cmocka_unit_test(a_burst_of_zero_is_as_many_as_the_rate),
		cmocka_unit_test(a_larger_budget_counts_at_once),
		cmocka_unit_test(
		    full_buckets_are_forgotten_and_those_in_use_are_not),
		cmocka_unit_test(threads_together_get_no_more_than_the_burst),
	};

	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
