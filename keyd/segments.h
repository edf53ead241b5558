/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_SEGMENTS_H
#define KEYD_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "keyd/journal.h"

/*
 * The files of the audit journal: 0000000001.journal and on, in a folder that
 * one process at a time may hold.  One thread at a time.
 */
struct segments;

struct segments_config {
	const char *directory; /* made 0700 if missing; copied */
	bool sync;             /* each group is on the disk when appended */
	size_t segment_max;    /* octets of a file; 0: 64 MiB */
	audit_committed each;  /* shown every group on open; may be NULL */
	void *ctx;             /* of each */
};

/*
 * Replays what is there and reserves room.  FAILED_PRECONDITION: another
 * process has it.  DATA_LOSS: damaged.  UNAVAILABLE: the disk is full, or as
 * detail (errno) says.  A torn tail is cut and logged.
 */
STATUS segments_open(
    const struct segments_config *config, struct segments **ret_segments);
void segments_close(struct segments *segments); /* NULL is allowed */
SCOPED_RELEASE(segments_close, struct segments *);

/*
 * Append one group: a buffer of JOURNAL_GROUP_MAX, best aligned to a page,
 * whose body stands from JOURNAL_HEAD on.  Blocks for the disk.  After a
 * failure nothing of it counts; the next append tries to go on, in a new
 * segment where that is needed.
 */
STATUS segments_append(struct segments *segments, uint8_t *group,
    size_t body_len, uint32_t n_entries);

uint64_t segments_entries(const struct segments *segments);

/* As audit_settle, audit_replay and audit_retire, and from such threads. */
STATUS segments_settle(struct segments *segments);
STATUS segments_show(
    struct segments *segments, uint64_t from, audit_committed each, void *ctx);
void segments_retire(struct segments *segments, uint64_t until);

#endif
