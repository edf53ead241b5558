/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages as they are composed (mail/message.h), octet by octet.  That others
 * read them as they are meant is shown by tests/system/test_mail.py.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mail/address.h"
#include "mail/message.h"

#define MESSAGE_MAX 1048576

static const struct mail_fields PLAIN = {
	.from_name = "Holdfast",
	.from = "holdfast@example.com",
	.to = "ops@example.net",
	.subject = "A certificate expires in 7 days",
	.text = "Hello.\n",
	.html = "<p>Hello.</p>\n",
	.date_s = 1767323045, /* 2026-01-02T03:04:05Z */
	.id = "n-1.7",
};

/* As a text, for a while. */
static const char *
compose(const struct mail_fields *fields)
{
	static char text[MESSAGE_MAX];
	scoped(mail_message_free) struct mail_message *message = NULL;
	char why[MAIL_WHY_MAX] = "";
	struct status st = mail_message_new(fields, &message, why);
	struct bytes octets;

	if (failed(st))
		print_error("%s\n", why);
	assert_false(failed(st));
	octets = mail_message_octets(message);
	assert_true(octets.len < sizeof(text));
	memcpy(text, octets.at, octets.len);
	text[octets.len] = 0;
	assert_int_equal(strlen(text), octets.len);
	return text;
}

static void
expect_refused(const struct mail_fields *fields, const char *sentence)
{
	struct mail_message *message = NULL;
	char why[MAIL_WHY_MAX] = "";
	struct status st = mail_message_new(fields, &message, why);

	if (strstr(why, sentence) == NULL)
		print_error("%s\n", why);
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	assert_non_null(strstr(why, sentence));
	assert_null(message);
}

static void
expect_has(const struct mail_fields *fields, const char *piece)
{
	const char *text = compose(fields);

	if (strstr(text, piece) == NULL)
		print_error("%s\n", text);
	assert_non_null(strstr(text, piece));
}

static void
a_message_is_what_rfc_5322_wants(void **state)
{
	(void)state;
	assert_string_equal(compose(&PLAIN),
	    "Date: Fri, 02 Jan 2026 03:04:05 +0000\r\n"
	    "From: \"Holdfast\" <holdfast@example.com>\r\n"
	    "To: <ops@example.net>\r\n"
	    "Subject: A certificate expires in 7 days\r\n"
	    "Message-ID: <n-1.7@example.com>\r\n"
	    "Auto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/alternative; boundary=\"=_holdfast\"\r\n"
	    "\r\n"
	    "--=_holdfast\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n"
	    "\r\n"
	    "Hello.\r\n"
	    "\r\n"
	    "--=_holdfast\r\n"
	    "Content-Type: text/html; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n"
	    "\r\n"
	    "<p>Hello.</p>\r\n"
	    "\r\n"
	    "--=_holdfast--\r\n");
}

static void
an_envelope_comes_with_it(void **state)
{
	struct mail_message *message = NULL;
	char why[MAIL_WHY_MAX];

	(void)state;
	assert_false(failed(mail_message_new(&PLAIN, &message, why)));
	assert_string_equal(mail_message_from(message), "holdfast@example.com");
	assert_string_equal(mail_message_to(message), "ops@example.net");
	mail_message_free(message);
	mail_message_free(NULL);
}

static void
identifiers_are_random_where_none_is_given(void **state)
{
	struct mail_fields fields = PLAIN;
	char first[128];

	(void)state;
	fields.id = NULL;
	(void)sscanf(
	    strstr(compose(&fields), "Message-ID: "), "%*s %127s", first);
	assert_int_equal(strlen(first), 1 + 32 + sizeof("@example.com>") - 1);
	assert_null(strstr(compose(&fields), first));
}

static void
threads_and_lists_are_named(void **state)
{
	struct mail_fields fields = PLAIN;

	(void)state;
	fields.thread = "certificate-12";
	fields.list_id = "notices.example.com";
	fields.unsubscribe_url =
	    "https://certd.example.com/unsubscribe?t=a%2Cb";
	expect_has(&fields,
	    "References: <certificate-12@example.com>\r\n"
	    "Auto-Submitted: auto-generated\r\n"
	    "List-Id: <notices.example.com>\r\n"
	    "List-Unsubscribe: "
	    "<https://certd.example.com/unsubscribe?t=a%2Cb>\r\n"
	    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
	assert_null(strstr(compose(&PLAIN), "List-"));
	assert_null(strstr(compose(&PLAIN), "References"));
}

static void
long_subjects_are_folded_at_blanks(void **state)
{
	struct mail_fields fields = PLAIN;

	(void)state;
	fields.subject =
	    "The certificate of www.example.com and 17 other names of account "
	    "acme expires in 7 days  and is not replaced";
	expect_has(&fields,
	    "Subject: The certificate of www.example.com and 17 other names of "
	    "account\r\n acme expires in 7 days  and is not replaced\r\n");
}

static void
what_is_not_ascii_becomes_encoded_words(void **state)
{
	struct mail_fields fields = PLAIN;

	(void)state;
	fields.subject = "Zertifikat l\u00e4uft ab";
	expect_has(
	    &fields, "Subject: =?UTF-8?B?WmVydGlmaWthdCBsw6R1ZnQgYWI=?=\r\n");
	fields.subject = "\u8bc1\u4e66\u8bc1\u4e66\u8bc1\u4e66\u8bc1\u4e66"
			 "\u8bc1\u4e66\u8bc1\u4e66\u8bc1\u4e66";
	expect_has(&fields,
	    "Subject: "
	    "=?UTF-8?B?"
	    "6K+B5Lmm6K+B5Lmm6K+B5Lmm6K+B5Lmm6K+B5Lmm6K+B5Lmm6K+B?=\r\n"
	    " =?UTF-8?B?5Lmm?=\r\n");
	/* What would be taken for one is one. */
	fields.subject = "=?UTF-8?B?QQ==?=";
	expect_has(
	    &fields, "Subject: =?UTF-8?B?PT9VVEYtOD9CP1FRPT0/PQ==?=\r\n");
	fields.to_name = "J\u00fcrgen";
	expect_has(
	    &fields, "To: =?UTF-8?B?SsO8cmdlbg==?= <ops@example.net>\r\n");
}

static void
a_word_that_fits_no_line_is_encoded(void **state)
{
	struct mail_fields fields = PLAIN;
	char subject[101];

	(void)state;
	memset(subject, 'a', sizeof(subject) - 1);
	subject[sizeof(subject) - 1] = 0;
	fields.subject = subject;
	expect_has(&fields, "Subject: =?UTF-8?B?YWFh");
}

static void
names_cannot_leave_their_quotes(void **state)
{
	struct mail_fields fields = PLAIN;

	(void)state;
	fields.to_name = "x\" <evil@example.org>, \"\\";
	expect_has(&fields, "To: \"x\\\" <evil@example.org>, \\\"\\\\\" "
			    "<ops@example.net>\r\n");
}

static void
bodies_are_quoted_printable(void **state)
{
	struct mail_fields fields = PLAIN;
	char line[201];

	(void)state;
	fields.text = "a=b \u00e4\t\r\n.dot\nFrom here\n--=_holdfast\n"
		      "to the end ";
	expect_has(&fields, "\r\na=3Db =C3=A4=09\r\n=2Edot\r\n=46rom here\r\n"
			    "--=3D_holdfast\r\nto the end=20\r\n");
	memset(line, 'a', sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	line[73] = '.';
	fields.text = line;
	expect_has(&fields, "aaa=\r\n=2Eaaa");
}

static void
no_line_is_longer_than_it_may_be(void **state)
{
	struct mail_fields fields = PLAIN;
	char name[MAIL_NAME_MAX + 1], subject[MAIL_SUBJECT_MAX + 1];
	char body[20001];
	const char *at, *end;

	(void)state;
	for (size_t i = 0; i < sizeof(body) - 1; i++)
		body[i] = i % 7 == 3 ? '=' : i % 1000 == 999 ? '\n' : 'x';
	body[sizeof(body) - 1] = 0;
	for (size_t i = 0; i + 2 < sizeof(subject); i += 2)
		memcpy(subject + i, "\u00e9", 3);
	memset(name, '"', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	fields.text = fields.html = body;
	fields.subject = subject;
	fields.from_name = fields.to_name = name;
	at = compose(&fields);
	while ((end = strstr(at, "\r\n")) != NULL) {
		assert_true(end - at <= 76);
		at = end + 2;
	}
	assert_string_equal(at, "");
}

/* ---- refused ---- */

#define FIELDS(field, text)                                                    \
	do {                                                                   \
		struct mail_fields fields = PLAIN;                             \
		fields.field = text;                                           \
		expect_refused(&fields, sentence);                             \
	} while (0)

static void
no_field_can_begin_another(void **state)
{
	static const char *const bad[] = { "a\r\nBcc: x@example.org",
		"a\nBcc: x@example.org", "a\rBcc: x@example.org", "a\r\n b",
		"a\x01", "a\x1b[2J", "a\x7f", "a\tb", "a\302\205b", "a\u2028b",
		"a\u202eb", "a\xff", "a\xc3" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *sentence = "must be UTF-8 text without line ends";

		FIELDS(from_name, bad[i]);
		FIELDS(to_name, bad[i]);
		FIELDS(subject, bad[i]);
		sentence = "must";
		FIELDS(id, bad[i]);
		FIELDS(thread, bad[i]);
		FIELDS(list_id, bad[i]);
		FIELDS(unsubscribe_url, bad[i]);
		sentence = "address";
		FIELDS(from, bad[i]);
		FIELDS(to, bad[i]);
	}
}

static void
each_field_is_refused_by_its_name(void **state)
{
	const char *sentence;

	(void)state;
	sentence = "the sender's address must be";
	FIELDS(from, "nobody");
	sentence = "the recipient's address has other letters";
	FIELDS(to, "\u00e4@example.com");
	sentence = "the subject is missing";
	FIELDS(subject, "");
	sentence = "the subject must not begin or end with a blank";
	FIELDS(subject, " a");
	FIELDS(subject, "a ");
	sentence = "the text is missing";
	FIELDS(text, "");
	sentence = "the HTML must be UTF-8 text without other control";
	FIELDS(html, "a\x02");
	FIELDS(html, "a\rb");
	FIELDS(html, "a\xc2\x90");
	FIELDS(html, "a\xe2\x82");
	sentence = "the date must be between";
	FIELDS(date_s, -1);
	FIELDS(date_s, INT64_MAX);
	sentence = "the message's identifier must be 1 to 128";
	FIELDS(id, "");
	FIELDS(id, "a@b");
	FIELDS(id, "a..b");
	sentence = "the thread must be 1 to 128";
	FIELDS(thread, "a>b");
	sentence = "the list's identifier must be a name like";
	FIELDS(list_id, "[127.0.0.1]");
	sentence = "the URL to unsubscribe at must be an https URL";
	FIELDS(unsubscribe_url, "http://example.com/");
	FIELDS(unsubscribe_url, "mailto:a@example.com");
	sentence = "the URL to unsubscribe at has characters";
	FIELDS(unsubscribe_url, "https://example.com/>,<mailto:x@y.example");
	FIELDS(unsubscribe_url, "https://example.com/\r\nBcc: a@b.example");
}

static void
what_is_too_long_is_refused(void **state)
{
	static char text[MAIL_BODY_MAX + 2];
	const char *sentence = "is longer than it may be";

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	FIELDS(text, text);
	FIELDS(html, text);
	text[MAIL_SUBJECT_MAX + 1] = 0;
	FIELDS(subject, text);
	text[MAIL_NAME_MAX + 1] = 0;
	FIELDS(to_name, text);
	FIELDS(from_name, text);
	memset(text, 'a', MAIL_URL_MAX + 1);
	memcpy(text, "https://", 8);
	text[MAIL_URL_MAX + 1] = 0;
	FIELDS(unsubscribe_url, text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_what_rfc_5322_wants),
		cmocka_unit_test(an_envelope_comes_with_it),
		cmocka_unit_test(identifiers_are_random_where_none_is_given),
		cmocka_unit_test(threads_and_lists_are_named),
		cmocka_unit_test(long_subjects_are_folded_at_blanks),
		cmocka_unit_test(what_is_not_ascii_becomes_encoded_words),
		cmocka_unit_test(a_word_that_fits_no_line_is_encoded),
		cmocka_unit_test(names_cannot_leave_their_quotes),
		cmocka_unit_test(bodies_are_quoted_printable),
		cmocka_unit_test(no_line_is_longer_than_it_may_be),
		cmocka_unit_test(no_field_can_begin_another),
		cmocka_unit_test(each_field_is_refused_by_its_name),
		cmocka_unit_test(what_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
