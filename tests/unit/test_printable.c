/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/printable.h"

static void
shows(const char *text, const char *expected)
{
	char out[128];
	size_t len = printable_print(bytes_of(text), out, sizeof(out));

	assert_string_equal(out, expected);
	assert_int_equal(len, strlen(expected));
}

static void
what_is_fit_to_be_seen_stays(void **state)
{
	(void)state;
	shows("", "");
	shows("edge/fra-1", "edge/fra-1");
	shows("O=M\xc3\xbcller \xe6\x97\xa5\xe6\x9c\xac",
	    "O=M\xc3\xbcller \xe6\x97\xa5\xe6\x9c\xac");
}

static void
terminal_commands_are_shown_and_not_obeyed(void **state)
{
	(void)state;
	shows("\x1b[2J", "\\u001b[2J");
	shows("a\rb\nc\x7f", "a\\u000db\\nc\\u007f");
	/* CSI as one character of C1. */
	shows("\xc2\x9b"
	      "31m",
	    "\\u009b31m");
	/* Right-to-left override. */
	shows("\xe2\x80\xaegpj.exe", "\\u202egpj.exe");
}

static void
what_is_no_utf8_is_shown_as_octets(void **state)
{
	(void)state;
	shows("\x9b"
	      "31m",
	    "\\x9b31m");
	shows("\xc0\xaf", "\\xc0\\xaf");
	shows("\xe6\x97", "\\xe6\\x97");
	shows("\xed\xa0\x80", "\\xed\\xa0\\x80");
}

static void
an_escape_cannot_be_forged(void **state)
{
	(void)state;
	shows("\\u001b", "\\\\u001b");
}

static void
a_long_text_is_cut_between_characters(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(printable_print(bytes_of("abc\x1b"
						  "d"),
			     out, sizeof(out)),
	    3);
	assert_string_equal(out, "abc");
	assert_int_equal(
	    printable_print(bytes_of("abcdef\xc3\xbc"), out, 8), 6);
}

static void
no_octet_becomes_more_than_six(void **state)
{
	uint8_t all[256];
	char out[PRINTABLE_MAX(256)], one[PRINTABLE_MAX(1)];
	size_t sum = 0;

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	for (unsigned i = 0; i < 256; i++)
		sum += printable_print(
		    (struct bytes){ all + i, 1 }, one, sizeof(one));
	assert_true(printable_print(
			(struct bytes){ all, 256 }, out, sizeof(out)) == sum);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_fit_to_be_seen_stays),
		cmocka_unit_test(terminal_commands_are_shown_and_not_obeyed),
		cmocka_unit_test(what_is_no_utf8_is_shown_as_octets),
		cmocka_unit_test(an_escape_cannot_be_forged),
		cmocka_unit_test(a_long_text_is_cut_between_characters),
		cmocka_unit_test(no_octet_becomes_more_than_six),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
