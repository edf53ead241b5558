/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "dns/resolver.h"

static struct dns_caa caa;

static void
add(bool is_critical, const char *tag, const char *value)
{
	size_t n = caa.n_records++;

	caa.records[n].is_critical = is_critical;
	(void)!snprintf(
	    caa.records[n].tag, sizeof(caa.records[n].tag), "%s", tag);
	(void)!snprintf(
	    caa.records[n].value, sizeof(caa.records[n].value), "%s", value);
}

static bool
allows(const char *ca)
{
	return dns_caa_allows(&caa, ca, false);
}

static bool
allows_wildcard(const char *ca)
{
	return dns_caa_allows(&caa, ca, true);
}

static int
forget(void **state)
{
	(void)state;
	caa = (struct dns_caa){ .n_records = 0 };
	return 0;
}

static void
without_records_anyone_may_issue(void **state)
{
	(void)state;
	assert_true(allows("ca.example"));
	assert_true(allows_wildcard("ca.example"));
	add(false, "iodef", "mailto:security@example.org");
	assert_true(allows("ca.example"));
}

static void
whoever_is_named_may_issue_and_nobody_else(void **state)
{
	(void)state;
	add(false, "ISSUE", "CA.example");
	add(false, "issue", " other.example ; account=7; a = b");
	assert_true(allows("ca.example"));
	assert_true(allows("other.example"));
	assert_false(allows("third.example"));
	assert_false(allows("ca.example.org"));
	assert_false(allows("ca.exampl"));
	assert_true(allows_wildcard("ca.example"));
}

static void
issuewild_alone_counts_for_wildcards(void **state)
{
	(void)state;
	add(false, "issue", "ca.example");
	add(false, "issuewild", "wild.example");
	assert_false(allows_wildcard("ca.example"));
	assert_true(allows_wildcard("wild.example"));
	assert_false(allows("wild.example"));
	assert_true(allows("ca.example"));
}

static void
an_empty_issuewild_forbids_wildcards_alone(void **state)
{
	(void)state;
	add(false, "issuewild", ";");
	assert_false(allows_wildcard("ca.example"));
	assert_true(allows("ca.example"));
}

static void
an_empty_issuer_forbids_all(void **state)
{
	(void)state;
	add(false, "issue", ";");
	assert_false(allows("ca.example"));
	assert_false(allows_wildcard("ca.example"));
	assert_false(allows(""));
	forget(state);
	add(false, "issue", "");
	assert_false(allows("ca.example"));
}

static void
values_against_the_grammar_allow_nobody(void **state)
{
	static const char *const wrong[] = { "ca.example account=7",
		"ca.example; account", "ca.example; =7", "ca.example; a=b c=d",
		"ca.example; a=b;", "ca.example.; a=b", "-ca.example",
		"ca.example,other.example", "%ca.example", "ca..example" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		forget(state);
		add(false, "issue", wrong[i]);
		assert_false(allows("ca.example"));
	}
	forget(state);
	add(false, "issue", "ca.example;");
	assert_true(allows("ca.example"));
	forget(state);
	add(false, "issue", "ca.example; a=b;  c-d=https://x/?y=1");
	assert_true(allows("ca.example"));
}

static void
critical_tags_that_nobody_knows_forbid_all(void **state)
{
	(void)state;
	add(false, "issue", "ca.example");
	add(false, "tbs", "Unknown");
	assert_true(allows("ca.example"));
	add(true, "tbs", "Unknown");
	assert_false(allows("ca.example"));
	assert_false(allows_wildcard("ca.example"));
	forget(state);
	add(true, "issue", "ca.example");
	assert_true(allows("ca.example"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    without_records_anyone_may_issue, forget),
		cmocka_unit_test_setup(
		    whoever_is_named_may_issue_and_nobody_else, forget),
		cmocka_unit_test_setup(
		    issuewild_alone_counts_for_wildcards, forget),
		cmocka_unit_test_setup(
		    an_empty_issuewild_forbids_wildcards_alone, forget),
		cmocka_unit_test_setup(an_empty_issuer_forbids_all, forget),
		cmocka_unit_test_setup(
		    values_against_the_grammar_allow_nobody, forget),
		cmocka_unit_test_setup(
		    critical_tags_that_nobody_knows_forbid_all, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
