/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys.Grant and Keys.Revoke beyond the plain ones of test_custody.c: budgets,
 * key groups, and edges that the key's pool does not serve.  The desk's one
 * pool serves the edge group "standard".
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "keyd/budget.h"
#include "keyd/pb.h"
#include "proto/holdfast/keyd/v1/approvals.pb-c.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"
#include "tests/fake/custody_desk.h"

#define TLS13 HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_TLS13_SERVER
#define TLS12 HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_TLS12_SERVER_ECDHE
#define JWS HOLDFAST__KEYD__V1__CONTEXT__CONTEXT_ACME_JWS
#define HOUR 3600

static int
set_up(void **state)
{
	struct desk *desk = desk_new(2, HOUR);
	struct registry_invite lab = { .role = ROLE_EDGE,
		.name = "lab-1",
		.group = "lab",
		.created_s = 1,
		.expires_s = INT64_C(1) << 40 };
	static const uint8_t hash[INVITE_HASH_LEN] = { 1 };

	desk_enroll(desk, ALICE, 1000);
	desk_enroll(desk, BOB, 1000);
	desk_add_key(desk, 1, ALICE);
	desk_add_key(desk, 2, CERTD);
	assert_int_equal(
	    registry_invite_add(desk->registry, hash, &lab).code, STATUS_OK);
	assert_int_equal(custody_publish(desk->custody).code, STATUS_OK);
	*state = desk;
	return 0;
}

static int
tear_down(void **state)
{
	desk_free(*state);
	return 0;
}

/* A request on key 1 for tls13_server; the rest is up to the test. */
struct asked {
	Holdfast__Keyd__V1__GrantRequest request;
	Holdfast__Keyd__V1__Budget budget;
	Holdfast__Keyd__V1__Context context;
	uint8_t id[KEY_ID_LEN];
};

static Holdfast__Keyd__V1__GrantRequest *
grant_of(struct asked *asked, uint8_t key, const char *identity)
{
	Holdfast__Keyd__V1__GrantRequest *request = &asked->request;

	holdfast__keyd__v1__grant_request__init(request);
	holdfast__keyd__v1__budget__init(&asked->budget);
	memset(asked->id, key, sizeof(asked->id));
	asked->context = TLS13;
	if (key != 0)
		request->key_id = pb_octets(asked->id, sizeof(asked->id));
	request->identity = pb_text(identity);
	request->contexts = &asked->context;
	request->n_contexts = 1;
	return request;
}

static enum status_code
grant(const char *who, const struct asked *asked)
{
	return desk_call(who, "Keys/Grant", &asked->request.base);
}

static const Holdfast__Keyd__V1__GrantResponse *
response(void)
{
	return (const Holdfast__Keyd__V1__GrantResponse *)desk_reply();
}

static enum status_code
vote(const char *who, uint64_t id)
{
	Holdfast__Keyd__V1__VoteRequest request;

	holdfast__keyd__v1__vote_request__init(&request);
	request.id = id;
	request.approve = true;
	return desk_call(who, "Approvals/Vote", &request.base);
}

static struct status
may(struct desk *desk, const char *edge, uint8_t key,
    struct policy_permit *ret_permit)
{
	scoped(policy_unref) struct policy *policy =
	    policy_slot_get(desk->policy);
	struct spiffe id = { "d", ROLE_EDGE, "" };
	struct key_id key_id;

	snprintf(id.name, sizeof(id.name), "%s", edge);
	memset(key_id.at, key, KEY_ID_LEN);
	return policy_check(
	    policy, &id, &key_id, CONTEXT_TLS13_SERVER, ret_permit);
}

static void
a_budget_is_granted_told_and_in_force(void **state)
{
	struct desk *desk = *state;
	struct policy_permit permit;
	struct asked asked;

	grant_of(&asked, 1, "edge/fra-1");
	asked.request.budget = &asked.budget;
	asked.budget.rate_per_s = 50;
	assert_int_equal(grant(ALICE, &asked), STATUS_OK);
	assert_null(response()->approval);
	assert_int_equal(response()->key->n_grants, 1);
	assert_int_equal(response()->key->grants[0]->budget->rate_per_s, 50);
	assert_int_equal(response()->key->grants[0]->budget->burst, 50);
	assert_int_equal(may(desk, "fra-1", 1, &permit).code, STATUS_OK);
	assert_int_equal(permit.budget.rate_per_s, 50);
	assert_int_equal(
	    desk_recorded("operator/alice|grant edge/fra-1 tls13_server "
			  "rate=50/s burst=50|done"),
	    1);
}

static void
budgets_that_make_no_sense_are_refused(void **state)
{
	struct asked asked;

	(void)state;
	grant_of(&asked, 1, "edge/fra-1");
	asked.request.budget = &asked.budget;
	asked.budget.rate_per_s = BUDGET_RATE_MAX + 1;
	assert_int_equal(grant(ALICE, &asked), STATUS_INVALID_ARGUMENT);
	asked.budget.rate_per_s = 0;
	asked.budget.burst = 1;
	assert_int_equal(grant(ALICE, &asked), STATUS_INVALID_ARGUMENT);
	asked.budget.rate_per_s = 1;
	asked.budget.burst = BUDGET_BURST_MAX + 1;
	assert_int_equal(grant(ALICE, &asked), STATUS_INVALID_ARGUMENT);
}

static void
a_grant_names_a_key_or_a_group(void **state)
{
	struct asked asked;

	(void)state;
	grant_of(&asked, 0, "edge/fra-1");
	assert_int_equal(grant(ALICE, &asked), STATUS_INVALID_ARGUMENT);
	asked.request.key_group = pb_text("a b");
	assert_int_equal(grant(ALICE, &asked), STATUS_INVALID_ARGUMENT);
	grant_of(&asked, 1, "edge/fra-1");
	asked.request.key_group = pb_text("shop");
	assert_int_equal(grant(ALICE, &asked), STATUS_INVALID_ARGUMENT);
}

static void
a_grant_on_a_group_reaches_its_keys_and_is_taken_back(void **state)
{
	struct desk *desk = *state;
	Holdfast__Keyd__V1__RevokeRequest revoke;
	struct policy_permit permit;
	struct asked asked;
	struct key_id id;

	memset(id.at, 1, KEY_ID_LEN);
	assert_int_equal(
	    registry_key_update(desk->registry, &id, "shop", NULL, NULL).code,
	    STATUS_OK);
	assert_int_equal(
	    custody_publish_key(desk->custody, &id).code, STATUS_OK);
	grant_of(&asked, 0, "edge/fra-*");
	asked.request.key_group = pb_text("shop");
	assert_int_equal(grant(ALICE, &asked), STATUS_OK);
	assert_int_equal(response()->key->id.len, 0);
	assert_int_equal(response()->key->n_grants, 1);
	assert_string_equal(response()->key->grants[0]->key_group, "shop");
	assert_int_equal(may(desk, "fra-1", 1, &permit).code, STATUS_OK);
	assert_int_equal(
	    may(desk, "fra-1", 2, &permit).code, STATUS_PERMISSION_DENIED);

	holdfast__keyd__v1__revoke_request__init(&revoke);
	revoke.key_group = pb_text("shop");
	revoke.identity = pb_text("edge/fra-*");
	assert_int_equal(
	    desk_call(ALICE, "Keys/Revoke", &revoke.base), STATUS_OK);
	assert_int_equal(
	    may(desk, "fra-1", 1, &permit).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(desk_recorded("operator/alice|revoke edge/fra-* on "
				       "key-group shop|done"),
	    1);
}

static void
an_edge_of_another_group_is_granted_nothing_by_one_operator_alone(void **state)
{
	struct desk *desk = *state;
	struct policy_permit permit;
	struct asked asked;
	uint64_t id;

	grant_of(&asked, 1, "edge/lab-1");
	assert_int_equal(grant(ALICE, &asked), STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(desk_why(), "--beyond-group"));

	asked.request.beyond_group = true;
	asked.request.comment = pb_text("trial until May");
	assert_int_equal(grant(ALICE, &asked), STATUS_OK);
	assert_non_null(response()->approval);
	assert_int_equal(response()->key->n_grants, 0);
	assert_string_equal(response()->approval->act,
	    "grant edge/lab-1 on k1 beyond-group tls13_server");
	assert_string_equal(response()->approval->comment, "trial until May");
	assert_int_equal(
	    may(desk, "lab-1", 1, &permit).code, STATUS_PERMISSION_DENIED);
	id = response()->approval->id;

	assert_int_equal(vote(BOB, id), STATUS_OK);
	assert_int_equal(may(desk, "lab-1", 1, &permit).code, STATUS_OK);
	assert_int_equal(desk_recorded("operator/bob|grant edge/lab-1 "
				       "beyond-group tls13_server "
				       "approval=1|done"),
	    1);
	/* Only what was approved. */
	asked.context = TLS12;
	asked.request.beyond_group = false;
	assert_int_equal(grant(ALICE, &asked), STATUS_FAILED_PRECONDITION);
}

static void
a_grant_to_an_edge_group_holds_while_the_edge_is_in_it(void **state)
{
	struct desk *desk = *state;
	Holdfast__Keyd__V1__RevokeRequest revoke;
	struct policy_permit permit;
	struct asked asked;

	grant_of(&asked, 1, "edge/@standard");
	assert_int_equal(grant(ALICE, &asked), STATUS_OK);
	assert_null(response()->approval);
	assert_string_equal(
	    response()->key->grants[0]->identity, "edge/@standard");
	assert_int_equal(desk_recorded("operator/alice|grant edge/@standard "
				       "tls13_server|done"),
	    1);
	assert_int_equal(may(desk, "fra-1", 1, &permit).code, STATUS_OK);
	assert_int_equal(
	    may(desk, "lab-1", 1, &permit).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    registry_set_group(desk->registry, "lab-1", "standard").code,
	    STATUS_OK);
	assert_int_equal(custody_publish_rules(desk->custody).code, STATUS_OK);
	assert_int_equal(may(desk, "lab-1", 1, &permit).code, STATUS_OK);

	holdfast__keyd__v1__revoke_request__init(&revoke);
	revoke.key_id = asked.request.key_id;
	revoke.identity = asked.request.identity;
	assert_int_equal(
	    desk_call(ALICE, "Keys/Revoke", &revoke.base), STATUS_OK);
	assert_int_equal(
	    may(desk, "fra-1", 1, &permit).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    may(desk, "lab-1", 1, &permit).code, STATUS_PERMISSION_DENIED);
}

static void
an_edge_group_that_the_pool_does_not_serve_takes_an_approval(void **state)
{
	struct desk *desk = *state;
	struct policy_permit permit;
	struct asked asked;

	grant_of(&asked, 1, "edge/@lab");
	assert_int_equal(grant(ALICE, &asked), STATUS_FAILED_PRECONDITION);
	assert_non_null(strstr(desk_why(), "--beyond-group"));
	asked.request.beyond_group = true;
	assert_int_equal(grant(ALICE, &asked), STATUS_OK);
	assert_non_null(response()->approval);
	assert_string_equal(response()->approval->act,
	    "grant edge/@lab on k1 beyond-group tls13_server");
	assert_int_equal(
	    may(desk, "lab-1", 1, &permit).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(vote(BOB, response()->approval->id), STATUS_OK);
	assert_int_equal(may(desk, "lab-1", 1, &permit).code, STATUS_OK);
	assert_int_equal(
	    may(desk, "fra-1", 1, &permit).code, STATUS_PERMISSION_DENIED);
}

static void
only_edges_are_granted_by_group(void **state)
{
	static const char *const wrong[] = { "operator/@standard",
		"certd/@standard", "edge/@", "edge/@stand*", "edge/@a b" };
	struct asked asked;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		grant_of(&asked, 1, wrong[i]);
		assert_int_equal(grant(ALICE, &asked), STATUS_INVALID_ARGUMENT);
		assert_non_null(strstr(desk_why(), "edge/@group"));
	}
	assert_int_equal(desk_records(), 0);
}

static void
certd_grants_its_keys_to_groups_that_the_pool_serves(void **state)
{
	struct desk *desk = *state;
	struct policy_permit permit;
	struct asked asked;

	grant_of(&asked, 2, "edge/@standard");
	assert_int_equal(grant(CERTD, &asked), STATUS_OK);
	assert_int_equal(may(desk, "fra-1", 2, &permit).code, STATUS_OK);
	grant_of(&asked, 1, "edge/@standard");
	assert_int_equal(grant(CERTD, &asked), STATUS_PERMISSION_DENIED);
	grant_of(&asked, 2, "edge/@lab");
	assert_int_equal(grant(CERTD, &asked), STATUS_FAILED_PRECONDITION);
	asked.request.beyond_group = true;
	assert_int_equal(grant(CERTD, &asked), STATUS_PERMISSION_DENIED);
	grant_of(&asked, 2, "edge/@standard");
	asked.context = JWS;
	assert_int_equal(grant(CERTD, &asked), STATUS_PERMISSION_DENIED);
}

static void
an_approved_grant_is_checked_again(void **state)
{
	struct desk *desk = *state;
	struct policy_permit permit;
	struct asked asked;
	struct key_id id;
	struct registry_grant raw = { .pattern = "operator/alice",
		.contexts = 1u << CONTEXT_RAW };
	const struct registry_target target = { .key = &id };

	grant_of(&asked, 1, "edge/lab-1");
	asked.request.beyond_group = true;
	assert_int_equal(grant(ALICE, &asked), STATUS_OK);
	/* Meanwhile the key signs raw, and can serve TLS no more. */
	memset(id.at, 1, KEY_ID_LEN);
	assert_int_equal(
	    registry_grant_add(desk->registry, &target, &raw, NULL).code,
	    STATUS_OK);
	(void)vote(BOB, response()->approval->id);
	assert_true(failed(may(desk, "lab-1", 1, &permit)));
	assert_int_equal(desk_recorded("operator/bob|grant edge/lab-1 "
				       "beyond-group tls13_server "
				       "approval=1|done"),
	    0);
}

static void
no_key_is_born_into_a_grant_that_took_an_approval(void **state)
{
	struct desk *desk = *state;
	struct registry_grant beyond = { .pattern = "edge/lab-1",
		.contexts = 1u << CONTEXT_TLS13_SERVER,
		.beyond_group = true };
	const struct registry_target target = { .group = "shop" };
	Holdfast__Keyd__V1__GenerateRequest request;

	assert_int_equal(
	    registry_grant_add(desk->registry, &target, &beyond, NULL).code,
	    STATUS_OK);
	holdfast__keyd__v1__generate_request__init(&request);
	request.algorithm =
	    HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_EC_P256;
	request.label = pb_text("new");
	request.group = pb_text("shop");
	assert_int_equal(desk_call(ALICE, "Keys/Generate", &request.base),
	    STATUS_FAILED_PRECONDITION);
	assert_int_equal(desk_records(), 0);
	/* Another group's grants are its own, so the record names the group. */
	request.group = pb_text("blog");
	assert_int_equal(desk_call(ALICE, "Keys/Generate", &request.base),
	    STATUS_UNIMPLEMENTED);
	assert_int_equal(desk_recorded("operator/alice|generate ec-p256 "
				       "label=new group=blog "
				       "pool=standard|asked"),
	    1);
}

static void
patterns_do_not_reach_past_the_pools_groups(void **state)
{
	struct desk *desk = *state;
	struct policy_permit permit;
	struct asked asked;

	grant_of(&asked, 1, "edge/*");
	assert_int_equal(grant(ALICE, &asked), STATUS_OK);
	assert_int_equal(may(desk, "fra-1", 1, &permit).code, STATUS_OK);
	assert_int_equal(
	    may(desk, "lab-1", 1, &permit).code, STATUS_PERMISSION_DENIED);
	asked.request.beyond_group = true;
	asked.request.identity = pb_text("operator/alice");
	assert_int_equal(grant(ALICE, &asked), STATUS_INVALID_ARGUMENT);
}

static void
certd_takes_acme_for_itself_and_never_beyond(void **state)
{
	struct asked asked;

	(void)state;
	grant_of(&asked, 2, "certd/main");
	asked.context = JWS;
	assert_int_equal(grant(CERTD, &asked), STATUS_OK);
	grant_of(&asked, 2, "edge/fra-1");
	asked.context = JWS;
	assert_int_equal(grant(CERTD, &asked), STATUS_PERMISSION_DENIED);
	grant_of(&asked, 2, "edge/lab-1");
	asked.request.beyond_group = true;
	assert_int_equal(grant(CERTD, &asked), STATUS_PERMISSION_DENIED);
	grant_of(&asked, 0, "edge/fra-1");
	asked.request.key_group = pb_text("shop");
	assert_int_equal(grant(CERTD, &asked), STATUS_PERMISSION_DENIED);
}

static void
whom_certd_asks_for_goes_on_record(void **state)
{
	Holdfast__Keyd__V1__ScheduleDestructionRequest schedule;
	Holdfast__Keyd__V1__GenerateRequest generate;
	Holdfast__Keyd__V1__SuspendKeyRequest suspend;
	Holdfast__Keyd__V1__RevokeRequest revoke;
	char acme[] = "account acme, user ann\xc3\xa9@example.com";
	struct asked asked;

	(void)state;
	grant_of(&asked, 2, "edge/@standard");
	asked.request.on_behalf_of = acme;
	assert_int_equal(grant(CERTD, &asked), STATUS_OK);
	assert_int_equal(
	    desk_recorded("certd/main|grant edge/@standard tls13_server|asked"
			  "|for account acme, user ann\xc3\xa9@example.com"),
	    1);
	assert_int_equal(
	    desk_recorded("certd/main|grant edge/@standard tls13_server|done"
			  "|for account acme, user ann\xc3\xa9@example.com"),
	    1);
	acme[strlen("account acme")] = 0;
	holdfast__keyd__v1__revoke_request__init(&revoke);
	revoke.key_id = asked.request.key_id;
	revoke.identity = asked.request.identity;
	revoke.on_behalf_of = acme;
	assert_int_equal(
	    desk_call(CERTD, "Keys/Revoke", &revoke.base), STATUS_OK);
	assert_int_equal(desk_recorded("certd/main|revoke edge/@standard|done"
				       "|for account acme"),
	    1);
	holdfast__keyd__v1__generate_request__init(&generate);
	generate.algorithm =
	    HOLDFAST__KEYD__V1__KEY_ALGORITHM__KEY_ALGORITHM_EC_P256;
	generate.label = pb_text("new");
	generate.on_behalf_of = acme;
	(void)desk_call(CERTD, "Keys/Generate", &generate.base);
	assert_int_equal(desk_recorded("certd/main|generate ec-p256 label=new "
				       "pool=standard|asked|for account acme"),
	    1);
	holdfast__keyd__v1__suspend_key_request__init(&suspend);
	suspend.key_id = asked.request.key_id;
	suspend.on_behalf_of = acme;
	assert_int_equal(
	    desk_call(CERTD, "Keys/Suspend", &suspend.base), STATUS_OK);
	assert_int_equal(desk_recorded("certd/main|suspend key k2|done"
				       "|for account acme"),
	    1);
	holdfast__keyd__v1__schedule_destruction_request__init(&schedule);
	schedule.key_id = asked.request.key_id;
	schedule.on_behalf_of = acme;
	assert_int_equal(
	    desk_call(CERTD, "Keys/ScheduleDestruction", &schedule.base),
	    STATUS_OK);
	assert_non_null(strstr(desk_record(desk_records() - 2),
	    "certd/main|ask for approval: destroy key k2"));
	assert_non_null(
	    strstr(desk_record(desk_records() - 2), "|asked|for account acme"));
}

static void
nobody_but_certd_asks_for_others_and_in_words_that_can_be_seen(void **state)
{
	Holdfast__Keyd__V1__ScheduleDestructionRequest schedule;
	char long_text[102], esc[] = "acme\x1b[2K", bidi[] = "a\xe2\x80\xaez",
			     broken[] = "acme\xff";
	char *const wrong[] = { long_text, esc, bidi, broken };
	struct asked asked;

	(void)state;
	memset(long_text, 'a', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = 0;
	grant_of(&asked, 2, "edge/fra-1");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		asked.request.on_behalf_of = wrong[i];
		assert_int_equal(grant(CERTD, &asked), STATUS_INVALID_ARGUMENT);
	}
	asked.request.on_behalf_of = pb_text("account acme");
	assert_int_equal(grant(ALICE, &asked), STATUS_INVALID_ARGUMENT);
	/* Nor by way of what waits for approval. */
	asked.request.beyond_group = true;
	assert_int_equal(grant(ALICE, &asked), STATUS_INVALID_ARGUMENT);
	holdfast__keyd__v1__schedule_destruction_request__init(&schedule);
	schedule.key_id = asked.request.key_id;
	schedule.on_behalf_of = pb_text("account acme");
	assert_int_equal(
	    desk_call(ALICE, "Keys/ScheduleDestruction", &schedule.base),
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(desk_records(), 0);
	long_text[100] = 0;
	asked.request.beyond_group = false;
	asked.request.on_behalf_of = long_text;
	assert_int_equal(grant(CERTD, &asked), STATUS_OK);
}

static void
a_grant_that_the_record_would_not_hold_is_refused(void **state)
{
	char edge[sizeof("edge/") + 63], group[64];
	struct desk *desk = *state;
	struct registry_grant grants[REGISTRY_GRANTS_MAX];
	struct asked asked;
	size_t n = 1;

	memset(edge, 'e', sizeof(edge));
	memcpy(edge, "edge/", strlen("edge/"));
	edge[sizeof(edge) - 1] = 0;
	memset(group, 'g', sizeof(group));
	group[sizeof(group) - 1] = 0;
	grant_of(&asked, 0, edge);
	asked.request.key_group = pb_text(group);
	assert_int_equal(grant(ALICE, &asked), STATUS_INVALID_ARGUMENT);
	asked.request.beyond_group = true;
	assert_int_equal(grant(ALICE, &asked), STATUS_INVALID_ARGUMENT);
	assert_int_equal(desk_records(), 0);
	assert_int_equal(
	    registry_group_grants(desk->registry, group, grants, &n).code,
	    STATUS_OK);
	assert_int_equal(n, 0);
	asked.request.beyond_group = false;
	asked.request.identity = pb_text("edge/e*");
	assert_int_equal(grant(ALICE, &asked), STATUS_OK);
}

/* The registry was changed, but the policy could not be made of it. */
static void
a_revocation_that_was_not_put_in_force_is_so_later(void **state)
{
	struct desk *desk = *state;
	struct registry_grant bad = { .pattern = "edge/bad",
		.contexts = 1u << 20 };
	struct key_id id;
	const struct registry_target target = { .key = &id };
	Holdfast__Keyd__V1__RevokeRequest revoke;
	struct policy_permit permit;
	struct asked asked;

	memset(id.at, 1, KEY_ID_LEN);
	grant_of(&asked, 1, "edge/fra-1");
	assert_int_equal(grant(ALICE, &asked), STATUS_OK);
	assert_int_equal(
	    registry_grant_add(desk->registry, &target, &bad, NULL).code,
	    STATUS_OK);
	holdfast__keyd__v1__revoke_request__init(&revoke);
	revoke.key_id = asked.request.key_id;
	revoke.identity = asked.request.identity;
	assert_int_equal(desk_call(ALICE, "Keys/Revoke", &revoke.base),
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    desk_call(ALICE, "Keys/Revoke", &revoke.base), STATUS_NOT_FOUND);
	assert_int_equal(custody_destroy_due(desk->custody, SELF).code,
	    STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    registry_grant_remove(desk->registry, &target, bad.pattern, 0).code,
	    STATUS_OK);
	assert_int_equal(
	    custody_destroy_due(desk->custody, SELF).code, STATUS_OK);
	assert_int_equal(
	    may(desk, "fra-1", 1, &permit).code, STATUS_PERMISSION_DENIED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_budget_is_granted_told_and_in_force),
		TEST(budgets_that_make_no_sense_are_refused),
		TEST(a_grant_names_a_key_or_a_group),
		TEST(a_grant_on_a_group_reaches_its_keys_and_is_taken_back),
		TEST(
		    an_edge_of_another_group_is_granted_nothing_by_one_operator_alone),
		TEST(a_grant_to_an_edge_group_holds_while_the_edge_is_in_it),
		TEST(
		    an_edge_group_that_the_pool_does_not_serve_takes_an_approval),
		TEST(only_edges_are_granted_by_group),
		TEST(certd_grants_its_keys_to_groups_that_the_pool_serves),
		TEST(an_approved_grant_is_checked_again),
		TEST(no_key_is_born_into_a_grant_that_took_an_approval),
		TEST(patterns_do_not_reach_past_the_pools_groups),
		TEST(certd_takes_acme_for_itself_and_never_beyond),
		TEST(whom_certd_asks_for_goes_on_record),
		TEST(
		    nobody_but_certd_asks_for_others_and_in_words_that_can_be_seen),
		TEST(a_grant_that_the_record_would_not_hold_is_refused),
		TEST(a_revocation_that_was_not_put_in_force_is_so_later),
	};

	return cmocka_run_group_tests_name("grants", tests, NULL, NULL);
}
