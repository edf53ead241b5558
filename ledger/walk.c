/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Over the tiles of a folder: hashes of complete subtrees for proofs, entries
 * in their order, and where a time begins.  Nothing here is proven yet; what
 * is read was only parsed.
 */
#include <string.h>

#include "ledger/reader.h"

/* A node of height h lies in the tile of level h / 8, as the fold of 2^(h % 8)
 * of its hashes. */
static struct status
node(void *ctx, unsigned height, uint64_t index, struct merkle_hash *ret_hash)
{
	const struct reader_tree *tree = ctx;
	const int level = (int)(height / 8);
	const size_t n = (size_t)1 << height % 8;
	const uint64_t first = index << height % 8;
	struct merkle_hash hashes[TILE_WIDTH];
	struct bytes tile, part;
	struct status st;

	st = reader_tile(
	    tree->reader, level, first / TILE_WIDTH, tree->size, &tile);
	if (failed(st))
		return st;
	if (!bytes_take(&tile, first % TILE_WIDTH * sizeof(hashes[0]), &part) ||
	    !bytes_take(&tile, n * sizeof(hashes[0]), &part))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "a tree of that size has no such node");
	memcpy(hashes, part.at, part.len);
	merkle_fold(hashes, n, ret_hash);
	return st;
}

struct merkle_source
reader_source(struct reader_tree *tree)
{
	return (struct merkle_source){ tree, node };
}

STATUS
reader_entries(struct reader *reader, uint64_t from, uint64_t size,
    bool (*each)(void *ctx, uint64_t number, struct bytes entry), void *ctx)
{
	uint64_t number = from - from % TILE_WIDTH;
	struct bytes bundle, entry;

	while (from < size && number < size) {
		struct status st = reader_tile(
		    reader, TILE_ENTRIES, number / TILE_WIDTH, size, &bundle);

		if (failed(st))
			return st;
		for (; tile_take_entry(&bundle, &entry); number++) {
			if (number >= from && !each(ctx, number, entry))
				return st;
		}
	}
	return status_ok();
}

/* How far before an earlier entry's time a later one's may lie. */
#define DISORDER_NS 60000000000LL

static struct status
time_of(struct bytes octets, int64_t *ret_time_ns)
{
	uint8_t names[ENTRY_NAMES_MAX];
	struct entry entry;
	struct status st = entry_decode(octets, names, &entry);

	if (!failed(st))
		*ret_time_ns = entry.time_ns;
	return st;
}

struct since {
	int64_t time_ns;
	uint64_t number;
	struct status st;
};

/* Stop at the first entry that is not before the time. */
static bool
is_before(void *ctx, uint64_t number, struct bytes octets)
{
	struct since *since = ctx;
	int64_t time_ns = 0;

	since->st = time_of(octets, &time_ns);
	since->number = number;
	if (failed(since->st) || time_ns >= since->time_ns)
		return false;
	since->number = number + 1;
	return true;
}

/*
 * A bundle whose first entry is older than the time by more than the disorder
 * has nothing before it that could be wanted; the last such bundle found by
 * bisection is where to begin, even if times jump.
 */
STATUS
reader_first_since(
    struct reader *reader, uint64_t size, int64_t time_ns, uint64_t *ret_number)
{
	uint64_t low = 0, high = size / TILE_WIDTH + (size % TILE_WIDTH != 0);
	const int64_t surely_ns = time_ns > INT64_MIN + DISORDER_NS
				      ? time_ns - DISORDER_NS
				      : INT64_MIN;
	struct since since = { time_ns, 0, status_ok() };
	struct status st;

	while (high - low > 1) {
		const uint64_t middle = low + (high - low) / 2;
		struct bytes bundle, entry;
		int64_t first_ns = 0;

		st = reader_tile(reader, TILE_ENTRIES, middle, size, &bundle);
		if (failed(st))
			return st;
		if (!tile_take_entry(&bundle, &entry))
			return status_fail(STATUS_DATA_LOSS,
			    "a bundle of the ledger is empty");
		st = time_of(entry, &first_ns);
		if (failed(st))
			return st;
		if (first_ns < surely_ns)
			low = middle;
		else
			high = middle;
	}
	since.number = low * TILE_WIDTH;
	st = reader_entries(reader, low * TILE_WIDTH, size, is_before, &since);
	if (!failed(st))
		st = since.st;
	if (failed(st))
		return st;
	*ret_number = since.number;
	return st;
}
