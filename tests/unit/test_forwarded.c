/* SPDX-License-Identifier: Apache-2.0 */

/* Whom a request is from: who is trusted, and what both headers say. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "certd/forwarded.h"

/* As long as no address is. */
#define TEN "1111111111"
#define LONG TEN TEN TEN TEN TEN TEN TEN TEN TEN

static struct forwarded_trust trust;

static int
set_up(void **state)
{
	(void)state;
	memset(&trust, 0, sizeof(trust));
	assert_true(forwarded_trust_add(&trust, "127.0.0.1"));
	assert_true(forwarded_trust_add(&trust, "10.1.0.0/16"));
	assert_true(forwarded_trust_add(&trust, "2001:db8:1::/48"));
	return 0;
}

static union address
address_of(const char *text)
{
	union address address;

	memset(&address, 0, sizeof(address));
	if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1)
		address.any.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &address.v6.sin6_addr) == 1)
		address.any.sa_family = AF_INET6;
	else
		fail_msg("%s", text);
	return address;
}

static bool
trusts(const char *text)
{
	union address address = address_of(text);

	return forwarded_trusts(&trust, &address);
}

/* ---- one request of the proxy 127.0.0.1, or of another peer ---- */

static struct forwarded request;

static void
begin(enum forwarded_header header, const char *peer)
{
	union address address = address_of(peer);

	forwarded_init(&request, &trust, header, &address.any);
}

static const char *
client(void)
{
	static char text[INET6_ADDRSTRLEN];
	const union address *address = forwarded_client(&request);

	assert_non_null(inet_ntop(address->any.sa_family,
	    address->any.sa_family == AF_INET
		? (const void *)&address->v4.sin_addr
		: (const void *)&address->v6.sin6_addr,
	    text, sizeof(text)));
	return text;
}

/* Who sends it when the proxy says that. */
static const char *
by_x(const char *value)
{
	begin(FORWARDED_X, "127.0.0.1");
	forwarded_take(&request, "x-forwarded-for", value);
	return client();
}

static const char *
by_forwarded(const char *value)
{
	begin(FORWARDED_RFC7239, "127.0.0.1");
	forwarded_take(&request, "forwarded", value);
	return client();
}

/* ---- tests ---- */

static void
networks_are_trusted_by_their_prefix_and_families_apart(void **state)
{
	(void)state;
	assert_true(trusts("127.0.0.1"));
	assert_false(trusts("127.0.0.2"));
	assert_true(trusts("10.1.255.255"));
	assert_false(trusts("10.2.0.0"));
	assert_true(trusts("2001:db8:1:ffff::1"));
	assert_false(trusts("2001:db8:2::1"));
	assert_true(forwarded_trust_add(&trust, "192.0.2.128/25"));
	assert_true(trusts("192.0.2.200"));
	assert_false(trusts("192.0.2.100"));
	/* IPv4 addresses have such a prefix when they are written as IPv6. */
	assert_true(forwarded_trust_add(&trust, "::/16"));
	assert_true(trusts("::1"));
	assert_false(trusts("203.0.113.7"));
	assert_true(forwarded_trust_add(&trust, "::ffff:198.51.100.0/120"));
	assert_true(trusts("198.51.100.9"));
	assert_false(trusts("198.51.101.9"));
}

static void
what_is_no_network_or_all_there_is_is_trusted_by_nobody(void **state)
{
	static const char *const BAD[] = { "", "localhost", "10.0.0.0/", "/8",
		"10.0.0.0/33", "10.0.0.0/-8", "10.0.0.0/ 8", "10.0.0.0/8/8",
		"10.0.0.1/8", "10.0.0.0/0", "0.0.0.0/0", "::/0",
		"::ffff:0.0.0.0/96", "2001:db8::/129", "2001:db8::1/64",
		"[::1]", "127.0.0.1:80", "010.0.0.1", "10.0.0.0/0008",
		"2001:db8:1111:2222:3333:4444:5555:6666:7777:8888/64" };
	size_t n = trust.n;

	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
		if (forwarded_trust_add(&trust, BAD[i]))
			fail_msg("%s", BAD[i]);
	assert_int_equal(trust.n, n);
	while (trust.n < FORWARDED_TRUST_MAX)
		assert_true(forwarded_trust_add(&trust, "192.0.2.1"));
	assert_false(forwarded_trust_add(&trust, "192.0.2.1"));
}

static void
the_last_one_that_is_no_proxy_is_the_client(void **state)
{
	(void)state;
	assert_string_equal(by_x("203.0.113.7"), "203.0.113.7");
	assert_string_equal(by_x("198.51.100.1, 203.0.113.7"), "203.0.113.7");
	assert_string_equal(
	    by_x("198.51.100.1,203.0.113.7 ,10.1.2.3,127.0.0.1"),
	    "203.0.113.7");
	assert_string_equal(
	    by_x("10.1.2.3, 203.0.113.7, 2001:db8:1::5"), "203.0.113.7");
	/* All are: the first. */
	assert_string_equal(by_x("10.1.2.3, 10.1.2.4"), "10.1.2.3");
	/* A line of its own, behind those that were there. */
	(void)by_x("198.51.100.1");
	forwarded_take(&request, "X-Forwarded-For", "203.0.113.7");
	assert_string_equal(client(), "203.0.113.7");
	forwarded_take(&request, "X-Forwarded-For", "10.1.2.3");
	assert_string_equal(client(), "203.0.113.7");
}

static void
addresses_are_read_with_brackets_ports_and_as_ipv4(void **state)
{
	static const char *const NODES[][2] = {
		{ "203.0.113.7:65535", "203.0.113.7" },
		{ "2001:db8::7", "2001:db8::7" },
		{ "[2001:db8::7]", "2001:db8::7" },
		{ "[2001:DB8::7]:80", "2001:db8::7" },
		{ "::ffff:203.0.113.7", "203.0.113.7" },
		{ "[::ffff:203.0.113.7]:1", "203.0.113.7" },
	};
	char quoted[64];

	(void)state;
	for (size_t i = 0; i < sizeof(NODES) / sizeof(NODES[0]); i++) {
		assert_string_equal(by_x(NODES[i][0]), NODES[i][1]);
		snprintf(quoted, sizeof(quoted), "for=\"%s\"", NODES[i][0]);
		assert_string_equal(by_forwarded(quoted), NODES[i][1]);
		snprintf(quoted, sizeof(quoted), "For=%s", NODES[i][0]);
		assert_string_equal(by_forwarded(quoted), NODES[i][1]);
	}
	assert_string_equal(
	    by_forwarded("for=\"203.0.113.7:_port.1\""), "203.0.113.7");
}

static void
garbage_where_the_client_would_stand_leaves_the_proxys_own(void **state)
{
	static const char *const BAD[] = { "unknown", "_hidden", "localhost",
		"203.0.113.7:", "203.0.113.7:port", "203.0.113.7:123456",
		"203.0.113.7:-1", "203.0.113.7 198.51.100.1", "203.0.113",
		"203.0.113.007", "[203.0.113.7]", "[2001:db8::7",
		"2001:db8::7]", "[2001:db8::7]80", "fe80::1%lo",
		"\"203.0.113.7\"", "203.0.113.7;", "[]", ":", "[", LONG };
	char value[160];

	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		snprintf(value, sizeof(value), "198.51.100.1, %s", BAD[i]);
		assert_string_equal(by_x(value), "127.0.0.1");
		/* Behind a proxy of ours, too; but not before a client. */
		snprintf(value, sizeof(value), "%s, 10.1.2.3", BAD[i]);
		assert_string_equal(by_x(value), "127.0.0.1");
		snprintf(value, sizeof(value), "%s, 203.0.113.7", BAD[i]);
		assert_string_equal(by_x(value), "203.0.113.7");
	}
	assert_string_equal(by_x(""), "127.0.0.1");
	assert_string_equal(by_x(" , ,, "), "127.0.0.1");
	assert_string_equal(by_x(", 203.0.113.7,"), "203.0.113.7");
}

/* What a client writes first, a proxy may put its own behind. */
static void
nobody_hides_behind_a_line_that_is_long(void **state)
{
	static char made_up[12001], value[sizeof(made_up) + 64];

	(void)state;
	memset(made_up, 'x', sizeof(made_up) - 1);
	snprintf(value, sizeof(value), "%s, 203.0.113.7", made_up);
	assert_string_equal(by_x(value), "203.0.113.7");
	snprintf(value, sizeof(value), "for=%s, for=203.0.113.7;proto=https",
	    made_up);
	assert_string_equal(by_forwarded(value), "203.0.113.7");
	assert_true(forwarded_is_https(&request));
}

static void
elements_have_pairs_in_any_order_and_quotes(void **state)
{
	(void)state;
	assert_string_equal(
	    by_forwarded("for=192.0.2.60;proto=http;by=203.0.113.43"),
	    "192.0.2.60");
	assert_string_equal(
	    by_forwarded(
		"for=198.51.100.1, proto=https ; by=\"a,b;for=c\\\"\" ;"
		"FOR=\"203.0.113.7\", for=10.1.2.3"),
	    "203.0.113.7");
	assert_string_equal(
	    by_forwarded("by=10.1.2.3;host=\"h\";;for=203.0.113.7;x=y"),
	    "203.0.113.7");
	/* An element that does not say. */
	assert_string_equal(
	    by_forwarded("for=203.0.113.7, by=10.1.2.3"), "127.0.0.1");
	assert_string_equal(
	    by_forwarded("for=203.0.113.7, for=unknown"), "127.0.0.1");
}

static void
an_element_that_cannot_be_read_makes_the_line_nobodys(void **state)
{
	static const char *const BAD[] = { "for", "for=", "for=\"", "=x",
		"for=\"203.0.113.7", "for=\"203.0.113.7\\", "for = 203.0.113.7",
		"for=203.0.113.7 proto=https", "for=\"203.0.113.7\"x",
		"for=203.0.113.7;for=203.0.113.7", "for=203.0.113.7;x=;y=z",
		/* What a stranger left open, a proxy's quotes close. */
		"for=198.51.100.1;x=\", for=\"[2001:db8::7]\"",
		"x=\"a\\\", for=203.0.113.7" };

	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		if (strcmp(by_forwarded(BAD[i]), "127.0.0.1") != 0)
			fail_msg("%s: %s", BAD[i], client());
		assert_false(forwarded_is_https(&request));
		/* The next line is of the next proxy. */
		forwarded_take(
		    &request, "Forwarded", "for=203.0.113.9;proto=https");
		assert_string_equal(client(), "203.0.113.9");
		assert_true(forwarded_is_https(&request));
	}
}

static void
a_peer_that_is_not_trusted_says_nothing(void **state)
{
	static const char *const PEERS[] = { "203.0.113.99", "127.0.0.2",
		"2001:db8:2::1", "::1" };

	(void)state;
	for (size_t i = 0; i < sizeof(PEERS) / sizeof(PEERS[0]); i++) {
		begin(FORWARDED_X, PEERS[i]);
		forwarded_take(&request, "X-Forwarded-For", "203.0.113.7");
		forwarded_take(&request, "X-Forwarded-Proto", "https");
		assert_string_equal(client(), PEERS[i]);
		assert_false(forwarded_is_https(&request));
		begin(FORWARDED_RFC7239, PEERS[i]);
		forwarded_take(
		    &request, "Forwarded", "for=203.0.113.7;proto=https");
		assert_string_equal(client(), PEERS[i]);
		assert_false(forwarded_is_https(&request));
	}
	/* On a socket of both families. */
	begin(FORWARDED_X, "::ffff:127.0.0.1");
	assert_string_equal(client(), "127.0.0.1");
	forwarded_take(&request, "X-Forwarded-For", "203.0.113.7");
	assert_string_equal(client(), "203.0.113.7");
}

static void
the_other_header_is_never_read(void **state)
{
	(void)state;
	begin(FORWARDED_X, "127.0.0.1");
	forwarded_take(&request, "Forwarded", "for=203.0.113.7;proto=https");
	forwarded_take(&request, "X-Real-IP", "203.0.113.7");
	assert_string_equal(client(), "127.0.0.1");
	assert_false(forwarded_is_https(&request));
	begin(FORWARDED_RFC7239, "127.0.0.1");
	forwarded_take(&request, "X-Forwarded-For", "203.0.113.7");
	forwarded_take(&request, "X-Forwarded-Proto", "https");
	assert_string_equal(client(), "127.0.0.1");
	assert_false(forwarded_is_https(&request));
}

static bool
is_https_by_x(const char *one, const char *two)
{
	begin(FORWARDED_X, "127.0.0.1");
	forwarded_take(&request, "X-Forwarded-Proto", one);
	if (two != NULL)
		forwarded_take(&request, "X-Forwarded-Proto", two);
	return forwarded_is_https(&request);
}

static void
https_is_what_was_said_once_and_of_the_client(void **state)
{
	(void)state;
	assert_true(is_https_by_x("https", NULL));
	assert_true(is_https_by_x(" HTTPS ", NULL));
	assert_false(is_https_by_x("http", NULL));
	assert_false(is_https_by_x("", NULL));
	assert_false(is_https_by_x("https2", NULL));
	assert_false(is_https_by_x("http, https", NULL));
	assert_false(is_https_by_x("https", "https"));
	(void)by_forwarded("for=203.0.113.7;proto=https, for=10.1.2.3;"
			   "proto=http");
	assert_true(forwarded_is_https(&request));
	(void)by_forwarded("for=198.51.100.1;proto=https, for=203.0.113.7;"
			   "proto=http, for=10.1.2.3;proto=https");
	assert_false(forwarded_is_https(&request));
	(void)by_forwarded("for=198.51.100.1;proto=https, for=203.0.113.7");
	assert_false(forwarded_is_https(&request));
	/* One that a proxy of ours does not name came as it says all the same.
	 */
	(void)by_forwarded("for=198.51.100.1;proto=http, for=_x;proto=https");
	assert_string_equal(client(), "127.0.0.1");
	assert_true(forwarded_is_https(&request));
	(void)by_forwarded("for=198.51.100.1;proto=https, for=_x");
	assert_false(forwarded_is_https(&request));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		TEST(networks_are_trusted_by_their_prefix_and_families_apart),
		TEST(what_is_no_network_or_all_there_is_is_trusted_by_nobody),
		TEST(the_last_one_that_is_no_proxy_is_the_client),
		TEST(addresses_are_read_with_brackets_ports_and_as_ipv4),
		TEST(
		    garbage_where_the_client_would_stand_leaves_the_proxys_own),
		TEST(nobody_hides_behind_a_line_that_is_long),
		TEST(elements_have_pairs_in_any_order_and_quotes),
		TEST(an_element_that_cannot_be_read_makes_the_line_nobodys),
		TEST(a_peer_that_is_not_trusted_says_nothing),
		TEST(the_other_header_is_never_read),
		TEST(https_is_what_was_said_once_and_of_the_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
