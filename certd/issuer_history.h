/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ISSUER_HISTORY_H
#define CERTD_ISSUER_HISTORY_H

#include <stdint.h>

#include "base/status.h"
#include "certd/store.h"
#include "certd/store_changes.h"

/*
 * Changes that ended more than 400 days ago are deleted with their history, but
 * for the newest one of each certificate that is kept up.  One thread.
 */
struct issuer_history {
	struct store_changes_walk walk;
	int64_t next_s; /* when to walk from the oldest on again */
};

/* Once a day all that is old enough, some at each call; *ret_next_s: when to
 * call again.  A read when there is nothing to delete. */
STATUS issuer_history_look(struct store *store, struct issuer_history *history,
    int64_t now_s, int64_t *ret_next_s);

#endif
