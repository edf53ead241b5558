/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The door to keys when things break: workers killed, tokens gone, PINs wrong,
 * modules that lie, crash and hang (tests/fake/p11_fault.c).  Every signature
 * that comes out is verified.
 */

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/unit/hsm_rig.h"

#define P256 SCHEME_ECDSA_SECP256R1_SHA256

static struct rig rig;

static int
close_rig(void **state)
{
	(void)state;
	rig_done(&rig);
	return 0;
}

static void
assert_signs(const struct hsm_key *key, enum sign_scheme scheme)
{
	struct status st = rig_sign(&rig, key, scheme);

	if (failed(st))
		fail_msg(
		    "%s: %s (0x%x)", status_name(st.code), st.why, st.detail);
}

/* Wait until all lanes are in this state. */
static void
await_state(const char *state, struct hsm_lane_status *ret_last)
{
	int64_t until = clock_mono_ns() + RIG_WAIT_NS;
	unsigned n = 0;

	while (n < hsm_lanes(rig.hsm)) {
		n = 0;
		for (unsigned i = 0; i < hsm_lanes(rig.hsm); i++) {
			hsm_lane_status(rig.hsm, i, ret_last);
			n += strcmp(ret_last->state, state) == 0;
		}
		if (clock_mono_ns() > until)
			fail_msg("lane is %s, not %s: %s", ret_last->state,
			    state, ret_last->why);
		usleep(2000);
	}
}

static unsigned
restarts(void)
{
	struct hsm_lane_status lane;
	unsigned n = 0;

	for (unsigned i = 0; i < hsm_lanes(rig.hsm); i++) {
		hsm_lane_status(rig.hsm, i, &lane);
		n += lane.restarts;
	}
	return n;
}

/* The token folder out of the way, and back. */
static void
move_token(bool away)
{
	char beside[2 * SOFTHSM_PATH_MAX];

	snprintf(beside, sizeof(beside), "%s.away", rig.token.tokens);
	assert_int_equal(away ? rename(rig.token.tokens, beside)
			      : rename(beside, rig.token.tokens),
	    0);
}

static void
tries_a_wrong_pin_once_and_says_what_to_do(void **state)
{
	struct hsm_key nobody = { .alg = KEY_ALG_EC_P256 };
	struct hsm_lane_status lane;
	char path[SOFTHSM_PATH_MAX];
	struct status st;

	(void)state;
	rig_init_faulty(&rig, "C_Login count\n");
	softhsm_file(&rig.token, "pin", "9999", path);
	rig_open(&rig, 0);
	st = hsm_wait_ready(rig.hsm, RIG_WAIT_NS);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(st.why, "correct the PIN file and restart"));
	await_state("pin-refused", &lane);
	assert_int_equal(
	    rig_sign(&rig, &nobody, P256).code, STATUS_UNAVAILABLE);
	/* Nor does a new worker try it. */
	kill(lane.pid, SIGKILL);
	while (restarts() == 0)
		usleep(2000);
	await_state("pin-refused", &lane);
	usleep(300000);
	assert_int_equal(rig_counted(&rig), 1);
}

static void
waits_for_a_pin_file_it_may_use(void **state)
{
	struct hsm_lane_status lane;

	(void)state;
	rig_init_faulty(&rig, "C_Login count\n");
	assert_int_equal(chmod(rig.token.pin_file, 0644), 0);
	rig_open(&rig, 0);
	await_state("probing", &lane);
	assert_non_null(strstr(lane.why, "PIN file"));
	assert_int_equal(rig_counted(&rig), 0);
	assert_int_equal(chmod(rig.token.pin_file, 0600), 0);
	rig_wait_ready(&rig, 2);
	assert_int_equal(restarts(), 0);
}

static void
becomes_ready_when_a_missing_token_appears(void **state)
{
	struct hsm_lane_status lane;

	(void)state;
	rig_init(&rig);
	move_token(true);
	rig_open(&rig, 0);
	await_state("probing", &lane);
	assert_true(strstr(lane.why, "token is not there") != NULL ||
		    strstr(lane.why, "does not initialise") != NULL);
	move_token(false);
	rig_wait_ready(&rig, 2);
	assert_int_equal(restarts(), 0);
}

static void
says_that_the_module_cannot_be_loaded(void **state)
{
	struct hsm_key nobody = { .alg = KEY_ALG_EC_P256 };
	struct hsm_lane_status lane;
	struct status st;

	(void)state;
	rig_init(&rig);
	rig.config.module = "/nowhere/libnothing.so";
	rig_open(&rig, 0);
	await_state("probing", &lane);
	assert_non_null(strstr(lane.why, "check hsm.module"));
	st = rig_sign(&rig, &nobody, P256);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(st.why, "check hsm.module"));
	assert_int_equal(hsm_wait_ready(rig.hsm, 1).code, STATUS_UNAVAILABLE);
}

struct load {
	const struct hsm_key *key;
	atomic_bool *stop;
	unsigned good, bad;
};

static void *
sign_until_stopped(void *arg)
{
	struct load *load = arg;
	struct hsm_op batch[8];
	struct rig_op ops[8];

	while (!atomic_load(load->stop) || load->good < 500) {
		for (size_t i = 0; i < 8; i++) {
			rig_op(load->key, P256, &ops[i]);
			batch[i] = ops[i].op;
		}
		hsm_sign(rig.hsm, batch, 8);
		for (size_t i = 0; i < 8; i++) {
			ops[i].op = batch[i];
			if (rig_verifies(load->key, &ops[i]))
				load->good++;
			else
				load->bad++;
		}
	}
	return NULL;
}

static void
loses_no_request_when_workers_are_killed_under_load(void **state)
{
	pthread_t threads[4];
	struct load loads[4];
	struct hsm_key key;
	atomic_bool stop = false;

	(void)state;
	rig_init(&rig);
	rig_open(&rig, 2);
	rig_generate(&rig, KEY_ALG_EC_P256, "load", &key);
	for (size_t i = 0; i < 4; i++) {
		loads[i] = (struct load){ .key = &key, .stop = &stop };
		pthread_create(
		    &threads[i], NULL, sign_until_stopped, &loads[i]);
	}
	for (unsigned kills = 0; kills < 4; kills++) {
		struct hsm_lane_status lane;

		usleep(100000);
		rig_wait_ready(&rig, 2);
		hsm_lane_status(rig.hsm, kills % 2, &lane);
		kill(lane.pid, SIGKILL);
		while (restarts() <= kills)
			usleep(1000);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(loads[i].bad, 0);
		assert_true(loads[i].good >= 500);
	}
	assert_int_equal(restarts(), 4);
}

static void
comes_back_when_the_token_folder_does(void **state)
{
	struct hsm_lane_status lane;
	struct hsm_key key;

	(void)state;
	rig_init(&rig);
	rig.config.session_copies = false;
	rig_open(&rig, 2);
	rig_generate(&rig, KEY_ALG_EC_P256, "moved", &key);
	assert_signs(&key, P256);
	move_token(true);
	/* The first request finds out, for one lane after the other. */
	assert_int_equal(rig_sign(&rig, &key, P256).code, STATUS_UNAVAILABLE);
	await_state("probing", &lane);
	assert_int_equal(rig_sign(&rig, &key, P256).code, STATUS_UNAVAILABLE);
	move_token(false);
	rig_wait_ready(&rig, 2);
	for (size_t i = 0; i < 10; i++)
		assert_signs(&key, P256);
	assert_int_equal(restarts(), 0);
}

static void
signs_on_with_copies_while_the_token_folder_is_away(void **state)
{
	struct hsm_key key;

	(void)state;
	rig_init(&rig);
	rig_open(&rig, 2);
	rig_generate(&rig, KEY_ALG_EC_P256, "copied", &key);
	assert_signs(&key, P256);
	move_token(true);
	assert_signs(&key, P256);
	move_token(false);
	assert_signs(&key, P256);
}

static void
never_signs_with_another_key_after_a_finalize(void **state)
{
	struct hsm_key keys[3];
	char label[8];

	(void)state;
	rig_init_faulty(&rig, "");
	rig_open(&rig, 2);
	for (size_t i = 0; i < 3; i++) {
		snprintf(label, sizeof(label), "key%zu", i);
		rig_generate(&rig, KEY_ALG_EC_P256, label, &keys[i]);
	}
	rig_script(&rig, "C_Sign nth=7 finalize\nC_Sign nth=20 finalize\n"
			 "C_SignInit nth=30 finalize\n");
	for (size_t i = 0; i < 60; i++)
		assert_signs(&keys[i % 3], P256);
	assert_int_equal(restarts(), 0);
}

static void
recovers_from_every_error_of_a_lost_session(void **state)
{
	static const char *const functions[] = { "C_SignInit", "C_Sign" };
	static const unsigned rvs[] = { 0x05, 0x06, 0x30, 0x32, 0x60, 0x82,
		0x90, 0x91, 0xb0, 0xb3, 0xe0, 0xe1, 0x101, 0x190, 0x80000001 };
	struct hsm_key key;
	char script[128];

	(void)state;
	rig_init_faulty(&rig, "");
	rig_open(&rig, 2);
	rig_generate(&rig, KEY_ALG_EC_P256, "errors", &key);
	for (size_t i = 0; i < 2 * sizeof(rvs) / sizeof(rvs[0]); i++) {
		snprintf(script, sizeof(script), "%s nth=1 once rv=0x%x\n",
		    functions[i % 2], rvs[i / 2]);
		rig_script(&rig, script);
		assert_signs(&key, P256);
		assert_signs(&key, P256);
	}
	assert_int_equal(restarts(), 0);
}

static void
answers_an_error_of_the_request_without_recovery(void **state)
{
	struct hsm_key key;

	(void)state;
	rig_init_faulty(&rig, "");
	rig_open(&rig, 2);
	rig_generate(&rig, KEY_ALG_EC_P256, "refused", &key);
	rig_script(&rig, "C_SignInit nth=1 once rv=0x68\n"
			 "C_GetTokenInfo count\nC_Login count\n");
	assert_int_equal(
	    rig_sign(&rig, &key, P256).code, STATUS_INVALID_ARGUMENT);
	assert_signs(&key, P256);
	assert_int_equal(rig_counted(&rig), 0);
}

static void
serves_all_when_a_module_crashes_now_and_then(void **state)
{
	struct hsm_key key;

	(void)state;
	rig_init_faulty(&rig, "");
	rig_open(&rig, 2);
	rig_generate(&rig, KEY_ALG_EC_P256, "crash", &key);
	rig_script(&rig, "C_Sign nth=5 crash\n");
	for (size_t i = 0; i < 20; i++)
		assert_signs(&key, P256);
	assert_true(restarts() >= 3);
}

static void
gives_up_on_a_request_that_no_worker_survives(void **state)
{
	struct hsm_key key;
	struct status st;

	(void)state;
	rig_init_faulty(&rig, "");
	rig_open(&rig, 2);
	rig_generate(&rig, KEY_ALG_EC_P256, "poison", &key);
	rig_script(&rig, "C_Sign crash\n");
	st = rig_sign(&rig, &key, P256);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	rig_script(&rig, "");
	rig_wait_ready(&rig, 2);
	assert_signs(&key, P256);
}

static void
kills_a_worker_that_hangs_and_signs_elsewhere(void **state)
{
	struct hsm_key key;

	(void)state;
	rig_init_faulty(&rig, "");
	rig.config.sign_limit_ns = NS_PER_S;
	rig_open(&rig, 2);
	rig_generate(&rig, KEY_ALG_EC_P256, "hang", &key);
	rig_script(&rig, "C_Sign once sleep_ms=600000\n");
	assert_signs(&key, P256);
	while (restarts() == 0)
		usleep(2000);
	assert_int_equal(restarts(), 1);
}

static void
answers_at_the_deadline_though_the_token_hangs(void **state)
{
	struct hsm_key key;
	struct rig_op op;

	(void)state;
	rig_init_faulty(&rig, "");
	rig.config.workers = 1;
	rig_open(&rig, 1);
	rig_generate(&rig, KEY_ALG_EC_P256, "late", &key);
	rig_script(&rig, "C_Sign nth=1 once sleep_ms=2000\n");
	rig_op(&key, P256, &op);
	op.op.deadline_ns = rig_deadline(200);
	hsm_sign(rig.hsm, &op.op, 1);
	assert_int_equal(op.op.status.code, STATUS_DEADLINE_EXCEEDED);
	/* The reply that comes too late is not taken for the next one's. */
	assert_signs(&key, P256);
	assert_int_equal(restarts(), 0);
}

static void
does_not_let_an_expired_request_reach_the_token(void **state)
{
	struct hsm_key key;
	struct rig_op ops[2];
	struct hsm_op batch[2];

	(void)state;
	rig_init_faulty(&rig, "");
	rig_open(&rig, 2);
	rig_generate(&rig, KEY_ALG_EC_P256, "expired", &key);
	rig_script(&rig, "C_SignInit count\nC_Sign sleep_ms=400\n");
	rig_op(&key, P256, &ops[0]);
	ops[0].op.deadline_ns = clock_mono_ns() - 1;
	hsm_sign(rig.hsm, &ops[0].op, 1);
	assert_int_equal(ops[0].op.status.code, STATUS_DEADLINE_EXCEEDED);
	assert_int_equal(rig_counted(&rig), 0);

	/* The second expires while the first is with the token. */
	rig_op(&key, P256, &ops[0]);
	rig_op(&key, P256, &ops[1]);
	ops[1].op.deadline_ns = rig_deadline(200);
	batch[0] = ops[0].op;
	batch[1] = ops[1].op;
	hsm_sign(rig.hsm, batch, 2);
	assert_int_equal(batch[0].status.code, STATUS_OK);
	assert_int_equal(batch[1].status.code, STATUS_DEADLINE_EXCEEDED);
	assert_int_equal(rig_counted(&rig), 1);
}

static void
destroys_a_new_key_whose_signature_does_not_verify(void **state)
{
	struct hsm_key key;

	(void)state;
	rig_init_faulty(&rig, "C_Sign garble\n");
	rig_open(&rig, 2);
	assert_int_equal(hsm_generate(rig.hsm, KEY_ALG_EC_P256, "bad",
			     rig_deadline(9000), &key)
			     .code,
	    STATUS_DATA_LOSS);
	assert_int_equal(
	    hsm_find_label(rig.hsm, "bad", rig_deadline(9000), &key).code,
	    STATUS_NOT_FOUND);
	rig_script(&rig, "");
	rig_generate(&rig, KEY_ALG_EC_P256, "bad", &key);
	assert_signs(&key, P256);
}

static void
refuses_a_new_key_that_can_leave_the_token(void **state)
{
	struct hsm_key key;

	(void)state;
	rig_init_faulty(&rig, "C_GenerateKeyPair loosen\n");
	rig_open(&rig, 2);
	assert_int_equal(hsm_generate(rig.hsm, KEY_ALG_EC_P256, "loose",
			     rig_deadline(9000), &key)
			     .code,
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    hsm_find_label(rig.hsm, "loose", rig_deadline(9000), &key).code,
	    STATUS_NOT_FOUND);
}

static void
signs_with_the_token_object_when_copies_are_refused(void **state)
{
	struct hsm_key key;

	(void)state;
	rig_init_faulty(&rig, "");
	rig_script(&rig, "C_CopyObject count\nC_CopyObject rv=0x1b\n");
	rig.config.workers = 1;
	rig_open(&rig, 1);
	rig_generate(&rig, KEY_ALG_EC_P256, "no copy", &key);
	for (size_t i = 0; i < 5; i++)
		assert_signs(&key, P256);
	assert_int_equal(rig_counted(&rig), 1);
}

#define FAULT_TEST(test) cmocka_unit_test_teardown(test, close_rig)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		FAULT_TEST(tries_a_wrong_pin_once_and_says_what_to_do),
		FAULT_TEST(waits_for_a_pin_file_it_may_use),
		FAULT_TEST(becomes_ready_when_a_missing_token_appears),
		FAULT_TEST(says_that_the_module_cannot_be_loaded),
		FAULT_TEST(loses_no_request_when_workers_are_killed_under_load),
		FAULT_TEST(comes_back_when_the_token_folder_does),
		FAULT_TEST(signs_on_with_copies_while_the_token_folder_is_away),
		FAULT_TEST(never_signs_with_another_key_after_a_finalize),
		FAULT_TEST(recovers_from_every_error_of_a_lost_session),
		FAULT_TEST(answers_an_error_of_the_request_without_recovery),
		FAULT_TEST(serves_all_when_a_module_crashes_now_and_then),
		FAULT_TEST(gives_up_on_a_request_that_no_worker_survives),
		FAULT_TEST(kills_a_worker_that_hangs_and_signs_elsewhere),
		FAULT_TEST(answers_at_the_deadline_though_the_token_hangs),
		FAULT_TEST(does_not_let_an_expired_request_reach_the_token),
		FAULT_TEST(destroys_a_new_key_whose_signature_does_not_verify),
		FAULT_TEST(refuses_a_new_key_that_can_leave_the_token),
		FAULT_TEST(signs_with_the_token_object_when_copies_are_refused),
	};

	rig_worker(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
