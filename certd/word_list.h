/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_WORD_LIST_H
#define CERTD_WORD_LIST_H

#include <stddef.h>

/*
 * Names in a sentence that has only so much room: "shop, www and 12 more".
 * Starts zeroed; no memory of its own to release.
 */
#define WORD_LIST_MAX 192

struct word_list {
	char text[WORD_LIST_MAX];
	size_t len;
	size_t n;        /* all that were added */
	size_t left_out; /* those there was no room for */
};

/* Once one was left out, all that follow are. */
void word_list_add(struct word_list *list, const char *word);
/* What to put into the sentence, after the last one; borrowed. */
const char *word_list_end(struct word_list *list);

#endif
