/* SPDX-License-Identifier: Apache-2.0 */
/* keyd/policy.c: who may sign what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "keyd/policy.h"

#define BIT(context) (1u << (context))

static const struct key_id web = { { 1 } }, jwt = { { 2 } }, other = { { 3 } },
			   unknown = { { 9 } };

static struct spiffe
peer(enum role role, const char *name)
{
	struct spiffe id = { .domain = "example.org", .role = role };

	snprintf(id.name, sizeof(id.name), "%s", name);
	return id;
}

static struct policy *
make(const struct policy_grant *grants, size_t n)
{
	const struct policy_key keys[] = {
		{ .id = web, .alg = KEY_ALG_EC_P256, .spki = bytes_of("spki") },
		{ .id = jwt, .alg = KEY_ALG_RSA_2048, .pool = 1 },
		{ .id = other, .alg = KEY_ALG_EC_P384 },
	};
	struct policy *policy = NULL;

	assert_false(failed(policy_new(keys, 3, grants, n, &policy)));
	return policy;
}

static enum status_code
check(const struct policy *policy, struct spiffe who, struct key_id key,
    enum sign_context context)
{
	const struct policy_key *found;

	return policy_check(policy, &who, &key, context, &found).code;
}

static void
denies_everything_that_no_grant_names(void **state)
{
	scoped(policy_unref) struct policy *policy = make(NULL, 0);

	(void)state;
	for (unsigned c = CONTEXT_NONE; c < CONTEXT_END_; c++)
		assert_int_equal(check(policy, peer(ROLE_EDGE, "a"), web, c),
		    STATUS_PERMISSION_DENIED);
}

static void
grants_bind_peer_key_and_context_together(void **state)
{
	const struct policy_grant grants[] = {
		{ web, "edge/fra-*", BIT(CONTEXT_TLS13_SERVER) },
		{ web, "certd/main", BIT(CONTEXT_CSR) },
		{ other, "edge/ams-1", BIT(CONTEXT_TLS13_SERVER) },
	};
	scoped(policy_unref) struct policy *policy = make(grants, 3);
	const struct spiffe fra = peer(ROLE_EDGE, "fra-1");

	(void)state;
	assert_int_equal(
	    check(policy, fra, web, CONTEXT_TLS13_SERVER), STATUS_OK);
	assert_int_equal(
	    check(policy, fra, web, CONTEXT_CSR), STATUS_PERMISSION_DENIED);
	assert_int_equal(check(policy, fra, other, CONTEXT_TLS13_SERVER),
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    check(policy, peer(ROLE_EDGE, "ams-1"), web, CONTEXT_TLS13_SERVER),
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    check(policy, peer(ROLE_CERTD, "main"), web, CONTEXT_CSR),
	    STATUS_OK);
	assert_int_equal(
	    check(policy, peer(ROLE_CERTD, "fra-1"), web, CONTEXT_TLS13_SERVER),
	    STATUS_PERMISSION_DENIED);
}

static void
grants_of_one_peer_add_up(void **state)
{
	const struct policy_grant grants[] = {
		{ web, "edge/*", BIT(CONTEXT_TLS13_SERVER) },
		{ web, "edge/a", BIT(CONTEXT_TLS12_SERVER_ECDHE) },
	};
	scoped(policy_unref) struct policy *policy = make(grants, 2);

	(void)state;
	assert_int_equal(
	    check(policy, peer(ROLE_EDGE, "a"), web, CONTEXT_TLS13_SERVER),
	    STATUS_OK);
	assert_int_equal(check(policy, peer(ROLE_EDGE, "a"), web,
			     CONTEXT_TLS12_SERVER_ECDHE),
	    STATUS_OK);
}

static void
an_edge_cannot_tell_an_unknown_key_from_a_foreign_one(void **state)
{
	scoped(policy_unref) struct policy *policy = make(NULL, 0);
	const struct spiffe edge = peer(ROLE_EDGE, "a");
	const struct policy_key *found;
	struct status foreign =
	    policy_check(policy, &edge, &web, CONTEXT_CSR, &found);
	struct status none =
	    policy_check(policy, &edge, &unknown, CONTEXT_CSR, &found);

	(void)state;
	assert_int_equal(none.code, foreign.code);
	assert_string_equal(none.why, foreign.why);
}

static void
an_operator_is_told_that_a_key_is_unknown(void **state)
{
	scoped(policy_unref) struct policy *policy = make(NULL, 0);

	(void)state;
	assert_int_equal(
	    check(policy, peer(ROLE_OPERATOR, "root"), unknown, CONTEXT_CSR),
	    STATUS_NOT_FOUND);
}

static void
refuses_raw_on_a_key_that_anyone_serves_tls_with(void **state)
{
	const struct policy_grant grants[] = {
		{ web, "operator/root", BIT(CONTEXT_RAW) },
		{ web, "edge/a", BIT(CONTEXT_TLS13_SERVER) },
		{ jwt, "operator/root", BIT(CONTEXT_RAW) },
	};
	scoped(policy_unref) struct policy *policy = make(grants, 3);
	const struct spiffe root = peer(ROLE_OPERATOR, "root");

	(void)state;
	assert_int_equal(
	    check(policy, root, web, CONTEXT_RAW), STATUS_FAILED_PRECONDITION);
	assert_int_equal(check(policy, root, jwt, CONTEXT_RAW), STATUS_OK);
}

static void
refuses_a_context_number_that_does_not_exist(void **state)
{
	const struct policy_grant grants[] = {
		{ web, "edge/a", BIT(CONTEXT_TLS13_SERVER) },
	};
	scoped(policy_unref) struct policy *policy = make(grants, 1);

	(void)state;
	assert_int_equal(check(policy, peer(ROLE_EDGE, "a"), web, CONTEXT_NONE),
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    check(policy, peer(ROLE_EDGE, "a"), web, (enum sign_context)33),
	    STATUS_INVALID_ARGUMENT);
}

static void
hands_out_the_key_with_its_spki(void **state)
{
	const struct policy_grant grants[] = {
		{ web, "edge/a", BIT(CONTEXT_TLS13_SERVER) },
	};
	scoped(policy_unref) struct policy *policy = make(grants, 1);
	const struct spiffe edge = peer(ROLE_EDGE, "a");
	const struct policy_key *found = NULL;

	(void)state;
	assert_false(failed(
	    policy_check(policy, &edge, &web, CONTEXT_TLS13_SERVER, &found)));
	assert_true(key_id_equal(&found->id, &web));
	assert_int_equal(found->alg, KEY_ALG_EC_P256);
	assert_true(bytes_equal(found->spki, bytes_of("spki")));
}

static void
refuses_grants_that_make_no_sense(void **state)
{
	const struct policy_key key = { .id = web, .alg = KEY_ALG_EC_P256 };
	const struct policy_grant bad[] = {
		{ unknown, "edge/a", BIT(CONTEXT_CSR) },
		{ web, "edge", BIT(CONTEXT_CSR) },
		{ web, "nobody/a", BIT(CONTEXT_CSR) },
		{ web, "edge/a", BIT(CONTEXT_END_) },
		{ web, "edge/a", BIT(CONTEXT_NONE) },
	};
	struct policy *policy = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(policy_new(&key, 1, &bad[i], 1, &policy).code,
		    STATUS_INVALID_ARGUMENT);
		assert_null(policy);
	}
}

static void
refuses_a_key_that_is_listed_twice(void **state)
{
	const struct policy_key keys[] = { { .id = web }, { .id = web } };
	struct policy *policy = NULL;

	(void)state;
	assert_int_equal(policy_new(keys, 2, NULL, 0, &policy).code,
	    STATUS_INVALID_ARGUMENT);
}

static void
finds_each_of_many_keys_and_no_other(void **state)
{
	enum {
		N = 5000
	};
	struct policy_key *keys = calloc(N, sizeof(*keys));
	struct policy *policy = NULL;
	struct key_id missing = { { 0 } };
	unsigned pool;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		memcpy(keys[i].id.at + 4, &i, sizeof(i));
		keys[i].pool = i % 7;
	}
	assert_false(failed(policy_new(keys, N, NULL, 0, &policy)));
	assert_int_equal(policy_keys(policy), N);
	for (uint32_t i = 0; i < N; i++) {
		assert_true(policy_pool(policy, &keys[i].id, &pool));
		assert_int_equal(pool, i % 7);
	}
	missing.at[0] = 1;
	assert_false(policy_pool(policy, &missing, &pool));
	policy_unref(policy);
	free(keys);
}

static void
a_snapshot_outlives_the_swap_that_replaces_it(void **state)
{
	const struct policy_grant grants[] = {
		{ web, "edge/a", BIT(CONTEXT_TLS13_SERVER) },
	};
	struct policy_slot *slot = policy_slot_new();
	struct policy *old, *empty;

	(void)state;
	empty = policy_slot_get(slot);
	assert_int_equal(policy_keys(empty), 0);
	policy_unref(empty);
	policy_slot_swap(slot, make(grants, 1));
	old = policy_slot_get(slot);
	policy_slot_swap(slot, make(NULL, 0));
	assert_int_equal(
	    check(old, peer(ROLE_EDGE, "a"), web, CONTEXT_TLS13_SERVER),
	    STATUS_OK);
	policy_unref(old);
	policy_slot_free(slot);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(denies_everything_that_no_grant_names),
		cmocka_unit_test(grants_bind_peer_key_and_context_together),
		cmocka_unit_test(grants_of_one_peer_add_up),
		cmocka_unit_test(
		    an_edge_cannot_tell_an_unknown_key_from_a_foreign_one),
		cmocka_unit_test(an_operator_is_told_that_a_key_is_unknown),
		cmocka_unit_test(
		    refuses_raw_on_a_key_that_anyone_serves_tls_with),
		cmocka_unit_test(refuses_a_context_number_that_does_not_exist),
		cmocka_unit_test(hands_out_the_key_with_its_spki),
		cmocka_unit_test(refuses_grants_that_make_no_sense),
		cmocka_unit_test(refuses_a_key_that_is_listed_twice),
		cmocka_unit_test(finds_each_of_many_keys_and_no_other),
		cmocka_unit_test(a_snapshot_outlives_the_swap_that_replaces_it),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
