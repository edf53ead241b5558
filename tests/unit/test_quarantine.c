/* SPDX-License-Identifier: Apache-2.0 */

/* certd/quarantine.c: whom keyd has stopped is stopped here, with a real store
 * and a keyd in memory. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <unistd.h>

#include "certd/quarantine.h"
#include "tests/fake/custody_fake.h"
#include "tests/unit/certd_desk.h"

static struct custody *custody;
static struct quarantine *quarantine;

/* Asks at every look: keyd in memory does not mind. */
static void
open_quarantine(struct desk *desk)
{
	const struct quarantine_config config = { .store = desk->store,
		.custody = custody,
		.refresh_ms = 10000,
		.haste_ms = 1 };

	assert_int_equal(quarantine_new(&config, &quarantine).code, STATUS_OK);
}

static int
set_up(void **state)
{
	assert_int_equal(certd_desk_set_up(state), 0);
	custody = custody_fake_new();
	custody_fake_member(custody, "operator/admin", false);
	custody_fake_member(custody, "operator/bob", false);
	custody_fake_member(custody, "auditor/eve", false);
	open_quarantine(*state);
	return 0;
}

static int
tear_down(void **state)
{
	custody_fake_before(custody, NULL, NULL);
	quarantine_free(quarantine);
	custody_close(custody);
	return certd_desk_tear_down(state);
}

static bool
is_let_in(unsigned kind, const char *actor)
{
	struct caller caller = { .is = kind };
	struct status st;

	snprintf(caller.actor, sizeof(caller.actor), "%s", actor);
	st = quarantine_check(quarantine, &caller);
	if (failed(st)) {
		assert_int_equal(st.code, STATUS_PERMISSION_DENIED);
		assert_non_null(strstr(st.why, "quarantined"));
	}
	return !failed(st);
}

static void
wait_until(unsigned kind, const char *actor, bool let_in)
{
	for (int i = 0; i < 6000; i++) {
		if (is_let_in(kind, actor) == let_in)
			return;
		usleep(5000);
	}
	fail_msg("%s is %slet in", actor, let_in ? "not " : "");
}

/* Until keyd was asked so many times more. */
static void
wait_for_questions(unsigned more)
{
	unsigned before = custody_fake_asked(custody, "each_member");

	for (int i = 0; i < 6000; i++) {
		if (custody_fake_asked(custody, "each_member") >= before + more)
			return;
		(void)is_let_in(ALLOW_OPERATOR, "operator/admin");
		usleep(5000);
	}
	fail_msg("keyd is not asked");
}

static void
whom_keyd_stops_is_refused_and_whom_it_releases_is_served(void **state)
{
	(void)state;
	assert_true(is_let_in(ALLOW_OPERATOR, "operator/bob"));
	custody_fake_member(custody, "operator/bob", true);
	wait_until(ALLOW_OPERATOR, "operator/bob", false);
	custody_fake_member(custody, "auditor/eve", true);
	wait_until(ALLOW_AUDITOR, "auditor/eve", false);
	assert_false(is_let_in(ALLOW_OPERATOR, "operator/bob"));
	assert_true(is_let_in(ALLOW_OPERATOR, "operator/admin"));
	/* Names are compared whole. */
	assert_true(is_let_in(ALLOW_OPERATOR, "operator/bo"));
	assert_true(is_let_in(ALLOW_OPERATOR, "operator/bobby"));
	assert_true(is_let_in(ALLOW_AUDITOR, "auditor/bob"));
	custody_fake_member(custody, "operator/bob", false);
	wait_until(ALLOW_OPERATOR, "operator/bob", true);
	assert_false(is_let_in(ALLOW_AUDITOR, "auditor/eve"));
}

static void
what_keyd_last_said_holds_while_it_is_away_and_over_a_restart(void **state)
{
	struct desk *desk = *state;

	custody_fake_member(custody, "operator/bob", true);
	wait_until(ALLOW_OPERATOR, "operator/bob", false);
	custody_fake_away(custody, true);
	wait_for_questions(2);
	assert_false(is_let_in(ALLOW_OPERATOR, "operator/bob"));
	/* It is written down by then, or when it ends. */
	quarantine_free(quarantine);
	open_quarantine(desk);
	assert_false(is_let_in(ALLOW_OPERATOR, "operator/bob"));
	assert_true(is_let_in(ALLOW_OPERATOR, "operator/admin"));
	custody_fake_member(custody, "operator/bob", false);
	custody_fake_away(custody, false);
	wait_until(ALLOW_OPERATOR, "operator/bob", true);
	quarantine_free(quarantine);
	assert_int_equal(
	    certd_desk_count(desk, "SELECT count(*) FROM quarantined"), 0);
	open_quarantine(desk);
}

/* Every second answer is none: that about auditors. */
static void
fail_every_second(void *ctx)
{
	atomic_uint *n = ctx;

	if (atomic_fetch_add(n, 1) % 2 == 1)
		custody_fake_fail(
		    custody, STATUS_UNAVAILABLE, "keyd does not answer");
}

static void
half_an_answer_lets_nobody_in(void **state)
{
	static atomic_uint n;

	(void)state;
	custody_fake_member(custody, "auditor/eve", true);
	wait_until(ALLOW_AUDITOR, "auditor/eve", false);
	/* Between two questions, so that the first to fail is the second. */
	quarantine_free(quarantine);
	atomic_store(&n, 0);
	custody_fake_before(custody, fail_every_second, &n);
	open_quarantine(*state);
	wait_for_questions(6);
	assert_false(is_let_in(ALLOW_AUDITOR, "auditor/eve"));
}

static void
edges_and_tokens_are_no_matter_of_this(void **state)
{
	(void)state;
	custody_fake_member(custody, "operator/bob", true);
	wait_until(ALLOW_OPERATOR, "operator/bob", false);
	assert_true(is_let_in(ALLOW_EDGE, "edge/bob"));
	assert_true(is_let_in(ALLOW_ADMINISTRATOR, "operator/bob"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(whom_keyd_stops_is_refused_and_whom_it_releases_is_served),
		TEST(
		    what_keyd_last_said_holds_while_it_is_away_and_over_a_restart),
		TEST(half_an_answer_lets_nobody_in),
		TEST(edges_and_tokens_are_no_matter_of_this),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
