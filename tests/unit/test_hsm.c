/* SPDX-License-Identifier: Apache-2.0 */

/* The door to keys, on a real SoftHSM token: what it makes and refuses. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "tests/unit/hsm_rig.h"

static struct rig rig;

static int
open_rig(void **state)
{
	(void)state;
	rig_init(&rig);
	rig_open(&rig, 2);
	return 0;
}

static int
close_rig(void **state)
{
	(void)state;
	rig_done(&rig);
	return 0;
}

static void
signs(const struct hsm_key *key, const enum sign_scheme *schemes)
{
	for (size_t i = 0; schemes[i] != 0; i++) {
		struct status st = rig_sign(&rig, key, schemes[i]);

		if (failed(st))
			fail_msg("%s: %s (0x%x)",
			    sign_scheme_info(schemes[i])->name, st.why,
			    st.detail);
	}
}

static const enum sign_scheme ecdsa[] = { SCHEME_ECDSA_SECP256R1_SHA256,
	SCHEME_ECDSA_SECP384R1_SHA384, SCHEME_ECDSA_SHA512, 0 };
static const enum sign_scheme rsa[] = { SCHEME_RSA_PKCS1_SHA256,
	SCHEME_RSA_PKCS1_SHA384, SCHEME_RSA_PKCS1_SHA512,
	SCHEME_RSA_PSS_RSAE_SHA256, SCHEME_RSA_PSS_RSAE_SHA384,
	SCHEME_RSA_PSS_RSAE_SHA512, 0 };
static const enum sign_scheme ed25519[] = { SCHEME_ED25519, 0 };

static void
signs_with_every_algorithm_so_that_openssl_verifies(void **state)
{
	static const struct {
		enum key_alg alg;
		const enum sign_scheme *schemes;
	} all[] = {
		{ KEY_ALG_EC_P256, ecdsa },
		{ KEY_ALG_EC_P384, ecdsa },
		{ KEY_ALG_ED25519, ed25519 },
		{ KEY_ALG_RSA_2048, rsa },
		{ KEY_ALG_RSA_3072, rsa },
		{ KEY_ALG_RSA_4096, rsa },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct hsm_key key;

		rig_generate(&rig, all[i].alg, key_alg_name(all[i].alg), &key);
		assert_int_equal(key.alg, all[i].alg);
		signs(&key, all[i].schemes);
	}
}

static void
reports_a_new_key_as_the_token_holds_it(void **state)
{
	struct hsm_key key, by_id, by_label;
	struct key_id id;

	(void)state;
	rig_generate(&rig, KEY_ALG_EC_P256, "attributes", &key);
	assert_true(key.sensitive && !key.extractable);
	assert_true(key.always_sensitive && key.never_extractable && key.local);
	assert_string_equal(key.label, "attributes");
	assert_true(
	    key_id_of_spki((struct bytes){ key.spki, key.spki_len }, &id));
	assert_true(key_id_equal(&id, &key.id));

	assert_false(
	    failed(hsm_find(rig.hsm, &key.id, rig_deadline(60000), &by_id)));
	assert_memory_equal(&by_id, &key, sizeof(key));
	assert_false(failed(hsm_find_label(
	    rig.hsm, "attributes", rig_deadline(60000), &by_label)));
	assert_memory_equal(&by_label, &key, sizeof(key));
}

static void
refuses_a_label_that_is_taken_or_unprintable(void **state)
{
	struct hsm_key key;
	char long_label[80];

	(void)state;
	rig_generate(&rig, KEY_ALG_EC_P256, "twice", &key);
	assert_int_equal(hsm_generate(rig.hsm, KEY_ALG_EC_P256, "twice",
			     rig_deadline(60000), &key)
			     .code,
	    STATUS_ALREADY_EXISTS);
	memset(long_label, 'x', sizeof(long_label));
	long_label[64] = '\0';
	for (size_t i = 0; i < 3; i++) {
		const char *bad[] = { "", "tab\there", long_label };

		assert_int_equal(hsm_generate(rig.hsm, KEY_ALG_EC_P256, bad[i],
				     rig_deadline(60000), &key)
				     .code,
		    STATUS_INVALID_ARGUMENT);
	}
}

static void
says_that_a_key_is_not_there(void **state)
{
	struct hsm_key nobody = { .alg = KEY_ALG_EC_P256 }, key;

	(void)state;
	memset(nobody.id.at, 7, sizeof(nobody.id.at));
	assert_int_equal(
	    rig_sign(&rig, &nobody, SCHEME_ECDSA_SECP256R1_SHA256).code,
	    STATUS_NOT_FOUND);
	assert_int_equal(
	    hsm_find(rig.hsm, &nobody.id, rig_deadline(60000), &key).code,
	    STATUS_NOT_FOUND);
	assert_int_equal(
	    hsm_find_label(rig.hsm, "nobody", rig_deadline(60000), &key).code,
	    STATUS_NOT_FOUND);
}

static void
refuses_a_digest_of_the_wrong_length(void **state)
{
	static const size_t lengths[] = { 0, 1, 31, 33, 48, 64 };
	struct hsm_key key;
	struct rig_op op;

	(void)state;
	rig_generate(&rig, KEY_ALG_EC_P256, "lengths", &key);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		rig_op(&key, SCHEME_ECDSA_SECP256R1_SHA256, &op);
		op.op.input.len = lengths[i];
		hsm_sign(rig.hsm, &op.op, 1);
		assert_int_equal(op.op.status.code, STATUS_INVALID_ARGUMENT);
	}
}

static void
refuses_a_scheme_that_does_not_fit_the_key(void **state)
{
	static const unsigned schemes[] = { SCHEME_RSA_PKCS1_SHA256,
		SCHEME_RSA_PSS_RSAE_SHA256, SCHEME_ED25519, 0x0201, 0, 0xffff };
	struct hsm_key key;
	struct rig_op op;

	(void)state;
	rig_generate(&rig, KEY_ALG_EC_P256, "misfit", &key);
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		rig_op(&key, SCHEME_ECDSA_SECP256R1_SHA256, &op);
		op.op.scheme = (enum sign_scheme)schemes[i];
		hsm_sign(rig.hsm, &op.op, 1);
		assert_int_equal(op.op.status.code, STATUS_INVALID_ARGUMENT);
	}
}

static void
gives_each_op_of_a_batch_its_own_status(void **state)
{
	struct hsm_key key;
	struct rig_op ops[4];
	struct hsm_op batch[4];

	(void)state;
	rig_generate(&rig, KEY_ALG_EC_P256, "mixed", &key);
	for (size_t i = 0; i < 4; i++) {
		rig_op(&key, SCHEME_ECDSA_SECP256R1_SHA256, &ops[i]);
		batch[i] = ops[i].op;
	}
	batch[0].key.at[0] ^= 1;
	batch[1].deadline_ns = clock_mono_ns() - 1;
	batch[2].input.len = 3;
	hsm_sign(rig.hsm, batch, 4);
	assert_int_equal(batch[0].status.code, STATUS_NOT_FOUND);
	assert_int_equal(batch[1].status.code, STATUS_DEADLINE_EXCEEDED);
	assert_int_equal(batch[2].status.code, STATUS_INVALID_ARGUMENT);
	ops[3].op = batch[3];
	assert_true(rig_verifies(&key, &ops[3]));
}

static void
signs_full_batches_of_the_longest_content(void **state)
{
	static uint8_t content[SIGN_CONTENT_MAX + 1];
	static struct hsm_op batch[HSM_BATCH_MAX];
	struct hsm_key key;

	(void)state;
	rig_generate(&rig, KEY_ALG_ED25519, "long", &key);
	for (size_t i = 0; i < HSM_BATCH_MAX; i++)
		batch[i] = (struct hsm_op){ .key = key.id,
			.scheme = SCHEME_ED25519,
			.input = { content, SIGN_CONTENT_MAX },
			.deadline_ns = rig_deadline(30000) };
	batch[1].input.len++;
	hsm_sign(rig.hsm, batch, HSM_BATCH_MAX);
	for (size_t i = 0; i < HSM_BATCH_MAX; i++)
		assert_int_equal(batch[i].status.code,
		    i == 1 ? STATUS_INVALID_ARGUMENT : STATUS_OK);
	/* Ed25519 is deterministic, so all must be the same. */
	assert_int_equal(batch[63].signature.len, 64);
	assert_memory_equal(batch[0].signature.at, batch[63].signature.at, 64);
}

static void
lets_every_lane_know_a_new_key(void **state)
{
	struct hsm_lane_status lane[2];
	struct hsm_key key;

	(void)state;
	rig_generate(&rig, KEY_ALG_EC_P256, "both", &key);
	for (unsigned i = 0; i < 2; i++)
		hsm_lane_status(rig.hsm, i, &lane[i]);
	assert_int_equal(lane[0].keys, lane[1].keys);
	assert_true(lane[0].keys > 0);
}

static void
loads_the_tokens_keys_when_it_is_opened_again(void **state)
{
	struct hsm_key key;

	(void)state;
	rig_generate(&rig, KEY_ALG_EC_P384, "kept", &key);
	hsm_close(rig.hsm);
	rig.config.session_copies = false;
	rig_open(&rig, 2);
	assert_false(
	    failed(rig_sign(&rig, &key, SCHEME_ECDSA_SECP384R1_SHA384)));
}

static void
counts_what_it_signs(void **state)
{
	struct metrics *metrics = metrics_new();
	struct hsm_key key;
	char *page;
	size_t len;

	(void)state;
	hsm_close(rig.hsm);
	rig.config.metrics = metrics;
	rig_open(&rig, 2);
	rig_generate(&rig, KEY_ALG_EC_P256, "counted", &key);
	for (size_t i = 0; i < 3; i++)
		assert_false(failed(
		    rig_sign(&rig, &key, SCHEME_ECDSA_SECP256R1_SHA256)));
	page = metrics_render(metrics, &len);
	assert_non_null(strstr(page,
	    "holdfast_hsm_signatures_total{pool=\"test\",lane=\"0\"} 3\n"));
	assert_non_null(strstr(
	    page, "holdfast_hsm_lane_ready{pool=\"test\",lane=\"1\"} 1\n"));
	free(page);
	hsm_close(rig.hsm);
	rig.hsm = NULL;
	metrics_free(metrics);
}

static bool
maps_softhsm(int pid)
{
	char path[64], line[1024];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		found = found || strstr(line, "libsofthsm2") != NULL;
	fclose(file);
	return found;
}

static void
keeps_the_module_in_the_workers(void **state)
{
	struct hsm_lane_status lane;
	struct hsm_key key;

	(void)state;
	rig_generate(&rig, KEY_ALG_EC_P256, "where", &key);
	assert_false(failed(rig_sign(&rig, &key, ecdsa[0])));
	hsm_lane_status(rig.hsm, 0, &lane);
	assert_true(maps_softhsm(lane.pid));
	assert_false(maps_softhsm(getpid()));
}

static void
hands_a_worker_no_descriptor_but_its_lane(void **state)
{
	struct hsm_lane_status lane;
	char path[64], target[256];
	int extra = open("/etc/hostname", O_RDONLY);
	ssize_t n;

	(void)state;
	assert_true(extra >= 0);
	hsm_close(rig.hsm);
	rig_open(&rig, 2);
	hsm_lane_status(rig.hsm, 0, &lane);
	for (int fd = 4; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", lane.pid, fd);
		n = readlink(path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		assert_null(strstr(target, "hostname"));
		assert_null(strstr(target, "socket:"));
	}
	close(extra);
}

static void
refuses_a_configuration_that_cannot_work(void **state)
{
	struct hsm *hsm = NULL;
	struct hsm_config bad[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		bad[i] = rig.config;
	bad[0].workers = 0;
	bad[1].workers = 65;
	bad[2].token_label = "a label of more than thirty-two octets";
	bad[3].module = NULL;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
		    hsm_open(&bad[i], &hsm).code, STATUS_INVALID_ARGUMENT);
}

#define RIG_TEST(test)                                                         \
	cmocka_unit_test_setup_teardown(test, open_rig, close_rig)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(signs_with_every_algorithm_so_that_openssl_verifies),
		RIG_TEST(reports_a_new_key_as_the_token_holds_it),
		RIG_TEST(refuses_a_label_that_is_taken_or_unprintable),
		RIG_TEST(says_that_a_key_is_not_there),
		RIG_TEST(refuses_a_digest_of_the_wrong_length),
		RIG_TEST(refuses_a_scheme_that_does_not_fit_the_key),
		RIG_TEST(gives_each_op_of_a_batch_its_own_status),
		RIG_TEST(signs_full_batches_of_the_longest_content),
		RIG_TEST(lets_every_lane_know_a_new_key),
		RIG_TEST(loads_the_tokens_keys_when_it_is_opened_again),
		RIG_TEST(counts_what_it_signs),
		RIG_TEST(keeps_the_module_in_the_workers),
		RIG_TEST(hands_a_worker_no_descriptor_but_its_lane),
		RIG_TEST(refuses_a_configuration_that_cannot_work),
	};

	rig_worker(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
