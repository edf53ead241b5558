/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/resolver.h"
#include "tests/unit/dns_fake.h"
#include "tests/unit/named_desk.h"

/*
 * Two real servers: the first is the resolver too; the second has one zone, and
 * is behind.  named listens on no 127.0.0.2 that is not configured, so that
 * somebody stands there who passes on to the second, at the first's port.
 */

#define TWO_NS                                                                 \
	"@ IN NS ns1\n@ IN NS ns2\nns1 IN A 127.0.0.1\nns2 IN A 127.0.0.2\n"

static const struct named_zone zones[] = {
	{ .name = ".", .records = "" },
	{ .name = "example.org",
	    .ns = TWO_NS,
	    .records = "@ IN CAA 0 issue \"ca.example\"\n"
		       "@ IN CAA 0 issuewild \";\"\n"
		       "sub IN CAA 128 issue \"other.example; account=7\"\n"
		       "alias.sub IN CNAME target.example.net.\n"
		       "toempty.sub IN CNAME www.example.net.\n"
		       "a IN CNAME b\n"
		       "b IN CNAME c.example.net.\n"
		       "loop1 IN CNAME loop2\n"
		       "loop2 IN CNAME loop1\n"
		       "dangling IN CNAME nowhere.example.net.\n"
		       "broken IN CNAME www.broken.example.\n"
		       "first IN TXT \"value1\"\n"
		       "both IN TXT \"value1\"\n"
		       "both IN TXT \"value\" \"2\"\n"
		       "moved IN TXT \"value1\"\n" },
	{ .name = "child.example.org", .records = "www IN A 192.0.2.9\n" },
	{ .name = "example.net",
	    .records = "c 77 IN A 192.0.2.3\n"
		       "c IN AAAA 2001:db8::3\n"
		       "www IN A 192.0.2.4\n"
		       "target IN CAA 0 issue \"target.example\"\n"
		       "text IN TXT \"no address\"\n" },
	{ .name = "lame.example",
	    .ns = "@ IN NS ns1\n@ IN NS ns2\n@ IN NS ns3\n"
		  "@ IN NS ns.nowhere.example.net.\n"
		  "ns1 IN A 127.0.0.1\nns2 IN A 127.0.0.2\n"
		  "ns3 IN A 127.0.0.3\n",
	    .records = "www IN TXT \"value1\"\n" },
	/* Nothing is sent to a broadcast address without asking for it, so it
	 * is like one of a family that this machine has no route for. */
	{ .name = "half.example",
	    .ns = "@ IN NS ns1\nns1 IN A 127.0.0.1\nns1 IN A 255.255.255.255\n",
	    .records = "www IN TXT \"value1\"\n" },
	{ .name = "away.example",
	    .ns = "@ IN NS ns1\nns1 IN A 255.255.255.255\n",
	    .records = "www IN TXT \"value1\"\n" },
	{ .name = "broken.example", .records = "www IN A not-an-address\n" },
};
static const struct named_zone behind[] = {
	{ .name = "example.org",
	    .ns = TWO_NS,
	    .records = "both IN TXT \"value1\"\n"
		       "both IN TXT \"value2\"\n"
		       "moved IN CNAME elsewhere.example.net.\n"
		       "old IN TXT \"yesterday's\"\n" },
};

static struct named_desk *first, *behind_desk;
static struct dns_fake *second;
static struct dns_resolver *resolver;
static char why[DNS_WHY_MAX];

static size_t
pass_on(const uint8_t *question, size_t len, int is_tcp, uint8_t *ret_answer,
    size_t max)
{
	(void)is_tcp;
	return dns_fake_pass_on(
	    named_desk_address(behind_desk), question, len, ret_answer, max);
}

static int
begin(void **state)
{
	struct named_config config = { .port = named_desk_port(),
		.zones = zones,
		.n_zones = sizeof(zones) / sizeof(zones[0]) };
	struct dns_resolver_config of = { .n_servers = 1,
		.timeout_ms = 2000,
		.authoritative_port = (uint16_t)config.port };
	const char *servers[1];
	struct status st;

	(void)state;
	first = named_desk_new(&config);
	config.port = named_desk_port();
	config.zones = behind;
	config.n_zones = 1;
	behind_desk = named_desk_new(&config);
	second = dns_fake_new_at("127.0.0.2", of.authoritative_port, pass_on);
	servers[0] = named_desk_address(first);
	of.servers = servers;
	st = dns_resolver_new(&of, &resolver);
	return failed(st) ? -1 : 0;
}

static int
end(void **state)
{
	(void)state;
	dns_resolver_free(resolver);
	named_desk_free(first);
	dns_fake_free(second);
	named_desk_free(behind_desk);
	return 0;
}

/* --- Chains -----------------------------------------------------------------
 */

static struct dns_chain
chain_of(const char *name)
{
	static struct dns_chain chain;
	struct status st = dns_chain(resolver, &name, 1, &chain);

	assert_int_equal(st.code, STATUS_OK);
	return chain;
}

static void
each_hop_to_an_address_is_shown_with_its_ttl(void **state)
{
	struct dns_chain chain = chain_of("A.example.org.");

	(void)state;
	assert_int_equal(chain.end, DNS_CHAIN_ADDRESS);
	assert_int_equal(chain.code, DNS_OK);
	assert_int_equal(chain.n_hops, 3);
	assert_string_equal(chain.hops[0], "a.example.org");
	assert_string_equal(chain.hops[1], "b.example.org");
	assert_string_equal(chain.hops[2], "c.example.net");
	assert_int_equal(chain.ttls_s[0], 60);
	assert_int_equal(chain.n_addresses, 2);
	assert_string_equal(chain.addresses[0], "192.0.2.3");
	assert_string_equal(chain.addresses[1], "2001:db8::3");
}

static void
chains_that_end_otherwise_say_how(void **state)
{
	static const char *const names[] = { "loop1.example.org",
		"dangling.example.org", "text.example.net",
		"nobody.example.org", "broken.example.org" };
	static struct dns_chain chains[5];
	struct status st = dns_chain(resolver, names, 5, chains);

	(void)state;
	assert_int_equal(st.code, STATUS_OK);
	assert_int_equal(chains[0].end, DNS_CHAIN_LOOP);
	assert_int_equal(chains[0].n_hops, 3);
	assert_string_equal(chains[0].hops[2], "loop1.example.org");
	assert_int_equal(chains[1].end, DNS_CHAIN_NXDOMAIN);
	assert_string_equal(chains[1].hops[1], "nowhere.example.net");
	assert_int_equal(chains[2].end, DNS_CHAIN_NOTHING);
	assert_int_equal(chains[2].n_hops, 1);
	assert_int_equal(chains[3].end, DNS_CHAIN_NXDOMAIN);
	assert_int_equal(chains[4].end, DNS_CHAIN_FAILED);
	assert_int_equal(chains[4].code, DNS_SERVFAIL);
	assert_int_equal(chains[4].n_hops, 2);
	assert_string_equal(chains[4].hops[1], "www.broken.example");
}

/* --- Zones ------------------------------------------------------------------
 */

static void
the_closest_zone_and_its_servers_are_found(void **state)
{
	static struct dns_zone zone;
	struct status st =
	    dns_find_zone(resolver, "x.y.Both.example.org", &zone, why);

	(void)state;
	assert_int_equal(st.code, STATUS_OK);
	assert_string_equal(zone.name, "example.org");
	assert_int_equal(zone.n_servers, 2);
	for (size_t i = 0; i < 2; i++) {
		bool is_first =
		    strcmp(zone.servers[i].name, "ns1.example.org") == 0;

		assert_string_equal(zone.servers[i].address,
		    is_first ? named_desk_address(first)
			     : dns_fake_address(second));
	}
	st = dns_find_zone(resolver, "www.child.example.org", &zone, why);
	assert_int_equal(st.code, STATUS_OK);
	assert_string_equal(zone.name, "child.example.org");
	st = dns_find_zone(resolver, "nobody.knows", &zone, why);
	assert_int_equal(st.code, STATUS_OK);
	assert_string_equal(zone.name, ".");
}

static void
a_zone_that_cannot_be_looked_up_is_not_guessed(void **state)
{
	static struct dns_zone zone;
	struct status st =
	    dns_find_zone(resolver, "www.broken.example", &zone, why);

	(void)state;
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(why, "SOA www.broken.example: SERVFAIL"));
	assert_string_equal(zone.name, "");
	st = dns_find_zone(resolver, "a..b", &zone, why);
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	assert_string_not_equal(why, "");
}

/* --- TXT everywhere ---------------------------------------------------------
 */

static size_t
have(const char *name, const char *value, size_t n_servers)
{
	size_t n = 0, n_have = 99;
	struct status st =
	    dns_txt_everywhere(resolver, name, value, &n, &n_have, why);

	if (failed(st))
		fail_msg("%s", why);
	assert_int_equal(n, n_servers);
	assert_int_equal(n_have == n, why[0] == 0);
	return n_have;
}

static void
a_record_is_there_when_every_server_has_it(void **state)
{
	(void)state;
	assert_int_equal(have("both.example.org", "value1", 2), 2);
	assert_int_equal(have("both.example.org", "value2", 2), 2);
}

static void
a_server_that_is_behind_is_named_with_what_it_has(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(have("first.example.org", "value1", 2), 1);
	(void)!snprintf(text, sizeof(text), "ns2.example.org (%s) has no TXT",
	    dns_fake_address(second));
	assert_non_null(strstr(why, text));
	assert_non_null(strstr(why, "1 of 2 authoritative servers of "));
	assert_int_equal(have("both.example.org", "value3", 2), 0);
	assert_non_null(strstr(why, "has \"value"));
	assert_int_equal(have("moved.example.org", "value1", 2), 1);
	assert_non_null(strstr(why, "has a CNAME to elsewhere.example.net"));
}

static void
lame_unreachable_and_nameless_servers_have_it_not(void **state)
{
	(void)state;
	assert_int_equal(have("www.lame.example", "value1", 4), 1);
	assert_non_null(strstr(why, "REFUSED"));
	assert_non_null(strstr(why, "no answer"));
	assert_non_null(strstr(why, "has no address"));
}

static void
addresses_without_a_way_to_them_do_not_count(void **state)
{
	size_t n, n_have;
	struct status st;

	(void)state;
	assert_int_equal(have("www.half.example", "value1", 1), 1);
	st = dns_txt_everywhere(
	    resolver, "www.away.example", "value1", &n, &n_have, why);
	assert_int_equal(st.code, STATUS_UNAVAILABLE);
	assert_non_null(strstr(why, "no route"));
}

/* --- CAA --------------------------------------------------------------------
 */

static struct dns_caa *
caa_of(const char *name)
{
	static struct dns_caa caa;
	struct status st = dns_find_caa(resolver, name, &caa, why);

	if (failed(st))
		fail_msg("%s", why);
	return &caa;
}

static void
the_closest_caa_records_count(void **state)
{
	const struct dns_caa *caa = caa_of("www.example.org");

	(void)state;
	assert_string_equal(caa->at, "example.org");
	assert_int_equal(caa->n_records, 2);
	assert_true(dns_caa_allows(caa, "ca.example", false));
	assert_false(dns_caa_allows(caa, "ca.example", true));
	caa = caa_of("*.x.y.sub.example.org");
	assert_string_equal(caa->at, "sub.example.org");
	assert_int_equal(caa->n_records, 1);
	assert_true(caa->records[0].is_critical);
	assert_string_equal(caa->records[0].tag, "issue");
	assert_string_equal(caa->records[0].value, "other.example; account=7");
	assert_true(dns_caa_allows(caa, "other.example", true));
	assert_false(dns_caa_allows(caa, "ca.example", false));
}

static void
caa_records_at_the_end_of_a_cname_count(void **state)
{
	const struct dns_caa *caa = caa_of("alias.sub.example.org");

	(void)state;
	assert_string_equal(caa->at, "alias.sub.example.org");
	assert_true(dns_caa_allows(caa, "target.example", false));
	assert_false(dns_caa_allows(caa, "other.example", false));
	/* From a target without any it goes on above the name, not above the
	 * target. */
	caa = caa_of("toempty.sub.example.org");
	assert_string_equal(caa->at, "sub.example.org");
}

static void
names_without_caa_up_to_the_root_have_none(void **state)
{
	const struct dns_caa *caa = caa_of("www.example.net");

	(void)state;
	assert_string_equal(caa->at, "");
	assert_int_equal(caa->n_records, 0);
	assert_true(dns_caa_allows(caa, "anyone.example", true));
}

/* --- By hand ----------------------------------------------------------------
 */

static void
an_authoritative_answer_is_told_from_a_resolvers(void **state)
{
	const struct dns_question questions[] = {
		{ "old.example.org", DNS_TXT, dns_fake_address(second) },
		{ "old.example.org", DNS_TXT, NULL },
	};
	struct dns_answer answers[2];
	struct status st = dns_ask(resolver, questions, 2, answers);

	(void)state;
	assert_int_equal(st.code, STATUS_OK);
	assert_int_equal(answers[0].code, DNS_OK);
	assert_true(answers[0].is_authoritative);
	assert_string_equal(answers[0].server, dns_fake_address(second));
	assert_string_equal(answers[0].records[0].text, "yesterday's");
	assert_int_equal(answers[1].code, DNS_NXDOMAIN);
	dns_answer_done(&answers[0]);
	dns_answer_done(&answers[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_hop_to_an_address_is_shown_with_its_ttl),
		cmocka_unit_test(chains_that_end_otherwise_say_how),
		cmocka_unit_test(the_closest_zone_and_its_servers_are_found),
		cmocka_unit_test(
		    a_zone_that_cannot_be_looked_up_is_not_guessed),
		cmocka_unit_test(a_record_is_there_when_every_server_has_it),
		cmocka_unit_test(
		    a_server_that_is_behind_is_named_with_what_it_has),
		cmocka_unit_test(
		    lame_unreachable_and_nameless_servers_have_it_not),
		cmocka_unit_test(addresses_without_a_way_to_them_do_not_count),
		cmocka_unit_test(the_closest_caa_records_count),
		cmocka_unit_test(caa_records_at_the_end_of_a_cname_count),
		cmocka_unit_test(names_without_caa_up_to_the_root_have_none),
		cmocka_unit_test(
		    an_authoritative_answer_is_told_from_a_resolvers),
	};

	if (!named_desk_is_there()) {
		print_message("skipped: BIND (named) is not installed\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, begin, end);
}
