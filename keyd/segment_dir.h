/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_SEGMENT_DIR_H
#define KEYD_SEGMENT_DIR_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "keyd/audit.h"
#include "keyd/journal.h"

/*
 * The folder of the audit journal as a row of segments: which there are, what
 * stands in them, and the removal of old ones.  dir_fd is the folder.  Any
 * thread.
 */

/* Largest segment, in octets, that is read back. */
#define SEGMENT_LOAD_MAX ((size_t)192 << 20)

/* Numbers of the segments, sorted; malloc'd. */
STATUS segment_dir_list(int dir_fd, uint64_t **ret_numbers, size_t *ret_n);
/* NOT_FOUND: it is not there. */
STATUS segment_dir_open(int dir_fd, uint64_t number, int *ret_fd);
/* What a segment says was before it. */
STATUS segment_dir_before(
    int dir_fd, uint64_t number, struct journal_state *ret_before);

/* What was acknowledged: state in all, its last group in segment number. */
struct segment_mark {
	uint64_t number;
	struct journal_state state;
};

/*
 * Show entries [from, mark's) to each, in order.  NOT_FOUND: from was removed;
 * OUT_OF_RANGE: it has not been written.
 */
STATUS segment_dir_show(int dir_fd, const struct segment_mark *mark,
    uint64_t from, audit_committed each, void *ctx);

/* Remove segments before mark's, oldest first, that hold entries below until
 * only. */
void segment_dir_retire(
    int dir_fd, const struct segment_mark *mark, uint64_t until);

#endif
