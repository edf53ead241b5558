/* SPDX-License-Identifier: Apache-2.0 */

/* The parts of the hsm room that need no token: messages, mechanisms, errors.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ec.h>

#include "hsm/ck_error.h"
#include "hsm/forgotten.h"
#include "hsm/lane.h"
#include "hsm/mech.h"
#include "hsm/wire.h"

static struct wire_message message;

static bool
reopen(struct wire_head *ret_head, struct bytes *ret_body)
{
	return wire_open(
	    (struct bytes){ message.at, message.len }, ret_head, ret_body);
}

static void
an_op_arrives_as_it_was_sent(void **state)
{
	const uint8_t input[] = "octets to sign";
	struct wire_op op = { .deadline_ns = -5,
		.scheme = SCHEME_ED25519,
		.input = { input, sizeof(input) } };
	struct wire_op got;
	struct wire_head head;
	struct bytes body;

	(void)state;
	memset(op.key.at, 0xab, sizeof(op.key.at));
	wire_begin(&message, WIRE_SIGN, 77);
	assert_true(wire_put_op(&message, &op));
	wire_head_of(&message)->count = 1;
	assert_true(reopen(&head, &body));
	assert_int_equal(head.seq, 77);
	assert_int_equal(head.count, 1);
	assert_true(wire_take_op(&body, &got));
	assert_int_equal(body.len, 0);
	assert_true(key_id_equal(&got.key, &op.key));
	assert_int_equal(got.deadline_ns, -5);
	assert_int_equal(got.scheme, SCHEME_ED25519);
	assert_true(bytes_equal(got.input, op.input));
}

static void
a_message_cut_anywhere_is_refused(void **state)
{
	struct wire_query query = {
		.by_label = true, .alg = KEY_ALG_ED25519, .label = "cut"
	};
	struct wire_query got;
	struct wire_head head;
	struct bytes body;
	size_t whole;

	(void)state;
	wire_begin(&message, WIRE_GENERATE, 1);
	assert_true(wire_put_query(&message, &query));
	whole = message.len;
	for (message.len = 0; message.len < whole; message.len++)
		assert_false(
		    reopen(&head, &body) && wire_take_query(&body, &got));
	assert_true(reopen(&head, &body) && wire_take_query(&body, &got));
	assert_string_equal(got.label, "cut");
}

static void
a_head_with_unknown_numbers_is_refused(void **state)
{
	struct wire_head head;
	struct bytes body;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct wire_head *bad;

		wire_begin(&message, WIRE_SIGN, 1);
		bad = wire_head_of(&message);
		assert_true(reopen(&head, &body));
		bad->type = i == 0 ? 0 : bad->type;
		bad->type = i == 1 ? WIRE_END_ : bad->type;
		bad->count = i == 2 ? HSM_BATCH_MAX + 1 : bad->count;
		bad->state = i == 3 ? WIRE_PIN_REFUSED + 1 : bad->state;
		bad->reason = i == 4 ? REASON_END_ : bad->reason;
		assert_false(reopen(&head, &body));
	}
}

static void
a_result_has_a_signature_exactly_when_it_succeeded(void **state)
{
	const uint8_t octets[SIGNATURE_MAX + 1] = { 1 };
	static const struct {
		uint32_t reason;
		size_t len;
		bool fine;
	} cases[] = {
		{ REASON_OK, 64, true },
		{ REASON_OK, SIGNATURE_MAX, true },
		{ REASON_OK, SIGNATURE_MAX + 1, false },
		{ REASON_OK, 0, false },
		{ REASON_AWAY, 0, true },
		{ REASON_AWAY, 64, false },
		{ REASON_END_, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire_result result = { cases[i].reason, 9,
			{ octets, cases[i].len } };
		struct wire_result got;
		struct wire_head head;
		struct bytes body;

		wire_begin(&message, WIRE_SIGN, 1);
		assert_true(wire_put_result(&message, &result));
		assert_true(reopen(&head, &body));
		assert_int_equal(wire_take_result(&body, &got), cases[i].fine);
	}
}

static void
a_full_message_takes_no_more(void **state)
{
	static const uint8_t content[SIGN_CONTENT_MAX + 1];
	struct wire_op op = { .scheme = SCHEME_ED25519,
		.input = { content, SIGN_CONTENT_MAX } };
	struct wire_op longer = op;
	unsigned n = 0;
	size_t len;

	(void)state;
	wire_begin(&message, WIRE_SIGN, 1);
	longer.input.len++;
	assert_false(wire_put_op(&message, &longer));
	while (wire_put_op(&message, &op))
		n++;
	len = message.len;
	assert_int_equal(n, 3);
	assert_false(wire_put_op(&message, &op));
	assert_int_equal(message.len, len);
}

static void
texts_of_a_config_end_where_they_say(void **state)
{
	struct wire_config config = { true, true, 77, "/m.so", "label", "/pin",
		"/lock" };
	struct wire_config got;
	struct wire_head head;
	struct bytes body;

	(void)state;
	wire_begin(&message, WIRE_PROBE, 1);
	assert_true(wire_put_config(&message, &config));
	assert_true(reopen(&head, &body) && wire_take_config(&body, &got));
	assert_true(got.session_copies && got.wrapped);
	assert_int_equal(got.cache, 77);
	assert_string_equal(got.module, "/m.so");
	assert_string_equal(got.lock_file, "/lock");
	/* A zero inside a text, and no zero at its end. */
	message.at[message.len - 3] = 0;
	assert_true(reopen(&head, &body));
	assert_false(wire_take_config(&body, &got));
	message.at[message.len - 3] = 'o';
	message.at[message.len - 1] = 'x';
	assert_true(reopen(&head, &body));
	assert_false(wire_take_config(&body, &got));
}

static void
an_import_cut_anywhere_is_refused(void **state)
{
	const uint8_t blob[] = "a wrapped key", spki[] = "a public key";
	struct wire_import import = { .query = { .label = "import" },
		.blob = { blob, sizeof(blob) },
		.spki = { spki, sizeof(spki) } };
	struct wire_import got;
	struct wire_head head;
	struct bytes body;
	size_t whole;

	(void)state;
	wire_begin(&message, WIRE_UNWRAP, 1);
	assert_true(wire_put_import(&message, &import));
	whole = message.len;
	for (message.len = 0; message.len < whole; message.len++)
		assert_false(
		    reopen(&head, &body) && wire_take_import(&body, &got));
	assert_true(reopen(&head, &body) && wire_take_import(&body, &got));
	assert_int_equal(body.len, 0);
	assert_string_equal(got.query.label, "import");
	assert_true(bytes_equal(got.blob, import.blob));
	assert_true(bytes_equal(got.spki, import.spki));
}

static void
a_wrapped_key_without_parts_or_with_too_much_is_refused(void **state)
{
	static uint8_t octets[HSM_BLOB_MAX + 1];
	static const struct {
		size_t blob, spki;
		unsigned alg;
		bool fine;
	} rows[] = {
		{ 80, 91, KEY_ALG_EC_P256, true },
		{ HSM_BLOB_MAX, HSM_SPKI_MAX, KEY_ALG_RSA_4096, true },
		{ 0, 91, KEY_ALG_EC_P256, false },
		{ 80, 0, KEY_ALG_EC_P256, false },
		{ 80, 91, KEY_ALG_ED25519 + 1, false },
	};
	struct wire_head head;
	struct bytes body;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wire_blob got, blob = { .alg = rows[i].alg,
			.blob = { octets, rows[i].blob },
			.spki = { octets, rows[i].spki } };

		memset(blob.id.at, 5, sizeof(blob.id.at));
		wire_begin(&message, WIRE_LEARN, 1);
		assert_true(wire_put_blob(&message, &blob));
		assert_true(reopen(&head, &body));
		assert_int_equal(wire_take_blob(&body, &got), rows[i].fine);
		if (rows[i].fine)
			assert_true(key_id_equal(&got.id, &blob.id) &&
				    got.blob.len == rows[i].blob &&
				    got.spki.len == rows[i].spki);
	}
	wire_begin(&message, WIRE_LEARN, 1);
	assert_false(wire_put_blob(
	    &message, &(struct wire_blob){ .blob = { octets, HSM_BLOB_MAX + 1 },
			  .spki = { octets, 1 } }));
	assert_int_equal(message.len, sizeof(struct wire_head));
}

static void
forgotten_keys_are_found_among_many_and_no_others(void **state)
{
	struct forgotten set = { .n = 0 };
	struct key_id id = { { 0 } };

	(void)state;
	forgotten_init(&set);
	assert_false(forgotten_has(&set, &id));
	/* Many share their first octets, and so their place. */
	for (unsigned i = 1; i <= 2000; i++) {
		id.at[0] = (uint8_t)(i % 7);
		memcpy(id.at + 16, &i, sizeof(i));
		assert_int_equal(forgotten_add(&set, &id).code, STATUS_OK);
		assert_int_equal(forgotten_add(&set, &id).code, STATUS_OK);
	}
	assert_int_equal(set.n, 2000);
	for (unsigned i = 3; i <= 2000; i += 3) {
		id.at[0] = (uint8_t)(i % 7);
		memcpy(id.at + 16, &i, sizeof(i));
		forgotten_remove(&set, &id);
		forgotten_remove(&set, &id);
	}
	for (unsigned i = 1; i <= 2010; i++) {
		id.at[0] = (uint8_t)(i % 7);
		memcpy(id.at + 16, &i, sizeof(i));
		assert_int_equal(
		    forgotten_has(&set, &id), i <= 2000 && i % 3 != 0);
	}
	forgotten_done(&set);
}

static void
a_key_with_impossible_parts_is_refused(void **state)
{
	static struct hsm_key key = { .alg = KEY_ALG_EC_P256,
		.label = "k",
		.spki_len = 91,
		.sensitive = true };
	/* Where in the body, and what stands there instead. */
	static const struct {
		size_t at;
		uint8_t octet;
	} bad[] = {
		{ 32, KEY_ALG_NONE }, { 32, KEY_ALG_ED25519 + 1 },
		{ 36, 0 },       /* spki_len */
		{ 37, 0xff },    /* its second octet */
		{ 40, 2 },       /* sensitive */
		{ 44, 0xff },    /* local */
		{ 48 + 63, 'x' } /* the label's last octet */
	};
	struct hsm_key got;
	struct wire_head head;
	struct bytes body;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t at = sizeof(head) + bad[i].at;

		wire_begin(&message, WIRE_FIND, 1);
		assert_true(wire_put_key(&message, &key));
		assert_true(reopen(&head, &body) && wire_take_key(&body, &got));
		assert_memory_equal(&got, &key, sizeof(key));
		message.at[at] = bad[i].octet;
		assert_true(reopen(&head, &body));
		assert_false(wire_take_key(&body, &got));
	}
}

static void
chooses_the_mechanism_by_the_key(void **state)
{
	const uint8_t digest[64] = { 0xd1 };
	const struct bytes d256 = { digest, 32 }, d512 = { digest, 64 };
	struct mech_call call;

	(void)state;
	assert_int_equal(mech_prepare(SCHEME_ECDSA_SECP256R1_SHA256,
			     KEY_ALG_EC_P256, d256, &call),
	    REASON_OK);
	assert_int_equal(call.mechanism.mechanism, CKM_ECDSA);
	assert_int_equal(mech_prepare(SCHEME_RSA_PSS_RSAE_SHA512,
			     KEY_ALG_RSA_2048, d512, &call),
	    REASON_OK);
	assert_int_equal(call.mechanism.mechanism, CKM_RSA_PKCS_PSS);
	assert_ptr_equal(call.mechanism.pParameter, &call.pss);
	assert_int_equal(call.pss.hash_alg, CKM_SHA512);
	assert_int_equal(call.pss.mgf, CKG_MGF1_SHA512);
	assert_int_equal(call.pss.s_len, 64);
	assert_int_equal(mech_prepare(SCHEME_RSA_PKCS1_SHA256, KEY_ALG_RSA_4096,
			     d256, &call),
	    REASON_OK);
	assert_int_equal(call.mechanism.mechanism, CKM_RSA_PKCS);
	assert_int_equal(call.input.len, 19 + 32);
	assert_int_equal(call.input.at[19], 0xd1);
}

static void
shortens_a_digest_that_is_longer_than_the_curve(void **state)
{
	const uint8_t digest[64] = { 0 };
	struct mech_call call;

	(void)state;
	assert_int_equal(mech_prepare(SCHEME_ECDSA_SHA512, KEY_ALG_EC_P256,
			     (struct bytes){ digest, 64 }, &call),
	    REASON_OK);
	assert_int_equal(call.input.len, 32);
	assert_int_equal(mech_prepare(SCHEME_ECDSA_SHA512, KEY_ALG_EC_P384,
			     (struct bytes){ digest, 64 }, &call),
	    REASON_OK);
	assert_int_equal(call.input.len, 48);
	assert_int_equal(
	    mech_prepare(SCHEME_ECDSA_SECP256R1_SHA256, KEY_ALG_EC_P384,
		(struct bytes){ digest, 32 }, &call),
	    REASON_OK);
	assert_int_equal(call.input.len, 32);
}

/* The room's own table and base's idea of what fits must be one. */
static void
agrees_with_base_on_which_scheme_fits_which_key(void **state)
{
	const uint8_t digest[64] = { 0 };
	struct mech_call call;

	(void)state;
	for (unsigned scheme = 0; scheme <= 0xffff; scheme++) {
		const struct sign_scheme_info *info = sign_scheme_info(scheme);
		struct bytes input = { digest, 32 };

		if (info != NULL && info->hash != SIGN_HASH_NONE)
			input.len = sign_hash_len(info->hash);
		for (unsigned alg = 0; alg <= KEY_ALG_ED25519; alg++) {
			bool fits =
			    info != NULL && alg != KEY_ALG_NONE &&
			    sign_scheme_fits(info->scheme, (enum key_alg)alg);

			assert_int_equal(mech_prepare(scheme, (enum key_alg)alg,
					     input, &call) == REASON_OK,
			    fits);
		}
	}
}

static void
writes_der_that_openssl_reads_back(void **state)
{
	uint8_t raw[96];
	struct signature der;

	(void)state;
	for (unsigned fill = 0; fill < 256; fill += 5) {
		const uint8_t *at = der.at;
		ECDSA_SIG *sig;
		uint8_t back[96] = { 0 };

		memset(raw, (int)fill, sizeof(raw));
		raw[0] = (uint8_t)(fill * 7);
		raw[1] = 0;
		raw[47] = raw[95] = 1;
		memset(raw + 48, 0, fill % 40);
		assert_true(mech_ecdsa_der((struct bytes){ raw, 96 }, &der));
		sig = d2i_ECDSA_SIG(NULL, &at, (long)der.len);
		assert_non_null(sig);
		assert_ptr_equal(at, der.at + der.len);
		assert_int_equal(
		    BN_bn2binpad(ECDSA_SIG_get0_r(sig), back, 48), 48);
		assert_int_equal(
		    BN_bn2binpad(ECDSA_SIG_get0_s(sig), back + 48, 48), 48);
		assert_memory_equal(back, raw, 96);
		ECDSA_SIG_free(sig);
	}
}

static void
takes_nothing_for_a_signature_that_cannot_be_one(void **state)
{
	static const uint8_t raw[600] = { 1 };
	struct signature sig;

	(void)state;
	/* s is zero. */
	assert_false(
	    mech_finish(KEY_ALG_EC_P256, (struct bytes){ raw, 64 }, &sig));
	assert_false(
	    mech_finish(KEY_ALG_RSA_2048, (struct bytes){ raw, 255 }, &sig));
	assert_false(
	    mech_finish(KEY_ALG_ED25519, (struct bytes){ raw, 0 }, &sig));
	assert_false(
	    mech_finish(KEY_ALG_RSA_4096, (struct bytes){ raw, 600 }, &sig));
	assert_false(
	    mech_finish(KEY_ALG_NONE, (struct bytes){ raw, 64 }, &sig));
	assert_true(
	    mech_finish(KEY_ALG_RSA_4096, (struct bytes){ raw, 512 }, &sig));
}

static void
knows_what_to_do_about_a_return_value(void **state)
{
	(void)state;
	assert_int_equal(ck_error_class(CKR_OK), CK_CLASS_OK);
	assert_int_equal(
	    ck_error_class(CKR_KEY_TYPE_INCONSISTENT), CK_CLASS_REQUEST);
	assert_int_equal(
	    ck_error_class(CKR_OBJECT_HANDLE_INVALID), CK_CLASS_KEY);
	assert_int_equal(ck_error_class(CKR_PIN_LOCKED), CK_CLASS_PIN);
	/* Whatever is not known may mean that the token is gone. */
	assert_int_equal(ck_error_class(CKR_GENERAL_ERROR), CK_CLASS_AWAY);
	assert_int_equal(ck_error_class(0x80001234), CK_CLASS_AWAY);
	assert_true(reason_is_of_lane(ck_error_reason(0x80001234)));
	assert_false(reason_is_of_lane(ck_error_reason(CKR_MECHANISM_INVALID)));
}

static void
has_a_text_for_every_reason(void **state)
{
	(void)state;
	for (unsigned i = 0; i < REASON_END_; i++) {
		assert_non_null(reason_status(i, 0).why);
		assert_true(strlen(reason_status(i, 0).why) > 1);
		assert_int_equal(reason_status(i, 0).code == STATUS_OK, i == 0);
	}
	assert_int_equal(reason_status(REASON_END_, 0).code, STATUS_INTERNAL);
}

static bool
holds(char **environment, const char *text)
{
	for (; *environment != NULL; environment++) {
		if (strcmp(*environment, text) == 0)
			return true;
	}
	return false;
}

static void
a_worker_gets_named_variables_only(void **state)
{
	static const char *const more[] = { "HF_WANTED", "HF_UNSET", NULL };
	char **environment;

	(void)state;
	setenv("SOFTHSM2_CONF", "/x.conf", 1);
	setenv("HF_WANTED", "1", 1);
	setenv("HF_SECRET", "2", 1);
	environment = lane_environment(more);
	assert_non_null(environment);
	assert_true(holds(environment, "SOFTHSM2_CONF=/x.conf"));
	assert_true(holds(environment, "HF_WANTED=1"));
	assert_false(holds(environment, "HF_SECRET=2"));
	lane_environment_free(environment);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_op_arrives_as_it_was_sent),
		cmocka_unit_test(a_message_cut_anywhere_is_refused),
		cmocka_unit_test(a_head_with_unknown_numbers_is_refused),
		cmocka_unit_test(
		    a_result_has_a_signature_exactly_when_it_succeeded),
		cmocka_unit_test(a_full_message_takes_no_more),
		cmocka_unit_test(texts_of_a_config_end_where_they_say),
		cmocka_unit_test(an_import_cut_anywhere_is_refused),
		cmocka_unit_test(
		    a_wrapped_key_without_parts_or_with_too_much_is_refused),
		cmocka_unit_test(
		    forgotten_keys_are_found_among_many_and_no_others),
		cmocka_unit_test(a_key_with_impossible_parts_is_refused),
		cmocka_unit_test(chooses_the_mechanism_by_the_key),
		cmocka_unit_test(
		    shortens_a_digest_that_is_longer_than_the_curve),
		cmocka_unit_test(
		    agrees_with_base_on_which_scheme_fits_which_key),
		cmocka_unit_test(writes_der_that_openssl_reads_back),
		cmocka_unit_test(
		    takes_nothing_for_a_signature_that_cannot_be_one),
		cmocka_unit_test(knows_what_to_do_about_a_return_value),
		cmocka_unit_test(has_a_text_for_every_reason),
		cmocka_unit_test(a_worker_gets_named_variables_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
