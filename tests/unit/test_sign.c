/* SPDX-License-Identifier: Apache-2.0 */
/* keyd/sign.c: what becomes of a request to sign, with a fake token and
 * journal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/clock.h"
#include "keyd/sign.h"
#include "tests/fake/keyd_fake.h"
#include "tests/fake/policy_of.h"

#define TLS13                                                                  \
	"                                                                "     \
	"TLS 1.3, server CertificateVerify"

static const struct key_id p256 = { { 1 } }, ed25519 = { { 2 } },
			   p384 = { { 3 } };
static uint8_t content[64 + 34 + 32] = TLS13;
static struct caller edge;
static struct policy *policy;
static struct budget *budget;
static struct sign_desk *desk;

static int
setup(void **state)
{
	const unsigned tls13 = 1u << CONTEXT_TLS13_SERVER;
	const struct policy_key keys[] = {
		{ .id = p256, .alg = KEY_ALG_EC_P256 },
		{ .id = ed25519, .alg = KEY_ALG_ED25519 },
		{ .id = p384, .alg = KEY_ALG_EC_P384 },
	};
	const struct policy_grant grant = { .pattern = "edge/fra-1",
		.contexts = tls13 };
	const struct test_grant grants[] = {
		{ p256, grant },
		{ ed25519, grant },
		{ p384, grant },
	};

	(void)state;
	fake_reset();
	caller_init(&edge, "spiffe://example.org/edge/fra-1",
	    clock_wall_s() + 3600, "example.org");
	policy = policy_of(keys, 3, grants, 3, NULL);
	budget = budget_new();
	assert_non_null(budget);
	desk = sign_desk_new();
	assert_non_null(desk);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	sign_desk_free(desk);
	policy_unref(policy);
	budget_free(budget);
	return 0;
}

static size_t times_free;

static void
count_free(void *ctx)
{
	size_t *n = ctx;

	++*n;
}

static struct sign_call
good_call(void)
{
	return (struct sign_call){
		.caller = &edge,
		.key = p256,
		.context = CONTEXT_TLS13_SERVER,
		.scheme = SCHEME_ECDSA_SECP256R1_SHA256,
		.content = { content, sizeof(content) },
		.form = status_ok(),
		.arrived_ns = clock_mono_ns(),
		.deadline_ns = clock_mono_ns() + NS_PER_S,
	};
}

static void
serve_all(struct sign_call *calls, size_t n)
{
	const struct sign_deps deps = {
		.policy = policy,
		.budget = budget,
		.token_free = count_free,
		.ctx = &times_free,
	};
	struct sign_call *at[SIGN_BATCH_MAX];

	for (size_t i = 0; i < n; i++)
		at[i] = &calls[i];
	sign_serve(&deps, desk, at, n);
}

static void
serve(struct sign_call *call)
{
	serve_all(call, 1);
}

static void
hash(const char *name, uint8_t ret_at[64])
{
	assert_int_equal(EVP_Digest(content, sizeof(content), ret_at, NULL,
			     EVP_get_digestbyname(name), NULL),
	    1);
}

/* Refused with code, without asking the token, and on record as such. */
static void
assert_refused(const struct sign_call *call, enum status_code code)
{
	assert_int_equal(call->status.code, code);
	assert_null(call->signature);
	assert_int_equal(fake.hsm_calls, 0);
	assert_int_equal(fake.n_entries, 1);
	assert_int_equal(fake.entries[0].code, code);
	assert_string_equal(fake.entries[0].why, call->status.why);
	assert_string_equal(
	    fake.entries[0].peer, "spiffe://example.org/edge/fra-1");
}

static void
signs_for_a_peer_that_a_grant_names(void **state)
{
	struct sign_call call = good_call();
	uint8_t sha256[64];

	(void)state;
	serve(&call);
	assert_int_equal(call.status.code, STATUS_OK);
	hash("SHA256", sha256);
	assert_int_equal(call.signature->len, 33);
	assert_memory_equal(call.signature->at + 1, sha256, 32);
}

static void
records_who_signed_what_with_which_key(void **state)
{
	struct sign_call call = good_call();
	const struct audit_entry *entry = &fake.entries[0];
	uint8_t sha256[64];

	(void)state;
	serve(&call);
	hash("SHA256", sha256);
	assert_int_equal(fake.n_entries, 1);
	assert_int_equal(entry->kind, AUDIT_SIGN);
	assert_int_equal(entry->code, STATUS_OK);
	assert_int_equal(entry->context, CONTEXT_TLS13_SERVER);
	assert_int_equal(entry->scheme, SCHEME_ECDSA_SECP256R1_SHA256);
	assert_true(key_id_equal(&entry->key, &p256));
	assert_memory_equal(entry->content_hash, sha256, 32);
	assert_string_equal(entry->peer, "spiffe://example.org/edge/fra-1");
	assert_true(entry->at_wall_ns > 0);
}

static void
writes_the_record_while_the_token_signs(void **state)
{
	struct sign_call call = good_call();

	(void)state;
	serve(&call);
	assert_int_equal(fake.audit_calls, 1);
	assert_int_equal(fake.audits_while_signing, 1);
}

static void
frees_the_token_once(void **state)
{
	struct sign_call good = good_call(), bad = good_call();

	(void)state;
	bad.scheme = 0;
	times_free = 0;
	serve(&good);
	assert_int_equal(times_free, 1);
	fake.n_entries = 0;
	serve(&bad);
	assert_int_equal(times_free, 2);
}

static void
gives_the_token_the_digest_that_the_scheme_names(void **state)
{
	struct sign_call call = good_call();
	uint8_t sha384[64];

	(void)state;
	call.key = p384;
	call.scheme = SCHEME_ECDSA_SECP384R1_SHA384;
	serve(&call);
	hash("SHA384", sha384);
	assert_int_equal(call.signature->len, 49);
	assert_memory_equal(call.signature->at + 1, sha384, 48);
}

static void
gives_the_token_the_content_itself_for_ed25519(void **state)
{
	struct sign_call call = good_call();

	(void)state;
	call.key = ed25519;
	call.scheme = SCHEME_ED25519;
	serve(&call);
	assert_int_equal(call.signature->len, 1 + sizeof(content));
	assert_memory_equal(call.signature->at + 1, content, sizeof(content));
}

static void
withholds_the_signature_when_the_audit_record_fails(void **state)
{
	struct sign_call calls[2] = { good_call(), good_call() };

	(void)state;
	calls[1].scheme = 0;
	fake.audit = status_fail(STATUS_UNAVAILABLE, "audit disk full");
	serve_all(calls, 2);
	assert_int_equal(fake.hsm_calls, 1);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(calls[i].status.code, STATUS_UNAVAILABLE);
		assert_string_equal(calls[i].status.why, "audit disk full");
		assert_null(calls[i].signature);
	}
}

static void
asks_no_token_while_the_journal_is_in_trouble(void **state)
{
	struct sign_call call = good_call();

	(void)state;
	fake.trouble = status_fail(STATUS_UNAVAILABLE, "audit disk full");
	serve(&call);
	assert_refused(&call, STATUS_UNAVAILABLE);
}

static void
refuses_a_peer_without_a_grant_and_audits_it(void **state)
{
	struct sign_call call = good_call();

	(void)state;
	caller_init(&edge, "spiffe://example.org/edge/fra-2",
	    clock_wall_s() + 3600, "example.org");
	serve(&call);
	assert_int_equal(call.status.code, STATUS_PERMISSION_DENIED);
	assert_null(call.signature);
	assert_int_equal(fake.hsm_calls, 0);
	assert_int_equal(fake.entries[0].code, STATUS_PERMISSION_DENIED);
	assert_string_equal(
	    fake.entries[0].peer, "spiffe://example.org/edge/fra-2");
}

static void
refuses_what_goes_over_the_budget_and_audits_it(void **state)
{
	const struct policy_key key = { .id = p256, .alg = KEY_ALG_EC_P256 };
	const struct test_grant grant = { p256,
		{ .pattern = "edge/*",
		    .contexts = 1u << CONTEXT_TLS13_SERVER,
		    .budget = { 1, 2 } } };
	struct sign_call calls[3] = { good_call(), good_call(), good_call() };

	(void)state;
	policy_unref(policy);
	policy = policy_of(&key, 1, &grant, 1, NULL);
	serve_all(calls, 3);
	assert_int_equal(calls[0].status.code, STATUS_OK);
	assert_int_equal(calls[1].status.code, STATUS_OK);
	assert_int_equal(calls[2].status.code, STATUS_RESOURCE_EXHAUSTED);
	assert_null(calls[2].signature);
	assert_int_equal(fake.hsm_ops, 2);
	assert_int_equal(fake.entries[2].code, STATUS_RESOURCE_EXHAUSTED);
	/* The bucket stays as it is when the policy is made anew. */
	policy_unref(policy);
	policy = policy_of(&key, 1, &grant, 1, NULL);
	serve(&calls[2]);
	assert_int_equal(calls[2].status.code, STATUS_RESOURCE_EXHAUSTED);
}

static void
refuses_a_context_that_the_grant_leaves_out_and_audits_it(void **state)
{
	struct sign_call call = good_call();

	(void)state;
	call.context = CONTEXT_RAW;
	serve(&call);
	assert_refused(&call, STATUS_PERMISSION_DENIED);
}

static void
refuses_content_that_is_not_its_context_and_audits_it(void **state)
{
	struct sign_call call = good_call();

	(void)state;
	call.content.len--;
	serve(&call);
	assert_refused(&call, STATUS_INVALID_ARGUMENT);
}

static void
refuses_a_digest_in_place_of_content_and_audits_it(void **state)
{
	struct sign_call call = good_call();

	(void)state;
	call.content.len = 32;
	serve(&call);
	assert_refused(&call, STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(call.status.why, "digest"));
}

static void
refuses_a_malformed_request_and_audits_it(void **state)
{
	struct sign_call call = good_call();

	(void)state;
	call.form = status_fail(STATUS_INVALID_ARGUMENT, "key_id is short");
	call.content.len = 0;
	serve(&call);
	assert_refused(&call, STATUS_INVALID_ARGUMENT);
}

static void
refuses_a_caller_whose_certificate_has_expired_and_audits_it(void **state)
{
	struct sign_call call = good_call();

	(void)state;
	edge.not_after_s = clock_wall_s() - 1;
	serve(&call);
	assert_refused(&call, STATUS_UNAUTHENTICATED);
}

static void
refuses_a_caller_of_another_domain(void **state)
{
	struct sign_call call = good_call();

	(void)state;
	caller_init(&edge, "spiffe://example.com/edge/fra-1",
	    clock_wall_s() + 3600, "example.org");
	serve(&call);
	assert_int_equal(call.status.code, STATUS_UNAUTHENTICATED);
	assert_int_equal(fake.hsm_calls, 0);
	assert_int_equal(fake.n_entries, 1);
}

static void
drops_an_expired_request_before_the_token_and_audits_it(void **state)
{
	struct sign_call call = good_call();

	(void)state;
	call.deadline_ns = clock_mono_ns() - 1;
	serve(&call);
	assert_refused(&call, STATUS_DEADLINE_EXCEEDED);
}

static void
drops_the_request_of_a_caller_that_has_gone_and_audits_it(void **state)
{
	struct sign_call call = good_call();

	(void)state;
	atomic_store(&edge.gone, true);
	serve(&call);
	assert_refused(&call, STATUS_CANCELLED);
}

static void
refuses_a_key_of_another_pool_than_was_asked(void **state)
{
	struct sign_call call = good_call(), *at = &call;
	const struct sign_deps deps = {
		.policy = policy,
		.budget = budget,
		.pool = 1,
		.token_free = count_free,
		.ctx = &times_free,
	};

	(void)state;
	sign_serve(&deps, desk, &at, 1);
	assert_refused(&call, STATUS_UNAVAILABLE);
}

static void
passes_on_what_the_token_complains_of_and_audits_it(void **state)
{
	struct sign_call call = good_call();

	(void)state;
	fake.hsm = status_fail(STATUS_UNAVAILABLE, "the token is away");
	serve(&call);
	assert_int_equal(call.status.code, STATUS_UNAVAILABLE);
	assert_string_equal(call.status.why, "the token is away");
	assert_null(call.signature);
	/* What was decided, and what became of it. */
	assert_int_equal(fake.n_entries, 2);
	assert_int_equal(fake.entries[0].code, STATUS_OK);
	assert_int_equal(fake.entries[1].code, STATUS_UNAVAILABLE);
	assert_string_equal(fake.entries[1].why, "the token is away");
}

static void
a_refusal_in_a_batch_leaves_the_others_alone(void **state)
{
	struct sign_call calls[3] = { good_call(), good_call(), good_call() };

	(void)state;
	calls[1].content.len--;
	calls[2].key = ed25519;
	calls[2].scheme = SCHEME_ED25519;
	serve_all(calls, 3);
	assert_int_equal(calls[0].status.code, STATUS_OK);
	assert_int_equal(calls[0].signature->len, 33);
	assert_int_equal(calls[1].status.code, STATUS_INVALID_ARGUMENT);
	assert_null(calls[1].signature);
	assert_int_equal(calls[2].signature->len, 1 + sizeof(content));
	assert_int_equal(fake.hsm_calls, 1);
	assert_int_equal(fake.hsm_ops, 2);
	assert_int_equal(fake.audit_calls, 1);
	assert_int_equal(fake.n_entries, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(signs_for_a_peer_that_a_grant_names),
		TEST(records_who_signed_what_with_which_key),
		TEST(writes_the_record_while_the_token_signs),
		TEST(frees_the_token_once),
		TEST(gives_the_token_the_digest_that_the_scheme_names),
		TEST(gives_the_token_the_content_itself_for_ed25519),
		TEST(withholds_the_signature_when_the_audit_record_fails),
		TEST(asks_no_token_while_the_journal_is_in_trouble),
		TEST(refuses_a_peer_without_a_grant_and_audits_it),
		TEST(refuses_what_goes_over_the_budget_and_audits_it),
		TEST(refuses_a_context_that_the_grant_leaves_out_and_audits_it),
		TEST(refuses_content_that_is_not_its_context_and_audits_it),
		TEST(refuses_a_digest_in_place_of_content_and_audits_it),
		TEST(refuses_a_malformed_request_and_audits_it),
		TEST(
		    refuses_a_caller_whose_certificate_has_expired_and_audits_it),
		TEST(refuses_a_caller_of_another_domain),
		TEST(drops_an_expired_request_before_the_token_and_audits_it),
		TEST(drops_the_request_of_a_caller_that_has_gone_and_audits_it),
		TEST(refuses_a_key_of_another_pool_than_was_asked),
		TEST(passes_on_what_the_token_complains_of_and_audits_it),
		TEST(a_refusal_in_a_batch_leaves_the_others_alone),
	};

	return cmocka_run_group_tests_name("sign", tests, NULL, NULL);
}
