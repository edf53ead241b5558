/* SPDX-License-Identifier: Apache-2.0 */

/* The role table: what each role may call, and that all else is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "keyd/roles.h"
#include "proto/holdfast/keyd/v1/identity.pb-c.h"
#include "proto/holdfast/keyd/v1/keys.pb-c.h"
#include "proto/holdfast/keyd/v1/signer.pb-c.h"
#include "proto/holdfast/keyd/v1/status.pb-c.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define SIGN "/holdfast.keyd.v1.Signer/SignStream"
#define LIST "/holdfast.keyd.v1.Keys/List"
#define LIST_GRANTS "/holdfast.keyd.v1.Keys/ListGrants"
#define GENERATE "/holdfast.keyd.v1.Keys/Generate"
#define GRANT "/holdfast.keyd.v1.Keys/Grant"
#define INVITE "/holdfast.keyd.v1.Identity/Invite"
#define IDENTITIES "/holdfast.keyd.v1.Identity/List"
#define QUARANTINE "/holdfast.keyd.v1.Identity/Quarantine"
#define SET_GROUP "/holdfast.keyd.v1.Identity/SetGroup"
#define RENEW "/holdfast.keyd.v1.Identity/Renew"
#define STATUS_GET "/holdfast.keyd.v1.Status/Get"
#define ENROLL "/holdfast.keyd.v1.Enrollment/Enroll"
#define HEALTH "/grpc.health.v1.Health/Check"
#define REFLECTION                                                             \
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

static struct roles roles = { .domain = "holdfast.test" };

static struct status
ask(const char *spiffe_id, const char *method)
{
	const struct rpc_peer peer = { .spiffe_id = spiffe_id,
		.address = "ipv4:127.0.0.1:1",
		.not_after_s = clock_wall_s() + 3600 };

	return roles_authorize(&roles, &peer, method);
}

static void
an_edge_signs_and_renews_and_manages_nothing(void **state)
{
	static const char edge[] = "spiffe://holdfast.test/edge/fra-1";

	(void)state;
	assert_int_equal(ask(edge, SIGN).code, STATUS_OK);
	assert_int_equal(ask(edge, RENEW).code, STATUS_OK);
	assert_int_equal(ask(edge, LIST).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(ask(edge, LIST_GRANTS).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(ask(edge, GENERATE).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(ask(edge, GRANT).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(ask(edge, INVITE).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(ask(edge, STATUS_GET).code, STATUS_PERMISSION_DENIED);
}

static void
an_auditor_looks_and_changes_nothing(void **state)
{
	static const char auditor[] = "spiffe://holdfast.test/auditor/eve";

	(void)state;
	assert_int_equal(ask(auditor, LIST).code, STATUS_OK);
	assert_int_equal(ask(auditor, LIST_GRANTS).code, STATUS_OK);
	assert_int_equal(ask(auditor, STATUS_GET).code, STATUS_OK);
	assert_int_equal(ask(auditor, SIGN).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(ask(auditor, GENERATE).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(ask(auditor, GRANT).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(ask(auditor, INVITE).code, STATUS_PERMISSION_DENIED);
}

static void
certd_looks_and_stops_edges_and_lets_nobody_in(void **state)
{
	static const char certd[] = "spiffe://holdfast.test/certd/one";
	static const char *const LOOKS[] = { STATUS_GET,
		"/holdfast.keyd.v1.Status/Signing",
		"/holdfast.keyd.v1.Audit/Describe",
		"/holdfast.keyd.v1.Audit/Entries",
		"/holdfast.keyd.v1.Audit/Prove",
		"/holdfast.keyd.v1.Keys/Dossier" };
	static const char *const NEVER[] = {
		"/holdfast.keyd.v1.Identity/Release",
		"/holdfast.keyd.v1.Audit/Cosign",
		"/holdfast.keyd.v1.Audit/RotateKey",
		"/holdfast.keyd.v1.Keys/Resume",
		"/holdfast.keyd.v1.Keys/CancelDestruction",
		"/holdfast.keyd.v1.Approvals/Vote"
	};

	(void)state;
	assert_int_equal(ask(certd, IDENTITIES).code, STATUS_OK);
	assert_int_equal(ask(certd, INVITE).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(ask(certd, SET_GROUP).code, STATUS_PERMISSION_DENIED);
	for (size_t i = 0; i < LEN(LOOKS); i++)
		assert_int_equal(ask(certd, LOOKS[i]).code, STATUS_OK);
	/* Of whom, authority_members.c decides. */
	assert_int_equal(ask(certd, QUARANTINE).code, STATUS_OK);
	for (size_t i = 0; i < LEN(NEVER); i++)
		assert_int_equal(
		    ask(certd, NEVER[i]).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    ask("spiffe://holdfast.test/auditor/eve", IDENTITIES).code,
	    STATUS_OK);
	assert_int_equal(
	    ask("spiffe://holdfast.test/edge/fra-1", IDENTITIES).code,
	    STATUS_PERMISSION_DENIED);
}

static void
only_operators_invite(void **state)
{
	(void)state;
	for (int role = ROLE_NONE; role < ROLE_END_; role++)
		assert_int_equal(role_may_call((enum role)role, INVITE),
		    role == ROLE_OPERATOR);
}

static void
health_and_reflection_are_for_every_role(void **state)
{
	(void)state;
	for (int role = ROLE_NONE + 1; role < ROLE_END_; role++) {
		assert_true(role_may_call((enum role)role, HEALTH));
		assert_true(role_may_call((enum role)role, REFLECTION));
	}
}

static void
a_method_that_the_table_does_not_name_is_refused_to_all(void **state)
{
	static const char *const methods[] = { "", "/",
		"/holdfast.keyd.v1.Keys/Destroy", "/holdfast.keyd.v1.Keys/",
		"/holdfast.keyd.v1.Keys/List/", "holdfast.keyd.v1.Keys/List",
		"/HOLDFAST.keyd.v1.Keys/List", "/grpc.health.v1.Health/List",
		"/grpc.channelz.v1.Channelz/GetServers" };

	(void)state;
	for (size_t m = 0; m < LEN(methods); m++)
		for (int role = -1; role <= ROLE_END_; role++)
			assert_false(
			    role_may_call((enum role)role, methods[m]));
}

static void
every_method_that_is_served_has_its_row(void **state)
{
	static const ProtobufCServiceDescriptor *const services[] = {
		&holdfast__keyd__v1__signer__descriptor,
		&holdfast__keyd__v1__keys__descriptor,
		&holdfast__keyd__v1__identity__descriptor,
		&holdfast__keyd__v1__status__descriptor,
		&holdfast__keyd__v1__enrollment__descriptor,
	};
	char method[128];

	(void)state;
	for (size_t s = 0; s < LEN(services); s++)
		for (unsigned m = 0; m < services[s]->n_methods; m++) {
			bool is_open = false;

			snprintf(method, sizeof(method), "/%s/%s",
			    services[s]->name, services[s]->methods[m].name);
			for (int role = 0; role < ROLE_END_; role++)
				is_open |=
				    role_may_call((enum role)role, method);
			assert_true(is_open);
		}
}

static void
another_trust_domain_is_not_known_here(void **state)
{
	static const char *const strangers[] = {
		"spiffe://holdfast.tesT/operator/alice",
		"spiffe://other.test/operator/alice",
		"spiffe://sub.holdfast.test/operator/alice", "operator/alice",
		"spiffe://holdfast.test/root/alice",
		"spiffe://holdfast.test/operator/alice/x", ""
	};

	(void)state;
	assert_int_equal(
	    ask("spiffe://holdfast.test/operator/alice", GENERATE).code,
	    STATUS_OK);
	for (size_t i = 0; i < LEN(strangers); i++) {
		assert_int_equal(
		    ask(strangers[i], GENERATE).code, STATUS_UNAUTHENTICATED);
		assert_int_equal(
		    ask(strangers[i], HEALTH).code, STATUS_UNAUTHENTICATED);
	}
}

static void
a_certificate_that_expired_on_an_open_connection_ends_its_rights(void **state)
{
	const struct rpc_peer peer = {
		.spiffe_id = "spiffe://holdfast.test/operator/alice",
		.address = "ipv4:127.0.0.1:1",
		.not_after_s = clock_wall_s() - 1
	};

	(void)state;
	assert_int_equal(roles_authorize(&roles, &peer, GENERATE).code,
	    STATUS_UNAUTHENTICATED);
}

static void
a_newcomer_may_enroll_and_nothing_else(void **state)
{
	const struct rpc_peer nobody = { .spiffe_id = "",
		.address = "ipv4:127.0.0.1:1" };
	static const char *const others[] = { SIGN, LIST, GENERATE, GRANT,
		INVITE, RENEW, STATUS_GET, REFLECTION };

	(void)state;
	assert_int_equal(
	    roles_authorize_newcomer(&roles, &nobody, ENROLL).code, STATUS_OK);
	assert_int_equal(
	    roles_authorize_newcomer(&roles, &nobody, HEALTH).code, STATUS_OK);
	for (size_t i = 0; i < LEN(others); i++)
		assert_int_equal(
		    roles_authorize_newcomer(&roles, &nobody, others[i]).code,
		    STATUS_PERMISSION_DENIED);
	for (int role = ROLE_NONE + 1; role < ROLE_END_; role++)
		assert_false(role_may_call((enum role)role, ENROLL));
}

static void
a_quarantined_identity_is_left_its_health_checks(void **state)
{
	static const struct policy_member out = { ROLE_OPERATOR, "mallory" };
	const struct policy_rules rules = { .quarantined = &out,
		.n_quarantined = 1 };
	static const char mallory[] = "spiffe://holdfast.test/operator/mallory";
	static const char alice[] = "spiffe://holdfast.test/operator/alice";
	struct policy_draft *draft = NULL;

	(void)state;
	roles.policy = policy_slot_new();
	assert_non_null(roles.policy);
	assert_int_equal(ask(mallory, LIST).code, STATUS_OK);
	assert_false(failed(policy_draft_new(NULL, &draft)));
	assert_false(failed(policy_draft_rules(draft, &rules)));
	policy_slot_swap(roles.policy, policy_draft_done(draft));
	assert_int_equal(ask(mallory, LIST).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(ask(mallory, SIGN).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(ask(mallory, RENEW).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    ask(mallory, REFLECTION).code, STATUS_PERMISSION_DENIED);
	assert_int_equal(ask(mallory, HEALTH).code, STATUS_OK);
	assert_int_equal(ask(alice, LIST).code, STATUS_OK);
	policy_slot_free(roles.policy);
	roles.policy = NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_edge_signs_and_renews_and_manages_nothing),
		cmocka_unit_test(an_auditor_looks_and_changes_nothing),
		cmocka_unit_test(
		    certd_looks_and_stops_edges_and_lets_nobody_in),
		cmocka_unit_test(only_operators_invite),
		cmocka_unit_test(health_and_reflection_are_for_every_role),
		cmocka_unit_test(
		    a_method_that_the_table_does_not_name_is_refused_to_all),
		cmocka_unit_test(every_method_that_is_served_has_its_row),
		cmocka_unit_test(another_trust_domain_is_not_known_here),
		cmocka_unit_test(
		    a_certificate_that_expired_on_an_open_connection_ends_its_rights),
		cmocka_unit_test(a_newcomer_may_enroll_and_nothing_else),
		cmocka_unit_test(
		    a_quarantined_identity_is_left_its_health_checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
