/* SPDX-License-Identifier: Apache-2.0 */
/* base/bytes.h and base/der.h: readers of foreign bytes, and hex. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/der.h"

static struct bytes
view(const char *text, size_t len)
{
	return (struct bytes){ (const uint8_t *)text, len };
}

static void
takes_from_the_front(void **state)
{
	struct bytes from = bytes_of("abcdef");
	struct bytes taken;

	(void)state;
	assert_true(bytes_take(&from, 2, &taken));
	assert_true(bytes_equal(taken, bytes_of("ab")));
	assert_true(bytes_equal(from, bytes_of("cdef")));
	assert_true(bytes_take(&from, 4, &taken));
	assert_int_equal(from.len, 0);
	assert_true(bytes_take(&from, 0, &taken));
}

static void
takes_nothing_when_too_little_is_left(void **state)
{
	struct bytes from = bytes_of("abc");
	struct bytes taken = bytes_of("before");

	(void)state;
	assert_false(bytes_take(&from, 4, &taken));
	assert_false(bytes_take(&from, SIZE_MAX, &taken));
	assert_true(bytes_equal(from, bytes_of("abc")));
	assert_true(bytes_equal(taken, bytes_of("before")));
}

static void
views_of_other_lengths_differ(void **state)
{
	(void)state;
	assert_false(bytes_equal(bytes_of("abc"), bytes_of("ab")));
	assert_false(bytes_equal(bytes_of("abc"), bytes_of("abd")));
	assert_true(bytes_equal((struct bytes){ NULL, 0 }, bytes_of("")));
}

static void
hex_goes_out_and_comes_back(void **state)
{
	const uint8_t in[] = { 0x00, 0x0f, 0xa5, 0xff };
	uint8_t out[4];
	char text[9];

	(void)state;
	bytes_to_hex((struct bytes){ in, sizeof(in) }, text);
	assert_string_equal(text, "000fa5ff");
	assert_true(bytes_from_hex("000FA5fF", 4, out));
	assert_memory_equal(in, out, 4);
}

static void
refuses_what_is_not_exactly_that_many_hex_digits(void **state)
{
	static const char *const wrong[] = { "", "0", "00112", "001122",
		"00112233 ", " 0112233", "0011223g", "00:1223", "0011-233",
		"0x112233", "001122334", "0011223344" };
	uint8_t out[4] = { 1, 2, 3, 4 };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(bytes_from_hex(wrong[i], 4, out));
	assert_memory_equal(out, "\1\2\3\4", 4); /* untouched */
}

static void
reads_der_elements_in_turn(void **state)
{
	struct bytes from = view("\x02\x01\x05\x04\x02\xaa\xbb", 7);
	struct bytes content;

	(void)state;
	assert_true(der_take(&from, DER_INTEGER, &content));
	assert_true(bytes_equal(content, view("\x05", 1)));
	assert_false(der_take(&from, DER_INTEGER, &content)); /* another tag */
	assert_true(der_take(&from, DER_OCTET_STRING, &content));
	assert_true(bytes_equal(content, view("\xaa\xbb", 2)));
	assert_int_equal(from.len, 0);
}

static void
reads_der_lengths_in_their_shortest_form_only(void **state)
{
	static uint8_t der[4 + 65535];
	static const struct {
		uint8_t head[4];
		size_t head_len;
		size_t content_len;
		bool is_ok;
	} cases[] = {
		{ { 0x04, 0x00 }, 2, 0, true },
		{ { 0x04, 0x7f }, 2, 127, true },
		{ { 0x04, 0x81, 0x80 }, 3, 128, true },
		{ { 0x04, 0x81, 0xff }, 3, 255, true },
		{ { 0x04, 0x82, 0x01, 0x00 }, 4, 256, true },
		{ { 0x04, 0x82, 0xff, 0xff }, 4, 65535, true },
		{ { 0x04, 0x81, 0x7f }, 3, 127, false }, /* not shortest */
		{ { 0x04, 0x82, 0x00, 0xff }, 4, 255,
		    false },                                  /* not shortest */
		{ { 0x04, 0x80 }, 2, 10, false },             /* indefinite */
		{ { 0x04, 0x83, 0x01, 0x00 }, 4, 10, false }, /* too long */
		{ { 0x04, 0x05 }, 2, 4, false },              /* cut short */
		{ { 0x04, 0x81 }, 2, 0, false },
		{ { 0x04, 0x82, 0x01 }, 3, 0, false },
		{ { 0x04 }, 1, 0, false },
		{ { 0 }, 0, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = cases[i].head_len + cases[i].content_len;
		struct bytes from = { der, len };
		struct bytes content;

		memcpy(der, cases[i].head, cases[i].head_len);
		assert_int_equal(der_take(&from, DER_OCTET_STRING, &content),
		    cases[i].is_ok);
		/* All taken, or nothing. */
		assert_int_equal(from.len, cases[i].is_ok ? 0 : len);
		if (cases[i].is_ok)
			assert_int_equal(content.len, cases[i].content_len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_from_the_front),
		cmocka_unit_test(takes_nothing_when_too_little_is_left),
		cmocka_unit_test(views_of_other_lengths_differ),
		cmocka_unit_test(hex_goes_out_and_comes_back),
		cmocka_unit_test(
		    refuses_what_is_not_exactly_that_many_hex_digits),
		cmocka_unit_test(reads_der_elements_in_turn),
		cmocka_unit_test(reads_der_lengths_in_their_shortest_form_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
