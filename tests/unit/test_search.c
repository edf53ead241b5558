/* SPDX-License-Identifier: Apache-2.0 */

/* Words that are kept, and what finds them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certd/search.h"

static void
fields(struct search_words *words, const char *name, const char *host)
{
	assert_int_equal(search_words_add(words, name).code, STATUS_OK);
	assert_int_equal(search_words_add(words, host).code, STATUS_OK);
}

static bool
finds(const struct search_words *words, const char *text)
{
	struct search_query query;

	assert_int_equal(search_parse(text, &query).code, STATUS_OK);
	return search_matches(&query, words->text);
}

static void
a_word_is_found_by_its_begin_and_not_by_its_middle(void **state)
{
	scoped(search_words_done) struct search_words words = { 0 };

	(void)state;
	fields(&words, "Main Shop", "www.shop.example.com");
	assert_string_equal(words.text, " main shop\n www shop example com\n");
	assert_true(finds(&words, "exam"));
	assert_true(finds(&words, "SHOP"));
	assert_false(finds(&words, "xample"));
	assert_false(finds(&words, "shops"));
}

static void
a_host_name_is_found_by_labels_that_follow_each_other(void **state)
{
	scoped(search_words_done) struct search_words words = { 0 };

	(void)state;
	fields(&words, "one", "*.my-shop.example.com");
	assert_true(finds(&words, "shop.example.com"));
	assert_true(finds(&words, "*.my-shop.exa"));
	assert_true(finds(&words, "shop"));
	assert_false(finds(&words, "shop.com"));
	/* From one field into the next one. */
	assert_false(finds(&words, "one.my"));
}

static void
all_terms_must_be_found(void **state)
{
	scoped(search_words_done) struct search_words words = { 0 };

	(void)state;
	fields(&words, "main", "www.example.com");
	assert_true(finds(&words, "com mai"));
	assert_false(finds(&words, "com mai nothing"));
}

static void
letters_of_other_scripts_have_a_small_form_too(void **state)
{
	scoped(search_words_done) struct search_words words = { 0 };

	(void)state;
	fields(&words,
	    "\xc3\x9c"
	    "BERSICHT \xd0\x9c\xd0\xbe\xd1\x81",
	    "a.b");
	assert_true(finds(&words, "\xc3\xbc"
				  "bers"));
	assert_true(finds(&words, "\xd0\xbc\xd0\xbe"));
}

static void
octets_that_are_no_text_separate_words(void **state)
{
	scoped(search_words_done) struct search_words words = { 0 };

	(void)state;
	fields(&words,
	    "a\xff"
	    "b",
	    "");
	assert_string_equal(words.text, " a b\n\n");
}

static void
a_question_has_no_meaning_to_the_database(void **state)
{
	struct search_query query;

	(void)state;
	assert_int_equal(
	    search_parse("a\" OR words:* NEAR(x)", &query).code, STATUS_OK);
	assert_string_equal(query.terms[0], " a");
	assert_string_equal(query.terms[1], " or");
	assert_string_equal(query.terms[2], " words");
	assert_string_equal(query.terms[3], " near x");
}

static void
a_question_without_letters_or_with_too_many_words_is_refused(void **state)
{
	char many[SEARCH_TEXT_MAX + 2];
	struct search_query query;

	(void)state;
	assert_int_equal(
	    search_parse(" *.- ", &query).code, STATUS_INVALID_ARGUMENT);
	assert_int_equal(search_parse("1 2 3 4 5 6 7 8 9", &query).code,
	    STATUS_INVALID_ARGUMENT);
	memset(many, 'a', sizeof(many) - 1);
	many[sizeof(many) - 1] = 0;
	assert_int_equal(
	    search_parse(many, &query).code, STATUS_INVALID_ARGUMENT);
	many[SEARCH_TEXT_MAX] = 0;
	assert_int_equal(search_parse(many, &query).code, STATUS_OK);
	for (size_t i = 1; i < SEARCH_TEXT_MAX; i += 2)
		many[i] = '.';
	assert_int_equal(
	    search_parse(many, &query).code, STATUS_INVALID_ARGUMENT);
}

static void
an_index_word_is_cut_between_characters(void **state)
{
	scoped(search_words_done) struct search_words words = { 0 };
	struct search_query query;
	char word[SEARCH_INDEX_MAX];
	const char *at;
	/* 23 octets, then a character of two. */
	static const char LONG[] = "aaaaaaaaaaaaaaaaaaaaaaa\xc3\xbc"
				   "b c";

	(void)state;
	fields(&words, LONG, "");
	at = words.text;
	assert_true(search_words_next(&at, word));
	assert_string_equal(word, "aaaaaaaaaaaaaaaaaaaaaaa");
	assert_true(search_words_next(&at, word));
	assert_string_equal(word, "c");
	assert_false(search_words_next(&at, word));
	assert_int_equal(search_parse(LONG, &query).code, STATUS_OK);
	/* The range that finds it begins with just that word. */
	assert_string_equal(query.words[0].from, "aaaaaaaaaaaaaaaaaaaaaaa");
	assert_true(strcmp(query.words[0].to, query.words[0].from) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_word_is_found_by_its_begin_and_not_by_its_middle),
		cmocka_unit_test(
		    a_host_name_is_found_by_labels_that_follow_each_other),
		cmocka_unit_test(all_terms_must_be_found),
		cmocka_unit_test(
		    letters_of_other_scripts_have_a_small_form_too),
		cmocka_unit_test(octets_that_are_no_text_separate_words),
		cmocka_unit_test(a_question_has_no_meaning_to_the_database),
		cmocka_unit_test(
		    a_question_without_letters_or_with_too_many_words_is_refused),
		cmocka_unit_test(an_index_word_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
