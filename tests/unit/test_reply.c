/* SPDX-License-Identifier: Apache-2.0 */
/* edge/provider/reply.c: what edged answered, checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"
#include "edge/provider/reply.h"

#define ID 7

static struct bytes
message(struct sock_reply head, size_t body_len, uint8_t *at)
{
	memcpy(at, &head, sizeof(head));
	memset(at + sizeof(head), 0x42, body_len);
	return (struct bytes){ at, sizeof(head) + body_len };
}

static struct sock_reply
good(uint32_t code, uint32_t length)
{
	return (struct sock_reply){ SOCK_MAGIC_REPLY, ID, code, length };
}

static void
a_signature_and_a_refusal_are_read(void **state)
{
	uint8_t at[REPLY_MESSAGE_MAX];
	struct reply reply;

	(void)state;
	assert_true(
	    reply_parse(message(good(STATUS_OK, 64), 64, at), ID, &reply));
	assert_int_equal(reply.code, STATUS_OK);
	assert_int_equal(reply.len, 64);
	assert_int_equal(reply.at[63], 0x42);
	assert_true(reply_parse(
	    message(good(STATUS_UNAUTHENTICATED, 0), 0, at), ID, &reply));
	assert_int_equal(reply.code, STATUS_UNAUTHENTICATED);
	assert_true(reply_parse(
	    message(good(STATUS_OK, SIGNATURE_MAX), SIGNATURE_MAX, at), ID,
	    &reply));
	assert_int_equal(reply.len, SIGNATURE_MAX);
}

static void
a_message_that_is_not_the_answer_is_refused(void **state)
{
	uint8_t at[REPLY_MESSAGE_MAX + 8];
	struct reply reply = { .code = 99 };
	struct sock_reply head = good(STATUS_OK, 64);
	struct bytes whole;

	(void)state;
	whole = message(head, 64, at);
	assert_false(reply_parse(whole, ID + 1, &reply));
	for (size_t len = 0; len < whole.len; len++)
		assert_false(
		    reply_parse((struct bytes){ at, len }, ID, &reply));
	assert_false(reply_parse(message(head, 65, at), ID, &reply));
	head.magic = SOCK_MAGIC_REQUEST;
	assert_false(reply_parse(message(head, 64, at), ID, &reply));
	assert_false(
	    reply_parse(message(good(STATUS_OK, 0), 0, at), ID, &reply));
	assert_false(reply_parse(message(good(17, 4), 4, at), ID, &reply));
	assert_false(reply_parse(
	    message(good(STATUS_OK, SIGNATURE_MAX + 1), SIGNATURE_MAX + 1, at),
	    ID, &reply));
	assert_int_equal(reply.code, 99);
}

static bool
fits(enum sign_scheme scheme, size_t size_max, const char *at, size_t len)
{
	return reply_signature_fits(
	    scheme, size_max, (struct bytes){ (const uint8_t *)at, len });
}

static void
an_rsa_or_ed25519_signature_has_exactly_its_size(void **state)
{
	static const char octets[513];

	(void)state;
	assert_true(fits(SCHEME_RSA_PSS_RSAE_SHA256, 256, octets, 256));
	assert_false(fits(SCHEME_RSA_PSS_RSAE_SHA256, 256, octets, 255));
	assert_false(fits(SCHEME_RSA_PKCS1_SHA256, 256, octets, 257));
	assert_true(fits(SCHEME_RSA_PKCS1_SHA512, 512, octets, 512));
	assert_true(fits(SCHEME_ED25519, 64, octets, 64));
	assert_false(fits(SCHEME_ED25519, 64, octets, 63));
	assert_false(fits(0, 64, octets, 64));
}

static void
an_ecdsa_signature_is_two_positive_integers(void **state)
{
	const enum sign_scheme ecdsa = SCHEME_ECDSA_SECP256R1_SHA256;

	(void)state;
	assert_true(fits(ecdsa, 72, "\x30\x06\x02\x01\x01\x02\x01\x01", 8));
	assert_true(fits(ecdsa, 72, "\x30\x07\x02\x02\x00\x80\x02\x01\x01", 9));
	/* Too long for the key, cut short, something behind, one integer. */
	assert_false(fits(ecdsa, 7, "\x30\x06\x02\x01\x01\x02\x01\x01", 8));
	assert_false(fits(ecdsa, 72, "\x30\x06\x02\x01\x01\x02\x01\x01", 7));
	assert_false(
	    fits(ecdsa, 72, "\x30\x06\x02\x01\x01\x02\x01\x01\x00", 9));
	assert_false(fits(ecdsa, 72, "\x30\x03\x02\x01\x01", 5));
	/* Zero, negative, not the shortest, three integers. */
	assert_false(fits(ecdsa, 72, "\x30\x06\x02\x01\x00\x02\x01\x01", 8));
	assert_false(fits(ecdsa, 72, "\x30\x06\x02\x01\x80\x02\x01\x01", 8));
	assert_false(
	    fits(ecdsa, 72, "\x30\x07\x02\x02\x00\x01\x02\x01\x01", 9));
	assert_false(fits(
	    ecdsa, 72, "\x30\x09\x02\x01\x01\x02\x01\x01\x02\x01\x01", 11));
	assert_false(fits(ecdsa, 72, "", 0));
}

static void
a_refusals_text_cannot_break_a_line_of_log(void **state)
{
	struct reply reply = { .code = STATUS_PERMISSION_DENIED, .len = 5 };
	char text[REPLY_TEXT_MAX];

	(void)state;
	memcpy(reply.at, "a\nb\xc3\xa4", 5);
	reply_text(&reply, text);
	assert_string_equal(text, "a?b??");
	reply.len = SIGNATURE_MAX;
	memset(reply.at, 'x', SIGNATURE_MAX);
	reply_text(&reply, text);
	assert_int_equal(strlen(text), REPLY_TEXT_MAX - 1);
	reply.len = 0;
	reply_text(&reply, text);
	assert_string_equal(text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signature_and_a_refusal_are_read),
		cmocka_unit_test(a_message_that_is_not_the_answer_is_refused),
		cmocka_unit_test(
		    an_rsa_or_ed25519_signature_has_exactly_its_size),
		cmocka_unit_test(an_ecdsa_signature_is_two_positive_integers),
		cmocka_unit_test(a_refusals_text_cannot_break_a_line_of_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
