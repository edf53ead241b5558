/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Host names: every spelling of a name ends as one, what is no host name is
 * refused with its reason, and a wildcard covers one label and no more.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pki/hostname.h"

static void
assert_becomes(const char *text, const char *want)
{
	char name[HOSTNAME_MAX], why[HOSTNAME_WHY_MAX] = "";
	struct status st = hostname_normalize(text, name, why);

	if (failed(st))
		fail_msg("%s", why);
	assert_string_equal(name, want);
	/* What is normalized stays as it is. */
	assert_false(failed(hostname_normalize(want, name, why)));
	assert_string_equal(name, want);
}

static void
assert_refused(const char *text, const char *word)
{
	char name[HOSTNAME_MAX] = "before", why[HOSTNAME_WHY_MAX] = "";
	struct status st = hostname_normalize(text, name, why);

	if (!failed(st))
		fail_msg("\"%s\" was taken as \"%s\"", text, name);
	assert_int_equal(st.code, STATUS_INVALID_ARGUMENT);
	if (strstr(why, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, word);
	assert_string_equal(name, "before");
}

static void
a_name_has_one_spelling(void **state)
{
	(void)state;
	assert_becomes("example.com", "example.com");
	assert_becomes("WWW.Example.COM", "www.example.com");
	assert_becomes("example.com.", "example.com");
	assert_becomes("localhost", "localhost");
	assert_becomes("r3---sn-4g5.example.com", "r3---sn-4g5.example.com");
	assert_becomes("1.example", "1.example");
	assert_becomes("127.0.0.1.example", "127.0.0.1.example");
	assert_becomes("*.Example.com", "*.example.com");
}

static void
names_in_other_scripts_become_a_labels(void **state)
{
	(void)state;
	assert_becomes("B\u00fccher.example", "xn--bcher-kva.example");
	assert_becomes("XN--BCHER-KVA.example", "xn--bcher-kva.example");
	assert_becomes("*.b\u00fccher.example", "*.xn--bcher-kva.example");
	/* UTS 46 non-transitional: not "fass.de". */
	assert_becomes("fa\u00df.de", "xn--fa-hia.de");
	assert_becomes("a\u3002example", "a.example");
	assert_becomes("\uff41\uff42.example.", "ab.example");
}

static void
what_idna_forbids_is_refused(void **state)
{
	(void)state;
	assert_refused("\u2603.net", "IDNA");
	assert_refused("xn--n3h.net", "IDNA");
	assert_refused("xn--zzzzzz99999.example", "IDNA");
	assert_refused("\xff\xfe.example", "IDNA");
	assert_refused("a_b.\u00fc.example", "underscore");
	assert_refused("\u00fc..example", "empty label");
	assert_refused("1.2.3.\uff14", "address");
}

static void
empty_and_overlong_names_are_refused(void **state)
{
	char text[2000];

	(void)state;
	assert_refused("", "empty");
	assert_refused(".", "empty");
	assert_refused("*.", "empty");
	assert_refused("a..b", "empty label");
	assert_refused(".a.b", "empty label");
	assert_refused("a.b..", "empty label");
	memset(text, 'a', sizeof(text));
	text[64] = 0;
	assert_refused(text, "63");
	text[63] = 0;
	assert_becomes(text, text);
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	assert_refused(text, "253");
	for (size_t i = 1; i < 253; i += 2)
		text[i] = '.';
	text[253] = 0;
	assert_becomes(text, text);
	memcpy(text + 253, "bb", 3);
	assert_refused(text, "253");
	/* With its wildcard, 254. */
	memcpy(text, "*.a.a", 5);
	text[253] = 'b';
	text[254] = 0;
	assert_refused(text, "253");
}

static void
characters_that_no_host_name_has_are_refused(void **state)
{
	(void)state;
	assert_refused("a_b.example", "underscore");
	assert_refused("_acme-challenge.example", "underscore");
	assert_refused("a b.example", "blanks");
	assert_refused(" a.example", "blanks");
	assert_refused("a.example\n", "blanks");
	assert_refused("a\x7f.example", "blanks");
	assert_refused("a/b.example", "\"/\"");
	assert_refused("a@b.example", "\"@\"");
	assert_refused("-a.example", "hyphen");
	assert_refused("a-.example", "hyphen");
}

static void
a_refused_name_is_shown_without_what_commands_a_terminal(void **state)
{
	char name[HOSTNAME_MAX], why[HOSTNAME_WHY_MAX];

	(void)state;
	assert_true(failed(hostname_normalize("\033[2J.example", name, why)));
	assert_null(strchr(why, '\033'));
	assert_non_null(strstr(why, "[2J.example"));
}

static void
addresses_are_refused(void **state)
{
	(void)state;
	assert_refused("192.0.2.1", "address");
	assert_refused("2001:db8::1", "address");
	assert_refused("example.com:443", "port");
	assert_refused("12345", "address");
	assert_refused("a.123", "last label");
}

static void
a_wildcard_is_the_whole_first_label_with_two_behind_it(void **state)
{
	(void)state;
	assert_refused("*", "wildcard");
	assert_refused("*.com", "two labels");
	assert_refused("w*.example.com", "whole first label");
	assert_refused("*w.example.com", "whole first label");
	assert_refused("a.*.example.com", "whole first label");
	assert_refused("*.*.example.com", "whole first label");
	assert_refused("*.192.0.2.1", "address");
}

static void
a_wildcard_covers_exactly_one_label(void **state)
{
	(void)state;
	assert_true(hostname_is_wildcard("*.a.b"));
	assert_false(hostname_is_wildcard("a.b"));
	assert_true(hostname_covers("a.b", "a.b"));
	assert_false(hostname_covers("a.b", "x.a.b"));
	assert_true(hostname_covers("*.a.b", "x.a.b"));
	assert_false(hostname_covers("*.a.b", "a.b"));
	assert_false(hostname_covers("*.a.b", "y.x.a.b"));
	assert_false(hostname_covers("*.a.b", "xa.b"));
	assert_false(hostname_covers("*.a.b", "b"));
}

static void
a_wildcard_covers_itself_and_no_other_wildcard(void **state)
{
	(void)state;
	assert_true(hostname_covers("*.a.b", "*.a.b"));
	assert_false(hostname_covers("*.a.b", "*.x.a.b"));
	assert_false(hostname_covers("x.a.b", "*.a.b"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_has_one_spelling),
		cmocka_unit_test(names_in_other_scripts_become_a_labels),
		cmocka_unit_test(what_idna_forbids_is_refused),
		cmocka_unit_test(empty_and_overlong_names_are_refused),
		cmocka_unit_test(characters_that_no_host_name_has_are_refused),
		cmocka_unit_test(
		    a_refused_name_is_shown_without_what_commands_a_terminal),
		cmocka_unit_test(addresses_are_refused),
		cmocka_unit_test(
		    a_wildcard_is_the_whole_first_label_with_two_behind_it),
		cmocka_unit_test(a_wildcard_covers_exactly_one_label),
		cmocka_unit_test(
		    a_wildcard_covers_itself_and_no_other_wildcard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
