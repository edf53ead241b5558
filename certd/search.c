/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Words of texts, kept and asked for; see search.h.  One reader of words serves
 * both sides, so what is kept and what is asked cannot fall apart.  Octets that
 * are no UTF-8 separate words as punctuation does.
 */

#include "certd/search.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/printable.h"

/* After every character there is. */
#define LAST_CHARACTER "\xf4\x8f\xbf\xbf"

/* ---- characters ---- */

static bool
is_word_point(uint32_t point)
{
	if (point < 0x80)
		return (point >= '0' && point <= '9') ||
		       (point >= 'a' && point <= 'z') ||
		       (point >= 'A' && point <= 'Z');
	/* Signs of Latin-1, general punctuation, CJK punctuation. */
	return point >= 0xc0 && point != 0xd7 && point != 0xf7 &&
	       !(point >= 0x2000 && point <= 0x206f) &&
	       !(point >= 0x3000 && point <= 0x303f);
}

/* Small letters of the scripts that have two: Latin, Greek, Cyrillic. */
static uint32_t
fold(uint32_t point)
{
	if ((point >= 'A' && point <= 'Z') ||
	    (point >= 0xc0 && point <= 0xde && point != 0xd7) ||
	    (point >= 0x391 && point <= 0x3a9) ||
	    (point >= 0x410 && point <= 0x42f))
		return point + 0x20;
	if (point >= 0x400 && point <= 0x40f)
		return point + 0x50;
	/* Latin Extended-A: pairs, the capital first; where it is even. */
	if ((point >= 0x100 && point <= 0x137) ||
	    (point >= 0x14a && point <= 0x177))
		return point | 1;
	if (((point >= 0x139 && point <= 0x148) ||
		(point >= 0x179 && point <= 0x17e)) &&
	    (point & 1) == 1)
		return point + 1;
	return point;
}

/* A character that is folded is as long as before: both below U+0800. */
static size_t
print_point(uint32_t point, const uint8_t *as_read, size_t len, char *ret_text)
{
	uint32_t small = fold(point);

	if (small == point) {
		memcpy(ret_text, as_read, len);
		return len;
	}
	if (small < 0x80) {
		ret_text[0] = (char)small;
		return 1;
	}
	ret_text[0] = (char)(0xc0 | small >> 6);
	ret_text[1] = (char)(0x80 | (small & 0x3f));
	return 2;
}

/*
 * Take the next word off the front of *from, folded, to ret_word, which holds
 * from->len octets; 0 when there is none.
 */
static size_t
take_word(struct bytes *from, char *ret_word)
{
	size_t used = 0;

	while (from->len > 0) {
		uint32_t point = 0;
		size_t len = printable_take(*from, &point);

		if (len == 0 || !is_word_point(point)) {
			len = len == 0 ? 1 : len;
			from->at += len;
			from->len -= len;
			if (used > 0)
				break;
			continue;
		}
		used += print_point(point, from->at, len, ret_word + used);
		from->at += len;
		from->len -= len;
	}
	return used;
}

/* The begin of a word, cut between characters; closed with a zero. */
static void
cut(const char *word, size_t len, char ret_word[SEARCH_INDEX_MAX])
{
	if (len > SEARCH_INDEX_MAX - 1)
		for (len = SEARCH_INDEX_MAX - 1;
		     ((unsigned char)word[len] & 0xc0) == 0x80; len--)
			;
	memcpy(ret_word, word, len);
	ret_word[len] = 0;
}

/* ---- what is kept ---- */

void
search_words_done(struct search_words *words)
{
	free(words->text);
	*words = (struct search_words){ 0 };
}

/* Room for so many more octets. */
static bool
make_room(struct search_words *words, size_t more)
{
	size_t size = words->size == 0 ? 256 : words->size;
	char *text;

	while (size - words->len < more)
		size *= 2;
	if (size == words->size)
		return true;
	text = realloc(words->text, size);
	if (text == NULL)
		return false;
	words->text = text;
	words->size = size;
	return true;
}

STATUS
search_words_add(struct search_words *words, const char *field)
{
	struct bytes rest = bytes_of(field);
	size_t len;

	/* A word of one letter takes two octets, and so does what ended it. */
	if (!make_room(words, 2 * rest.len + 4))
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	while ((len = take_word(&rest, words->text + words->len + 1)) > 0) {
		words->text[words->len] = ' ';
		words->len += len + 1;
	}
	words->text[words->len++] = '\n';
	words->text[words->len] = 0;
	return status_ok();
}

bool
search_words_next(const char **at, char ret_word[SEARCH_INDEX_MAX])
{
	const char *word = *at + strspn(*at, " \n");
	size_t len = strcspn(word, " \n");

	if (len == 0)
		return false;
	cut(word, len, ret_word);
	*at = word + len;
	return true;
}

/* ---- what is asked ---- */

/* One word of the term that is being written. */
static void
add_range(struct search_query *query, const char *word, size_t len)
{
	struct search_range *range = &query->words[query->n_words++];

	cut(word, len, range->from);
	memcpy(range->to, range->from, sizeof(range->from));
}

/* One term, which is not empty; false: too many words. */
static bool
add_term(struct search_query *query, struct bytes term)
{
	char *text = query->terms[query->n_terms];
	size_t used = 0, len;
	struct search_range *last;

	while ((len = take_word(&term, text + used + 1)) > 0) {
		if (query->n_words == SEARCH_WORDS_MAX)
			return false;
		text[used] = ' ';
		add_range(query, text + used + 1, len);
		used += len + 1;
	}
	if (used == 0) /* punctuation between two blanks asks for nothing */
		return true;
	text[used] = 0;
	query->n_terms++;
	last = &query->words[query->n_words - 1];
	len = strlen(last->to);
	memcpy(last->to + len, LAST_CHARACTER, sizeof(LAST_CHARACTER));
	return true;
}

STATUS
search_parse(const char *text, struct search_query *ret_query)
{
	size_t len = strlen(text);

	if (len > SEARCH_TEXT_MAX)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "search for 256 octets at most");
	memset(ret_query, 0, sizeof(*ret_query));
	while (*(text += strspn(text, " \t\r\n")) != 0) {
		len = strcspn(text, " \t\r\n");
		if (ret_query->n_terms == SEARCH_TERMS_MAX ||
		    !add_term(ret_query,
			(struct bytes){ (const uint8_t *)text, len }))
			return status_fail(STATUS_INVALID_ARGUMENT,
			    "search for 8 terms and 32 words at most");
		text += len;
	}
	if (ret_query->n_terms == 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "search for at least one letter or digit");
	return status_ok();
}

bool
search_matches(const struct search_query *query, const char *words)
{
	for (size_t i = 0; i < query->n_terms; i++)
		if (strstr(words, query->terms[i]) == NULL)
			return false;
	return true;
}
