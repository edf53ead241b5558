/* SPDX-License-Identifier: Apache-2.0 */
/* ledger/entry.c: the hand-written codec against the generated one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/entry.h"
#include "proto/holdfast/keyd/v1/audit.pb-c.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static struct bytes
text_bytes(const char *text, size_t len)
{
	return (struct bytes){ (const uint8_t *)text, len };
}

static struct entry
full_entry(void)
{
	static const char names[] = "www.example\0CN=caf\xc3\xa9";
	struct entry entry = {
		.kind = ENTRY_CUSTODY,
		.time_ns = 1700000000123456789,
		.keyd = bytes_of("keyd-1"),
		.peer = bytes_of("spiffe://d/edge/fra-1"),
		.has_key = true,
		.context = 3,
		.scheme = 0x0403,
		.has_content_hash = true,
		.code = 7,
		.reason = bytes_of("no grant of this key"),
		.act = bytes_of("grant edge/fra-1 tls13_server"),
		.stage = ENTRY_FAILED,
		.names = text_bytes(names, sizeof(names)),
		.latency_us = 300,
		.ledger_key = bytes_of("a+00000000+AQ=="),
		.on_behalf_of = bytes_of("account acme, user ann@example.com"),
	};

	memset(entry.key.at, 0xab, sizeof(entry.key.at));
	memset(entry.content_hash, 0xcd, sizeof(entry.content_hash));
	return entry;
}

static void
assert_same(const struct entry *a, const struct entry *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_true(a->time_ns == b->time_ns);
	assert_true(bytes_equal(a->keyd, b->keyd));
	assert_true(bytes_equal(a->peer, b->peer));
	assert_int_equal(a->has_key, b->has_key);
	assert_true(key_id_equal(&a->key, &b->key));
	assert_int_equal(a->context, b->context);
	assert_int_equal(a->scheme, b->scheme);
	assert_int_equal(a->has_content_hash, b->has_content_hash);
	assert_memory_equal(a->content_hash, b->content_hash, 32);
	assert_int_equal(a->code, b->code);
	assert_true(bytes_equal(a->reason, b->reason));
	assert_true(bytes_equal(a->act, b->act));
	assert_int_equal(a->stage, b->stage);
	assert_true(bytes_equal(a->names, b->names));
	assert_int_equal(a->latency_us, b->latency_us);
	assert_true(bytes_equal(a->ledger_key, b->ledger_key));
	assert_true(bytes_equal(a->on_behalf_of, b->on_behalf_of));
}

/* The generated codec reads the octets and writes the same ones. */
static void
assert_generated_agrees(struct bytes octets)
{
	Holdfast__Keyd__V1__AuditEntry *message =
	    holdfast__keyd__v1__audit_entry__unpack(
		NULL, octets.len, octets.at);
	uint8_t packed[2 * ENTRY_MAX];
	size_t len;

	assert_non_null(message);
	len = holdfast__keyd__v1__audit_entry__get_packed_size(message);
	assert_in_range(len, 0, sizeof(packed));
	assert_int_equal(
	    holdfast__keyd__v1__audit_entry__pack(message, packed), len);
	assert_true(bytes_equal(octets, (struct bytes){ packed, len }));
	holdfast__keyd__v1__audit_entry__free_unpacked(message, NULL);
}

/* Encode, compare with the generated codec, decode. */
static struct entry
round_trip(const struct entry *entry)
{
	static uint8_t octets[ENTRY_MAX], names[ENTRY_NAMES_MAX];
	const size_t len = entry_encode(entry, octets);
	struct entry back;

	assert_in_range(len, 0, ENTRY_MAX);
	assert_generated_agrees((struct bytes){ octets, len });
	assert_int_equal(
	    entry_decode((struct bytes){ octets, len }, names, &back).code,
	    STATUS_OK);
	return back;
}

static void
an_entry_is_encoded_as_the_generated_codec_does(void **state)
{
	const struct entry entry = full_entry();
	const struct entry back = round_trip(&entry);

	(void)state;
	assert_same(&entry, &back);
}

static void
defaults_are_left_out(void **state)
{
	const struct entry entry = { 0 };
	uint8_t octets[ENTRY_MAX];
	struct entry back;

	(void)state;
	assert_int_equal(entry_encode(&entry, octets), 0);
	back = round_trip(&entry);
	assert_same(&entry, &back);
}

static void
numbers_of_every_length_come_back(void **state)
{
	(void)state;
	for (unsigned shift = 0; shift < 64; shift++) {
		struct entry entry = { .time_ns = (int64_t)(1ULL << shift) };
		struct entry back;

		entry.latency_us = (uint32_t)(1ULL << shift % 32);
		entry.code = (uint32_t)((1ULL << shift % 32) - 1);
		back = round_trip(&entry);
		assert_same(&entry, &back);
	}
}

static void
texts_are_cut_at_their_maximum_between_characters(void **state)
{
	struct entry entry = full_entry(), back;
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text + ENTRY_TEXT_MAX - 1, "\xc3\xa9", 2);
	entry.reason = text_bytes(text, sizeof(text));
	entry.peer = text_bytes(text, sizeof(text));
	entry.ledger_key = text_bytes(text, sizeof(text));
	entry.on_behalf_of = text_bytes(text, sizeof(text));
	back = round_trip(&entry);
	assert_int_equal(back.reason.len, ENTRY_TEXT_MAX - 1);
	assert_int_equal(back.peer.len, ENTRY_PEER_MAX);
	assert_int_equal(back.ledger_key.len, ENTRY_LEDGER_KEY_MAX);
	assert_int_equal(back.on_behalf_of.len, ENTRY_BEHALF_MAX);
}

static void
octets_that_are_no_utf8_become_question_marks(void **state)
{
	struct entry entry = { .act =
				   bytes_of("a\xff\xc3(caf\xc3\xa9\xe2\x82") };
	const struct entry back = round_trip(&entry);

	(void)state;
	assert_true(bytes_equal(back.act, bytes_of("a?\?(caf\xc3\xa9??")));
}

static void
names_that_fit_are_all_there(void **state)
{
	uint8_t names[ENTRY_NAMES_MAX];
	struct entry entry = { .kind = ENTRY_SIGN }, back;

	(void)state;
	/* Of three letters, as many as there can be. */
	for (size_t i = 0; i < sizeof(names); i++)
		names[i] = i % 4 == 3 ? '\0' : 'a';
	entry.names = (struct bytes){ names, sizeof(names) };
	back = round_trip(&entry);
	assert_true(bytes_equal(entry.names, back.names));
	/* One as long as can be. */
	memset(names, 'b', sizeof(names) - 1);
	back = round_trip(&entry);
	assert_true(bytes_equal(entry.names, back.names));
}

static void
a_list_of_names_that_is_too_long_ends_in_dots(void **state)
{
	static uint8_t names[3000];
	struct entry entry = full_entry(), back;
	char text[300];

	(void)state;
	memset(text, 'x', sizeof(text));
	entry.keyd = entry.peer = entry.reason = entry.act = entry.ledger_key =
	    text_bytes(text, sizeof(text));
	for (size_t step = 1; step < 1100; step += 17) {
		memset(names, 'n', sizeof(names));
		for (size_t i = step; i < sizeof(names); i += step + 1)
			names[i] = '\0';
		entry.names = (struct bytes){ names, sizeof(names) };
		back = round_trip(&entry);
		assert_in_range(back.names.len, 4, ENTRY_NAMES_MAX);
		assert_memory_equal(
		    back.names.at + back.names.len - 4, "...", 4);
	}
	/* Names of no letters at all take more room encoded. */
	memset(names, 0, sizeof(names));
	entry.names = (struct bytes){ names, ENTRY_NAMES_MAX };
	back = round_trip(&entry);
	assert_memory_equal(back.names.at + back.names.len - 4, "...", 4);
}

static void
what_the_generated_codec_writes_is_read(void **state)
{
	Holdfast__Keyd__V1__AuditEntry message;
	char a[] = "a.example", b[] = "b.example", keyd[] = "keyd";
	char *names[] = { a, b };
	uint8_t hash[32] = { 9 }, room[ENTRY_NAMES_MAX], packed[512];
	struct entry entry;
	size_t len;

	(void)state;
	holdfast__keyd__v1__audit_entry__init(&message);
	message.kind = HOLDFAST__KEYD__V1__AUDIT_ENTRY__KIND__KIND_SIGN;
	message.time_ns = -5;
	message.keyd = keyd;
	message.content_hash.data = hash;
	message.content_hash.len = sizeof(hash);
	message.names = names;
	message.n_names = 2;
	len = holdfast__keyd__v1__audit_entry__pack(&message, packed);
	assert_int_equal(
	    entry_decode((struct bytes){ packed, len }, room, &entry).code,
	    STATUS_OK);
	assert_int_equal(entry.kind, ENTRY_SIGN);
	assert_true(entry.time_ns == -5);
	assert_true(entry.has_content_hash && entry.content_hash[0] == 9);
	assert_false(entry.has_key);
	assert_true(
	    bytes_equal(entry.names, text_bytes("a.example\0b.example", 20)));
}

static void
malformed_entries_are_refused(void **state)
{
	static const struct {
		const char *octets;
		size_t len;
	} bad[] = {
		{ "\x08", 1 },     /* no value */
		{ "\x0a\x00", 2 }, /* kind as octets */
		{ "\x1a\x05"
		  "abc",
		    5 }, /* text longer than the entry */
		{ "\x2a\x03"
		  "abc",
		    5 }, /* a key id of 3 octets */
		{ "\x42\x1f"
		  "0123456789012345678901234567890",
		    33 },
		{ "\x00\x00", 2 }, /* field 0 */
		{ "\x0b", 1 },     /* a group */
		{ "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 11 },
		{ "\x30\xff\xff\xff\xff\x1f", 6 }, /* context beyond 32 bits */
		{ "\x6a\x01\x00", 3 },             /* a zero within a name */
		{ "\x80\x01\x05", 3 }, /* on_behalf_of as a number */
		{ "\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 },
		{ "\x15"
		  "abc",
		    4 }, /* time as 32 bits, cut */
		{ "\x11"
		  "abcdefgh",
		    9 }, /* time as 64 bits */
	};
	uint8_t names[ENTRY_NAMES_MAX];
	struct entry entry;

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		if (!failed(entry_decode(
			text_bytes(bad[i].octets, bad[i].len), names, &entry)))
			fail_msg("taken: case %zu", i);
	}
}

static void
unknown_fields_are_passed_over(void **state)
{
	static const char octets[] = "\x08\x01"
				     "\xa0\x01\x05"   /* field 20, number */
				     "\x8a\x01\x02hi" /* field 17, octets */
				     "\x95\x01"
				     "abcd" /* field 18, 32 bits */
				     "\x99\x01"
				     "abcdefgh" /* field 19, 64 bits */
				     "\x48\x07";
	uint8_t names[ENTRY_NAMES_MAX];
	struct entry entry;

	(void)state;
	assert_int_equal(
	    entry_decode(text_bytes(octets, sizeof(octets) - 1), names, &entry)
		.code,
	    STATUS_OK);
	assert_int_equal(entry.kind, ENTRY_SIGN);
	assert_int_equal(entry.code, 7);
}

static void
more_names_than_there_is_room_for_are_refused(void **state)
{
	uint8_t octets[1200], names[ENTRY_NAMES_MAX];
	struct entry entry;
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < 512; i++) {
		octets[len++] = 0x6a;
		octets[len++] = 0;
	}
	assert_int_equal(
	    entry_decode((struct bytes){ octets, len }, names, &entry).code,
	    STATUS_OK);
	assert_int_equal(entry.names.len, 512);
	memcpy(octets, "\x6a\xff\x07", 3);
	memset(octets + 3, 'a', 1023);
	assert_int_equal(
	    entry_decode((struct bytes){ octets, 1026 }, names, &entry).code,
	    STATUS_OK);
	memcpy(octets, "\x6a\x80\x08", 3);
	assert_true(failed(
	    entry_decode((struct bytes){ octets, 1027 }, names, &entry)));
}

static void
filters_let_through_what_they_say(void **state)
{
	const struct entry entry = full_entry();
	struct entry_filter filter = { 0 };

	(void)state;
	assert_true(entry_matches(&filter, &entry));
	filter.decision = ENTRY_ALLOWED;
	assert_false(entry_matches(&filter, &entry));
	filter.decision = ENTRY_REFUSED;
	assert_true(entry_matches(&filter, &entry));
	filter.kind = ENTRY_SIGN;
	assert_false(entry_matches(&filter, &entry));
	filter.kind = ENTRY_CUSTODY;
	filter.since_ns = entry.time_ns;
	filter.until_ns = entry.time_ns + 1;
	assert_true(entry_matches(&filter, &entry));
	filter.since_ns++;
	assert_false(entry_matches(&filter, &entry));
	filter.since_ns = 0;
	filter.until_ns = entry.time_ns;
	assert_false(entry_matches(&filter, &entry));
	filter.until_ns = 0;
	filter.has_key = true;
	filter.key = entry.key;
	assert_true(entry_matches(&filter, &entry));
	filter.key.at[31] ^= 1;
	assert_false(entry_matches(&filter, &entry));
}

static void
filters_match_identities_as_grants_do(void **state)
{
	static const struct {
		const char *pattern;
		bool matches;
	} cases[] = { { "edge/fra-1", true }, { "edge/fra-*", true },
		{ "edge/*", true }, { "edge/fra-10", false },
		{ "operator/*", false }, { "*", false }, { "fra-1", false } };
	struct entry entry = full_entry();
	struct entry_filter filter = { 0 };

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		snprintf(filter.identity, sizeof(filter.identity), "%s",
		    cases[i].pattern);
		assert_int_equal(
		    entry_matches(&filter, &entry), cases[i].matches);
	}
	snprintf(filter.identity, sizeof(filter.identity), "edge/*");
	entry.peer = bytes_of("");
	assert_false(entry_matches(&filter, &entry));
	entry.peer = bytes_of("nobody");
	assert_false(entry_matches(&filter, &entry));
	entry.peer = text_bytes("spiffe://d/edge/a\0b", 19);
	assert_false(entry_matches(&filter, &entry));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    an_entry_is_encoded_as_the_generated_codec_does),
		cmocka_unit_test(defaults_are_left_out),
		cmocka_unit_test(numbers_of_every_length_come_back),
		cmocka_unit_test(
		    texts_are_cut_at_their_maximum_between_characters),
		cmocka_unit_test(octets_that_are_no_utf8_become_question_marks),
		cmocka_unit_test(names_that_fit_are_all_there),
		cmocka_unit_test(a_list_of_names_that_is_too_long_ends_in_dots),
		cmocka_unit_test(what_the_generated_codec_writes_is_read),
		cmocka_unit_test(malformed_entries_are_refused),
		cmocka_unit_test(unknown_fields_are_passed_over),
		cmocka_unit_test(more_names_than_there_is_room_for_are_refused),
		cmocka_unit_test(filters_let_through_what_they_say),
		cmocka_unit_test(filters_match_identities_as_grants_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
