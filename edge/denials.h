/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_DENIALS_H
#define EDGE_DENIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Which refusals are worth a line in the log: at most one a second for each
 * uid, so that a refused client cannot fill the disk.  One thread.
 */
#define DENIALS_MAX 64

struct denials {
	size_t len;
	struct {
		uid_t uid;
		int64_t logged_ns;
	} at[DENIALS_MAX];
};

/* Log this one?  Then it counts as logged.  More than DENIALS_MAX uids within a
 * second: those beyond are not logged. */
bool denials_log_now(struct denials *denials, uid_t uid, int64_t now_ns);

#endif
