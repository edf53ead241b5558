/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any update of certd's: whatever becomes an answer is a token, a point and 43
 * characters of base64url.  A second update, behind a zero octet pair, comes
 * upon what the first one left.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "edge/challenges.h"
#include "proto/holdfast/certd/v1/edges.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(struct challenges *challenges, struct bytes message)
{
	Holdfast__Certd__V1__WatchUpdate *update =
	    holdfast__certd__v1__watch_update__unpack(
		NULL, message.len, message.at);

	for (size_t i = 0; update != NULL && i < update->n_challenges; i++) {
		const char *token = update->challenges[i]->token;
		char text[CHALLENGES_TEXT_MAX];
		size_t len = strlen(token);

		if (!challenges_find(challenges, token, text))
			continue;
		if (strncmp(text, token, len) != 0 || text[len] != '.' ||
		    strlen(text) != len + 44 ||
		    strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "abcdefghijklmnopqrstuvwxyz0123456789-_.") !=
			strlen(text))
			abort();
	}
	if (update != NULL)
		holdfast__certd__v1__watch_update__free_unpacked(update, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct challenges *challenges;
	const uint8_t *second =
	    size == 0 ? NULL : memmem(data, size, "\0\0", 2);
	size_t first = second == NULL ? size : (size_t)(second - data);

	log_setup((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
	if (failed(challenges_new(&challenges)))
		abort();
	(void)challenges_take(challenges, (struct bytes){ data, first });
	check(challenges, (struct bytes){ data, first });
	if (second != NULL) {
		struct bytes rest = { second + 2, size - first - 2 };

		(void)challenges_take(challenges, rest);
		check(challenges, rest);
	}
	challenges_free(challenges);
	return 0;
}
