/* SPDX-License-Identifier: Apache-2.0 */
/* keyd/policy.c: who may sign what. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "keyd/policy.h"
#include "tests/fake/policy_of.h"

#define BIT(context) (1u << (context))
#define GRANT(on, who, what)                                                   \
	{                                                                      \
		on,                                                            \
		{                                                              \
			.pattern = who, .contexts = what                       \
		}                                                              \
	}

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
make(const struct test_grant *grants, size_t n)
{
	const struct policy_key keys[] = {
		{ .id = web, .alg = KEY_ALG_EC_P256, .spki = bytes_of("spki") },
		{ .id = jwt, .alg = KEY_ALG_RSA_2048, .pool = 1 },
		{ .id = other, .alg = KEY_ALG_EC_P384 },
	};

	return policy_of(keys, 3, grants, n, NULL);
}

static enum status_code
check(const struct policy *policy, struct spiffe who, struct key_id key,
    enum sign_context context)
{
	struct policy_permit found;

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
	const struct test_grant grants[] = {
		GRANT(web, "edge/fra-*", BIT(CONTEXT_TLS13_SERVER)),
		GRANT(web, "certd/main", BIT(CONTEXT_CSR)),
		GRANT(other, "edge/ams-1", BIT(CONTEXT_TLS13_SERVER)),
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
	const struct test_grant grants[] = {
		GRANT(web, "edge/*", BIT(CONTEXT_TLS13_SERVER)),
		GRANT(web, "edge/a", BIT(CONTEXT_TLS12_SERVER_ECDHE)),
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
	struct policy_permit found;
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
	const struct test_grant grants[] = {
		GRANT(web, "operator/root", BIT(CONTEXT_RAW)),
		GRANT(web, "edge/a", BIT(CONTEXT_TLS13_SERVER)),
		GRANT(jwt, "operator/root", BIT(CONTEXT_RAW)),
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
	const struct test_grant grants[] = {
		GRANT(web, "edge/a", BIT(CONTEXT_TLS13_SERVER)),
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
	const struct test_grant grants[] = {
		GRANT(web, "edge/a", BIT(CONTEXT_TLS13_SERVER)),
	};
	scoped(policy_unref) struct policy *policy = make(grants, 1);
	const struct spiffe edge = peer(ROLE_EDGE, "a");
	struct policy_permit found = { 0 };

	(void)state;
	assert_false(failed(
	    policy_check(policy, &edge, &web, CONTEXT_TLS13_SERVER, &found)));
	assert_true(key_id_equal(&found.key->id, &web));
	assert_int_equal(found.key->alg, KEY_ALG_EC_P256);
	assert_true(bytes_equal(found.key->spki, bytes_of("spki")));
}

static void
refuses_grants_that_make_no_sense(void **state)
{
	const struct policy_key key = { .id = web, .alg = KEY_ALG_EC_P256 };
	const struct policy_grant bad[] = {
		{ .pattern = "edge", .contexts = BIT(CONTEXT_CSR) },
		{ .pattern = "nobody/a", .contexts = BIT(CONTEXT_CSR) },
		{ .pattern = "edge/@", .contexts = BIT(CONTEXT_CSR) },
		{ .pattern = "certd/@lab", .contexts = BIT(CONTEXT_CSR) },
		{ .pattern = "edge/a", .contexts = BIT(CONTEXT_END_) },
		{ .pattern = "edge/a", .contexts = BIT(CONTEXT_NONE) },
	};
	scoped(policy_draft_free) struct policy_draft *draft = NULL;

	(void)state;
	assert_false(failed(policy_draft_new(NULL, &draft)));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct policy_grant of_group = bad[i];
		struct policy_rules rules = { .grants = &of_group,
			.n_grants = 1 };

		assert_int_equal(policy_draft_key(draft, &key, &bad[i], 1).code,
		    STATUS_INVALID_ARGUMENT);
		of_group.key_group = "web";
		assert_int_equal(policy_draft_rules(draft, &rules).code,
		    STATUS_INVALID_ARGUMENT);
	}
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
	policy = policy_of(keys, N, NULL, 0, NULL);
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
many_keys_may_share_the_octets_that_hashes_start_with(void **state)
{
	enum {
		N = 300
	};
	struct policy_key keys[N];
	scoped(policy_draft_free) struct policy_draft *draft = NULL;
	scoped(policy_unref) struct policy *all = NULL, *fewer = NULL;
	unsigned pool;

	(void)state;
	memset(keys, 0, sizeof(keys));
	for (uint16_t i = 0; i < N; i++)
		memcpy(keys[i].id.at + 20, &i, sizeof(i));
	all = policy_of(keys, N, NULL, 0, NULL);
	assert_false(failed(policy_draft_new(all, &draft)));
	for (size_t i = 0; i < N; i += 2)
		assert_false(failed(policy_draft_forget(draft, &keys[i].id)));
	assert_false(failed(policy_draft_forget(draft, &unknown)));
	fewer = policy_draft_done(draft);
	draft = NULL;
	assert_int_equal(policy_keys(all), N);
	assert_int_equal(policy_keys(fewer), N / 2);
	for (size_t i = 0; i < N; i++) {
		assert_true(policy_pool(all, &keys[i].id, &pool));
		assert_int_equal(policy_pool(fewer, &keys[i].id, &pool), i % 2);
	}
}

static void
a_change_of_one_key_leaves_the_policy_before_as_it_was(void **state)
{
	const struct test_grant grants[] = {
		GRANT(web, "edge/a", BIT(CONTEXT_TLS13_SERVER)),
		GRANT(other, "edge/a", BIT(CONTEXT_TLS13_SERVER)),
	};
	const struct policy_grant later = { .pattern = "edge/b",
		.contexts = BIT(CONTEXT_TLS13_SERVER) };
	const struct policy_key key = { .id = web, .alg = KEY_ALG_EC_P256 };
	scoped(policy_unref) struct policy *before = make(grants, 2);
	scoped(policy_unref) struct policy *after = NULL;
	struct policy_draft *draft = NULL;
	const enum sign_context tls = CONTEXT_TLS13_SERVER;

	(void)state;
	assert_false(failed(policy_draft_new(before, &draft)));
	assert_false(failed(policy_draft_key(draft, &key, &later, 1)));
	after = policy_draft_done(draft);
	assert_int_equal(policy_keys(after), policy_keys(before));
	assert_int_equal(
	    check(before, peer(ROLE_EDGE, "a"), web, tls), STATUS_OK);
	assert_int_equal(check(before, peer(ROLE_EDGE, "b"), web, tls),
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(check(after, peer(ROLE_EDGE, "a"), web, tls),
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    check(after, peer(ROLE_EDGE, "b"), web, tls), STATUS_OK);
	assert_int_equal(
	    check(after, peer(ROLE_EDGE, "a"), other, tls), STATUS_OK);
}

static void
a_key_that_is_not_active_signs_nothing_and_tells_only_the_granted(void **state)
{
	const enum policy_state states[] = { POLICY_SUSPENDED, POLICY_SCHEDULED,
		POLICY_DESTROYED };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const struct policy_key key = {
			.id = web, .alg = KEY_ALG_EC_P256, .state = states[i]
		};
		const struct test_grant grant =
		    GRANT(web, "edge/a", BIT(CONTEXT_TLS13_SERVER));
		scoped(policy_unref) struct policy *policy =
		    policy_of(&key, 1, &grant, 1, NULL);

		assert_int_equal(check(policy, peer(ROLE_EDGE, "a"), web,
				     CONTEXT_TLS13_SERVER),
		    STATUS_FAILED_PRECONDITION);
		assert_int_equal(check(policy, peer(ROLE_EDGE, "b"), web,
				     CONTEXT_TLS13_SERVER),
		    STATUS_PERMISSION_DENIED);
	}
}

/* Keys 'web' and 'jwt' in pool 0, which serves the group "enhanced" alone. */
static struct policy *
pooled(const struct test_grant *grants, size_t n)
{
	static const char *const groups[] = { "enhanced", "lab" };
	static const struct policy_pool pools[] = {
		{ .name = "enhanced",
		    .edge_groups = groups,
		    .n_edge_groups = 2 },
		{ .name = "standard" },
	};
	static const struct policy_edge edges[] = { { "z", "basic" },
		{ "e", "enhanced" }, { "m", "lab" } };
	const struct policy_rules rules = {
		.pools = pools, .n_pools = 2, .edges = edges, .n_edges = 3
	};
	const struct policy_key keys[] = {
		{ .id = web, .alg = KEY_ALG_EC_P256 },
		{ .id = other, .alg = KEY_ALG_EC_P256, .pool = 1 },
	};

	return policy_of(keys, 2, grants, n, &rules);
}

static void
a_pool_serves_the_edges_of_its_groups_whatever_pattern_matches(void **state)
{
	const struct test_grant grants[] = {
		GRANT(web, "edge/*", BIT(CONTEXT_TLS13_SERVER)),
		GRANT(web, "operator/*", BIT(CONTEXT_CSR)),
		GRANT(other, "edge/*", BIT(CONTEXT_TLS13_SERVER)),
	};
	scoped(policy_unref) struct policy *policy = pooled(grants, 3);
	const enum sign_context tls = CONTEXT_TLS13_SERVER;

	(void)state;
	assert_int_equal(
	    check(policy, peer(ROLE_EDGE, "e"), web, tls), STATUS_OK);
	assert_int_equal(
	    check(policy, peer(ROLE_EDGE, "m"), web, tls), STATUS_OK);
	assert_int_equal(check(policy, peer(ROLE_EDGE, "z"), web, tls),
	    STATUS_PERMISSION_DENIED);
	/* Nobody said anything of this one: it is "standard". */
	assert_int_equal(check(policy, peer(ROLE_EDGE, "new"), web, tls),
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    check(policy, peer(ROLE_EDGE, "new"), other, tls), STATUS_OK);
	assert_int_equal(
	    check(policy, peer(ROLE_OPERATOR, "root"), web, CONTEXT_CSR),
	    STATUS_OK);
}

static void
a_grant_beyond_the_group_counts_for_itself_alone(void **state)
{
	const struct test_grant grants[] = {
		GRANT(web, "edge/*",
		    BIT(CONTEXT_TLS13_SERVER) |
			BIT(CONTEXT_TLS12_SERVER_ECDHE)),
		{ web, { .pattern = "edge/z",
			   .contexts = BIT(CONTEXT_TLS13_SERVER),
			   .beyond_group = true } },
	};
	scoped(policy_unref) struct policy *policy = pooled(grants, 2);

	(void)state;
	assert_int_equal(
	    check(policy, peer(ROLE_EDGE, "z"), web, CONTEXT_TLS13_SERVER),
	    STATUS_OK);
	assert_int_equal(check(policy, peer(ROLE_EDGE, "z"), web,
			     CONTEXT_TLS12_SERVER_ECDHE),
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    check(policy, peer(ROLE_EDGE, "y"), web, CONTEXT_TLS13_SERVER),
	    STATUS_PERMISSION_DENIED);
}

static void
a_grant_to_an_edge_group_is_for_the_edges_that_are_in_it(void **state)
{
	static const struct policy_edge in_lab[] = { { "a", "lab" } };
	static const struct policy_edge swapped[] = { { "b", "lab" } };
	static const struct policy_grant of_group = { .key_group = "shop",
		.pattern = "edge/@lab",
		.contexts = BIT(CONTEXT_TLS13_SERVER) };
	struct policy_rules rules = { .edges = in_lab,
		.n_edges = 1,
		.grants = &of_group,
		.n_grants = 1 };
	const struct policy_key keys[] = {
		{ .id = web, .alg = KEY_ALG_EC_P256 },
		{ .id = jwt, .alg = KEY_ALG_EC_P256 },
		{ .id = other, .alg = KEY_ALG_EC_P256, .group = "shop" },
	};
	const struct test_grant grants[] = {
		GRANT(web, "edge/@lab", BIT(CONTEXT_TLS13_SERVER)),
		GRANT(jwt, "edge/@standard", BIT(CONTEXT_TLS13_SERVER)),
	};
	scoped(policy_unref) struct policy *policy =
	    policy_of(keys, 3, grants, 2, &rules);
	scoped(policy_unref) struct policy *moved = NULL;
	scoped(policy_unref) struct policy *bare =
	    policy_of(keys, 3, grants, 2, NULL);
	const enum sign_context tls = CONTEXT_TLS13_SERVER;
	const struct spiffe a = peer(ROLE_EDGE, "a"), b = peer(ROLE_EDGE, "b");

	(void)state;
	assert_int_equal(check(policy, a, web, tls), STATUS_OK);
	assert_int_equal(check(policy, a, other, tls), STATUS_OK);
	assert_int_equal(check(policy, a, jwt, tls), STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    check(policy, a, web, CONTEXT_CSR), STATUS_PERMISSION_DENIED);
	/* Whom nobody has put in a group is in the standard one. */
	assert_int_equal(check(policy, b, jwt, tls), STATUS_OK);
	assert_int_equal(check(policy, b, web, tls), STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    check(policy, b, other, tls), STATUS_PERMISSION_DENIED);
	/* Others than edges are in none, whatever they are called. */
	assert_int_equal(check(policy, peer(ROLE_CERTD, "a"), web, tls),
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(check(policy, peer(ROLE_OPERATOR, "b"), jwt, tls),
	    STATUS_PERMISSION_DENIED);
	/* An edge called like a group is not the group. */
	assert_int_equal(check(policy, peer(ROLE_EDGE, "lab"), web, tls),
	    STATUS_PERMISSION_DENIED);

	rules.edges = swapped;
	moved = policy_of(keys, 3, grants, 2, &rules);
	assert_int_equal(check(moved, a, web, tls), STATUS_PERMISSION_DENIED);
	assert_int_equal(check(moved, a, other, tls), STATUS_PERMISSION_DENIED);
	assert_int_equal(check(moved, a, jwt, tls), STATUS_OK);
	assert_int_equal(check(moved, b, web, tls), STATUS_OK);

	assert_int_equal(check(bare, a, jwt, tls), STATUS_OK);
	assert_int_equal(check(bare, a, web, tls), STATUS_PERMISSION_DENIED);
}

static void
a_grant_to_an_edge_group_reaches_no_further_than_the_pool(void **state)
{
	static const char *const lab[] = { "lab" };
	static const struct policy_pool pools[] = { { "open", NULL, 0 },
		{ "lab", lab, 1 } };
	const struct policy_rules rules = { .pools = pools, .n_pools = 2 };
	const struct policy_key keys[] = {
		{ .id = web, .alg = KEY_ALG_EC_P256 },
		{ .id = jwt, .alg = KEY_ALG_EC_P256, .pool = 1 },
		{ .id = other, .alg = KEY_ALG_EC_P256, .pool = 1 },
	};
	struct test_grant grants[] = {
		GRANT(web, "edge/@standard", BIT(CONTEXT_TLS13_SERVER)),
		GRANT(jwt, "edge/@standard", BIT(CONTEXT_TLS13_SERVER)),
		GRANT(other, "edge/@standard", BIT(CONTEXT_TLS13_SERVER)),
	};
	const enum sign_context tls = CONTEXT_TLS13_SERVER;
	scoped(policy_unref) struct policy *policy = NULL;
	const struct spiffe a = peer(ROLE_EDGE, "a");

	(void)state;
	grants[2].grant.beyond_group = true;
	policy = policy_of(keys, 3, grants, 3, &rules);
	assert_int_equal(check(policy, a, web, tls), STATUS_OK);
	assert_int_equal(check(policy, a, jwt, tls), STATUS_PERMISSION_DENIED);
	assert_int_equal(check(policy, a, other, tls), STATUS_OK);
}

static void
a_grant_on_a_key_group_is_one_on_each_of_its_keys(void **state)
{
	static const struct policy_grant of_groups[] = {
		{ .key_group = "shop",
		    .pattern = "edge/a",
		    .contexts = BIT(CONTEXT_TLS13_SERVER) },
		{ .key_group = "blog",
		    .pattern = "edge/b",
		    .contexts = BIT(CONTEXT_TLS13_SERVER) },
		{ .key_group = "shop",
		    .pattern = "edge/c",
		    .contexts = BIT(CONTEXT_TLS12_SERVER_ECDHE) },
	};
	const struct policy_rules rules = { .grants = of_groups,
		.n_grants = 3 };
	const struct policy_key keys[] = {
		{ .id = web, .alg = KEY_ALG_EC_P256, .group = "shop" },
		{ .id = jwt, .alg = KEY_ALG_EC_P256, .group = "shop" },
		{ .id = other, .alg = KEY_ALG_EC_P256 },
	};
	const struct test_grant raw =
	    GRANT(jwt, "operator/root", BIT(CONTEXT_RAW));
	scoped(policy_unref) struct policy *policy =
	    policy_of(keys, 3, &raw, 1, &rules);
	const enum sign_context tls = CONTEXT_TLS13_SERVER;

	(void)state;
	assert_int_equal(
	    check(policy, peer(ROLE_EDGE, "a"), web, tls), STATUS_OK);
	assert_int_equal(
	    check(policy, peer(ROLE_EDGE, "a"), jwt, tls), STATUS_OK);
	assert_int_equal(check(policy, peer(ROLE_EDGE, "a"), other, tls),
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(check(policy, peer(ROLE_EDGE, "b"), web, tls),
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(check(policy, peer(ROLE_EDGE, "c"), web,
			     CONTEXT_TLS12_SERVER_ECDHE),
	    STATUS_OK);
	/* What its group's grants let it serve counts against raw, too. */
	assert_int_equal(
	    check(policy, peer(ROLE_OPERATOR, "root"), jwt, CONTEXT_RAW),
	    STATUS_FAILED_PRECONDITION);
}

static void
a_quarantined_identity_may_nothing_and_its_namesakes_all(void **state)
{
	static const struct policy_member out[] = { { ROLE_EDGE, "z" },
		{ ROLE_EDGE, "a" }, { ROLE_OPERATOR, "b" } };
	const struct policy_rules rules = { .quarantined = out,
		.n_quarantined = 3 };
	const struct policy_key key = { .id = web, .alg = KEY_ALG_EC_P256 };
	const struct test_grant grants[] = {
		GRANT(web, "edge/*", BIT(CONTEXT_TLS13_SERVER)),
		GRANT(web, "operator/*", BIT(CONTEXT_TLS13_SERVER)),
	};
	scoped(policy_unref) struct policy *policy =
	    policy_of(&key, 1, grants, 2, &rules);
	const enum sign_context tls = CONTEXT_TLS13_SERVER;
	const struct spiffe a = peer(ROLE_EDGE, "a");

	(void)state;
	assert_int_equal(check(policy, a, web, tls), STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    policy_check_standing(policy, &a).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    check(policy, peer(ROLE_EDGE, "b"), web, tls), STATUS_OK);
	assert_int_equal(
	    check(policy, peer(ROLE_OPERATOR, "a"), web, tls), STATUS_OK);
	assert_int_equal(check(policy, peer(ROLE_OPERATOR, "b"), web, tls),
	    STATUS_PERMISSION_DENIED);
}

static struct policy_budget
budget_of(
    const struct policy *policy, const char *edge, enum sign_context context)
{
	const struct spiffe who = peer(ROLE_EDGE, edge);
	struct policy_permit permit;

	assert_int_equal(
	    policy_check(policy, &who, &web, context, &permit).code, STATUS_OK);
	return permit.budget;
}

static void
of_several_grants_the_most_generous_budget_counts(void **state)
{
	const unsigned tls13 = BIT(CONTEXT_TLS13_SERVER);
	const unsigned tls12 = BIT(CONTEXT_TLS12_SERVER_ECDHE);
	const struct test_grant grants[] = {
		{ web, { .pattern = "edge/*",
			   .contexts = tls13,
			   .budget = { 10, 50 } } },
		{ web, { .pattern = "edge/a",
			   .contexts = tls13 | tls12,
			   .budget = { 20, 5 } } },
		{ web, { .pattern = "edge/b", .contexts = tls13 } },
		{ web, { .pattern = "edge/a*", .contexts = tls12 } },
	};
	scoped(policy_unref) struct policy *policy = make(grants, 4);

	(void)state;
	assert_int_equal(
	    budget_of(policy, "c", CONTEXT_TLS13_SERVER).rate_per_s, 10);
	assert_int_equal(
	    budget_of(policy, "c", CONTEXT_TLS13_SERVER).burst, 50);
	assert_int_equal(
	    budget_of(policy, "a", CONTEXT_TLS13_SERVER).rate_per_s, 20);
	assert_int_equal(
	    budget_of(policy, "b", CONTEXT_TLS13_SERVER).rate_per_s, 0);
	/* A context without a budget in any one grant has none. */
	assert_int_equal(
	    budget_of(policy, "a", CONTEXT_TLS12_SERVER_ECDHE).rate_per_s, 0);
}

static void
a_snapshot_outlives_the_swap_that_replaces_it(void **state)
{
	const struct test_grant grants[] = {
		GRANT(web, "edge/a", BIT(CONTEXT_TLS13_SERVER)),
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

#define READERS 3
#define SWAPS 300

struct race {
	struct policy_slot *slot;
	atomic_bool over;
	atomic_uint torn, checks;
};

/* In every snapshot one of the two edges may use both keys, the other none. */
static void *
check_for_ever(void *ctx)
{
	const enum sign_context tls = CONTEXT_TLS13_SERVER;
	struct race *race = ctx;

	while (!atomic_load(&race->over)) {
		struct policy *policy = policy_slot_get(race->slot);
		const struct spiffe a = peer(ROLE_EDGE, "a"),
				    b = peer(ROLE_EDGE, "b");
		unsigned seen =
		    (check(policy, a, web, tls) == STATUS_OK ? 1u : 0) |
		    (check(policy, a, other, tls) == STATUS_OK ? 2u : 0) |
		    (check(policy, b, web, tls) == STATUS_OK ? 4u : 0) |
		    (check(policy, b, other, tls) == STATUS_OK ? 8u : 0);

		policy_unref(policy);
		if (seen != 3 && seen != 12)
			atomic_fetch_add(&race->torn, 1);
		atomic_fetch_add(&race->checks, 1);
	}
	return NULL;
}

static struct policy *
changed(struct policy *before, const char *edge)
{
	const struct policy_key keys[] = {
		{ .id = web, .alg = KEY_ALG_EC_P256 },
		{ .id = other, .alg = KEY_ALG_EC_P384 },
	};
	const struct policy_grant grant = { .pattern = edge,
		.contexts = BIT(CONTEXT_TLS13_SERVER) };
	struct policy_draft *draft = NULL;

	assert_false(failed(policy_draft_new(before, &draft)));
	for (size_t i = 0; i < 2; i++)
		assert_false(
		    failed(policy_draft_key(draft, &keys[i], &grant, 1)));
	return policy_draft_done(draft);
}

static void
every_check_sees_one_snapshot_whole(void **state)
{
	struct race race = { .slot = policy_slot_new() };
	pthread_t readers[READERS];

	(void)state;
	assert_non_null(race.slot);
	policy_slot_swap(race.slot, changed(NULL, "edge/a"));
	for (size_t i = 0; i < READERS; i++)
		assert_int_equal(
		    pthread_create(&readers[i], NULL, check_for_ever, &race),
		    0);
	for (unsigned i = 0; i < SWAPS || atomic_load(&race.checks) < SWAPS;
	     i++) {
		struct policy *before = policy_slot_get(race.slot);

		policy_slot_swap(race.slot,
		    changed(before, i % 2 == 0 ? "edge/b" : "edge/a"));
		policy_unref(before);
	}
	atomic_store(&race.over, true);
	for (size_t i = 0; i < READERS; i++)
		assert_int_equal(pthread_join(readers[i], NULL), 0);
	assert_int_equal(race.torn, 0);
	policy_slot_free(race.slot);
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
		cmocka_unit_test(finds_each_of_many_keys_and_no_other),
		cmocka_unit_test(
		    many_keys_may_share_the_octets_that_hashes_start_with),
		cmocka_unit_test(
		    a_change_of_one_key_leaves_the_policy_before_as_it_was),
		cmocka_unit_test(
		    a_key_that_is_not_active_signs_nothing_and_tells_only_the_granted),
		cmocka_unit_test(
		    a_pool_serves_the_edges_of_its_groups_whatever_pattern_matches),
		cmocka_unit_test(
		    a_grant_beyond_the_group_counts_for_itself_alone),
		cmocka_unit_test(
		    a_grant_to_an_edge_group_is_for_the_edges_that_are_in_it),
		cmocka_unit_test(
		    a_grant_to_an_edge_group_reaches_no_further_than_the_pool),
		cmocka_unit_test(
		    a_grant_on_a_key_group_is_one_on_each_of_its_keys),
		cmocka_unit_test(
		    a_quarantined_identity_may_nothing_and_its_namesakes_all),
		cmocka_unit_test(
		    of_several_grants_the_most_generous_budget_counts),
		cmocka_unit_test(every_check_sees_one_snapshot_whole),
		cmocka_unit_test(a_snapshot_outlives_the_swap_that_replaces_it),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
