/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding the first altered place.  A tile is genuine when its hash stands in
 * the tile above, that one's in the next, and the right edge folds to the
 * checkpoint's root.  So where entries and their tile disagree, the one that
 * leads to the root is right and the other was altered; where a tile and the
 * one above disagree, likewise.  Nothing here can make a copy pass: it is
 * asked only once something did not fit.
 */
#include "ledger/blame.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ledger/claims.h"

struct hashes {
	struct merkle_hash at[TILE_WIDTH];
	unsigned n;
};

static struct hashes
hashes_of(struct bytes octets)
{
	struct hashes hashes = { .n = 0 };

	if (octets.len > sizeof(hashes.at))
		octets.len = sizeof(hashes.at);
	if (octets.len > 0)
		memcpy(hashes.at, octets.at, octets.len);
	hashes.n = (unsigned)(octets.len / sizeof(hashes.at[0]));
	return hashes;
}

static bool
read_tile(const struct blame *blame, int level, uint64_t index,
    struct hashes *ret_hashes)
{
	struct bytes octets;

	if (failed(reader_tile(
		blame->reader, level, index, blame->checkpoint->size, &octets)))
		return false;
	*ret_hashes = hashes_of(octets);
	return true;
}

/* Fold a level's part of the right edge in front of what lies below it. */
static void
fold_edge(const struct hashes *edge, struct merkle_hash *acc, bool *any)
{
	unsigned end = edge->n;

	for (unsigned bit = 1; bit < TILE_WIDTH; bit <<= 1) {
		struct merkle_hash part;

		if ((edge->n & bit) == 0)
			continue;
		end -= bit;
		merkle_fold(edge->at + end, bit, &part);
		if (*any)
			merkle_node(&part, acc, acc);
		else
			*acc = part;
		*any = true;
	}
}

/* Does the right edge, with these hashes on one level, fold to the root? */
static bool
edge_leads_to_root(
    const struct blame *blame, int level, const struct hashes *hashes)
{
	const uint64_t size = blame->checkpoint->size;
	struct merkle_hash acc;
	bool any = false;

	for (int l = 0; l < TILE_LEVELS; l++) {
		const uint64_t index = size >> (8 * l) >> 8;
		struct hashes edge = *hashes;

		if (tile_width(l, index, size) == 0)
			continue;
		if (l != level && !read_tile(blame, l, index, &edge))
			return false;
		fold_edge(&edge, &acc, &any);
	}
	return any && merkle_equal(&acc, &blame->checkpoint->root);
}

/* Would a tile with these hashes lead to the root? */
static bool
is_genuine(const struct blame *blame, const struct tile *tile,
    const struct hashes *hashes)
{
	struct hashes here = *hashes;
	uint64_t index = tile->index;
	int level = tile->level;

	while (here.n == TILE_WIDTH) {
		const unsigned at = (unsigned)(index % TILE_WIDTH);
		struct merkle_hash hash;

		merkle_fold(here.at, TILE_WIDTH, &hash);
		index /= TILE_WIDTH;
		level++;
		if (!read_tile(blame, level, index, &here) || at >= here.n ||
		    !merkle_equal(&hash, &here.at[at]))
			return false;
	}
	return here.n == tile_width(level, index, blame->checkpoint->size) &&
	       edge_leads_to_root(blame, level, &here);
}

static struct tile
tile_at(const struct blame *blame, int level, uint64_t index)
{
	return (struct tile){ level, index,
		tile_width(level, index, blame->checkpoint->size) };
}

/*
 * Entry number first + j is not the one whose leaf stands there.  found are
 * the leaves of the entries as they are, leaf those that were recorded.
 */
static struct status
blame_entry(const struct blame *blame, uint64_t first, unsigned j,
    const struct hashes *found, const struct hashes *leaf)
{
	char where[VERIFY_WHERE_MAX];

	snprintf(where, sizeof(where), "entry %" PRIu64, first + j);
	if (j + 1 < leaf->n && merkle_equal(&found->at[j], &leaf->at[j + 1]) &&
	    (j + 1 >= found->n ||
		!merkle_equal(&found->at[j + 1], &leaf->at[j])))
		return verify_blame(blame->result, where,
		    "entry %" PRIu64 " was dropped: the one after it stands in"
		    " its place",
		    first + j);
	if (j + 1 < found->n && merkle_equal(&found->at[j + 1], &leaf->at[j]) &&
	    (j + 1 >= leaf->n ||
		!merkle_equal(&found->at[j], &leaf->at[j + 1])))
		return verify_blame(blame->result, where,
		    "an entry that was never recorded was put in before entry"
		    " %" PRIu64,
		    first + j);
	for (unsigned k = j + 1; k < leaf->n; k++) {
		if (merkle_equal(&found->at[j], &leaf->at[k]))
			return verify_blame(blame->result, where,
			    "entries were reordered: entry %" PRIu64
			    " stands where entry %" PRIu64 " was recorded",
			    first + k, first + j);
	}
	return verify_blame(blame->result, where,
	    "entry %" PRIu64 " was altered: it does not hash to its leaf",
	    first + j);
}

/* Leaves of as many whole entries as there are, up to a tile's. */
static struct bytes
leaves_of(struct bytes bundle, unsigned width, struct hashes *ret_leaves)
{
	struct bytes entry;

	ret_leaves->n = 0;
	while (ret_leaves->n < width && tile_take_entry(&bundle, &entry))
		merkle_leaf(entry, &ret_leaves->at[ret_leaves->n++]);
	return bundle;
}

static unsigned
first_difference(const struct hashes *a, const struct hashes *b)
{
	unsigned j = 0;

	while (j < a->n && j < b->n && merkle_equal(&a->at[j], &b->at[j]))
		j++;
	return j;
}

/* A bundle that does not come apart into its entries. */
static struct status
blame_bundle(const struct blame *blame, const struct tile *named,
    struct bytes bundle, uint64_t index)
{
	const struct tile below = tile_at(blame, 0, index);
	const uint64_t first = index * TILE_WIDTH;
	struct hashes found, leaf = { .n = 0 };
	char path[TILE_PATH_MAX];
	unsigned j;

	tile_path(named, path);
	bundle = leaves_of(bundle, named->width, &found);
	if (read_tile(blame, 0, index, &leaf) &&
	    is_genuine(blame, &below, &leaf)) {
		j = first_difference(&found, &leaf);
		if (j < found.n && j < leaf.n)
			return blame_entry(blame, first, j, &found, &leaf);
	}
	if (found.n < named->width)
		return verify_blame(blame->result, path,
		    "%s was cut short: entry %" PRIu64
		    " is not whole, or missing",
		    path, first + found.n);
	return verify_blame(blame->result, path,
	    "%s was altered: %zu octets follow its last entry", path,
	    bundle.len);
}

STATUS
blame_file(
    const struct blame *blame, int level, uint64_t index, struct status why)
{
	struct tile tile = tile_at(blame, level, index);
	scoped(free) uint8_t *octets = NULL;
	char path[TILE_PATH_MAX];
	struct status st;
	size_t len;

	tile_path(&tile, path);
	if (why.code == STATUS_NOT_FOUND)
		return verify_blame(blame->result, path,
		    "%s is missing: the tree of %" PRIu64 " entries has it",
		    path, blame->checkpoint->size);
	st = why;
	if (why.code == STATUS_DATA_LOSS)
		st = reader_tile_file(blame->reader, level, index,
		    blame->checkpoint->size, &octets, &len, &tile);
	if (failed(st)) {
		snprintf(blame->result->where, sizeof(blame->result->where),
		    "%s", path);
		snprintf(blame->result->what, sizeof(blame->result->what),
		    "%s: %s", path, st.why);
		return st;
	}
	if (level == TILE_ENTRIES)
		return blame_bundle(
		    blame, &tile, (struct bytes){ octets, len }, index);
	tile_path(&tile, path);
	return verify_blame(blame->result, path,
	    "%s was %s: it has %zu octets instead of %zu", path,
	    len < tile.width * sizeof(struct merkle_hash) ? "cut short"
							  : "altered",
	    len, tile.width * sizeof(struct merkle_hash));
}

STATUS
blame_tile(
    const struct blame *blame, const struct tile *tile, struct bytes expected)
{
	const struct hashes found = hashes_of(expected);
	const uint64_t first = tile->index * TILE_WIDTH;
	struct hashes leaf;
	char path[TILE_PATH_MAX];
	unsigned j;

	tile_path(tile, path);
	if (!read_tile(blame, tile->level, tile->index, &leaf))
		return verify_blame(blame->result, path,
		    "%s changed while it was verified", path);
	j = first_difference(&found, &leaf);
	if (tile->level == 0 && is_genuine(blame, tile, &leaf))
		return blame_entry(blame, first, j, &found, &leaf);
	if (tile->level > 0 || is_genuine(blame, tile, &found))
		return verify_blame(blame->result, path,
		    "%s was altered: its hash %u is not the one that entries"
		    " and tiles below give",
		    path, j);
	snprintf(blame->result->where, sizeof(blame->result->where),
	    "entry %" PRIu64, first + j);
	return verify_blame(blame->result, blame->result->where,
	    "entry %" PRIu64 " does not hash to its leaf in %s, and neither"
	    " leads to the checkpoint: both were altered",
	    first + j, path);
}

STATUS
blame_above(const struct blame *blame, const struct tile *tile)
{
	const struct tile above =
	    tile_at(blame, tile->level + 1, tile->index / TILE_WIDTH);
	char path[TILE_PATH_MAX], above_path[TILE_PATH_MAX];
	char where[VERIFY_WHERE_MAX];
	const uint64_t first = tile->index << (8 * (tile->level + 1));
	struct hashes hashes;

	tile_path(tile, path);
	tile_path(&above, above_path);
	if (!read_tile(blame, above.level, above.index, &hashes) ||
	    !is_genuine(blame, &above, &hashes))
		return verify_blame(blame->result, above_path,
		    "%s was altered: its hash %u is not that of %s", above_path,
		    (unsigned)(tile->index % TILE_WIDTH), path);
	snprintf(where, sizeof(where), "entries %" PRIu64 " to %" PRIu64, first,
	    first + ((uint64_t)TILE_WIDTH << (8 * tile->level)) - 1);
	return verify_blame(blame->result, where,
	    "%s were altered and %s was made anew to fit them: it is not the"
	    " one that %s holds the hash of",
	    where, path, above_path);
}
