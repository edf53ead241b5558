/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "base/address.h"

static void
an_address_of_either_family_and_its_port_are_read(void **state)
{
	union address address;

	(void)state;
	assert_true(address_parse("127.0.0.1:7446", &address));
	assert_int_equal(address.any.sa_family, AF_INET);
	assert_int_equal(address_port(&address), 7446);
	assert_int_equal(address_len(&address), sizeof(struct sockaddr_in));
	assert_int_equal(ntohl(address.v4.sin_addr.s_addr), INADDR_LOOPBACK);
	assert_true(address_parse("[2001:db8::7]:65535", &address));
	assert_int_equal(address.any.sa_family, AF_INET6);
	assert_int_equal(address_port(&address), 65535);
	assert_int_equal(address_len(&address), sizeof(struct sockaddr_in6));
	assert_int_equal(address.v6.sin6_addr.s6_addr[15], 7);
	assert_int_equal(address.v6.sin6_scope_id, 0);
	assert_true(address_parse("[::]:0", &address));
	assert_int_equal(address_port(&address), 0);
}

static void
what_is_no_numeric_address_with_a_port_is_refused(void **state)
{
	static const char *const wrong[] = { "", ":", ":80", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:-1", "127.0.0.1: 80", "127.0.0.1:+80",
		"127.0.0.1:80x", "127.0.0.1:65536",
		"127.0.0.1:99999999999999999999", "localhost:80", "*:80",
		"127.0.1:80", "::1:80", "[::1]", "[::1]80", "[]:80", "[:80",
		"[::1:80", "::1]:80", "[127.0.0.1]:80", "[::1%lo]:80",
		"[1234567890123456789012345678901234567890123456789]:80" };
	union address address = { .v4 = { .sin_port = 7 } };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(address_parse(wrong[i], &address));
		assert_int_equal(address.v4.sin_port, 7);
	}
}

static bool
is_loopback(const char *text)
{
	union address address;

	assert_true(address_parse(text, &address));
	return address_is_loopback(&address);
}

static void
loopback_is_all_of_127_and_one_address_of_ipv6(void **state)
{
	(void)state;
	assert_true(is_loopback("127.0.0.1:1"));
	assert_true(is_loopback("127.255.255.254:1"));
	assert_true(is_loopback("[::1]:1"));
	assert_false(is_loopback("0.0.0.0:1"));
	assert_false(is_loopback("128.0.0.1:1"));
	assert_false(is_loopback("[::]:1"));
	assert_false(is_loopback("[::2]:1"));
	assert_false(is_loopback("[::ffff:127.0.0.1]:1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    an_address_of_either_family_and_its_port_are_read),
		cmocka_unit_test(
		    what_is_no_numeric_address_with_a_port_is_refused),
		cmocka_unit_test(
		    loopback_is_all_of_127_and_one_address_of_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
