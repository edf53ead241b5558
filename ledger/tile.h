/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_TILE_H
#define LEDGER_TILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ledger/merkle.h"

/*
 * C2SP tlog-tiles: the names of tiles and the octets of entry bundles.  Pure
 * functions; any thread.
 */
#define TILE_WIDTH 256
#define TILE_LEVELS 8 /* 256^8 entries are more than there will be */
/* Level of a tile that is an entry bundle: "tile/entries/...". */
#define TILE_ENTRIES (-1)
#define TILE_PATH_MAX 64

struct tile {
	int level; /* TILE_ENTRIES, or 0..63 */
	uint64_t index;
	unsigned width; /* 1..256 */
};

/* "tile/0/x001/x234/067.p/112"; relative, no leading slash. */
void tile_path(const struct tile *tile, char ret_path[TILE_PATH_MAX]);
/* Exactly one name for each tile: false for any other text. */
bool tile_parse(const char *path, struct tile *ret_tile);

/* Width of tile index on a level in a tree of size; 0 when it is not there. */
unsigned tile_width(int level, uint64_t index, uint64_t size);

/* An entry of a bundle may have at most so many octets. */
#define TILE_ENTRY_MAX 65535

/* Take one entry off a bundle: big-endian uint16 length, then the octets.
 * False when the bundle ends within it. */
bool tile_take_entry(struct bytes *bundle, struct bytes *ret_entry);

#endif
