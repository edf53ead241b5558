/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the name of a tile: what is taken prints back as it was. */
#include <stdlib.h>
#include <string.h>

#include "ledger/tile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), printed[TILE_PATH_MAX];
	struct tile tile;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (tile_parse(text, &tile)) {
		tile_path(&tile, printed);
		if (strcmp(text, printed) != 0 || tile.width == 0 ||
		    tile.width > TILE_WIDTH || tile.level < TILE_ENTRIES ||
		    tile.level > 63 || strstr(text, "..") != NULL)
			abort();
		(void)tile_width(tile.level, tile.index, tile.index + size);
	}
	free(text);
	return 0;
}
