/* SPDX-License-Identifier: Apache-2.0 */

/* Limits of a CA, with a clock of the test's own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "certd/authority_health.h"
#include "certd/limiter.h"
#include "certd/limiter_domain.h"
#include "certd/limiter_window.h"

#define HOUR_NS (3600 * NS_PER_S)

static struct config_authority ca;
static struct limiter *limiter;
static int64_t now_ns;

static int
set_up(void **state)
{
	(void)state;
	ca = (struct config_authority){ .name = NULL };
	ca.limits.orders = 3;
	ca.limits.orders_window_ns = 3 * HOUR_NS;
	ca.limits.per_domain = 2;
	ca.limits.per_domain_window_ns = 168 * HOUR_NS;
	ca.limits.failures = 2;
	ca.limits.failures_window_ns = HOUR_NS;
	ca.limits.requests_per_s = 0;
	now_ns = 1000 * HOUR_NS;
	assert_int_equal(limiter_new(&ca, &limiter).code, STATUS_OK);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	limiter_free(limiter);
	return 0;
}

/* 0: it may; else how long it is to wait. */
static int64_t
take(enum limiter_kind kind, const char *name)
{
	scoped(names_done) struct names names = { 0 };
	int64_t wait_ms = 0;

	if (name != NULL)
		assert_true(names_add(&names, name));
	if (limiter_take(
		limiter, kind, name == NULL ? NULL : &names, now_ns, &wait_ms))
		return 0;
	assert_true(wait_ms > 0);
	return wait_ms;
}

static void
with(void (*act)(const struct names *names), const char *name)
{
	scoped(names_done) struct names names = { 0 };

	assert_true(names_add(&names, name));
	act(&names);
}

static void
count_failure(const struct names *names)
{
	limiter_failed(limiter, names, now_ns);
}

static void
give_back(const struct names *names)
{
	limiter_give_back(limiter, LIMITER_ORDER, names);
}

static void
refuse_for_an_hour(const struct names *names)
{
	limiter_pause_domains(limiter, names, now_ns, now_ns + HOUR_NS);
}

/* ---- names ---- */

static void
a_registered_domain_is_what_is_below_a_public_suffix(void **state)
{
	static const struct {
		const char *name, *domain;
	} CASES[] = {
		{ "www.example.com", "example.com" },
		{ "*.example.com", "example.com" },
		{ "a.b.example.co.uk", "example.co.uk" },
		{ "example.com", "example.com" },
		{ "www.github.io", "www.github.io" },
		{ "a.www.github.io", "www.github.io" },
		{ "a.b.xn--p1ai", "b.xn--p1ai" },
		{ "com", "com" },
		{ "host.internal.test", "internal.test" },
	};
	char domain[HOSTNAME_MAX];

	(void)state;
	for (int i = 0; i < 2; i++) {
		for (size_t c = 0; c < sizeof(CASES) / sizeof(CASES[0]); c++) {
			limiter_domain_of(CASES[c].name, domain);
			assert_string_equal(domain, CASES[c].domain);
		}
		limiter_domain_preload();
	}
}

/* ---- windows ---- */

static void
orders_beyond_the_limit_wait_until_the_first_leaves_the_window(void **state)
{
	(void)state;
	assert_int_equal(take(LIMITER_ORDER, "a.example"), 0);
	now_ns += HOUR_NS;
	assert_int_equal(take(LIMITER_ORDER, "b.example"), 0);
	assert_int_equal(take(LIMITER_RENEWAL, "c.example"), 0);
	assert_int_equal(take(LIMITER_ORDER, "d.example"), 2 * 3600000 + 1);
	assert_int_equal(take(LIMITER_RENEWAL, "d.example"), 2 * 3600000 + 1);
	assert_int_equal(take(LIMITER_REPLACING, "d.example"), 0);
	assert_int_equal(take(LIMITER_REQUEST, NULL), 0);
	now_ns += 2 * HOUR_NS;
	assert_int_equal(take(LIMITER_ORDER, "d.example"), 0);
	assert_true(take(LIMITER_ORDER, "e.example") > 0);
}

static void
certificates_of_a_registered_domain_are_counted_together(void **state)
{
	(void)state;
	ca.limits.orders = 0;
	assert_int_equal(take(LIMITER_ORDER, "a.shop.example"), 0);
	assert_int_equal(take(LIMITER_ORDER, "*.shop.example"), 0);
	assert_int_equal(
	    take(LIMITER_ORDER, "b.shop.example"), 168 * 3600000 + 1);
	assert_int_equal(take(LIMITER_ORDER, "a.other.example"), 0);
	/* Of what is there already there may be as many as need be. */
	for (int i = 0; i < 5; i++)
		assert_int_equal(take(LIMITER_RENEWAL, "a.shop.example"), 0);
}

static void
an_order_that_the_ca_refused_gives_its_place_back(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(take(LIMITER_ORDER, "a.example"), 0);
		with(give_back, "a.example");
	}
	assert_int_equal(take(LIMITER_ORDER, "a.example"), 0);
}

static void
names_whose_validation_keeps_failing_wait(void **state)
{
	(void)state;
	with(count_failure, "bad.example");
	assert_int_equal(take(LIMITER_ORDER, "bad.example"), 0);
	with(count_failure, "bad.example");
	assert_int_equal(take(LIMITER_ORDER, "bad.example"), 3600000 + 1);
	assert_true(take(LIMITER_REPLACING, "bad.example") > 0);
	assert_int_equal(take(LIMITER_ORDER, "good.example"), 0);
	now_ns += HOUR_NS;
	assert_int_equal(take(LIMITER_REPLACING, "bad.example"), 0);
}

static void
what_was_done_before_a_start_counts(void **state)
{
	scoped(names_done) struct names names = { 0 };

	(void)state;
	assert_true(names_add(&names, "a.example"));
	for (int i = 0; i < 3; i++)
		limiter_count(
		    limiter, LIMITER_ORDER, &names, now_ns - 2 * HOUR_NS);
	assert_int_equal(take(LIMITER_ORDER, "b.example"), 3600000 + 1);
	now_ns += HOUR_NS;
	assert_int_equal(take(LIMITER_ORDER, "b.example"), 0);
	assert_true(take(LIMITER_ORDER, "a.example") > 3600000);
}

/* ---- requests ---- */

static void
requests_are_spread_over_seconds(void **state)
{
	int64_t wait_ms;

	(void)state;
	ca.limits.requests_per_s = 10;
	for (int i = 0; i < 10; i++)
		assert_int_equal(take(LIMITER_REQUEST, NULL), 0);
	wait_ms = take(LIMITER_REQUEST, NULL);
	assert_int_equal(wait_ms, 100);
	now_ns += wait_ms * NS_PER_MS;
	assert_int_equal(take(LIMITER_REQUEST, NULL), 0);
	assert_int_equal(take(LIMITER_REQUEST, NULL), 100);
	/* A rest fills the bucket, and no more than that. */
	now_ns += HOUR_NS;
	for (int i = 0; i < 10; i++)
		assert_int_equal(take(LIMITER_REQUEST, NULL), 0);
	assert_int_equal(take(LIMITER_REQUEST, NULL), 100);
}

/* ---- pauses ---- */

static void
a_ca_that_wants_to_hear_nothing_hears_nothing(void **state)
{
	(void)state;
	assert_int_equal(limiter_paused_until(limiter, now_ns), 0);
	limiter_pause(limiter, now_ns + 30 * NS_PER_S);
	limiter_pause(limiter, now_ns + 10 * NS_PER_S);
	assert_int_equal(take(LIMITER_REQUEST, NULL), 30000);
	assert_int_equal(take(LIMITER_REPLACING, "a.example"), 30000);
	assert_int_equal(
	    limiter_paused_until(limiter, now_ns), now_ns + 30 * NS_PER_S);
	now_ns += 30 * NS_PER_S;
	assert_int_equal(take(LIMITER_REQUEST, NULL), 0);
	assert_int_equal(limiter_paused_until(limiter, now_ns), 0);
}

static void
a_refused_domain_does_not_stop_the_others(void **state)
{
	(void)state;
	with(refuse_for_an_hour, "www.busy.example");
	assert_int_equal(take(LIMITER_ORDER, "a.busy.example"), 3600000);
	assert_int_equal(take(LIMITER_REPLACING, "b.busy.example"), 3600000);
	assert_int_equal(take(LIMITER_ORDER, "idle.example"), 0);
	/* The same one again says nothing new. */
	with(refuse_for_an_hour, "a.busy.example");
	with(refuse_for_an_hour, "b.busy.example");
	assert_int_equal(take(LIMITER_REPLACING, "idle.example"), 0);
	with(refuse_for_an_hour, "two.example");
	assert_int_equal(take(LIMITER_REPLACING, "idle.example"), 0);
	/* But three that have nothing in common are everyone. */
	with(refuse_for_an_hour, "three.example");
	assert_int_equal(take(LIMITER_REPLACING, "other.example"), 600000);
	assert_int_equal(take(LIMITER_REQUEST, NULL), 0);
	/* Not for the hour: whether it is so is looked at again. */
	now_ns += 600 * NS_PER_S;
	assert_int_equal(take(LIMITER_REPLACING, "other.example"), 0);
	assert_int_equal(take(LIMITER_REPLACING, "three.example"), 3000000);
	with(refuse_for_an_hour, "other.example");
	assert_int_equal(take(LIMITER_REPLACING, "another.example"), 600000);
}

/* Somebody's domains, however many, are not everyone's. */
static void
an_order_that_is_taken_shows_that_refusals_are_not_meant_for_all(void **state)
{
	(void)state;
	with(refuse_for_an_hour, "one.example");
	with(refuse_for_an_hour, "two.example");
	limiter_served(limiter);
	with(refuse_for_an_hour, "three.example");
	assert_int_equal(take(LIMITER_ORDER, "other.example"), 0);
	assert_int_equal(take(LIMITER_ORDER, "one.example"), 3600000);
	with(refuse_for_an_hour, "four.example");
	with(refuse_for_an_hour, "five.example");
	assert_int_equal(take(LIMITER_ORDER, "other.example"), 600000);
	/* One that was asked for before. */
	limiter_served(limiter);
	assert_int_equal(take(LIMITER_ORDER, "other.example"), 0);
}

/* ---- at once ---- */

static void *
take_some(void *arg)
{
	size_t *got = arg;
	int64_t wait_ms;
	scoped(names_done) struct names names = { 0 };

	assert_true(names_add(&names, "a.example"));
	for (int i = 0; i < 200; i++)
		*got += limiter_take(
		    limiter, LIMITER_RENEWAL, &names, now_ns, &wait_ms);
	return NULL;
}

static void
the_last_place_is_taken_once(void **state)
{
	pthread_t threads[4];
	size_t got[4] = { 0 }, all = 0;

	(void)state;
	ca.limits.orders = 101;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, take_some, &got[i]), 0);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		all += got[i];
	}
	assert_int_equal(all, 101);
}

/* ---- for people, and in memory ---- */

static void
tells_how_much_is_used(void **state)
{
	struct limiter_use uses[LIMITER_USES];

	(void)state;
	ca.limits.requests_per_s = 10;
	assert_int_equal(take(LIMITER_ORDER, "a.example"), 0);
	assert_int_equal(take(LIMITER_RENEWAL, "b.example"), 0);
	with(count_failure, "bad.example");
	assert_int_equal(limiter_uses(limiter, now_ns, uses), 4);
	assert_string_equal(uses[0].name, "orders");
	assert_int_equal(uses[0].used, 2);
	assert_int_equal(uses[0].limit, 3);
	assert_int_equal(uses[1].used, 1);
	assert_int_equal(uses[2].used, 1);
	assert_string_equal(uses[3].name, "requests");
	assert_int_equal(uses[3].used, 2);
	ca.limits.orders = ca.limits.per_domain = ca.limits.failures = 0;
	assert_int_equal(limiter_uses(limiter, now_ns, uses), 1);
}

static void
what_has_left_the_window_takes_no_memory(void **state)
{
	struct windows windows = { NULL, 0, 0 };
	struct windows_entry *entry;
	char name[32];

	(void)state;
	for (int64_t i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "n%lld.example", (long long)i);
		entry = windows_get(&windows, name, i - 100);
		assert_non_null(entry);
		window_add(&entry->window, i);
	}
	assert_true(windows.n_slots <= 512);
	assert_non_null(windows_find(&windows, "n99999.example"));
	assert_null(windows_find(&windows, "n3.example"));
	windows_done(&windows);
}

/* ---- health ---- */

static void
a_ca_that_fails_rests_longer_each_time_up_to_ten_minutes(void **state)
{
	struct authority_health health = { 0 };
	int64_t last_ns = 0;

	(void)state;
	authority_health_failed(&health, now_ns, "down");
	assert_int_equal(authority_health_wait_ns(&health, now_ns), NS_PER_S);
	assert_false(authority_health_is_unwell(&health, now_ns));
	/* Of a call that was under way. */
	authority_health_failed(&health, now_ns, "down");
	assert_int_equal(health.failures, 1);
	for (int i = 0; i < 20; i++) {
		now_ns += authority_health_wait_ns(&health, now_ns);
		assert_false(authority_health_is_unwell(&health, now_ns));
		authority_health_failed(&health, now_ns, "down");
		assert_true(authority_health_is_unwell(&health, now_ns));
		assert_true(
		    authority_health_wait_ns(&health, now_ns) >= last_ns);
		last_ns = authority_health_wait_ns(&health, now_ns);
	}
	assert_int_equal(last_ns, 600 * NS_PER_S);
	assert_string_equal(health.why, "down");
	authority_health_ok(&health);
	assert_int_equal(authority_health_wait_ns(&health, now_ns), 0);
	assert_string_equal(health.why, "");
}

static void
a_ca_that_takes_a_person_is_unwell_at_once(void **state)
{
	struct authority_health health = { 0 };

	(void)state;
	authority_health_unusable(&health, now_ns, "terms");
	assert_true(authority_health_is_unwell(&health, now_ns));
	assert_int_equal(
	    authority_health_wait_ns(&health, now_ns), 32 * NS_PER_S);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_registered_domain_is_what_is_below_a_public_suffix),
		TEST(
		    orders_beyond_the_limit_wait_until_the_first_leaves_the_window),
		TEST(certificates_of_a_registered_domain_are_counted_together),
		TEST(an_order_that_the_ca_refused_gives_its_place_back),
		TEST(names_whose_validation_keeps_failing_wait),
		TEST(what_was_done_before_a_start_counts),
		TEST(requests_are_spread_over_seconds),
		TEST(a_ca_that_wants_to_hear_nothing_hears_nothing),
		TEST(a_refused_domain_does_not_stop_the_others),
		TEST(
		    an_order_that_is_taken_shows_that_refusals_are_not_meant_for_all),
		TEST(the_last_place_is_taken_once),
		TEST(tells_how_much_is_used),
		TEST(what_has_left_the_window_takes_no_memory),
		TEST(a_ca_that_fails_rests_longer_each_time_up_to_ten_minutes),
		TEST(a_ca_that_takes_a_person_is_unwell_at_once),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
