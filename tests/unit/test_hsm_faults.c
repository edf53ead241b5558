/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The door to keys when the module misbehaves: it fails, lies, crashes and
 * hangs on cue (tests/fake/p11_fault.c).  Every signature that comes out is
 * verified.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "hsm/wire.h"
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
	assert_int_equal(rig_restarts(&rig), 0);
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
	assert_int_equal(rig_restarts(&rig), 0);
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
	assert_true(rig_restarts(&rig) >= 3);
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
	rig.config.sign_limit_ns = 3 * NS_PER_S;
	rig_open(&rig, 2);
	rig_generate(&rig, KEY_ALG_EC_P256, "hang", &key);
	rig_script(&rig, "C_Sign once sleep_ms=600000\n");
	assert_signs(&key, P256);
	while (rig_restarts(&rig) == 0)
		usleep(2000);
	assert_int_equal(rig_restarts(&rig), 1);
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
	assert_int_equal(rig_restarts(&rig), 0);
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
			     rig_deadline(60000), &key)
			     .code,
	    STATUS_DATA_LOSS);
	assert_int_equal(
	    hsm_find_label(rig.hsm, "bad", rig_deadline(60000), &key).code,
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
			     rig_deadline(60000), &key)
			     .code,
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(
	    hsm_find_label(rig.hsm, "loose", rig_deadline(60000), &key).code,
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

static void
follows_the_tokens_speed_with_its_batches(void **state)
{
	struct hsm_key key;

	(void)state;
	rig_init_faulty(&rig, "");
	rig_open(&rig, 2);
	assert_in_range(hsm_batch_hint(rig.hsm), 2, HSM_BATCH_MAX);
	rig_generate(&rig, KEY_ALG_EC_P256, "slow", &key);
	rig_script(&rig, "C_Sign sleep_ms=5\n");
	for (size_t i = 0; i < 10; i++)
		assert_signs(&key, P256);
	assert_int_equal(hsm_batch_hint(rig.hsm), 1);
}

/* A worker that answers each request with octets of its own. */
static int
answer_nonsense(void)
{
	uint8_t octets[200];

	while (recv(WIRE_FD, octets, sizeof(octets), 0) > 0)
		(void)send(WIRE_FD, "nonsense, and more of it, to fill a head",
		    40, MSG_NOSIGNAL);
	return EXIT_SUCCESS;
}

static void
does_not_believe_a_worker_that_talks_nonsense(void **state)
{
	static const char *const argv[] = { "/proc/self/exe", "liar", NULL };
	struct hsm_key nobody = { .alg = KEY_ALG_EC_P256 };
	struct status st;

	(void)state;
	rig_init(&rig);
	rig.config.worker_argv = argv;
	rig_open(&rig, 0);
	while (rig_restarts(&rig) < 4)
		usleep(2000);
	st = rig_sign(&rig, &nobody, P256);
	assert_true(failed(st));
	assert_true(failed(hsm_wait_ready(rig.hsm, 1)));
}

#define FAULT_TEST(test) cmocka_unit_test_teardown(test, close_rig)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		FAULT_TEST(follows_the_tokens_speed_with_its_batches),
		FAULT_TEST(does_not_believe_a_worker_that_talks_nonsense),
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

	if (argc > 1 && strcmp(argv[1], "liar") == 0)
		return answer_nonsense();
	rig_worker(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
