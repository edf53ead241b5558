/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_READER_H
#define LEDGER_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/status.h"
#include "ledger/entry.h"
#include "ledger/merkle.h"
#include "ledger/note.h"
#include "ledger/tile.h"

/*
 * Reads a ledger folder, live or a copy: the checkpoint, tiles, entries.  It
 * trusts nothing it reads: what it hands out was only parsed, ledger/verify.h
 * proves it.  Opens files beneath the folder only and follows no links.  One
 * thread at a time; several readers of one folder are fine.
 */
struct reader;

/* NOT_FOUND: no such folder. */
STATUS reader_open(const char *folder, struct reader **ret_reader);
void reader_close(struct reader *reader); /* NULL is allowed */
SCOPED_RELEASE(reader_close, struct reader *);

/* A file of the folder, at most max octets, malloc'd.  NOT_FOUND. */
STATUS reader_file(struct reader *reader, const char *path, size_t max,
    uint8_t **ret_octets, size_t *ret_len);

/* Read "checkpoint" and parse it; signatures are not looked at.  octets is
 * malloc'd; the note borrows from it. */
STATUS reader_checkpoint(struct reader *reader, uint8_t **ret_octets,
    struct note *ret_note, struct checkpoint *ret_checkpoint);

/*
 * A tile for a tree of size: the partial one of that width, or any wider one
 * there is.  Exactly width * 32 octets are handed out (a bundle: width whole
 * entries).  Borrowed until the next call of reader_tile.
 */
STATUS reader_tile(struct reader *reader, int level, uint64_t index,
    uint64_t size, struct bytes *ret_octets);

/* The file that stands for that tile as it is, unparsed and malloc'd, and
 * which tile it is named as.  NOT_FOUND. */
STATUS reader_tile_file(struct reader *reader, int level, uint64_t index,
    uint64_t size, uint8_t **ret_octets, size_t *ret_len,
    struct tile *ret_tile);

/* Which partial tiles of that place lie in the folder, by width. */
STATUS reader_partials(struct reader *reader, int level, uint64_t index,
    bool ret_widths[TILE_WIDTH]);

/* Hashes for proofs within a tree of size, from tiles. */
struct reader_tree {
	struct reader *reader;
	uint64_t size;
};
/* A source over *tree, which must live as long. */
struct merkle_source reader_source(struct reader_tree *tree);

/*
 * Walk entries [from, size), in order, each as its octets.  each returns
 * false to stop.
 */
STATUS reader_entries(struct reader *reader, uint64_t from, uint64_t size,
    bool (*each)(void *ctx, uint64_t number, struct bytes entry), void *ctx);

/* Number of the first entry not before time_ns, by bisection over bundles;
 * entries' times may be out of order by up to a minute, which is allowed for.
 * size when there is none. */
STATUS reader_first_since(struct reader *reader, uint64_t size, int64_t time_ns,
    uint64_t *ret_number);

#endif
