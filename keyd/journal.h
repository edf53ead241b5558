/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_JOURNAL_H
#define KEYD_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "keyd/audit.h"
#include "ledger/entry.h"

/*
 * The octets of the audit journal, in memory: audit.c does the I/O.  Pure
 * functions; any thread.
 *
 * A segment is a row of groups, each written with one write and made durable
 * with one sync, each starting on a sector of 512 octets.  Integers are
 * little-endian, but for those of the body.
 *
 *     0  4  "HFJ2"
 *     4  4  octets of body
 *     8  8  number of the first entry, counted from 0 over all segments
 *    16  4  entries
 *    20  4  CRC-32 of octets 0..19
 *    24 32  chain: SHA-256 of the chain before, octets 0..19 and the body
 *    56     body
 *           zeros, and 0xe5 as the last octet of the last sector
 *
 * A body is what an entry bundle of the ledger holds: of each entry a
 * big-endian uint16 length and the octets of holdfast.keyd.v1.AuditEntry.  They
 * are encoded once, here; the ledger takes them over as they are.
 *
 * The first group of a segment has no entries; its body is the chain before.
 * Behind the last group come zeros, written ahead.  As no written sector is
 * all zeros, a sector that was never written shows.
 */
#define JOURNAL_SECTOR 512
#define JOURNAL_GROUP_MAX (256 * 1024) /* with header and padding */
#define JOURNAL_HEAD 56
#define JOURNAL_ENTRY_MAX (2 + ENTRY_MAX)

/* Where the journal stands. */
struct journal_state {
	uint64_t entries; /* so far; the number of the next one */
	uint8_t chain[32];
};

/* Put one entry into a body; returns its octets, at most JOURNAL_ENTRY_MAX.
 * Longer texts are cut. */
size_t journal_entry(
    const struct entry *entry, uint8_t ret_at[JOURNAL_ENTRY_MAX]);

/*
 * Make a group of a buffer of JOURNAL_GROUP_MAX whose body stands from
 * JOURNAL_HEAD on.  Returns its whole length; ret_after is the state with it.
 */
STATUS journal_seal(uint8_t *group, size_t body_len, uint32_t n_entries,
    const struct journal_state *before, size_t *ret_len,
    struct journal_state *ret_after);

/* The first group of a segment; at most one sector. */
STATUS journal_begin(uint8_t ret_group[JOURNAL_SECTOR],
    const struct journal_state *before, struct journal_state *ret_after);

/* What the first group of a segment says came before it. */
STATUS journal_before(struct bytes segment, struct journal_state *ret_before);

/*
 * Check a segment from its beginning.  With until (the state before the next
 * segment) it must come to that state, and what is written after it was never
 * acknowledged; without, it is the last segment and may end in a torn group,
 * one that was being written when the machine stopped: *ret_torn, and *ret_end
 * is where it starts.  DATA_LOSS: acknowledged octets were changed or are gone.
 * each may be NULL; it is shown a group at a time, also those before damage.
 */
STATUS journal_replay(struct bytes segment, const struct journal_state *until,
    audit_committed each, void *ctx, struct journal_state *ret_state,
    size_t *ret_end, bool *ret_torn);

#endif
