/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lanes in the log (keyd/lane_log.h).  hsm/ logs nothing by itself; it calls
 * when something may have changed, on the lane's own thread.
 */

#include "keyd/lane_log.h"

#include <string.h>

#include "base/log.h"

void
lane_log_changed(void *log, const struct hsm *hsm, unsigned lane)
{
	struct lane_log *seen = log;
	struct hsm_lane_status now;

	if (lane >= LANE_LOG_MAX)
		return;
	hsm_lane_status(hsm, lane, &now);
	if (now.restarts != seen->restarts[lane])
		log_warn("a worker ended and is started again",
		    LOG_STR("pool", seen->pool), LOG_UINT("lane", lane),
		    LOG_UINT("restarts", now.restarts));
	seen->restarts[lane] = now.restarts;
	/* Reasons are static text. */
	if (seen->why[lane] != NULL && strcmp(now.why, seen->why[lane]) == 0)
		return;
	if (strcmp(now.state, "ready") == 0)
		log_info("lane is ready", LOG_STR("pool", seen->pool),
		    LOG_UINT("lane", lane), LOG_INT("pid", now.pid),
		    LOG_UINT("keys", now.keys));
	else if (now.why[0] != '\0')
		log_warn("lane cannot serve", LOG_STR("pool", seen->pool),
		    LOG_UINT("lane", lane), LOG_STR("state", now.state),
		    LOG_STR("why", now.why), LOG_UINT("detail", now.detail));
	else
		return;
	seen->why[lane] = now.why;
}
