/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_BLAME_H
#define LEDGER_BLAME_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "ledger/verify.h"

/*
 * Something in a ledger folder does not fit: which file, or which entry, is it?
 * Judged by which of them still leads up to the checkpoint's root.  Part of
 * verify_folder; each returns why, and sets result's where and what.
 */
struct blame {
	struct reader *reader;
	const struct checkpoint *checkpoint;
	struct verify_result *result;
};

/* A tile or bundle of this tree cannot be read. */
STATUS blame_file(
    const struct blame *blame, int level, uint64_t index, struct status why);

/* What the folder has as this tile is not what its entries give, the hashes in
 * expected. */
STATUS blame_tile(
    const struct blame *blame, const struct tile *tile, struct bytes expected);

/* The tile above does not hold the hash of this full one, which is what its
 * entries give. */
STATUS blame_above(const struct blame *blame, const struct tile *tile);

#endif
