/* SPDX-License-Identifier: Apache-2.0 */

/* The table of methods: every method against every role and scope, and who is
 * let in by gRPC before a byte is parsed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "certd/accounts.h"
#include "certd/grpc_port.h"
#include "certd/report.h"
#include "proto/holdfast/certd/v1/accounts.pb-c.h"
#include "proto/holdfast/certd/v1/status.pb-c.h"
#include "proto/message.h"
#include "tests/unit/certd_desk.h"

#define PACKAGE "/holdfast.certd.v1."
#define LEN(a) (sizeof(a) / sizeof((a)[0]))
/* A message with all fields at their defaults. */
#define NEW(type, lower)                                                       \
	__extension__({                                                        \
		Holdfast__Certd__V1__##type new_;                              \
		holdfast__certd__v1__##lower##__init(&new_);                   \
		new_;                                                          \
	})

#define O ALLOW_OPERATOR
#define A ALLOW_AUDITOR
#define ADM ALLOW_ADMINISTRATOR
#define ENG ALLOW_ENGINEER
#define VIEW ALLOW_VIEWER
#define AUD ALLOW_ACCOUNT_AUDITOR
#define EDGE ALLOW_EDGE

static const unsigned ALL[] = { O, A, ADM, ENG, VIEW, AUD, EDGE };

/* Who may call what, written down a second time. */
static const struct {
	const char *method;
	unsigned may;
	unsigned scope;
} EXPECTED[] = {
	{ "Accounts/Create", O, SCOPE_ACCOUNT_WRITE },
	{ "Accounts/List", O | A | ADM | ENG | VIEW | AUD, SCOPE_ACCOUNT_READ },
	{ "Accounts/Get", O | A | ADM | ENG | VIEW | AUD, SCOPE_ACCOUNT_READ },
	{ "Accounts/Update", O, SCOPE_ACCOUNT_WRITE },
	{ "Accounts/Delete", O, SCOPE_ACCOUNT_WRITE },
	{ "Users/Create", O | ADM, SCOPE_ACCOUNT_WRITE },
	{ "Users/List", O | A | ADM | AUD, SCOPE_ACCOUNT_READ },
	{ "Users/Get", O | A | ADM | AUD, SCOPE_ACCOUNT_READ },
	{ "Users/Update", O | ADM, SCOPE_ACCOUNT_WRITE },
	{ "Users/Delete", O | ADM, SCOPE_ACCOUNT_WRITE },
	{ "Tokens/Create", O | ADM, SCOPE_ACCOUNT_WRITE },
	{ "Tokens/List", O | A | ADM | AUD, SCOPE_ACCOUNT_READ },
	{ "Tokens/Revoke", O | ADM, SCOPE_ACCOUNT_WRITE },
	{ "Contacts/Create", O | ADM, SCOPE_ACCOUNT_WRITE },
	{ "Contacts/List", O | A | ADM | AUD, SCOPE_ACCOUNT_READ },
	{ "Contacts/Update", O | ADM, SCOPE_ACCOUNT_WRITE },
	{ "Contacts/Delete", O | ADM, SCOPE_ACCOUNT_WRITE },
	{ "Status/Get", O | A, 0 },
	{ "Status/History", O | A | ADM | AUD, SCOPE_ACCOUNT_READ },
};

static struct report *report;

static int
set_up(void **state)
{
	struct report_config config = { .identity = "spiffe://x/certd/one" };
	struct desk *desk;

	assert_int_equal(certd_desk_set_up(state), 0);
	desk = *state;
	config.store = desk->store;
	assert_int_equal(
	    accounts_register(desk->store, desk->api).code, STATUS_OK);
	assert_int_equal(report_new(&config, &report).code, STATUS_OK);
	assert_int_equal(report_register(report, desk->api).code, STATUS_OK);
	return 0;
}

static int
tear_down(void **state)
{
	report_free(report);
	return certd_desk_tear_down(state);
}

static void
print_path(size_t i, char path[128])
{
	snprintf(path, 128, PACKAGE "%s", EXPECTED[i].method);
}

static void
every_method_is_for_the_roles_written_down_and_no_other(void **state)
{
	struct desk *desk = *state;

	assert_int_equal(api_count(desk->api), LEN(EXPECTED));
	for (size_t i = 0; i < LEN(EXPECTED); i++) {
		const struct api_method *method;
		char path[128];

		print_path(i, path);
		method = api_find(desk->api, path);
		assert_non_null(method);
		for (size_t r = 0; r < LEN(ALL); r++) {
			const struct caller caller = { .is = ALL[r] };
			struct status st = api_allows(method, &caller);

			if ((EXPECTED[i].may & ALL[r]) != 0) {
				assert_int_equal(st.code, STATUS_OK);
				continue;
			}
			assert_int_equal(st.code, STATUS_PERMISSION_DENIED);
			assert_non_null(strstr(st.why, "this takes"));
		}
	}
}

static void
a_token_needs_the_scope_of_the_method_unless_it_has_none(void **state)
{
	struct desk *desk = *state;

	for (size_t i = 0; i < LEN(EXPECTED); i++) {
		const struct api_method *method;
		struct caller caller = { .is = ADM };
		char path[128];

		if ((EXPECTED[i].may & ADM) == 0)
			continue;
		print_path(i, path);
		method = api_find(desk->api, path);
		for (unsigned scope = SCOPE_CERTIFICATES_READ;
		     scope <= SCOPE_ACCOUNT_WRITE; scope <<= 1) {
			caller.scopes = scope;
			assert_int_equal(api_allows(method, &caller).code,
			    scope == EXPECTED[i].scope
				? STATUS_OK
				: STATUS_PERMISSION_DENIED);
		}
		caller.scopes = 0;
		assert_int_equal(api_allows(method, &caller).code, STATUS_OK);
	}
}

static void
a_caller_who_may_not_never_reaches_the_method(void **state)
{
	const Holdfast__Certd__V1__CreateAccountRequest request = {
		PROTOBUF_C_MESSAGE_INIT(
		    &holdfast__certd__v1__create_account_request__descriptor),
		.name = (char[]){ "new" }, .title = (char[]){ "" }
	};
	struct desk *desk = *state;
	struct caller caller = certd_desk_token(desk->acme, ADM);
	ProtobufCMessage *reply = NULL;

	assert_int_equal(
	    certd_desk_ask(desk, &caller, "Accounts/Create", &request, &reply)
		.code,
	    STATUS_PERMISSION_DENIED);
	assert_null(reply);
	assert_int_equal(
	    certd_desk_count(desk, "SELECT count(*) FROM account"), 2);
}

/* ---- by gRPC ---- */

static struct rpc_peer
peer_of(const char *id)
{
	return (struct rpc_peer){ .spiffe_id = id,
		.address = "ipv4:127.0.0.1:1",
		.not_after_s = clock_wall_s() + 60 };
}

static enum status_code
authorize(struct desk *desk, const char *id, const char *method)
{
	const struct grpc_port_config port = { .api = desk->api,
		.domain = "x" };
	const struct rpc_peer peer = peer_of(id);

	return grpc_port_authorize(&port, &peer, method).code;
}

static void
by_grpc_a_member_is_let_in_by_its_role_before_anything_is_parsed(void **state)
{
	struct desk *desk = *state;

	assert_int_equal(
	    api_add_stream(desk->api, PACKAGE "Edges/Watch", EDGE).code,
	    STATUS_OK);
	for (size_t i = 0; i < LEN(EXPECTED); i++) {
		char path[128];

		print_path(i, path);
		assert_int_equal(
		    authorize(desk, "spiffe://x/operator/admin", path),
		    STATUS_OK);
		assert_int_equal(
		    authorize(desk, "spiffe://x/auditor/eve", path),
		    (EXPECTED[i].may & A) != 0 ? STATUS_OK
					       : STATUS_PERMISSION_DENIED);
		assert_int_equal(authorize(desk, "spiffe://x/edge/fra-1", path),
		    STATUS_PERMISSION_DENIED);
		assert_int_equal(authorize(desk, "spiffe://x/certd/one", path),
		    STATUS_PERMISSION_DENIED);
		assert_int_equal(authorize(desk, "spiffe://x/keyd/keyd", path),
		    STATUS_PERMISSION_DENIED);
	}
	assert_int_equal(
	    authorize(desk, "spiffe://x/edge/fra-1", PACKAGE "Edges/Watch"),
	    STATUS_OK);
	assert_int_equal(
	    authorize(desk, "spiffe://x/operator/a", PACKAGE "Edges/Watch"),
	    STATUS_PERMISSION_DENIED);
	assert_int_equal(
	    authorize(desk, "spiffe://x/operator/a", PACKAGE "Edges/Steal"),
	    STATUS_PERMISSION_DENIED);
}

static void
health_and_reflection_are_for_members_who_have_business_here(void **state)
{
	static const char *const METHODS[] = { "/grpc.health.v1.Health/Check",
		"/grpc.health.v1.Health/Watch",
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
		("/grpc.reflection.v1alpha.ServerReflection/"
		 "ServerReflectionInfo") };
	struct desk *desk = *state;

	for (size_t i = 0; i < LEN(METHODS); i++) {
		assert_int_equal(
		    authorize(desk, "spiffe://x/edge/fra-1", METHODS[i]),
		    STATUS_OK);
		assert_int_equal(
		    authorize(desk, "spiffe://x/auditor/eve", METHODS[i]),
		    STATUS_OK);
		assert_int_equal(
		    authorize(desk, "spiffe://x/certd/one", METHODS[i]),
		    STATUS_PERMISSION_DENIED);
	}
}

static struct status
admits_all_but_bob(void *ctx, const struct caller *caller)
{
	unsigned *asked = ctx;

	*asked += 1;
	return strcmp(caller->actor, "operator/bob") == 0
		   ? status_fail(STATUS_PERMISSION_DENIED, "not Bob")
		   : status_ok();
}

static void
who_is_not_let_in_is_heard_by_no_method_and_by_no_health_service(void **state)
{
	static const char *const METHODS[] = { PACKAGE "Accounts/List",
		PACKAGE "Nothing/There", "/grpc.health.v1.Health/Check" };
	struct desk *desk = *state;
	unsigned asked = 0;
	const struct grpc_port_config port = { .api = desk->api,
		.domain = "x",
		.admits = admits_all_but_bob,
		.admits_ctx = &asked };
	struct rpc_peer bob = peer_of("spiffe://x/operator/bob");
	const struct rpc_peer admin = peer_of("spiffe://x/operator/admin");

	for (size_t i = 0; i < LEN(METHODS); i++) {
		struct status st = grpc_port_authorize(&port, &bob, METHODS[i]);

		assert_int_equal(st.code, STATUS_PERMISSION_DENIED);
		assert_string_equal(st.why, "not Bob");
	}
	assert_int_equal(
	    grpc_port_authorize(&port, &admin, METHODS[0]).code, STATUS_OK);
	assert_int_equal(asked, 4);
	/* Who is not of ours is not asked about. */
	bob.spiffe_id = "spiffe://y/operator/bob";
	assert_int_equal(grpc_port_authorize(&port, &bob, METHODS[0]).code,
	    STATUS_UNAUTHENTICATED);
	assert_int_equal(asked, 4);
}

static void
foreign_domains_and_expired_certificates_are_unauthenticated(void **state)
{
	struct desk *desk = *state;
	const struct grpc_port_config port = { .api = desk->api,
		.domain = "x" };
	struct rpc_peer peer = peer_of("spiffe://x/operator/admin");

	assert_int_equal(authorize(desk, "spiffe://y/operator/admin",
			     PACKAGE "Accounts/List"),
	    STATUS_UNAUTHENTICATED);
	assert_int_equal(authorize(desk, "", PACKAGE "Accounts/List"),
	    STATUS_UNAUTHENTICATED);
	peer.not_after_s = clock_wall_s();
	assert_int_equal(
	    grpc_port_authorize(&port, &peer, PACKAGE "Accounts/List").code,
	    STATUS_UNAUTHENTICATED);
}

static void
an_operator_sees_all_accounts_and_is_named_in_what_is_done(void **state)
{
	const struct rpc_peer peer = peer_of("spiffe://x/operator/admin");
	struct caller caller;

	(void)state;
	assert_int_equal(grpc_port_caller(&peer, "x", &caller).code, STATUS_OK);
	assert_true(caller_sees_all(&caller));
	assert_int_equal(caller.is, ALLOW_OPERATOR);
	assert_string_equal(caller.actor, "operator/admin");
	assert_int_equal(caller.not_after_s, peer.not_after_s);
}

/* ---- the table itself ---- */

static void
a_method_is_added_once_and_only_to_its_service(void **state)
{
	const struct api_method odd = {
		.service = &holdfast__certd__v1__accounts__descriptor,
		.name = "Steal",
	};
	struct desk *desk = *state;

	assert_int_not_equal(api_add(desk->api, &odd, 1, NULL).code, STATUS_OK);
	assert_int_equal(api_add(desk->api, api_at(desk->api, 0), 1, NULL).code,
	    STATUS_ALREADY_EXISTS);
	assert_null(api_find(desk->api, PACKAGE "Accounts/Steal"));
}

static void
requests_are_counted_by_method_and_code(void **state)
{
	Holdfast__Certd__V1__GetStatusRequest request =
	    NEW(GetStatusRequest, get_status_request);
	struct desk *desk = *state;
	struct caller who = certd_desk_operator();
	struct metrics *metrics = metrics_new();
	ProtobufCMessage *reply = NULL;
	char *page;
	size_t len;

	api_measure(desk->api, metrics);
	assert_int_equal(
	    certd_desk_ask(desk, &who, "Status/Get", &request, &reply).code,
	    STATUS_OK);
	message_free(reply);
	who.is = EDGE;
	assert_int_equal(
	    certd_desk_ask(desk, &who, "Status/Get", &request, &reply).code,
	    STATUS_PERMISSION_DENIED);
	page = metrics_render(metrics, &len);
	assert_non_null(strstr(page, "certd_requests_total{method=\"" PACKAGE
				     "Status/Get\",code=\"OK\"} 1\n"));
	assert_non_null(
	    strstr(page, "certd_requests_total{method=\"" PACKAGE
			 "Status/Get\",code=\"PERMISSION_DENIED\"} 1\n"));
	free(page);
	metrics_free(metrics);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(every_method_is_for_the_roles_written_down_and_no_other),
		TEST(a_token_needs_the_scope_of_the_method_unless_it_has_none),
		TEST(a_caller_who_may_not_never_reaches_the_method),
		TEST(
		    by_grpc_a_member_is_let_in_by_its_role_before_anything_is_parsed),
		TEST(
		    health_and_reflection_are_for_members_who_have_business_here),
		TEST(
		    who_is_not_let_in_is_heard_by_no_method_and_by_no_health_service),
		TEST(
		    foreign_domains_and_expired_certificates_are_unauthenticated),
		TEST(
		    an_operator_sees_all_accounts_and_is_named_in_what_is_done),
		TEST(a_method_is_added_once_and_only_to_its_service),
		TEST(requests_are_counted_by_method_and_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
