/* SPDX-License-Identifier: Apache-2.0 */

/* The table of http-01 answers, and what edges are told of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "certd/http_challenges.h"

struct told {
	char text[65536];
	size_t len, n, max;
};

static bool
note(void *ctx, const char *token, const char *key_authorization)
{
	struct told *told = ctx;

	if (told->max != 0 && told->n == told->max)
		return false;
	told->n++;
	told->len += (size_t)snprintf(told->text + told->len,
	    sizeof(told->text) - told->len, "%s%s%s ",
	    key_authorization == NULL ? "-" : "+", token,
	    key_authorization == NULL ? "" : key_authorization);
	return true;
}

static uint64_t
tell(struct http_challenges *c, uint64_t since, bool reset, const char *what)
{
	struct told told = { 0 };
	uint64_t mark = 0;
	bool is_reset;

	assert_false(failed(
	    http_challenges_since(c, since, note, &told, &is_reset, &mark)));
	assert_string_equal(told.text, what);
	assert_int_equal(is_reset, reset);
	return mark;
}

static void
add(struct http_challenges *c, const char *token, const char *text)
{
	assert_false(failed(http_challenges_add(c, token, text)));
}

static struct http_challenges *
new_table(void)
{
	struct http_challenges *c;

	assert_false(failed(http_challenges_new(&c)));
	return c;
}

static void
answers_what_was_added_until_it_is_removed(void **state)
{
	struct http_challenges *c = new_table();
	char text[ACME_KEY_AUTHORIZATION_MAX];

	(void)state;
	assert_false(http_challenges_find(c, "one", text));
	add(c, "one", "one.x");
	add(c, "two", "two.x");
	assert_true(http_challenges_find(c, "one", text));
	assert_string_equal(text, "one.x");
	http_challenges_remove(c, "one");
	assert_false(http_challenges_find(c, "one", text));
	assert_true(http_challenges_find(c, "two", text));
	http_challenges_free(c);
}

static void
a_token_that_is_too_long_is_refused(void **state)
{
	struct http_challenges *c = new_table();
	char token[ACME_TOKEN_MAX + 1];

	(void)state;
	memset(token, 'a', sizeof(token));
	token[sizeof(token) - 1] = 0;
	assert_int_equal(
	    http_challenges_add(c, token, "x").code, STATUS_INVALID_ARGUMENT);
	assert_int_equal(
	    http_challenges_add(c, "", "x").code, STATUS_INVALID_ARGUMENT);
	http_challenges_free(c);
}

static void
a_stream_is_told_what_changed_since_and_in_order(void **state)
{
	struct http_challenges *c = new_table();
	uint64_t mark, first = http_challenges_mark(c);

	(void)state;
	assert_int_equal(tell(c, 0, true, ""), first);
	add(c, "a", "1");
	add(c, "b", "2");
	mark = tell(c, first, false, "+a1 +b2 ");
	assert_int_equal(mark, http_challenges_mark(c));
	add(c, "a", "1"); /* is there already */
	assert_int_equal(tell(c, mark, false, ""), mark);
	http_challenges_remove(c, "a");
	add(c, "c", "3");
	add(c, "a", "4");
	http_challenges_remove(c, "b");
	http_challenges_remove(c, "b");
	mark = tell(c, mark, false, "-a +c3 +a4 -b ");
	tell(c, 0, true, "+c3 +a4 ");
	/* As of a life before this one. */
	tell(c, mark + 100, true, "+c3 +a4 ");
	http_challenges_free(c);
}

static void
a_walk_that_is_ended_goes_on_where_it_was(void **state)
{
	struct http_challenges *c = new_table();
	struct told told = { .max = 2 };
	uint64_t mark;
	bool is_reset;

	(void)state;
	add(c, "a", "1");
	add(c, "b", "2");
	add(c, "c", "3");
	assert_false(
	    failed(http_challenges_since(c, 0, note, &told, &is_reset, &mark)));
	assert_string_equal(told.text, "+a1 +b2 ");
	http_challenges_remove(c, "b");
	mark = tell(c, mark, false, "+c3 -b ");
	assert_int_equal(mark, http_challenges_mark(c));
	http_challenges_free(c);
}

static void
who_missed_more_removals_than_are_known_gets_all(void **state)
{
	struct http_challenges *c = new_table();
	uint64_t mark = http_challenges_mark(c), late = mark;
	char token[16];

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(token, sizeof(token), "t%u", i);
		add(c, token, "x");
		http_challenges_remove(c, token);
		if (i == 4997)
			late = http_challenges_mark(c);
	}
	add(c, "last", "1");
	tell(c, mark, true, "+last1 ");
	tell(c, late, false, "-t4998 -t4999 +last1 ");
	http_challenges_free(c);
}

static void
is_in_force_when_every_edge_of_the_group_has_confirmed(void **state)
{
	struct http_challenges *c = new_table();
	char why[256] = "";
	size_t n = 99;

	(void)state;
	assert_false(
	    http_challenges_in_force(c, "a", NULL, &n, why, sizeof(why)));
	add(c, "a", "1");
	assert_true(
	    http_challenges_in_force(c, "a", NULL, &n, why, sizeof(why)));
	assert_int_equal(n, 0);
	http_challenges_edge(c, "fra-1", "eu", 0);
	http_challenges_edge(c, "fra-2", "eu", 0);
	http_challenges_edge(c, "nyc-1", "us", 0);
	assert_false(
	    http_challenges_in_force(c, "a", "eu", &n, why, sizeof(why)));
	assert_int_equal(n, 2);
	assert_string_equal(why, "fra-1, fra-2");
	http_challenges_edge(c, "fra-1", "eu", http_challenges_mark(c));
	assert_false(
	    http_challenges_in_force(c, "a", "eu", &n, why, sizeof(why)));
	assert_string_equal(why, "fra-2");
	http_challenges_edge(c, "fra-2", "eu", http_challenges_mark(c));
	assert_true(
	    http_challenges_in_force(c, "a", "eu", &n, why, sizeof(why)));
	assert_false(
	    http_challenges_in_force(c, "a", NULL, &n, why, sizeof(why)));
	assert_int_equal(n, 3);
	assert_string_equal(why, "nyc-1");
	http_challenges_edge_gone(c, "nyc-1");
	assert_true(
	    http_challenges_in_force(c, "a", NULL, &n, why, sizeof(why)));
	/* A newer one is not there with the older. */
	add(c, "b", "1");
	assert_true(
	    http_challenges_in_force(c, "a", NULL, &n, why, sizeof(why)));
	assert_false(
	    http_challenges_in_force(c, "b", NULL, &n, why, sizeof(why)));
	http_challenges_free(c);
}

static void
names_as_many_edges_as_there_is_room_for(void **state)
{
	struct http_challenges *c = new_table();
	char name[16], why[48];
	size_t n;

	(void)state;
	add(c, "a", "1");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "edge-%u", i);
		http_challenges_edge(c, name, "eu", 0);
	}
	assert_false(
	    http_challenges_in_force(c, "a", NULL, &n, why, sizeof(why)));
	assert_string_equal(why, "edge-0, edge-1, edge-2 and 97 more");
	http_challenges_free(c);
}

static void
count(void *ctx)
{
	++*(int *)ctx;
}

static void
tells_of_changes_and_of_nothing_else(void **state)
{
	struct http_challenges *c = new_table();
	int n = 0;

	(void)state;
	http_challenges_on_change(c, count, &n);
	add(c, "a", "1");
	add(c, "a", "1");
	http_challenges_remove(c, "b");
	assert_int_equal(n, 1);
	http_challenges_remove(c, "a");
	assert_int_equal(n, 2);
	http_challenges_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_what_was_added_until_it_is_removed),
		cmocka_unit_test(a_token_that_is_too_long_is_refused),
		cmocka_unit_test(
		    a_stream_is_told_what_changed_since_and_in_order),
		cmocka_unit_test(a_walk_that_is_ended_goes_on_where_it_was),
		cmocka_unit_test(
		    who_missed_more_removals_than_are_known_gets_all),
		cmocka_unit_test(
		    is_in_force_when_every_edge_of_the_group_has_confirmed),
		cmocka_unit_test(names_as_many_edges_as_there_is_room_for),
		cmocka_unit_test(tells_of_changes_and_of_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
