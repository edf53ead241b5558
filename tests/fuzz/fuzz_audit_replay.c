/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a segment of the audit journal: what is accepted ends within
 * the segment, and accepted again up to there gives the same.
 */
#include <stdlib.h>

#include "keyd/journal.h"
#include "ledger/tile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	uint64_t next;
	uint8_t sum;
};

static void
look_at(void *ctx, uint64_t first, struct bytes bundle, uint32_t n)
{
	struct seen *seen = ctx;
	struct bytes entry;

	if (n == 0 || (seen->next != 0 && first != seen->next))
		abort();
	for (uint32_t i = 0; i < n; i++) {
		if (!tile_take_entry(&bundle, &entry) || entry.len > ENTRY_MAX)
			abort();
		for (size_t at = 0; at < entry.len; at++)
			seen->sum ^= entry.at[at];
	}
	if (bundle.len != 0)
		abort();
	seen->next = first + n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal_state state, again;
	struct seen seen = { 0, 0 }, seen_again = { 0, 0 };
	size_t end, end_again;
	bool torn;

	if (failed(journal_replay((struct bytes){ data, size }, NULL, look_at,
		&seen, &state, &end, &torn)))
		return 0;
	if (end > size)
		abort();
	if (failed(journal_replay((struct bytes){ data, end }, &state, look_at,
		&seen_again, &again, &end_again, &torn)) ||
	    end_again != end || seen.sum != seen_again.sum)
		abort();
	return 0;
}
