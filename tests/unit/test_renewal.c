/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The renewal thread over enroll's door, which this file stands in for: no
 * keyd, no files, and certificates of any age.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/renewal.h"

#define PATIENCE_NS (60 * NS_PER_S)

/* What enroll does on cue; set while no renewal runs. */
static int64_t age_s, left_s;
static bool nothing_joined;
static atomic_int renew_fails; /* that many more times */
static atomic_int takes_fail;  /* the same, of handing on */
static atomic_uint renews, handed_on;
static char troubles[1024];
static char asked[32]; /* the endpoint of the last renewal */
static struct enroll_identity *last;

STATUS
enroll_load(
    const char *state_dir, struct enroll_identity **ret_identity, char *ret_why)
{
	struct enroll_identity *identity = calloc(1, sizeof(*identity));

	(void)ret_why;
	assert_string_equal(state_dir, "state");
	assert_non_null(identity);
	if (nothing_joined) {
		free(identity);
		return status_fail(STATUS_NOT_FOUND, "nothing has joined");
	}
	identity->not_before_s = clock_wall_s() - age_s;
	identity->not_after_s = clock_wall_s() + left_s;
	identity->endpoints = calloc(1, sizeof(*identity->endpoints));
	assert_non_null(identity->endpoints);
	identity->endpoints[0] = strdup("from-join:1");
	identity->n_endpoints = 1;
	*ret_identity = identity;
	return status_ok();
}

void
enroll_identity_free(struct enroll_identity *identity)
{
	if (identity == NULL)
		return;
	free(identity->endpoints[0]);
	free(identity->endpoints);
	free(identity);
}

STATUS
enroll_renew(const char *state_dir, const struct enroll_identity *identity,
    unsigned timeout_ms, char *ret_why)
{
	(void)state_dir;
	(void)ret_why;
	assert_true(timeout_ms > 0);
	snprintf(asked, sizeof(asked), "%s", identity->endpoints[0]);
	atomic_fetch_add(&renews, 1);
	if (atomic_load(&renew_fails) > 0) {
		atomic_fetch_sub(&renew_fails, 1);
		return status_fail(STATUS_UNAVAILABLE, "keyd is away");
	}
	return status_ok();
}

static struct status
on_renewed(void *ctx, struct enroll_identity *identity)
{
	(void)ctx;
	enroll_identity_free(last);
	last = identity;
	atomic_fetch_add(&handed_on, 1);
	if (atomic_load(&takes_fail) == 0)
		return status_ok();
	atomic_fetch_sub(&takes_fail, 1);
	return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
}

/* The sentences end in "\n"; read when no renewal runs. */
static void
on_trouble(void *ctx, const char *text)
{
	size_t len = strlen(troubles);

	(void)ctx;
	(void)!snprintf(troubles + len, sizeof(troubles) - len, "%s\n", text);
}

static int
setup(void **state)
{
	(void)state;
	/* The complaints are the subject, not news. */
	log_setup((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
	age_s = 100;
	left_s = 1000;
	nothing_joined = false;
	atomic_store(&renew_fails, 0);
	atomic_store(&takes_fail, 0);
	troubles[0] = '\0';
	atomic_store(&renews, 0);
	atomic_store(&handed_on, 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	enroll_identity_free(last);
	last = NULL;
	return 0;
}

static struct renewal *
start(char **endpoints, size_t n_endpoints)
{
	struct renewal_config config = {
		.program = "edged",
		.state_dir = "state",
		.endpoints = endpoints,
		.n_endpoints = n_endpoints,
		.renewed = on_renewed,
		.trouble = on_trouble,
	};
	struct renewal *renewal = NULL;

	assert_false(failed(renewal_start(&config, &renewal)));
	return renewal;
}

static void
wait_for(atomic_uint *counter, unsigned least)
{
	int64_t until_ns = clock_mono_ns() + PATIENCE_NS;

	while (atomic_load(counter) < least) {
		assert_true(clock_mono_ns() < until_ns);
		usleep(1000);
	}
}

static void
renews_once_half_of_the_life_has_passed_and_hands_it_on(void **state)
{
	struct renewal *renewal;

	(void)state;
	age_s = 1000;
	left_s = 999;
	renewal = start(NULL, 0);
	wait_for(&handed_on, 1);
	renewal_stop(renewal);
	assert_int_equal(atomic_load(&renews), 1);
	assert_non_null(last);
	assert_string_equal(asked, "from-join:1");
}

static void
leaves_a_young_certificate_alone(void **state)
{
	struct renewal *renewal;

	(void)state;
	renewal = start(NULL, 0);
	usleep(300000);
	renewal_stop(renewal);
	assert_int_equal(atomic_load(&renews), 0);
}

static void
does_not_renew_again_at_once_what_keyd_dated_back(void **state)
{
	struct renewal *renewal;

	(void)state;
	/* A fresh one whose dates say that half of its life is over. */
	age_s = 300;
	left_s = 60;
	renewal = start(NULL, 0);
	wait_for(&handed_on, 1);
	usleep(2500000); /* more than two looks */
	renewal_stop(renewal);
	assert_int_equal(atomic_load(&renews), 1);
}

static void
tries_again_until_keyd_is_back(void **state)
{
	struct renewal *renewal;

	(void)state;
	age_s = 1000;
	left_s = 20;
	atomic_store(&renew_fails, 2);
	renewal = start(NULL, 0);
	wait_for(&handed_on, 1);
	renewal_stop(renewal);
	assert_int_equal(atomic_load(&renews), 3);
}

static void
tries_even_when_the_certificate_has_expired(void **state)
{
	struct renewal *renewal;

	(void)state;
	age_s = 1000;
	left_s = -5;
	atomic_store(&renew_fails, 1);
	renewal = start(NULL, 0);
	wait_for(&handed_on, 1);
	renewal_stop(renewal);
	assert_string_equal(troubles,
	    "edged's own certificate has expired and cannot be renewed; run "
	    "edged join with a new join file, then restart edged\n\n");
}

static void
says_that_a_renewal_fails_once_little_life_is_left(void **state)
{
	struct renewal *renewal;

	(void)state;
	age_s = 1000;
	left_s = 20;
	atomic_store(&renew_fails, 1);
	renewal = start(NULL, 0);
	wait_for(&handed_on, 1);
	renewal_stop(renewal);
	assert_string_equal(troubles,
	    "edged's own certificate could not be renewed; will try again\n"
	    "\n");

	troubles[0] = '\0';
	age_s = left_s = 19; /* tried again in a second */
	atomic_store(&renew_fails, 1);
	renewal = start(NULL, 0);
	wait_for(&handed_on, 2);
	renewal_stop(renewal);
	assert_string_equal(troubles, "\n");
}

static void
an_identity_that_cannot_be_taken_is_renewed_again(void **state)
{
	struct renewal *renewal;

	(void)state;
	age_s = 1000;
	left_s = 20;
	atomic_store(&takes_fail, 1);
	renewal = start(NULL, 0);
	wait_for(&handed_on, 2);
	renewal_stop(renewal);
	assert_int_equal(atomic_load(&renews), 2);
}

static void
asks_at_the_configured_addresses(void **state)
{
	char address[] = "configured:1";
	char *endpoints[] = { address };
	struct renewal *renewal;

	(void)state;
	age_s = 2000;
	renewal = start(endpoints, 1);
	wait_for(&handed_on, 1);
	renewal_stop(renewal);
	assert_string_equal(asked, "configured:1");
}

static void
does_not_start_where_nothing_has_joined(void **state)
{
	struct renewal_config config = { .program = "edged",
		.state_dir = "state" };
	struct renewal *renewal = NULL;

	(void)state;
	nothing_joined = true;
	assert_int_equal(
	    renewal_start(&config, &renewal).code, STATUS_NOT_FOUND);
	assert_null(renewal);
	renewal_stop(NULL);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(renews_once_half_of_the_life_has_passed_and_hands_it_on),
		T(leaves_a_young_certificate_alone),
		T(does_not_renew_again_at_once_what_keyd_dated_back),
		T(tries_again_until_keyd_is_back),
		T(tries_even_when_the_certificate_has_expired),
		T(says_that_a_renewal_fails_once_little_life_is_left),
		T(an_identity_that_cannot_be_taken_is_renewed_again),
		T(asks_at_the_configured_addresses),
		T(does_not_start_where_nothing_has_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
