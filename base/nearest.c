/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Did you mean: the edit distance of Levenshtein with swaps of neighbours
 * counted as one, over words short enough for a fixed table.  Longer words are
 * near to nothing.
 */
#include "base/nearest.h"

#include <stddef.h>
#include <string.h>

#define WORD_MAX 64

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t
distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *spare;

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t change = a[i - 1] == b[j - 1] ? 0 : 1;

			row[j] = least(last[j - 1] + change,
			    least(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[b_len];
}

const char *
nearest_word(const char *typed, const char *const *words)
{
	size_t typed_len = strlen(typed);
	size_t best = typed_len < 4 ? 2 : 3; /* must be less than this */
	const char *nearest = NULL;

	if (typed_len == 0 || typed_len > WORD_MAX)
		return NULL;
	for (; *words != NULL; words++) {
		size_t len = strlen(*words);
		size_t d = len <= WORD_MAX
			       ? distance(typed, typed_len, *words, len)
			       : best;

		if (d < best && d < len) {
			best = d;
			nearest = *words;
		}
	}
	return nearest;
}
