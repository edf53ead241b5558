/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "dns/message.h"
#include "dns/wire.h"

static const char LONG_LABEL[] =
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/* A message being made. */
static uint8_t octets[4096];
static struct wire_writer to;

static struct dns_question
begin(const char *name, enum dns_type type, uint16_t n_answers)
{
	const struct wire_header header = { .id = 7,
		.flags = WIRE_FLAG_QR | WIRE_FLAG_AA,
		.counts = { 1, n_answers, 0, 0 } };

	to = (struct wire_writer){ .at = octets, .max = sizeof(octets) };
	wire_put_header(&to, &header);
	wire_put_name(&to, name);
	wire_put_u16(&to, (uint16_t)type);
	wire_put_u16(&to, WIRE_CLASS_IN);
	return (struct dns_question){ .name = name, .type = type };
}

/* Named as the question is, by a pointer. */
static void
add(unsigned type, const void *data, size_t len)
{
	wire_put_u16(&to, 0xc00c);
	wire_put_u16(&to, (uint16_t)type);
	wire_put_u16(&to, WIRE_CLASS_IN);
	wire_put_u32(&to, 60);
	wire_put_u16(&to, (uint16_t)len);
	wire_put(&to, (struct bytes){ data, len });
	assert_false(to.is_bad);
}

static struct dns_answer
read_as(struct dns_question question, size_t len)
{
	struct dns_answer answer = { .took_ms = 3 };
	/* A copy of just that size, for ASan to see what is read beyond. */
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct status st;

	memcpy(copy, octets, len);
	st = message_read((struct bytes){ copy, len }, &question, &answer);
	assert_int_equal(st.code, STATUS_OK);
	assert_int_equal(answer.took_ms, 3);
	free(copy);
	return answer;
}

static void
assert_garbage(struct dns_question question)
{
	struct dns_answer answer = read_as(question, to.len);

	assert_int_equal(answer.code, DNS_GARBAGE);
	assert_int_equal(answer.n_records, 0);
	assert_null(answer.records);
}

static void
assert_one(struct dns_question question, const char *text)
{
	struct dns_answer answer = read_as(question, to.len);

	assert_int_equal(answer.code, DNS_OK);
	assert_true(answer.is_authoritative);
	assert_int_equal(answer.n_records, 1);
	assert_string_equal(answer.records[0].name, "www.example.org");
	assert_string_equal(answer.records[0].text, text);
	assert_int_equal(answer.records[0].ttl_s, 60);
	dns_answer_done(&answer);
}

static void
records_of_each_type_are_read(void **state)
{
	static const uint8_t a[] = { 192, 0, 2, 1 };
	static const uint8_t aaaa[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
	static const uint8_t cname[] = { 4, 'H', 'O', 's', 't', 0xc0, 16 };
	static const uint8_t txt[] = "\003ab\"\003c\\\001";
	static const uint8_t caa[] = "\200\005issueca.example; a=\"b\"";
	static const uint8_t root[] = { 0 };
	uint8_t soa[2 + 1 + 20] = { 0xc0, 16 };
	struct dns_question q;

	(void)state;
	q = begin("WWW.example.org.", DNS_A, 1);
	add(DNS_A, a, sizeof(a));
	assert_one(q, "192.0.2.1");
	q = begin("www.example.org", DNS_AAAA, 1);
	add(DNS_AAAA, aaaa, sizeof(aaaa));
	assert_one(q, "2001:db8::1");
	q = begin("www.example.org", DNS_CNAME, 1);
	add(DNS_CNAME, cname, sizeof(cname));
	assert_one(q, "host.example.org");
	q = begin("www.example.org", DNS_NS, 1);
	add(DNS_NS, root, sizeof(root));
	assert_one(q, ".");
	q = begin("www.example.org", DNS_TXT, 1);
	add(DNS_TXT, txt, sizeof(txt) - 1);
	assert_one(q, "ab\"c\\\\\\001");
	q = begin("www.example.org", DNS_CAA, 1);
	add(DNS_CAA, caa, sizeof(caa) - 1);
	assert_one(q, "128 issue \"ca.example; a=\\\"b\\\"\"");
	q = begin("www.example.org", DNS_SOA, 1);
	add(DNS_SOA, soa, sizeof(soa));
	assert_one(q, "example.org");
}

static void
records_of_other_types_and_classes_are_left_out(void **state)
{
	static const uint8_t a[] = { 192, 0, 2, 1 };
	struct dns_question q = begin("www.example.org", DNS_A, 3);

	(void)state;
	add(99, "anything", 8);
	add(DNS_A, a, sizeof(a));
	octets[to.len - 4 - 2 - 4 - 1] = 3; /* CHAOS */
	add(DNS_A, a, sizeof(a));
	assert_one(q, "192.0.2.1");
}

static void
an_answer_to_another_question_is_garbage(void **state)
{
	static const uint8_t a[] = { 192, 0, 2, 1 };
	struct dns_question q = begin("www.example.org", DNS_A, 1);

	(void)state;
	add(DNS_A, a, sizeof(a));
	q.name = "ww.example.org";
	assert_garbage(q);
	q = (struct dns_question){ "www.example.org", DNS_AAAA, NULL };
	assert_garbage(q);
	q.type = DNS_A;
	octets[2] &= 0x7f; /* no answer */
	assert_garbage(q);
	octets[2] |= 0x80 | 5 << 3; /* an update's */
	assert_garbage(q);
}

static void
an_answer_cut_anywhere_is_garbage(void **state)
{
	static const uint8_t cname[] = { 4, 'h', 'o', 's', 't', 0xc0, 16 };
	static const uint8_t a[] = { 192, 0, 2, 1 };
	struct dns_question q = begin("www.example.org", DNS_A, 2);

	(void)state;
	add(DNS_CNAME, cname, sizeof(cname));
	add(DNS_A, a, sizeof(a));
	for (size_t len = 0; len < to.len; len++) {
		struct dns_answer answer = read_as(q, len);

		assert_int_equal(answer.code, DNS_GARBAGE);
		assert_null(answer.records);
	}
}

static void
data_of_a_wrong_length_is_garbage(void **state)
{
	static const struct {
		unsigned type;
		const char *data;
		size_t len;
	} wrong[] = {
		{ DNS_A, "\1\2\3", 3 },
		{ DNS_A, "\1\2\3\4\5", 5 },
		{ DNS_AAAA, "\1\2\3\4", 4 },
		{ DNS_CNAME, "", 0 },
		{ DNS_CNAME, "\1a\0b", 4 },
		{ DNS_CNAME, "\1a", 2 },
		{ DNS_SOA, "\1a\0", 3 },
		{ DNS_TXT, "", 0 },
		{ DNS_TXT, "\5abc", 4 },
		{ DNS_CAA, "\0", 1 },
		{ DNS_CAA, "\0\0ca", 4 },
		{ DNS_CAA, "\0\7issue", 7 },
		{ DNS_CAA, "\0\5iss-eca", 9 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct dns_question q = begin("www.example.org", DNS_A, 1);

		add(wrong[i].type, wrong[i].data, wrong[i].len);
		assert_garbage(q);
	}
}

static void
names_that_point_to_themselves_or_on_are_garbage(void **state)
{
	/* Where the record's data begins: 12 + 17 + 4 + 12. */
	static const char *const loops[] = { "\300\055", /* itself */
		"\1a\300\055",                           /* its own label */
		"\300\057\300\055",                      /* each other */
		"\300\377",                              /* beyond */
		"\100ab", "\200ab" /* no kind of label */ };

	(void)state;
	for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
		struct dns_question q = begin("www.example.org", DNS_CNAME, 1);

		add(DNS_CNAME, loops[i], strlen(loops[i]));
		assert_garbage(q);
	}
}

static void
names_over_255_octets_are_garbage_and_those_of_255_are_not(void **state)
{
	struct wire_reader reader;
	char name[DNS_NAME_MAX];

	(void)state;
	for (size_t last = 61; last <= 62; last++) {
		to =
		    (struct wire_writer){ .at = octets, .max = sizeof(octets) };
		for (size_t i = 0; i < 4; i++) {
			size_t len = i < 3 ? 63 : last;

			wire_put_u8(&to, (uint8_t)len);
			wire_put(&to,
			    (struct bytes){ (const uint8_t *)LONG_LABEL, len });
		}
		wire_put_u8(&to, 0);
		reader = (struct wire_reader){ { octets, to.len }, 0 };
		assert_int_equal(wire_take_name(&reader, name), last == 61);
	}
}

static void
odd_octets_in_names_are_escaped_and_come_back(void **state)
{
	static const char label[] = { 5, 'a', '.', '\\', ' ', '\xff', 0 };
	struct wire_reader reader = { { (const uint8_t *)label, sizeof(label) },
		0 };
	char name[DNS_NAME_MAX];

	(void)state;
	assert_true(wire_take_name(&reader, name));
	assert_string_equal(name, "a\\.\\\\\\032\\255");
	to = (struct wire_writer){ .at = octets, .max = sizeof(octets) };
	wire_put_name(&to, name);
	assert_false(to.is_bad);
	assert_int_equal(to.len, sizeof(label));
	assert_memory_equal(octets, label, sizeof(label));
	assert_string_equal(wire_parent(name), ".");
	assert_string_equal(wire_parent("a\\.b.c"), "c");
	assert_null(wire_parent("."));
}

static void
what_is_no_name_is_not_asked_for(void **state)
{
	char too_long[80];
	const char *wrong[] = { "", "..", ".a", "a..b", "a\\", "a\\25",
		"a\\256", too_long };

	(void)state;
	(void)!snprintf(too_long, sizeof(too_long), "%sx.org", LONG_LABEL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct dns_question q = { wrong[i], DNS_A, NULL };

		to =
		    (struct wire_writer){ .at = octets, .max = sizeof(octets) };
		message_ask(&q, 1, &to);
		assert_true(to.is_bad);
	}
	assert_true(wire_same_name("Example.org.", "example.ORG"));
	assert_false(wire_same_name("example.org", "example.orgs"));
}

static void
of_too_many_records_the_first_are_taken(void **state)
{
	static const uint8_t a[] = { 192, 0, 2, 1 };
	struct dns_question q = begin("www.example.org", DNS_A, 70);
	struct dns_answer answer;

	(void)state;
	for (size_t i = 0; i < 70; i++)
		add(DNS_A, a, sizeof(a));
	answer = read_as(q, to.len);
	assert_int_equal(answer.code, DNS_OK);
	assert_int_equal(answer.n_records, DNS_RECORDS_MAX);
	dns_answer_done(&answer);
}

static void
an_answer_is_printed_as_dig_does_and_cut_to_size(void **state)
{
	static const uint8_t txt[] = "\003abc";
	static const uint8_t ns[] = { 2, 'n', 's', 0xc0, 16 };
	struct dns_question q = begin("www.example.org", DNS_TXT, 2);
	struct dns_answer answer;
	char text[512];

	(void)state;
	add(DNS_TXT, txt, sizeof(txt) - 1);
	add(DNS_NS, ns, sizeof(ns));
	answer = read_as(q, to.len);
	memcpy(answer.server, "192.0.2.1:53", 13);
	dns_answer_print(&q, &answer, text, sizeof(text));
	assert_string_equal(text,
	    ";; status: NOERROR, flags: qr aa rd; ANSWER: 2\n"
	    ";; QUESTION:\n;www.example.org.\t\tIN\tTXT\n"
	    ";; ANSWER:\nwww.example.org.\t60\tIN\tTXT\t\"abc\"\n"
	    "www.example.org.\t60\tIN\tNS\tns.example.org.\n"
	    ";; SERVER: 192.0.2.1:53, 3 ms\n");
	for (size_t max = 1; max < sizeof(text); max++) {
		dns_answer_print(&q, &answer, text, max);
		assert_true(strlen(text) < max);
	}
	dns_answer_done(&answer);
	answer.code = DNS_NO_ANSWER;
	dns_answer_print(&q, &answer, text, sizeof(text));
	assert_non_null(strstr(text, ";; no answer\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_of_each_type_are_read),
		cmocka_unit_test(
		    records_of_other_types_and_classes_are_left_out),
		cmocka_unit_test(an_answer_to_another_question_is_garbage),
		cmocka_unit_test(an_answer_cut_anywhere_is_garbage),
		cmocka_unit_test(data_of_a_wrong_length_is_garbage),
		cmocka_unit_test(
		    names_that_point_to_themselves_or_on_are_garbage),
		cmocka_unit_test(
		    names_over_255_octets_are_garbage_and_those_of_255_are_not),
		cmocka_unit_test(odd_octets_in_names_are_escaped_and_come_back),
		cmocka_unit_test(what_is_no_name_is_not_asked_for),
		cmocka_unit_test(of_too_many_records_the_first_are_taken),
		cmocka_unit_test(
		    an_answer_is_printed_as_dig_does_and_cut_to_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
