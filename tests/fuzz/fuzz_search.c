/* SPDX-License-Identifier: Apache-2.0 */

/* Any text, kept and asked for: a text is found by itself. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "certd/search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(search_words_done) struct search_words words = { 0 };
	struct search_query query;
	char word[SEARCH_INDEX_MAX], *text = malloc(size + 1);
	const char *at;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = 0;
	if (!failed(search_words_add(&words, text))) {
		for (at = words.text; search_words_next(&at, word);)
			if (word[0] == 0 || strchr(word, ' ') != NULL)
				abort();
		if (!failed(search_parse(text, &query)) &&
		    !search_matches(&query, words.text))
			abort();
	}
	free(text);
	return 0;
}
