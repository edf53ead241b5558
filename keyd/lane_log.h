/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_LANE_LOG_H
#define KEYD_LANE_LOG_H

#include "hsm/hsm.h"

/*
 * A pool's lanes in the log: a line when one becomes ready, is lost, or has
 * something else to complain of, and none when nothing changed.
 */
#define LANE_LOG_MAX 64

struct lane_log {
	const char *pool; /* name, borrowed */
	/* What each lane last said, NULL before; its own thread's alone. */
	const char *why[LANE_LOG_MAX];
	unsigned restarts[LANE_LOG_MAX];
};

/* For hsm_config.lane_changed, with a struct lane_log that outlives the pool.
 */
void lane_log_changed(void *log, const struct hsm *hsm, unsigned lane);

#endif
