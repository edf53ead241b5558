/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_SEARCH_H
#define CERTD_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/scoped.h"
#include "base/status.h"

/*
 * Searching by the begins of words.  What is kept is a text of words: each has
 * a blank before it, each field ends with a newline, letters are small.  Words
 * are runs of letters and digits, so a host name's are its labels, and those of
 * "my-shop" are two.  What is asked is turned into the same form: so nothing
 * that a caller writes has a meaning to the database.  Pure functions.
 */
#define SEARCH_TEXT_MAX 256 /* octets of a question */
#define SEARCH_TERMS_MAX 8  /* separated by blanks, all must be found */
#define SEARCH_WORDS_MAX 32 /* of all terms */
#define SEARCH_INDEX_MAX 25 /* a word is indexed by its first 24 octets */

/* ---- what is kept ---- */

struct search_words {
	char *text; /* owned; NULL when there is none */
	size_t len, size;
};

void search_words_done(struct search_words *words);
static inline void
scoped_search_words_done(struct search_words *words)
{
	search_words_done(words);
}

/* Add the words of one field.  RESOURCE_EXHAUSTED: no memory. */
STATUS search_words_add(struct search_words *words, const char *field);

/* The next word at *at of a kept text, cut for the index; false at its end. */
bool search_words_next(const char **at, char ret_word[SEARCH_INDEX_MAX]);

/* ---- what is asked ---- */

/* Index entries from one to another, both included. */
struct search_range {
	char from[SEARCH_INDEX_MAX];
	char to[SEARCH_INDEX_MAX + 4];
};

struct search_query {
	/* What each term looks like in a kept text: " shop exam". */
	char terms[SEARCH_TERMS_MAX][SEARCH_TEXT_MAX * 2];
	size_t n_terms;
	/* Each word as a range of the index: the last one of a term is the
	 * begin of a word. */
	struct search_range words[SEARCH_WORDS_MAX];
	size_t n_words;
};

/* INVALID_ARGUMENT: too long, too many terms, or no letter and no digit. */
STATUS search_parse(const char *text, struct search_query *ret_query);
/* Are all terms in the kept text? */
bool search_matches(const struct search_query *query, const char *words);

#endif
