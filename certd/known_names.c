/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The sentence for a name that certd.yaml has not: what was typed, made fit to
 * be seen; what may have been meant; what there is.  It names what its caller
 * has put in and nothing else, so who puts in only what an account may use
 * tells it of nothing more.
 */

#include "certd/known_names.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/printable.h"

#define TYPED_SHOWN 65 /* octets of what was typed, and the closing zero */

void
known_names_add(struct known_names *known, const char *name)
{
	word_list_add(&known->list, name);
	if (known->n < KNOWN_NAMES_MAX)
		known->at[known->n++] = name;
}

STATUS
known_names_refuse(struct api_call *call, struct known_names *known,
    const char *what, const char *typed)
{
	const char *meant = nearest_word(typed, known->at);
	char shown[TYPED_SHOWN], guess[128] = "; ";

	printable_print(bytes_of(typed), shown, sizeof(shown));
	if (meant != NULL)
		(void)!snprintf(
		    guess, sizeof(guess), "; did you mean \"%.64s\"? ", meant);
	return api_explain(call,
	    status_fail(STATUS_INVALID_ARGUMENT, "there is none of that name"),
	    "%s there is none named \"%s\"%sthere are: %s", what, shown, guess,
	    known->list.n == 0 ? "none" : word_list_end(&known->list));
}

STATUS
known_names_refuse_network(
    struct api_call *call, const struct networks *networks, const char *typed)
{
	struct known_names known = { 0 };

	for (size_t i = 0; i < networks->n; i++)
		known_names_add(&known, networks->at[i].name);
	return known_names_refuse(call, &known, "network:", typed);
}
