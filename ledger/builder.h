/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_BUILDER_H
#define LEDGER_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"
#include "ledger/merkle.h"
#include "ledger/tile.h"

/*
 * Grows a tree at its right edge and hands out its tiles.  Holds the partial
 * tiles of every level and the partial entry bundle: about 100 KiB.  One thread
 * at a time.
 */
struct builder;

/*
 * Takes a tile as it is to be stored: octets is a tile of hashes or an entry
 * bundle, borrowed.  Full tiles come once, as they fill; partial ones on
 * builder_flush.
 */
typedef struct status (*builder_store)(
    void *ctx, const struct tile *tile, struct bytes octets);

/* NULL when memory ends. */
struct builder *builder_new(void);
void builder_free(struct builder *builder); /* NULL is allowed */
SCOPED_RELEASE(builder_free, struct builder *);

uint64_t builder_size(const struct builder *builder);

/*
 * Append one entry of at most TILE_ENTRY_MAX octets.  When that fills tiles
 * they are stored, lowest level first; if a store fails the append did not
 * happen and may be tried again.  store may be NULL: nothing is stored.
 */
STATUS builder_append(struct builder *builder, struct bytes entry,
    builder_store store, void *ctx);

/* Store the partial tiles of the tree as it stands.  Those unchanged since the
 * last flush are not stored again. */
STATUS builder_flush(struct builder *builder, builder_store store, void *ctx);

void builder_root(const struct builder *builder, struct merkle_hash *ret_root);

/* The whole state, to go on from after a restart: at most
 * BUILDER_STATE_MAX octets, with its own SHA-256. */
#define BUILDER_STATE_MAX (17 * 1024 * 1024)
STATUS builder_save(const struct builder *builder, uint8_t **ret_octets,
    size_t *ret_len); /* malloc'd */
/* DATA_LOSS: not a saved state, or damaged. */
STATUS builder_load(struct bytes octets, struct builder **ret_builder);

#endif
