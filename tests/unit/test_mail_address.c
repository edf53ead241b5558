/* SPDX-License-Identifier: Apache-2.0 */

/* What is an e-mail address, and what is none (mail/address.h). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mail/address.h"

static void
expect_taken(const char *text)
{
	struct status st = mail_address_check(text);

	if (failed(st))
		print_error("%s: %s\n", text, st.why);
	assert_false(failed(st));
}

static void
expect_refused(const char *text, const char *why)
{
	struct status st = mail_address_check(text);

	if (!failed(st) || strstr(st.why, why) == NULL)
		print_error("%s: %s\n", text, st.why);
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(st.why, why));
}

static void
what_mail_goes_to_is_taken(void **state)
{
	(void)state;
	expect_taken("name@example.com");
	expect_taken("First.Last+tag@mail.example.com");
	expect_taken("!#$%&'*+-/=?^_`{|}~@example.com");
	expect_taken("root@localhost");
	expect_taken("a@xn--bcher-kva.example");
	expect_taken("a@1and1.example");
	expect_taken("a@3com.4x");
}

static void
quoted_local_parts_are_taken_whole(void **state)
{
	(void)state;
	expect_taken("\"a b\"@example.com");
	expect_taken("\"a@b\"@example.com");
	expect_taken("\"a\\\"b\\\\\"@example.com");
	expect_refused("\"\"@example.com", "must be an e-mail address");
	expect_refused("\"@example.com", "must be an e-mail address");
	expect_refused("\"a\"b\"@example.com", "must be an e-mail address");
	expect_refused("\"a\\\"@example.com", "must be an e-mail address");
	expect_refused("\"a\".b@example.com", "must be an e-mail address");
	expect_refused("a b@example.com", "must be an e-mail address");
}

static void
addresses_of_hosts_stand_in_brackets(void **state)
{
	(void)state;
	expect_taken("a@[192.0.2.1]");
	expect_taken("a@[IPv6:2001:db8::1]");
	expect_refused("a@192.0.2.1", "square brackets");
	expect_refused("a@[192.0.2]", "square brackets");
	expect_refused("a@[2001:db8::1]", "square brackets");
	expect_refused("a@[IPv6:192.0.2.1]", "square brackets");
	expect_refused("a@[IPv6:]", "square brackets");
	expect_refused("a@[", "square brackets");
	expect_refused("a@[]", "square brackets");
	expect_refused("a@[x400:somebody]", "square brackets");
}

static void
what_is_none_is_refused(void **state)
{
	(void)state;
	expect_refused("", "like name@example.com");
	expect_refused("name", "like name@example.com");
	expect_refused("@example.com", "like name@example.com");
	expect_refused(".a@example.com", "like name@example.com");
	expect_refused("a.@example.com", "like name@example.com");
	expect_refused("a..b@example.com", "like name@example.com");
	expect_refused("Name <a@example.com>", "must");
	expect_refused("a@", "a domain like");
	expect_refused("a@.example.com", "a domain like");
	expect_refused("a@example.com.", "a domain like");
	expect_refused("a@example..com", "a domain like");
	expect_refused("a@-example.com", "a domain like");
	expect_refused("a@exa_mple.com", "a domain like");
	expect_refused("a@example.com ", "a domain like");
}

static void
line_ends_and_commands_are_refused(void **state)
{
	(void)state;
	expect_refused("a@example.com\r\nBcc: b@example.com", "must");
	expect_refused("a@example.com\r\nDATA", "a domain like");
	expect_refused("a\r\nb@example.com", "like name@example.com");
	expect_refused("\"a\r\n\"@example.com", "like name@example.com");
	expect_refused("\"a\\\n\"@example.com", "like name@example.com");
	expect_refused("a@example.com> SIZE=1", "a domain like");
	expect_refused("a\x7f@example.com", "like name@example.com");
}

static void
other_letters_than_ascii_are_refused_with_their_reason(void **state)
{
	(void)state;
	expect_refused("j\u00fcrgen@example.com", "before its \"@\"");
	expect_refused("\"j\u00fcrgen\"@example.com", "before its \"@\"");
	expect_refused("a@b\u00fccher.example", "xn--");
}

static void
too_long_ones_are_refused(void **state)
{
	char text[400];

	(void)state;
	snprintf(text, sizeof(text), "%064d@example.com", 0);
	expect_taken(text);
	snprintf(text, sizeof(text), "%065d@example.com", 0);
	expect_refused(text, "64 octets");
	snprintf(text, sizeof(text), "a@a%062d.com", 0);
	expect_taken(text);
	snprintf(text, sizeof(text), "a@a%063d.com", 0);
	expect_refused(text, "a domain like");
	/* 64 + 1 + 63 + 1 + 63 + 1 + 61: 254. */
	snprintf(text, sizeof(text), "%064d@a%062d.a%062d.a%060d", 0, 0, 0, 0);
	expect_taken(text);
	snprintf(text, sizeof(text), "%064d@a%062d.a%062d.a%061d", 0, 0, 0, 0);
	expect_refused(text, "254 octets");
}

static void
the_domain_stands_behind_the_last_at(void **state)
{
	(void)state;
	assert_string_equal(
	    mail_address_domain("\"a@b\"@example.com"), "example.com");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_mail_goes_to_is_taken),
		cmocka_unit_test(quoted_local_parts_are_taken_whole),
		cmocka_unit_test(addresses_of_hosts_stand_in_brackets),
		cmocka_unit_test(what_is_none_is_refused),
		cmocka_unit_test(line_ends_and_commands_are_refused),
		cmocka_unit_test(
		    other_letters_than_ascii_are_refused_with_their_reason),
		cmocka_unit_test(too_long_ones_are_refused),
		cmocka_unit_test(the_domain_stands_behind_the_last_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
