/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_JOURNAL_H
#define KEYD_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "keyd/audit.h"

/*
 * The octets of the audit journal, in memory: audit.c does the I/O.  Pure
 * functions; any thread.
 *
 * A segment is a row of groups, each written with one write and made durable
 * with one sync, each starting on a sector of 512 octets.  Integers are
 * little-endian.
 *
 *     0  4  "HFJ1"
 *     4  4  octets of body
 *     8  8  number of the first entry, counted from 0 over all segments
 *    16  4  entries
 *    20  4  CRC-32 of octets 0..19
 *    24 32  chain: SHA-256 of the chain before, octets 0..19 and the body
 *    56     body
 *           zeros, and 0xe5 as the last octet of the last sector
 *
 * The first group of a segment has no entries; its body is the chain before.
 * Behind the last group come zeros, written ahead.  As no written sector is
 * all zeros, a sector that was never written shows.
 *
 *     entry:  2 octets of what follows, 1 kind, 1 code, 1 context, 1 zero,
 *             4 scheme, 4 latency in us, 8 ns since 1970, 32 key id,
 *             32 SHA-256 of the content, 1 + n peer, 1 + n why
 */
#define JOURNAL_SECTOR 512
#define JOURNAL_GROUP_MAX (128 * 1024) /* with header and padding */
#define JOURNAL_HEAD 56
#define JOURNAL_PEER_MAX 255
#define JOURNAL_ENTRY_MAX (2 + 84 + 1 + JOURNAL_PEER_MAX + 1 + AUDIT_TEXT_MAX)

/* Where the journal stands. */
struct journal_state {
	uint64_t entries; /* so far; the number of the next one */
	uint8_t chain[32];
};

/* Encode one entry; returns its octets, at most JOURNAL_ENTRY_MAX.  Longer
 * texts are cut. */
size_t journal_entry(const struct audit_entry *entry, uint8_t *ret_at);

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

/* One entry as read back; all borrowed. */
struct journal_record {
	uint64_t number;
	uint8_t kind, code, context;
	uint32_t scheme, latency_us;
	int64_t at_wall_ns;
	const uint8_t *key, *content_hash; /* 32 octets each */
	struct bytes peer, why;
};
typedef void (*journal_each)(void *ctx, const struct journal_record *record);

/*
 * Check a segment from its beginning.  With until (the state before the next
 * segment) it must come to that state, and what is written after it was never
 * acknowledged; without, it is the last segment and may end in a torn group,
 * one that was being written when the machine stopped: *ret_torn, and *ret_end
 * is where it starts.  DATA_LOSS: acknowledged octets were changed or are gone.
 * each may be NULL; a failing segment's records before the damage are shown.
 */
STATUS journal_replay(struct bytes segment, const struct journal_state *until,
    journal_each each, void *ctx, struct journal_state *ret_state,
    size_t *ret_end, bool *ret_torn);

#endif
