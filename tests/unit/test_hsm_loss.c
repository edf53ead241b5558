/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The door to keys when what it stands on goes away and comes back: workers,
 * the token, its PIN, its keys.  Every signature that comes out is verified.
 */

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/unit/hsm_rig.h"

extern char **environ;

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
	rig_await_state(&rig, "pin-refused", &lane);
	assert_int_equal(
	    rig_sign(&rig, &nobody, P256).code, STATUS_UNAVAILABLE);
	/* Nor does a new worker try it. */
	assert_true(lane.pid > 1);
	kill(lane.pid, SIGKILL);
	while (rig_restarts(&rig) == 0)
		usleep(2000);
	rig_await_state(&rig, "pin-refused", &lane);
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
	rig_await_state(&rig, "probing", &lane);
	assert_non_null(strstr(lane.why, "PIN file"));
	assert_int_equal(rig_counted(&rig), 0);
	assert_int_equal(chmod(rig.token.pin_file, 0600), 0);
	rig_wait_ready(&rig, 2);
	assert_int_equal(rig_restarts(&rig), 0);
}

static void
becomes_ready_when_a_missing_token_appears(void **state)
{
	struct hsm_lane_status lane;

	(void)state;
	rig_init(&rig);
	move_token(true);
	rig_open(&rig, 0);
	rig_await_state(&rig, "probing", &lane);
	assert_true(strstr(lane.why, "token is not there") != NULL ||
		    strstr(lane.why, "does not initialise") != NULL);
	move_token(false);
	rig_wait_ready(&rig, 2);
	assert_int_equal(rig_restarts(&rig), 0);
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
	rig_await_state(&rig, "probing", &lane);
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
		assert_true(lane.pid > 1);
		kill(lane.pid, SIGKILL);
		while (rig_restarts(&rig) <= kills)
			usleep(1000);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(loads[i].bad, 0);
		assert_true(loads[i].good >= 500);
	}
	assert_int_equal(rig_restarts(&rig), 4);
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
	rig_await_state(&rig, "probing", &lane);
	assert_int_equal(rig_sign(&rig, &key, P256).code, STATUS_UNAVAILABLE);
	move_token(false);
	rig_wait_ready(&rig, 2);
	for (size_t i = 0; i < 10; i++)
		assert_signs(&key, P256);
	assert_int_equal(rig_restarts(&rig), 0);
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
makes_a_key_while_signers_keep_every_lane_busy(void **state)
{
	pthread_t threads[4];
	struct load loads[4];
	struct hsm_key key, other;
	atomic_bool stop = false;

	(void)state;
	rig_init(&rig);
	rig_open(&rig, 2);
	rig_generate(&rig, KEY_ALG_EC_P256, "busy", &key);
	for (size_t i = 0; i < 4; i++) {
		loads[i] = (struct load){ .key = &key, .stop = &stop };
		pthread_create(
		    &threads[i], NULL, sign_until_stopped, &loads[i]);
	}
	for (size_t i = 0; i < 5; i++) {
		char label[8];

		snprintf(label, sizeof(label), "new%zu", i);
		rig_generate(&rig, KEY_ALG_EC_P256, label, &other);
		for (size_t n = 0; n < 8; n++)
			assert_signs(&other, P256);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(loads[i].bad, 0);
	}
}

static void
signs_with_a_foreign_key_once_it_was_found(void **state)
{
	struct hsm_lane_status lane[2];
	struct hsm *other = NULL;
	struct hsm_key key, found;

	(void)state;
	rig_init(&rig);
	rig_open(&rig, 2);
	assert_false(failed(hsm_open(&rig.config, &other)));
	assert_false(failed(hsm_generate(
	    other, KEY_ALG_EC_P256, "foreign", rig_deadline(30000), &key)));
	hsm_close(other);
	assert_int_equal(rig_sign(&rig, &key, P256).code, STATUS_NOT_FOUND);
	assert_false(
	    failed(hsm_find(rig.hsm, &key.id, rig_deadline(60000), &found)));
	assert_memory_equal(&found, &key, sizeof(key));
	for (unsigned i = 0; i < 2; i++) {
		hsm_lane_status(rig.hsm, i, &lane[i]);
		assert_int_equal(lane[i].keys, 1);
	}
	assert_signs(&key, P256);
}

/* As an administrator does it, in another process. */
static void
delete_private_key(const char *label)
{
	char text[HSM_LABEL_MAX];
	char *argv[] = { (char[]){ "pkcs11-tool" }, (char[]){ "--module" },
		(char[]){ SOFTHSM_MODULE }, (char[]){ "--login" },
		(char[]){ "--pin" }, (char[]){ "1234" },
		(char[]){ "--delete-object" }, (char[]){ "--type" },
		(char[]){ "privkey" }, (char[]){ "--label" }, text, NULL };
	int status;
	pid_t pid;

	snprintf(text, sizeof(text), "%s", label);
	assert_int_equal(
	    posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
a_key_deleted_elsewhere_is_gone_and_the_others_stay(void **state)
{
	struct hsm_key gone, kept;

	(void)state;
	rig_init(&rig);
	rig.config.workers = 1;
	rig.config.session_copies = false;
	rig_open(&rig, 1);
	rig_generate(&rig, KEY_ALG_EC_P256, "gone", &gone);
	rig_generate(&rig, KEY_ALG_EC_P256, "kept", &kept);
	assert_signs(&gone, P256);
	delete_private_key("gone");
	assert_int_equal(rig_sign(&rig, &gone, P256).code, STATUS_NOT_FOUND);
	assert_signs(&kept, P256);
	delete_private_key("kept");
	assert_int_equal(rig_sign(&rig, &kept, P256).code, STATUS_NOT_FOUND);
	assert_int_equal(rig_restarts(&rig), 0);
}

#define LOSS_TEST(test) cmocka_unit_test_teardown(test, close_rig)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		LOSS_TEST(tries_a_wrong_pin_once_and_says_what_to_do),
		LOSS_TEST(waits_for_a_pin_file_it_may_use),
		LOSS_TEST(becomes_ready_when_a_missing_token_appears),
		LOSS_TEST(says_that_the_module_cannot_be_loaded),
		LOSS_TEST(loses_no_request_when_workers_are_killed_under_load),
		LOSS_TEST(comes_back_when_the_token_folder_does),
		LOSS_TEST(signs_on_with_copies_while_the_token_folder_is_away),
		LOSS_TEST(makes_a_key_while_signers_keep_every_lane_busy),
		LOSS_TEST(signs_with_a_foreign_key_once_it_was_found),
		LOSS_TEST(a_key_deleted_elsewhere_is_gone_and_the_others_stay),
	};

	rig_worker(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
