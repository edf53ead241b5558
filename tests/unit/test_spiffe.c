/* SPDX-License-Identifier: Apache-2.0 */
/* base/spiffe.c: identities as text, and the patterns of grants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/spiffe.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static void
an_identity_comes_apart_and_together_again(void **state)
{
	static const char text[] = "spiffe://cdn-1.example_x/edge/Fra-1.a_b";
	struct spiffe id;
	char printed[SPIFFE_ID_MAX];

	(void)state;
	assert_int_equal(spiffe_parse(text, &id).code, STATUS_OK);
	assert_string_equal(id.domain, "cdn-1.example_x");
	assert_int_equal(id.role, ROLE_EDGE);
	assert_string_equal(id.name, "Fra-1.a_b");
	assert_int_equal(spiffe_print(&id, printed).code, STATUS_OK);
	assert_string_equal(printed, text);
}

static void
every_role_has_its_name(void **state)
{
	(void)state;
	for (int role = ROLE_NONE + 1; role < ROLE_END_; role++)
		assert_int_equal(role_parse(role_name((enum role)role)), role);
	assert_null(role_name(ROLE_NONE));
	assert_null(role_name(ROLE_END_));
	assert_int_equal(role_parse("Edge"), ROLE_NONE);
	assert_int_equal(role_parse("edge "), ROLE_NONE);
	assert_int_equal(role_parse(""), ROLE_NONE);
}

static void
what_is_not_exactly_an_identity_is_refused(void **state)
{
	static const char *const wrong[] = { "", "spiffe://",
		"spiffe:///edge/a", "spiffe://d", "spiffe://d/edge",
		"spiffe://d/edge/", "spiffe://d//a", "spiffe://d/edge/a/",
		"spiffe://d/edge/a/b", "spiffe://d/edge//a",
		"Spiffe://d/edge/a", "https://d/edge/a", "spiffe://D/edge/a",
		"spiffe://d:443/edge/a", "spiffe://u@d/edge/a",
		"spiffe://d/edge/a?x", "spiffe://d/edge/a#x",
		"spiffe://d/edge/a%20b", "spiffe://d/edge/a b",
		"spiffe://d/edge/.", "spiffe://d/edge/..", "spiffe://d/Edge/a",
		"spiffe://d/root/a", "spiffe://d/edge/a\n",
		"spiffe://d/edge/\xc3\xa4", " spiffe://d/edge/a",
		"spiffe://d/edge/*" };
	struct spiffe id = { .role = ROLE_AUDITOR };

	(void)state;
	for (size_t i = 0; i < LEN(wrong); i++)
		assert_int_equal(
		    spiffe_parse(wrong[i], &id).code, STATUS_INVALID_ARGUMENT);
	assert_int_equal(id.role, ROLE_AUDITOR); /* untouched */
}

static void
the_longest_identity_fits_and_one_more_is_refused(void **state)
{
	char domain[SPIFFE_DOMAIN_MAX + 1], name[SPIFFE_NAME_MAX + 1];
	char text[2 * SPIFFE_ID_MAX], printed[SPIFFE_ID_MAX];
	struct spiffe id;

	(void)state;
	memset(domain, 'd', sizeof(domain));
	memset(name, 'n', sizeof(name));
	snprintf(text, sizeof(text), "spiffe://%.*s/operator/%.*s",
	    SPIFFE_DOMAIN_MAX - 1, domain, SPIFFE_NAME_MAX - 1, name);
	assert_int_equal(spiffe_parse(text, &id).code, STATUS_OK);
	assert_int_equal(spiffe_print(&id, printed).code, STATUS_OK);
	assert_string_equal(printed, text);
	snprintf(text, sizeof(text), "spiffe://%.*s/edge/n", SPIFFE_DOMAIN_MAX,
	    domain);
	assert_int_equal(spiffe_parse(text, &id).code, STATUS_INVALID_ARGUMENT);
	snprintf(
	    text, sizeof(text), "spiffe://d/edge/%.*s", SPIFFE_NAME_MAX, name);
	assert_int_equal(spiffe_parse(text, &id).code, STATUS_INVALID_ARGUMENT);
}

static void
prints_no_identity_it_would_not_read(void **state)
{
	const struct spiffe wrong[] = {
		{ .domain = "d", .role = ROLE_NONE, .name = "n" },
		{ .domain = "d", .role = ROLE_END_, .name = "n" },
		{ .domain = "", .role = ROLE_EDGE, .name = "n" },
		{ .domain = "d", .role = ROLE_EDGE, .name = "" },
		{ .domain = "d", .role = ROLE_EDGE, .name = "a/b" },
		{ .domain = "d/edge/x#", .role = ROLE_EDGE, .name = "n" },
	};
	char text[SPIFFE_ID_MAX] = "before";

	(void)state;
	for (size_t i = 0; i < LEN(wrong); i++)
		assert_int_equal(spiffe_print(&wrong[i], text).code,
		    STATUS_INVALID_ARGUMENT);
	assert_string_equal(text, "before");
}

static void
a_pattern_matches_a_name_or_a_beginning_of_its_own_role(void **state)
{
	const struct spiffe id = { "d", ROLE_EDGE, "fra-1" };

	(void)state;
	assert_true(spiffe_matches(&id, "edge/fra-1"));
	assert_true(spiffe_matches(&id, "edge/fra-*"));
	assert_true(spiffe_matches(&id, "edge/fra-1*"));
	assert_true(spiffe_matches(&id, "edge/*"));
	assert_false(spiffe_matches(&id, "edge/fra-10"));
	assert_false(spiffe_matches(&id, "edge/fra-10*"));
	assert_false(spiffe_matches(&id, "edge/fra-"));
	assert_false(spiffe_matches(&id, "edge/FRA-1"));
	assert_false(spiffe_matches(&id, "certd/fra-1"));
	assert_false(spiffe_matches(&id, "certd/*"));
}

static void
a_malformed_pattern_matches_nothing(void **state)
{
	static const char *const wrong[] = { "", "*", "*/*", "edge", "edge/",
		"/fra-1", "edge/f*1", "edge/**", "edge/fra 1", "edge/fra-1/x",
		"edge/../x", "edge/.", "root/fra-1", "Edge/fra-1",
		"spiffe://d/edge/fra-1", "edge/fra-1\n", "edge/%", "edge/@",
		"edge/@*", "edge/@lab*", "edge/@@lab", "edge/@la b",
		"edge/@lab/x", "operator/@lab", "certd/@lab", "@lab" };
	const struct spiffe id = { "d", ROLE_EDGE, "fra-1" };
	const struct spiffe nobody = { .role = ROLE_NONE };

	(void)state;
	for (size_t i = 0; i < LEN(wrong); i++) {
		assert_false(spiffe_pattern_ok(wrong[i]));
		assert_false(spiffe_matches(&id, wrong[i]));
		assert_false(spiffe_matches(&nobody, wrong[i]));
	}
	assert_true(spiffe_pattern_ok("edge/*"));
	assert_true(spiffe_pattern_ok("operator/alice"));
}

static void
a_pattern_of_an_edge_group_names_it_and_matches_nobody_by_itself(void **state)
{
	const struct spiffe id = { "d", ROLE_EDGE, "lab" };
	char longest[sizeof("edge/@") + SPIFFE_NAME_MAX] = "edge/@";

	(void)state;
	assert_true(spiffe_pattern_ok("edge/@lab"));
	assert_string_equal(spiffe_pattern_group("edge/@lab"), "lab");
	assert_string_equal(spiffe_pattern_group("edge/@A.b_c-9"), "A.b_c-9");
	assert_false(spiffe_matches(&id, "edge/@lab"));
	assert_null(spiffe_pattern_group("edge/lab"));
	assert_null(spiffe_pattern_group("edge/*"));
	assert_null(spiffe_pattern_group("certd/@lab"));
	memset(longest + strlen(longest), 'g', SPIFFE_NAME_MAX - 1);
	assert_true(spiffe_pattern_ok(longest));
	assert_int_equal(
	    strlen(spiffe_pattern_group(longest)), SPIFFE_NAME_MAX - 1);
	longest[strlen(longest)] = 'g';
	assert_false(spiffe_pattern_ok(longest));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_identity_comes_apart_and_together_again),
		cmocka_unit_test(every_role_has_its_name),
		cmocka_unit_test(what_is_not_exactly_an_identity_is_refused),
		cmocka_unit_test(
		    the_longest_identity_fits_and_one_more_is_refused),
		cmocka_unit_test(prints_no_identity_it_would_not_read),
		cmocka_unit_test(
		    a_pattern_matches_a_name_or_a_beginning_of_its_own_role),
		cmocka_unit_test(a_malformed_pattern_matches_nothing),
		cmocka_unit_test(
		    a_pattern_of_an_edge_group_names_it_and_matches_nobody_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
