/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of tiles (C2SP tlog-tiles) and the octets of entry bundles.  A
 * tile has one name and a name one tile: tile_parse prints what it read and
 * compares, so leading zeros, empty groups and numbers that overflow are all
 * refused at one place.
 */
#include "ledger/tile.h"

#include <stdio.h>
#include <string.h>

void
tile_path(const struct tile *tile, char ret_path[TILE_PATH_MAX])
{
	unsigned groups[7]; /* 1000^7 > 2^64 */
	size_t n = 0, len;
	uint64_t index = tile->index;

	do {
		groups[n++] = (unsigned)(index % 1000);
		index /= 1000;
	} while (index > 0);
	if (tile->level == TILE_ENTRIES)
		len = (size_t)snprintf(ret_path, TILE_PATH_MAX, "tile/entries");
	else
		len = (size_t)snprintf(
		    ret_path, TILE_PATH_MAX, "tile/%d", tile->level);
	while (n-- > 0)
		len += (size_t)snprintf(ret_path + len, TILE_PATH_MAX - len,
		    n > 0 ? "/x%03u" : "/%03u", groups[n]);
	if (tile->width < TILE_WIDTH)
		snprintf(
		    ret_path + len, TILE_PATH_MAX - len, ".p/%u", tile->width);
}

/* Digits into a number; false when there are none, or too many. */
static bool
take_digits(const char **at, size_t max, uint64_t *ret_number)
{
	uint64_t number = 0;
	size_t n = 0;

	for (; n < max && (*at)[n] >= '0' && (*at)[n] <= '9'; n++)
		number = number * 10 + (uint64_t)((*at)[n] - '0');
	*at += n;
	*ret_number = number;
	return n > 0;
}

static bool
take_text(const char **at, const char *text)
{
	const size_t len = strlen(text);

	if (strncmp(*at, text, len) != 0)
		return false;
	*at += len;
	return true;
}

static bool
take_index(const char **at, uint64_t *ret_index)
{
	uint64_t index = 0, group;
	bool more;

	do {
		more = take_text(at, "x");
		if (!take_digits(at, 3, &group) ||
		    index > (UINT64_MAX - group) / 1000)
			return false;
		index = index * 1000 + group;
	} while (more && take_text(at, "/"));
	*ret_index = index;
	return !more;
}

bool
tile_parse(const char *path, struct tile *ret_tile)
{
	struct tile tile = { .level = TILE_ENTRIES, .width = TILE_WIDTH };
	char printed[TILE_PATH_MAX];
	const char *at = path;
	uint64_t number;

	if (!take_text(&at, "tile/"))
		return false;
	if (!take_text(&at, "entries/")) {
		if (!take_digits(&at, 2, &number) || number > 63 ||
		    !take_text(&at, "/"))
			return false;
		tile.level = (int)number;
	}
	if (!take_index(&at, &tile.index))
		return false;
	if (take_text(&at, ".p/")) {
		if (!take_digits(&at, 3, &number) || number == 0 ||
		    number >= TILE_WIDTH)
			return false;
		tile.width = (unsigned)number;
	}
	tile_path(&tile, printed);
	if (strcmp(path, printed) != 0)
		return false;
	*ret_tile = tile;
	return true;
}

unsigned
tile_width(int level, uint64_t index, uint64_t size)
{
	uint64_t units = size, whole;

	if (level > 7)
		return 0;
	if (level > 0)
		units = size >> (8 * level);
	whole = units / TILE_WIDTH;
	if (index < whole)
		return TILE_WIDTH;
	return index == whole ? (unsigned)(units % TILE_WIDTH) : 0;
}

bool
tile_take_entry(struct bytes *bundle, struct bytes *ret_entry)
{
	struct bytes rest = *bundle, head;

	if (!bytes_take(&rest, 2, &head) ||
	    !bytes_take(&rest, (size_t)head.at[0] << 8 | head.at[1], ret_entry))
		return false;
	*bundle = rest;
	return true;
}
