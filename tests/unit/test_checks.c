/* SPDX-License-Identifier: Apache-2.0 */

/* The checks, but for what web servers say, over the real store and scripted
 * DNS. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "certd/reach.h"
#include "certd/store_diagnoses.h"
#include "proto/message.h"
#include "tests/fake/dns_fake.h"
#include "tests/unit/checks_desk.h"

#define WWW "www.example.com"
#define EDGE "203.0.113.7" /* connected to by nobody */
#define N_A CHECK_NOT_APPLICABLE

static struct checks_desk at;

static int
set_up(void **state)
{
	(void)state;
	checks_desk_set_up(&at, "");
	dns_fake_add(at.shop_target, DNS_A, 300, EDGE);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	checks_desk_tear_down(&at);
	return 0;
}

static void
diagnose(void)
{
	checks_desk_run(&at, WWW, at.shop, 0, 0);
}

/* Before a change asks the CA; 0: which there is not yet. */
static bool
is_forbidden(int validation, const char *part)
{
	char why[PROBLEM_MAX] = "";

	checks_desk_run(&at, WWW, at.shop, 1, validation);
	if (!checks_forbid(at.report, why))
		return false;
	if (strstr(why, part) == NULL)
		fail_msg("%s\nnot: %s", why, part);
	return true;
}

/* ---- DNS ---- */

static void
a_cname_to_the_target_passes_and_each_hop_is_shown(void **state)
{
	(void)state;
	dns_fake_add(WWW, DNS_CNAME, 600, "alias.example.com");
	dns_fake_add("alias.example.com", DNS_CNAME, 30, at.shop_target);
	diagnose();
	checks_desk_expect(&at, "dns", WWW, CHECK_PASS,
	    "www.example.com CNAME alias.example.com (TTL 600 s), "
	    "alias.example.com CNAME shop-");
	checks_desk_expect(&at, "flattened", WWW, CHECK_PASS, "target");
	assert_non_null(strstr(
	    checks_desk_find(&at, "dns", WWW)->detail, "alias.example.com"));
}

static void
a_name_that_is_not_there_gets_the_line_to_add(void **state)
{
	char line[160];

	(void)state;
	diagnose();
	checks_desk_expect(&at, "dns", WWW, CHECK_FAIL, "NXDOMAIN");
	snprintf(
	    line, sizeof(line), "www.example.com.  CNAME  %s.", at.shop_target);
	checks_desk_expect(&at, "dns", WWW, CHECK_FAIL, line);
	assert_false(at.report->passed);
	assert_non_null(strstr(at.report->summary, "none is bound"));
	assert_non_null(strstr(at.report->summary, "more)"));
}

static void
a_name_without_address_is_told_apart_from_one_that_is_not_there(void **state)
{
	(void)state;
	dns_fake_add(WWW, DNS_TXT, 300, "hello");
	diagnose();
	checks_desk_expect(
	    &at, "dns", WWW, CHECK_FAIL, "neither CNAME nor address");
}

static void
the_top_of_a_zone_is_told_of_alias_records(void **state)
{
	int64_t top;

	(void)state;
	dns_fake_add("example.org", DNS_SOA, 300, "ns.example.org");
	top = desk_resource(
	    at.desk, at.desk->acme, "top", "example.org", MODE_ACME);
	checks_desk_run(&at, "example.org", top, 0, 0);
	checks_desk_expect(
	    &at, "dns", "example.org", CHECK_FAIL, "example.org.  ALIAS  top-");
}

static void
a_cname_into_nothing_dangles(void **state)
{
	(void)state;
	dns_fake_add(WWW, DNS_CNAME, 300, "gone.example.net");
	diagnose();
	checks_desk_expect(&at, "dns", WWW, CHECK_FAIL, "the CNAME dangles");
}

static void
cnames_in_a_circle_are_a_loop(void **state)
{
	(void)state;
	dns_fake_add(WWW, DNS_CNAME, 300, "b.example.com");
	dns_fake_add("b.example.com", DNS_CNAME, 300, WWW);
	diagnose();
	checks_desk_expect(&at, "dns", WWW, CHECK_FAIL, "in a circle");
}

static void
a_look_up_that_fails_names_the_servers_that_do_not_answer(void **state)
{
	(void)state;
	dns_fake_fail(WWW, DNS_SERVFAIL);
	dns_fake_zone(
	    "example.com", "ns1.example.com", "198.41.0.4:53", DNS_OK, true);
	dns_fake_zone(
	    "example.com", "ns2.example.com", "199.9.14.201:53", DNS_OK, false);
	dns_fake_zone("example.com", "ns3.example.com", "192.33.4.12:53",
	    DNS_REFUSED, false);
	diagnose();
	checks_desk_expect(&at, "dns", WWW, CHECK_FAIL, "SERVFAIL");
	checks_desk_expect(&at, "dns", WWW, CHECK_FAIL,
	    "ns2.example.com (199.9.14.201:53) does not answer for it (lame), "
	    "ns3.example.com (192.33.4.12:53) REFUSED");
	checks_desk_expect(&at, "dns", WWW, CHECK_FAIL, "2 of 3 servers");
}

static void
a_delegation_to_nobody_is_told_by_the_zone_above(void **state)
{
	(void)state;
	dns_fake_fail("www.lame.example.org", DNS_SERVFAIL);
	dns_fake_zone(
	    "example.org", "ns1.example.org", "198.41.0.4:53", DNS_OK, true);
	dns_fake_lame("lame.example.org");
	checks_desk_run(&at, "www.lame.example.org", at.shop, 0, 0);
	checks_desk_expect(&at, "dns", NULL, CHECK_FAIL,
	    "the zone above, example.org, answers, and the servers that it "
	    "names for lame.example.org do not (lame)");
}

static void
a_cname_to_somebody_else_fails(void **state)
{
	(void)state;
	dns_fake_add(WWW, DNS_CNAME, 300, "other.example.net");
	dns_fake_add("other.example.net", DNS_A, 300, "203.0.113.99");
	diagnose();
	checks_desk_expect(
	    &at, "dns", WWW, CHECK_FAIL, "leads to other.example.net");
	checks_desk_expect(&at, "flattened", WWW, N_A, "finding before");
}

static void
a_target_without_address_is_the_operators_to_mend(void **state)
{
	(void)state;
	dns_fake_reset();
	dns_fake_add(WWW, DNS_CNAME, 300, at.shop_target);
	diagnose();
	checks_desk_expect(
	    &at, "dns", WWW, CHECK_FAIL, "the operator puts into the zone");
}

static void
a_flattened_cname_is_a_warning(void **state)
{
	(void)state;
	dns_fake_add(WWW, DNS_A, 300, EDGE);
	diagnose();
	checks_desk_expect(
	    &at, "flattened", WWW, CHECK_WARNING, "a flattened CNAME");
	checks_desk_expect(&at, "dns", WWW, N_A, "no CNAME to shop-");
}

static void
addresses_that_are_not_the_targets_fail(void **state)
{
	(void)state;
	dns_fake_add(WWW, DNS_A, 300, EDGE);
	dns_fake_add(WWW, DNS_A, 300, "198.51.100.1");
	diagnose();
	checks_desk_expect(&at, "flattened", WWW, CHECK_FAIL, "198.51.100.1");
	checks_desk_expect(&at, "flattened", WWW, CHECK_FAIL, "some visitors");
}

static void
ipv6_that_leads_elsewhere_than_ipv4_fails(void **state)
{
	(void)state;
	dns_fake_add(WWW, DNS_A, 300, EDGE);
	dns_fake_add(WWW, DNS_AAAA, 300, "2001:db8::99");
	diagnose();
	checks_desk_expect(&at, "ipv6", WWW, CHECK_FAIL, "2001:db8::99");
	checks_desk_expect(
	    &at, "ipv6", WWW, CHECK_FAIL, "take the AAAA record");
	checks_desk_expect(&at, "flattened", WWW, CHECK_WARNING, EDGE);
}

static void
a_name_in_the_operators_zone_needs_no_cname(void **state)
{
	(void)state;
	checks_desk_run(&at, at.shop_target, at.shop, 0, 0);
	checks_desk_expect(&at, "dns", at.shop_target, CHECK_PASS, EDGE);
	checks_desk_expect(
	    &at, "flattened", at.shop_target, CHECK_PASS, "own zone");
}

static void
resolvers_that_differ_are_shown_each(void **state)
{
	const Holdfast__Certd__V1__Finding *finding;

	(void)state;
	checks_desk_tear_down(&at);
	checks_desk_set_up(
	    &at, "dns: {resolvers: [\"192.0.2.1:53\", \"192.0.2.2:53\"]}\n");
	dns_fake_add(at.shop_target, DNS_A, 300, EDGE);
	dns_fake_add(WWW, DNS_CNAME, 300, at.shop_target);
	dns_fake_differs("192.0.2.2:53", WWW, "old.example.net");
	diagnose();
	checks_desk_expect(&at, "dns", WWW, CHECK_WARNING, "resolvers differ");
	finding = checks_desk_find(&at, "dns", WWW);
	assert_non_null(strstr(finding->detail, "192.0.2.1"));
	assert_non_null(strstr(finding->detail, "192.0.2.2"));
	assert_non_null(strstr(finding->detail, "old.example.net"));
}

static void
what_foreign_dns_says_cannot_command_a_terminal(void **state)
{
	(void)state;
	dns_fake_add(WWW, DNS_CNAME, 300, "a\033[2Jb.example");
	diagnose();
	checks_desk_expect(&at, "dns", WWW, CHECK_FAIL, "a\\u001b[2Jb.example");
	for (size_t i = 0; i < at.report->n_findings; i++)
		assert_null(strchr(at.report->findings[i]->seen, 033));
}

/* ---- CAA ---- */

static void
caa_that_names_another_ca_gets_the_line_to_add(void **state)
{
	(void)state;
	dns_fake_add("example.com", DNS_CAA, 300, "0 issue \"ca.example\"");
	diagnose();
	checks_desk_expect(&at, "caa", WWW, CHECK_FAIL,
	    "example.com.  CAA  0 issue \"letsencrypt.org\"");
	at.ca_domain = "letsencrypt.org";
	assert_true(is_forbidden(VALIDATION_DNS_01_BY_HAND, "letsencrypt.org"));
	/* Any CA: which is asked is not known yet. */
	at.ca_domain = "";
	dns_fake_zone("example.com", "ns", "198.41.0.4:53", DNS_OK, true);
	assert_false(is_forbidden(VALIDATION_DNS_01_BY_HAND, ""));
}

static void
caa_that_names_the_second_ca_is_a_warning(void **state)
{
	(void)state;
	dns_fake_add("example.com", DNS_CAA, 300, "0 issue \"other.example\"");
	diagnose();
	checks_desk_expect(
	    &at, "caa", WWW, CHECK_WARNING, "authority other may");
}

static void
caa_that_names_the_ca_or_nobody_passes(void **state)
{
	(void)state;
	diagnose();
	checks_desk_expect(&at, "caa", WWW, CHECK_PASS, "any CA may");
	dns_fake_add(
	    "example.com", DNS_CAA, 300, "0 issue \"letsencrypt.org\"");
	diagnose();
	checks_desk_expect(&at, "caa", WWW, CHECK_PASS, "at example.com");
}

static void
a_wildcard_is_judged_by_issuewild(void **state)
{
	int64_t wild = desk_resource(
	    at.desk, at.desk->acme, "wild", "*.example.org", MODE_ACME);

	(void)state;
	dns_fake_add(
	    "example.org", DNS_CAA, 300, "0 issue \"letsencrypt.org\"");
	dns_fake_add("example.org", DNS_CAA, 300, "0 issuewild \"ca.example\"");
	checks_desk_run(&at, "*.example.org", wild, 0, 0);
	checks_desk_expect(&at, "caa", "*.example.org", CHECK_FAIL,
	    "example.org.  CAA  0 issuewild \"letsencrypt.org\"");
}

static void
a_caa_look_up_that_fails_is_a_no(void **state)
{
	(void)state;
	dns_fake_caa_fails(WWW);
	diagnose();
	checks_desk_expect(&at, "caa", WWW, CHECK_FAIL, "SERVFAIL");
}

/* ---- resources and certificates ---- */

static void
a_name_that_no_resource_has_is_told_how_to_get_one(void **state)
{
	(void)state;
	checks_desk_run(&at, "new.example.com", 0, 0, 0);
	checks_desk_expect(&at, "resource", "new.example.com", CHECK_FAIL,
	    "holdfast resource create NAME new.example.com");
	checks_desk_expect(&at, "certificate", NULL, N_A, "without a resource");
	checks_desk_expect(&at, "edges", NULL, N_A, "no resource");
}

static void
a_name_of_another_account_forbids_and_does_not_tell_whose(void **state)
{
	char why[PROBLEM_MAX];

	(void)state;
	desk_resource(
	    at.desk, at.desk->other, "secret", "*.example.org", MODE_PERSONAL);
	dns_fake_add("a.example.org", DNS_A, 300, EDGE);
	checks_desk_run(&at, "a.example.org", 0, 1, VALIDATION_DNS_01_BY_HAND);
	checks_desk_expect(
	    &at, "resource", "a.example.org", CHECK_FAIL, "ask the operator");
	assert_true(checks_forbid(at.report, why));
	for (size_t i = 0; i < at.report->n_findings; i++) {
		assert_null(strstr(at.report->findings[i]->seen, "secret"));
		assert_null(strstr(at.report->findings[i]->why, "other"));
	}
}

static void
plain_http_is_a_warning(void **state)
{
	(void)state;
	checks_desk_sql(&at, "UPDATE resource SET https = 0");
	diagnose();
	checks_desk_expect(&at, "resource", NULL, CHECK_WARNING, "--https on");
	checks_desk_expect(&at, "certificate", NULL, N_A, "HTTPS is off");
}

static void
a_certificate_is_described_and_its_faults_told(void **state)
{
	int64_t good = desk_certificate(at.desk,
	    (struct desk_certificate){ .hostnames = WWW, .is_at_keyd = true });

	(void)state;
	diagnose();
	checks_desk_expect(&at, "certificate", NULL, CHECK_FAIL, "none is");
	assert_int_equal(
	    desk_bind_one(at.desk, &desk_operator, at.shop, good).code,
	    STATUS_OK);
	diagnose();
	checks_desk_expect(&at, "certificate", NULL, CHECK_PASS, "valid to");
	checks_desk_sql(&at, "UPDATE certificate SET not_after_s = unixepoch() "
			     "+ 3 * 86400 + 99");
	diagnose();
	checks_desk_expect(
	    &at, "certificate", NULL, CHECK_WARNING, "in 3 days");
	checks_desk_sql(
	    &at, "UPDATE certificate SET not_after_s = unixepoch() - 86401");
	diagnose();
	checks_desk_expect(&at, "certificate", NULL, CHECK_FAIL, "1 days ago");
	checks_desk_sql(
	    &at, "UPDATE certificate_hostname SET name = 'else.where'");
	diagnose();
	checks_desk_expect(
	    &at, "certificate", NULL, CHECK_FAIL, "does not cover " WWW);
	checks_desk_sql(&at, "UPDATE key SET network = 'vault'");
	diagnose();
	checks_desk_expect(
	    &at, "certificate", NULL, CHECK_FAIL, "cannot sign with its key");
}

static void
enroll(const char *change)
{
	char sql[640];

	snprintf(sql, sizeof(sql),
	    "INSERT INTO enrollment (id, account, name, resource, common_name,"
	    " hostnames, network, alg, validation, dns_provider, authority,"
	    " profile, preferred_chain, stepwise, standby, contacts, state,"
	    " created_s, created_by) VALUES (5, %d, 'shop', %d, 'x', 'x',"
	    " 'standard', 1, 1, '', 'other', '', '', 0, 0, '', 1, 1, 'test')",
	    (int)at.desk->acme, (int)at.shop);
	checks_desk_sql(&at, sql);
	if (change != NULL)
		checks_desk_sql(&at, change);
}

static void
the_change_under_way_and_its_problem_are_told(void **state)
{
	(void)state;
	enroll("INSERT INTO change (id, enrollment, purpose, account, resource,"
	       " kind, hostnames, state, due_s, doing, problem, created_s,"
	       " created_by) VALUES (9, 5, 0, 1, 1, 1, '', 6, 1,"
	       " 'waits for the CA', 'the CA said no', 1, 'test')");
	diagnose();
	checks_desk_expect(
	    &at, "certificate", NULL, CHECK_FAIL, "being obtained by ACME");
	assert_non_null(strstr(at.report->findings[3]->seen,
	    "change 9 is under way: waits for the CA"));
	assert_non_null(strstr(at.report->findings[3]->why, "the CA said no"));
	/* The enrollment's CA is the one that CAA must let issue. */
	dns_fake_add("example.com", DNS_CAA, 300, "0 issue \"other.example\"");
	diagnose();
	checks_desk_expect(&at, "caa", WWW, CHECK_PASS, "other.example");
}

/* ---- dns-01 ---- */

static void
dns_01_needs_a_provider_that_has_the_name(void **state)
{
	(void)state;
	dns_fake_zone(
	    "example.com", "ns1.example.com", "198.41.0.4:53", DNS_OK, true);
	checks_desk_run(&at, WWW, at.shop, 0, VALIDATION_DNS_01);
	checks_desk_expect(&at, "dns-01", WWW, CHECK_FAIL,
	    "add a zone that holds _acme-challenge.www.example.com");
	checks_desk_expect(&at, "http-01", WWW, N_A, "by DNS");
	assert_true(is_forbidden(VALIDATION_DNS_01, "no provider"));
}

static void
dns_01_follows_the_cname_to_a_provider(void **state)
{
	(void)state;
	checks_desk_tear_down(&at);
	checks_desk_set_up(&at,
	    "dns: {providers: [{name: ours, type: rfc2136,"
	    " zones: [acme.example.net], server: \"127.0.0.1:53\"}]}\n");
	dns_fake_add(
	    "_acme-challenge." WWW, DNS_CNAME, 60, "x1.acme.example.net");
	dns_fake_zone("acme.example.net", "ns1.example.net", "198.41.0.4:53",
	    DNS_OK, true);
	dns_fake_zone("acme.example.net", "ns2.example.net", "192.33.4.12:53",
	    DNS_NO_ANSWER, false);
	checks_desk_run(&at, WWW, at.shop, 0, VALIDATION_DNS_01);
	checks_desk_expect(&at, "dns-01", WWW, CHECK_WARNING,
	    "_acme-challenge.www.example.com CNAME x1.acme.example.net; "
	    "provider ours has it; it is in zone acme.example.net with 2 "
	    "servers; no answer for the zone from ns2.example.net");
	/* A name without address can be validated by DNS. */
	assert_false(is_forbidden(VALIDATION_DNS_01, ""));
	checks_desk_expect(
	    &at, "dns", WWW, CHECK_WARNING, "neither CNAME nor address");
}

/* As certd/provider_access.h has it. */
static void
dns_01_looks_whom_a_provider_serves(void **state)
{
	(void)state;
	checks_desk_tear_down(&at);
	checks_desk_set_up(&at,
	    "dns: {providers: [{name: ours, type: rfc2136,"
	    " zones: [example.com, example.net], server: \"127.0.0.1:53\","
	    " delegation_zone: to.example.net}]}\n");
	dns_fake_zone(
	    "example.com", "ns1.example.com", "198.41.0.4:53", DNS_OK, true);
	dns_fake_zone(
	    "example.net", "ns1.example.net", "198.41.0.4:53", DNS_OK, true);
	enroll(NULL);
	checks_desk_run(&at, WWW, at.shop, 0, VALIDATION_DNS_01);
	checks_desk_expect(&at, "dns-01", WWW, CHECK_FAIL,
	    "provider ours has it, for others than account acme");
	checks_desk_expect(&at, "dns-01", WWW, CHECK_FAIL,
	    "_acme-challenge.www.example.com.  CNAME  LABEL.acme.to.example."
	    "net.");
	checks_desk_sql(&at, "UPDATE enrollment SET by_operator = 1");
	checks_desk_run(&at, WWW, at.shop, 0, VALIDATION_DNS_01);
	checks_desk_expect(
	    &at, "dns-01", WWW, CHECK_PASS, "provider ours has it");
	checks_desk_sql(&at, "UPDATE enrollment SET by_operator = 0");
	dns_fake_add(
	    "_acme-challenge." WWW, DNS_CNAME, 60, "www.acme.to.example.net");
	checks_desk_run(&at, WWW, at.shop, 0, VALIDATION_DNS_01);
	checks_desk_expect(
	    &at, "dns-01", WWW, CHECK_PASS, "provider ours has it");
}

static void
a_name_server_without_an_address_is_told(void **state)
{
	(void)state;
	dns_fake_zone(
	    "example.com", "ns1.example.com", "198.41.0.4:53", DNS_OK, true);
	dns_fake_zone("example.com", "ns2.example.com", "", DNS_OK, true);
	checks_desk_run(&at, WWW, at.shop, 0, VALIDATION_DNS_01_BY_HAND);
	checks_desk_expect(&at, "dns-01", WWW, CHECK_WARNING,
	    "no answer for the zone from ns2.example.com");
}

/* Whoever has a zone may point it at this network's own addresses. */
static void
a_name_server_at_a_private_address_is_not_asked(void **state)
{
	(void)state;
	dns_fake_zone(
	    "example.com", "ns1.example.com", "198.41.0.4:53", DNS_OK, true);
	dns_fake_zone("example.com", "ns2.example.com", "10.0.0.53:53",
	    DNS_NO_ANSWER, false);
	checks_desk_run(&at, WWW, at.shop, 0, VALIDATION_DNS_01_BY_HAND);
	checks_desk_expect(&at, "dns-01", WWW, CHECK_PASS,
	    "not asked, for its address is private: ns2.example.com");
}

/* As the solver puts it: at the name itself (certd/solver.c). */
static void
a_wildcards_cname_is_no_delegation(void **state)
{
	(void)state;
	checks_desk_tear_down(&at);
	checks_desk_set_up(&at,
	    "dns: {providers: [{name: ours, type: rfc2136,"
	    " zones: [Example.COM.], server: \"127.0.0.1:53\"}]}\n");
	dns_fake_add(
	    "_acme-challenge." WWW, DNS_CNAME, 60, "edge.cdn.example.net");
	dns_fake_add(
	    "_holdfast-none." WWW, DNS_CNAME, 60, "edge.cdn.example.net");
	dns_fake_zone(
	    "example.com", "ns1.example.com", "198.41.0.4:53", DNS_OK, true);
	assert_false(is_forbidden(VALIDATION_DNS_01, ""));
	checks_desk_expect(
	    &at, "dns-01", WWW, CHECK_PASS, "provider ours has it");
}

/* Its zones may be those of the names that were registered at it. */
static void
acme_dns_has_what_leads_out_of_its_zones(void **state)
{
	(void)state;
	checks_desk_tear_down(&at);
	checks_desk_set_up(&at,
	    "dns: {providers: [{name: registered, type: acme_dns,"
	    " zones: [example.com], url: \"https://auth.example.net\","
	    " credentials_file: /etc/certd/acme-dns.json}]}\n");
	dns_fake_add(
	    "_acme-challenge." WWW, DNS_CNAME, 60, "x1.auth.example.net");
	dns_fake_zone("auth.example.net", "ns1.example.net", "198.41.0.4:53",
	    DNS_OK, true);
	assert_false(is_forbidden(VALIDATION_DNS_01, ""));
	checks_desk_expect(
	    &at, "dns-01", WWW, CHECK_PASS, "provider registered has it");
}

static void
by_hand_is_told_where_the_record_goes(void **state)
{
	(void)state;
	dns_fake_zone(
	    "example.com", "ns1.example.com", "198.41.0.4:53", DNS_OK, true);
	checks_desk_run(&at, WWW, at.shop, 0, VALIDATION_DNS_01_BY_HAND);
	checks_desk_expect(&at, "dns-01", WWW, CHECK_PASS, "by hand");
}

static void
dns_persist_01_looks_for_its_record(void **state)
{
	(void)state;
	at.ca_domain = "letsencrypt.org";
	/* The CA is to be asked: what is to be put there is known then. */
	assert_false(is_forbidden(VALIDATION_DNS_PERSIST_01, ""));
	checks_desk_expect(&at, "dns-01", WWW, CHECK_WARNING,
	    "_validation-persist.www.example.com.  TXT  \"letsencrypt.org");
	dns_fake_add("_validation-persist." WWW, DNS_TXT, 60,
	    "letsencrypt.org; accounturi=https://x/1");
	assert_false(is_forbidden(VALIDATION_DNS_PERSIST_01, ""));
	checks_desk_expect(&at, "dns-01", WWW, CHECK_PASS, "accounturi");
}

/* ---- http-01, as far as nothing is connected to ---- */

static void
a_private_address_is_not_connected_to(void **state)
{
	(void)state;
	dns_fake_reset();
	dns_fake_add(WWW, DNS_CNAME, 300, at.shop_target);
	dns_fake_add(at.shop_target, DNS_A, 300, "10.1.2.3");
	assert_true(is_forbidden(VALIDATION_HTTP_01,
	    "10.1.2.3 is a private or reserved address; it was not connected "
	    "to"));
}

static void
a_failure_of_http_01_is_told_by_what_is_wrong_with_the_dns(void **state)
{
	(void)state;
	assert_true(is_forbidden(VALIDATION_HTTP_01, "NXDOMAIN"));
	checks_desk_expect(&at, "http-01", WWW, CHECK_FAIL, "no address");
}

static void
http_01_cannot_validate_a_wildcard(void **state)
{
	char why[PROBLEM_MAX];

	(void)state;
	checks_desk_run(&at, "*.example.org", 0, 1, VALIDATION_HTTP_01);
	assert_true(checks_forbid(at.report, why));
	checks_desk_expect(
	    &at, "http-01", "*.example.org", CHECK_FAIL, "choose validation");
}

static void
only_addresses_of_the_internet_are_public(void **state)
{
	static const char *const PRIVATE[] = { "0.0.0.0", "10.0.0.1",
		"100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.169.254",
		"172.16.0.1", "172.31.255.255", "192.0.0.1", "192.168.1.1",
		"198.18.0.1", "198.19.255.255", "224.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:8.8.8.8", "64:ff9b::a00:1", "fe80::1",
		"fc00::1", "ff02::1", "2001:db8::1", "2002:a00:1::1",
		"2001:0:1::1", "3fff::1", "localhost", "", "1.2.3", "8.8.8.8:1",
		"[2606:4700::1]", "fe80::1%lo" };
	static const char *const PUBLIC[] = { "1.1.1.1", "8.8.8.8", "9.255.0.1",
		"11.0.0.1", "100.63.0.1", "100.128.0.1", "172.15.0.1",
		"172.32.0.1", "198.17.0.1", "198.20.0.1", "223.255.255.254",
		"2606:4700::1", "2001:4860::1", "2a00::1", "3ffe::1" };

	(void)state;
	for (size_t i = 0; i < sizeof(PRIVATE) / sizeof(PRIVATE[0]); i++)
		if (reach_is_public(PRIVATE[i]))
			fail_msg("%s is not public", PRIVATE[i]);
	for (size_t i = 0; i < sizeof(PUBLIC) / sizeof(PUBLIC[0]); i++)
		if (!reach_is_public(PUBLIC[i]))
			fail_msg("%s is public", PUBLIC[i]);
}

/* ---- edges ---- */

static void
put_edge(int id, const char *name, int seen_ago_s, const char *site)
{
	char sql[512];

	snprintf(sql, sizeof(sql),
	    "INSERT INTO edge (id, name, edge_group, first_s, last_seen_s)"
	    " VALUES (%d, '%s', 'web', 1, unixepoch() - %d)",
	    id, name, seen_ago_s);
	checks_desk_sql(&at, sql);
	if (site == NULL)
		return;
	snprintf(sql, sizeof(sql),
	    "INSERT INTO edge_site (edge, resource, at_s, applied_version,"
	    " served_version, problem, http_probed, http_problem)"
	    " VALUES (%d, %d, 1, %s)",
	    id, (int)at.shop, site);
	checks_desk_sql(&at, sql);
}

static void
every_edge_is_shown_with_what_it_has(void **state)
{
	static const char FRA[] = "fra-1: heard of ";
	const Holdfast__Certd__V1__Finding *finding;
	const char *heard;
	char good[64];

	(void)state;
	diagnose();
	checks_desk_expect(&at, "edges", NULL, CHECK_FAIL, "no live edge");
	snprintf(good, sizeof(good), "%d, %d, '', 1, ''", 99, 99);
	put_edge(1, "fra-1", 5, good);
	put_edge(2, "gone-1", 4000, NULL);
	diagnose();
	checks_desk_expect(
	    &at, "edges", NULL, CHECK_PASS, "in place at 1 of 1 live edges");
	checks_desk_expect(&at, "edges", NULL, CHECK_PASS, "gone-1");
	checks_desk_expect(
	    &at, "edges-http-01", NULL, CHECK_PASS, "1 of 1 live edges");
	put_edge(3, "ams-1", 5, "99, 0, 'www: connection refused', 1, ''");
	put_edge(4, "par-1", 5, "99, 99, '', 1, 'www: 404'");
	diagnose();
	checks_desk_expect(
	    &at, "edges", NULL, CHECK_FAIL, "ams-1: www: connection refused");
	checks_desk_expect(
	    &at, "edges-http-01", NULL, CHECK_FAIL, "par-1: www: 404");
	finding = checks_desk_find(&at, "edges", NULL);
	heard = strstr(finding->detail, FRA);
	assert_non_null(heard);
	assert_in_range(strtol(heard + strlen(FRA), NULL, 10), 5, 59);
	assert_non_null(strstr(heard, " s ago"));
	assert_non_null(strstr(finding->detail, "ams-1: "));
}

static void
an_edge_that_is_behind_fails_once_the_change_is_old(void **state)
{
	(void)state;
	put_edge(1, "fra-1", 5, "0, 0, '', 0, ''");
	diagnose();
	checks_desk_expect(&at, "edges", NULL, CHECK_WARNING, "spreading");
	checks_desk_sql(
	    &at, "UPDATE resource SET changed_s = changed_s - 7300");
	diagnose();
	checks_desk_expect(&at, "edges", NULL, CHECK_FAIL, "behind: fra-1");
	checks_desk_expect(&at, "edges", NULL, CHECK_FAIL, "changed 2 h ago");
}

/* ---- reports ---- */

static void
a_report_is_kept_as_it_was_given(void **state)
{
	Holdfast__Certd__V1__Diagnosis *kept = NULL;
	struct db_tx *tx;

	(void)state;
	diagnose();
	assert_true(at.report->id > 0);
	assert_string_equal(at.report->account, "acme");
	assert_int_equal(store_read(at.desk->store, &tx).code, STATUS_OK);
	assert_int_equal(
	    store_diagnoses_find(tx, &desk_bob, at.report->id, &kept).code,
	    STATUS_NOT_FOUND);
	assert_int_equal(
	    store_diagnoses_find(tx, &desk_alice, at.report->id, &kept).code,
	    STATUS_OK);
	db_end(tx);
	assert_int_equal(kept->id, at.report->id);
	assert_int_equal(kept->n_findings, at.report->n_findings);
	assert_string_equal(kept->summary, at.report->summary);
	message_free(&kept->base);
}

static void
old_reports_go_when_new_ones_come(void **state)
{
	(void)state;
	diagnose();
	checks_desk_sql(&at, "UPDATE diagnosis SET at_s = at_s - 91 * 86400");
	diagnose();
	assert_int_equal(
	    desk_number(at.desk, "SELECT count(*) FROM diagnosis"), 1);
	checks_desk_sql(&at,
	    "UPDATE sqlite_sequence SET seq = 200000 WHERE name = 'diagnosis'");
	diagnose();
	assert_int_equal(
	    desk_number(at.desk, "SELECT count(*) FROM diagnosis"), 1);
}

static void
many_names_are_looked_at_at_once(void **state)
{
	char names[4096] = "";
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names),
		    "%sn%u.example.com", i == 0 ? "" : " ", i);
	checks_desk_run(&at, names, at.shop, 0, 0);
	for (size_t i = 0; i < at.report->n_findings; i++)
		n += strcmp(at.report->findings[i]->check, "dns") == 0;
	assert_int_equal(n, 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_cname_to_the_target_passes_and_each_hop_is_shown),
		TEST(a_name_that_is_not_there_gets_the_line_to_add),
		TEST(
		    a_name_without_address_is_told_apart_from_one_that_is_not_there),
		TEST(the_top_of_a_zone_is_told_of_alias_records),
		TEST(a_cname_into_nothing_dangles),
		TEST(cnames_in_a_circle_are_a_loop),
		TEST(a_look_up_that_fails_names_the_servers_that_do_not_answer),
		TEST(a_delegation_to_nobody_is_told_by_the_zone_above),
		TEST(a_cname_to_somebody_else_fails),
		TEST(a_target_without_address_is_the_operators_to_mend),
		TEST(a_flattened_cname_is_a_warning),
		TEST(addresses_that_are_not_the_targets_fail),
		TEST(ipv6_that_leads_elsewhere_than_ipv4_fails),
		TEST(a_name_in_the_operators_zone_needs_no_cname),
		TEST(resolvers_that_differ_are_shown_each),
		TEST(what_foreign_dns_says_cannot_command_a_terminal),
		TEST(caa_that_names_another_ca_gets_the_line_to_add),
		TEST(caa_that_names_the_second_ca_is_a_warning),
		TEST(caa_that_names_the_ca_or_nobody_passes),
		TEST(a_wildcard_is_judged_by_issuewild),
		TEST(a_caa_look_up_that_fails_is_a_no),
		TEST(a_name_that_no_resource_has_is_told_how_to_get_one),
		TEST(a_name_of_another_account_forbids_and_does_not_tell_whose),
		TEST(plain_http_is_a_warning),
		TEST(a_certificate_is_described_and_its_faults_told),
		TEST(the_change_under_way_and_its_problem_are_told),
		TEST(dns_01_needs_a_provider_that_has_the_name),
		TEST(dns_01_follows_the_cname_to_a_provider),
		TEST(dns_01_looks_whom_a_provider_serves),
		TEST(a_name_server_without_an_address_is_told),
		TEST(a_name_server_at_a_private_address_is_not_asked),
		TEST(a_wildcards_cname_is_no_delegation),
		TEST(acme_dns_has_what_leads_out_of_its_zones),
		TEST(by_hand_is_told_where_the_record_goes),
		TEST(dns_persist_01_looks_for_its_record),
		TEST(a_private_address_is_not_connected_to),
		TEST(
		    a_failure_of_http_01_is_told_by_what_is_wrong_with_the_dns),
		TEST(http_01_cannot_validate_a_wildcard),
		cmocka_unit_test(only_addresses_of_the_internet_are_public),
		TEST(every_edge_is_shown_with_what_it_has),
		TEST(an_edge_that_is_behind_fails_once_the_change_is_old),
		TEST(a_report_is_kept_as_it_was_given),
		TEST(old_reports_go_when_new_ones_come),
		TEST(many_names_are_looked_at_at_once),
	};

	return cmocka_run_group_tests_name("checks", tests, NULL, NULL);
}
