/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a segment of the audit journal: what is accepted ends within
 * the segment, and accepted again up to there gives the same.
 */
#include <stdlib.h>

#include "keyd/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look_at(void *ctx, const struct journal_record *record)
{
	uint8_t *sum = ctx;

	for (size_t i = 0; i < record->peer.len; i++)
		*sum ^= record->peer.at[i];
	for (size_t i = 0; i < record->why.len; i++)
		*sum ^= record->why.at[i];
	*sum ^= record->key[31] ^ record->content_hash[31];
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal_state state, again;
	uint8_t sum = 0;
	size_t end, end_again;
	bool torn;

	if (failed(journal_replay((struct bytes){ data, size }, NULL, look_at,
		&sum, &state, &end, &torn)))
		return 0;
	if (end > size)
		abort();
	if (failed(journal_replay((struct bytes){ data, end }, &state, look_at,
		&sum, &again, &end_again, &torn)) ||
	    end_again != end || sum != 0)
		abort();
	return 0;
}
