/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_PUBLISHER_FOLDER_H
#define KEYD_PUBLISHER_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"
#include "ledger/tile.h"

/*
 * The ledger's folder, for its one writer.  Every file appears whole or not at
 * all.  Failures are UNAVAILABLE, errno as detail.  One thread at a time.
 */
struct folder;

STATUS folder_open(const char *path, struct folder **ret_folder);
void folder_close(struct folder *folder); /* NULL is allowed */
SCOPED_RELEASE(folder_close, struct folder *);

/* Not synced; nothing is written when the file holds just that. */
STATUS folder_put_tile(
    struct folder *folder, const struct tile *tile, struct bytes octets);
/* A partial tile that is wanted no more, and its folder when that is empty. */
void folder_drop_tile(struct folder *folder, const struct tile *tile);
/* All partial forms of a tile but the one of width keep; 0: that too. */
void folder_drop_partials(
    struct folder *folder, const struct tile *tile, unsigned keep);

/* On the disk when this returns: "checkpoint", "handover/1". */
STATUS folder_put(struct folder *folder, const char *path, struct bytes octets);
/* At most max octets, malloc'd.  NOT_FOUND. */
STATUS folder_get(struct folder *folder, const char *path, size_t max,
    uint8_t **ret_octets, size_t *ret_len);
/* All that was stored is on the disk. */
STATUS folder_sync(struct folder *folder);

#endif
