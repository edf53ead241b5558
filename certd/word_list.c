/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names in a sentence; see word_list.h.  Room for the closing "and N more" is
 * kept from the start, so a name is there whole or not at all.
 */

#include "certd/word_list.h"

#include <stdio.h>
#include <string.h>

#define END_MAX 32 /* " and 18446744073709551615 more" */

void
word_list_add(struct word_list *list, const char *word)
{
	const char *comma = list->n == 0 ? "" : ", ";
	size_t more = strlen(comma) + strlen(word);

	list->n++;
	if (list->left_out > 0 || list->len + more > WORD_LIST_MAX - END_MAX) {
		list->left_out++;
		return;
	}
	snprintf(list->text + list->len, WORD_LIST_MAX - list->len, "%s%s",
	    comma, word);
	list->len += more;
}

const char *
word_list_end(struct word_list *list)
{
	if (list->left_out > 0)
		snprintf(list->text + list->len, WORD_LIST_MAX - list->len,
		    "%s%zu more", list->len == 0 ? "" : " and ",
		    list->left_out);
	return list->text;
}
