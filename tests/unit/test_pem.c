/* SPDX-License-Identifier: Apache-2.0 */

/*
 * PEM: whatever surrounds blocks is passed over and told; what is in them is
 * taken exactly or refused with its line.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pki/pem.h"

#define B(label) "-----BEGIN " label "-----"
#define E(label) "-----END " label "-----"
#define ONE B("ONE") "\nAQID\n" E("ONE") "\n"
#define TWO B("TWO") "\nBAU=\n" E("TWO") "\n"

struct seen {
	char labels[128];
	size_t n;
	unsigned tolerated;
	struct pem_block last;
	char why[PEM_WHY_MAX];
};

/* All blocks of the text, each decoded. */
static struct status
read_all(struct bytes text, struct seen *seen)
{
	struct pem_reader reader;
	struct pem_block block;
	uint8_t octets[256];
	bool found = true;
	struct status st = status_ok();
	size_t len;

	memset(seen, 0, sizeof(*seen));
	pem_reader_init(&reader, text);
	while (!failed(st) && found) {
		st = pem_reader_next(&reader, &block, &found, seen->why);
		if (failed(st) || !found)
			break;
		assert_in_range(block.body.len, 0, sizeof(octets));
		st = pem_decode(&block, octets, &len, seen->why);
		if (failed(st))
			break;
		snprintf(seen->labels + strlen(seen->labels),
		    sizeof(seen->labels) - strlen(seen->labels), "%s:%zu:%u ",
		    block.label, len, block.line);
		seen->n++;
		seen->last = block;
	}
	seen->tolerated = reader.tolerated;
	return st;
}

static void
assert_reads(const char *text, const char *labels, unsigned tolerated)
{
	struct seen seen;
	struct status st = read_all(bytes_of(text), &seen);

	if (failed(st))
		fail_msg("%s", seen.why);
	assert_string_equal(seen.labels, labels);
	assert_int_equal(seen.tolerated, tolerated);
}

static void
assert_refused(const char *text, const char *word)
{
	struct seen seen;
	struct status st = read_all(bytes_of(text), &seen);

	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	if (strstr(seen.why, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", seen.why, word);
}

static void
blocks_are_found_one_after_another_and_nothing_is_remarked(void **state)
{
	(void)state;
	assert_reads("", "", 0);
	assert_reads(ONE, "ONE:3:1 ", 0);
	assert_reads(ONE TWO ONE, "ONE:3:1 TWO:2:4 ONE:3:7 ", 0);
	assert_reads(ONE "\n\n" TWO, "ONE:3:1 TWO:2:6 ", 0);
}

static void
what_surrounds_blocks_is_tolerated_and_told(void **state)
{
	(void)state;
	assert_reads("\xef\xbb\xbf" ONE, "ONE:3:1 ", PEM_BOM);
	assert_reads(B("ONE") "\r\nAQID\r\n" E("ONE") "\r\n" TWO,
	    "ONE:3:1 TWO:2:4 ", PEM_CRLF);
	assert_reads(
	    B("ONE") "\rAQID\r" E("ONE") "\r" TWO, "ONE:3:1 TWO:2:4 ", PEM_CR);
	assert_reads(
	    B("ONE") "  \nAQID \t\n" E("ONE") " \n", "ONE:3:1 ", PEM_BLANKS);
	assert_reads(
	    "  " B("ONE") "\n  AQID\n  " E("ONE") "\n", "ONE:3:1 ", PEM_BLANKS);
	assert_reads(ONE " \n", "ONE:3:1 ", PEM_BLANKS);
	assert_reads("subject=CN = a\n" ONE "# the next\n" TWO "bye\n",
	    "ONE:3:2 TWO:2:6 ", PEM_TEXT);
	assert_reads(B("ONE") "\nAQID\n" E("ONE"), "ONE:3:1 ", PEM_NO_NEWLINE);
	assert_reads(
	    B("ONE") "\nAQID\n" E("ONE") TWO, "ONE:3:1 TWO:2:3 ", PEM_GLUED);
	/* What a web form makes of it. */
	assert_reads(B("ONE") " AQID " E("ONE") " " B("TWO") " BA U= " E("TWO"),
	    "ONE:3:1 TWO:2:1 ", PEM_BLANKS | PEM_NO_NEWLINE | PEM_GLUED);
}

static void
each_thing_tolerated_has_its_own_words(void **state)
{
	(void)state;
	for (unsigned a = 1; a < PEM_TOLERATED_END_; a <<= 1) {
		assert_true(pem_tolerated_text((enum pem_tolerated)a)[0] != 0);
		for (unsigned b = a << 1; b < PEM_TOLERATED_END_; b <<= 1)
			assert_string_not_equal(
			    pem_tolerated_text((enum pem_tolerated)a),
			    pem_tolerated_text((enum pem_tolerated)b));
	}
}

static void
text_in_utf16_is_refused_by_its_name(void **state)
{
	struct seen seen;
	static const uint8_t text[] = { 0xff, 0xfe, '-', 0, '-', 0 };

	(void)state;
	assert_true(pem_is((struct bytes){ text, sizeof(text) }));
	assert_true(
	    failed(read_all((struct bytes){ text, sizeof(text) }, &seen)));
	assert_non_null(strstr(seen.why, "UTF-16"));
}

static void
mangled_marks_are_refused_with_their_line(void **state)
{
	(void)state;
	assert_refused("\n----BEGIN ONE-----\nAQID\n" E("ONE") "\n", "line 2");
	assert_refused(
	    "------BEGIN ONE-----\nAQID\n" E("ONE") "\n", "more than five");
	assert_refused(ONE "-----BEGIN ONE----\nAQID\n" E("ONE") "\n",
	    "line 4: this BEGIN");
	assert_refused("-----BEGIN -----\nAQID\n-----END -----\n", "label");
	assert_refused(B("A\x01") "\nAQID\n" E("A\x01") "\n", "label");
	assert_refused(ONE "AQID\n" E("ONE") "\n", "line 5: there is an END");
	assert_refused(ONE "AQID\n----END ONE----\n", "an END");
}

static void
a_block_that_does_not_end_is_refused(void **state)
{
	(void)state;
	assert_refused(B("ONE") "\nAQID\n", "does not end");
	assert_refused(B("ONE") "\nAQID\n" ONE, "line 1");
	assert_refused(B("ONE") "\nAQID\n" E("TWO") "\n", "line 3");
	assert_refused(B("ONE") "\nAQID\n-----END ONE\n", "does not end with");
	assert_refused(B("ONE") "\nAQID\n-----END ONE----\n", "END ONE");
}

static void
base64_is_taken_exactly_or_refused_with_its_line(void **state)
{
	(void)state;
	assert_refused(
	    B("ONE") "\nAQID\nAQ!D\n" E("ONE") "\n", "line 3: the block");
	assert_refused(
	    B("ONE") "\nA: b\nC: d\n\nAQID\nA?ID\n" E("ONE") "\n", "line 6");
	assert_refused(B("ONE") "\nAQI\n" E("ONE") "\n", "cut short");
	assert_refused(B("ONE") "\nAQI=AQID\n" E("ONE") "\n", "damaged");
	assert_refused(B("ONE") "\nAQ==\nAQ==\n" E("ONE") "\n", "damaged");
	assert_refused(B("ONE") "\nAR==\n" E("ONE") "\n", "damaged");
	assert_refused(B("ONE") "\n" E("ONE") "\n", "cut short");
	assert_refused(B("ONE") "\nAQ\xc2\xa0ID\n" E("ONE") "\n", "not base64");
}

static void
headers_are_kept_apart_and_must_end(void **state)
{
	struct seen seen;
	char tidy[512];
	size_t len;

	(void)state;
	assert_false(failed(read_all(
	    bytes_of(B("KEY") "\r\nProc-Type: 4,ENCRYPTED \r\nDEK-Info: X,00"
			      "\r\n\r\nAQ ID\r\n" E("KEY") "\r\n"),
	    &seen)));
	assert_string_equal(seen.labels, "KEY:3:1 ");
	assert_in_range(PEM_TIDY_MAX(&seen.last), 0, sizeof(tidy));
	assert_false(failed(pem_tidy(&seen.last, tidy, &len, seen.why)));
	assert_string_equal(tidy,
	    B("KEY") "\nProc-Type: 4,ENCRYPTED\nDEK-Info: X,00\n\nAQID\n" E(
		"KEY") "\n");
	assert_int_equal(len, strlen(tidy));
	assert_refused(
	    B("KEY") "\nProc-Type: 4,ENCRYPTED\n" E("KEY") "\n", "empty line");
}

static void
what_is_encoded_is_tidy_and_decodes_to_itself(void **state)
{
	uint8_t octets[150], back[256];
	char *text, tidy[1024];
	struct seen seen;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 7);
	for (size_t n = 1; n <= sizeof(octets); n++) {
		/* Of just that size, so that ASan sees one octet more. */
		text = malloc(pem_encode_max("A B", n));
		assert_non_null(text);
		len = pem_encode("A B", (struct bytes){ octets, n }, text);
		assert_int_equal(len, strlen(text));
		assert_in_range(len + 1, 1, pem_encode_max("A B", n));
		assert_false(failed(read_all(bytes_of(text), &seen)));
		assert_int_equal(seen.n, 1);
		assert_int_equal(seen.tolerated, 0);
		assert_false(
		    failed(pem_decode(&seen.last, back, &len, seen.why)));
		assert_int_equal(len, n);
		assert_memory_equal(back, octets, n);
		assert_false(
		    failed(pem_tidy(&seen.last, tidy, &len, seen.why)));
		assert_string_equal(tidy, text);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    blocks_are_found_one_after_another_and_nothing_is_remarked),
		cmocka_unit_test(what_surrounds_blocks_is_tolerated_and_told),
		cmocka_unit_test(each_thing_tolerated_has_its_own_words),
		cmocka_unit_test(text_in_utf16_is_refused_by_its_name),
		cmocka_unit_test(mangled_marks_are_refused_with_their_line),
		cmocka_unit_test(a_block_that_does_not_end_is_refused),
		cmocka_unit_test(
		    base64_is_taken_exactly_or_refused_with_its_line),
		cmocka_unit_test(headers_are_kept_apart_and_must_end),
		cmocka_unit_test(what_is_encoded_is_tidy_and_decodes_to_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
