/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_HSM_INT_H
#define HSM_HSM_INT_H

#include "hsm/births.h"
#include "hsm/forgotten.h"
#include "hsm/hsm.h"
#include "hsm/lane.h"

/* The body of a pool, for the files that make up the door. */

#define LANES_MAX 64
/* How often a request is given to a lane before it is given up. */
#define TRIES_MAX 4

/* Beside the algorithms' bits. */
#define HSM_UNWRAPS_KNOWN (1u << 31)

struct lane_metrics {
	struct metric_counter *signatures;
	struct metric_counter *restarts;
	struct metric_gauge *ready;
	unsigned restarts_counted;
};

struct hsm {
	struct lane_pool pool;
	char *texts[4]; /* what pool.config points to */
	bool managing;  /* guarded by pool.lock: one management act at a time */
	struct forgotten forgotten;
	struct births births;
	atomic_uint unwraps; /* as hsm_unwraps says, and HSM_UNWRAPS_KNOWN */
	struct status (*blob)(
	    void *ctx, const struct key_id *id, struct hsm_blob *ret_blob);
	void *blob_ctx;
	atomic_int_fast64_t op_ns; /* the token's time for an op, smoothed */

	bool measured;
	struct lane_metrics per_lane[LANES_MAX];
	struct metric_histogram *batch_seconds;
	struct metric_counter *retries;
	struct metric_counter *unwrapped; /* NULL unless the pool is wrapped */
	void (*lane_changed)(void *ctx, const struct hsm *hsm, unsigned lane);
	void *lane_changed_ctx;
};

#endif
