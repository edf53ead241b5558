/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_SOLVER_INT_H
#define CERTD_SOLVER_INT_H

#include <pthread.h>
#include <stdint.h>

#include "certd/solver.h"

#define SOLVER_WAITS 1024

struct solver {
	struct solver_config config;
	pthread_mutex_t mutex; /* guards waits */
	/* How long each challenge waited before it was last looked for, by a
	 * hash of it; whom two share waits a little longer. */
	struct solver_wait {
		uint32_t hash;
		int64_t retry_ms;
	} waits[SOLVER_WAITS];
};

/* The next wait, twice the last one; and none of it is left. */
int64_t solver_wait_next(
    struct solver *solver, const struct challenge_row *row);
void solver_wait_end(struct solver *solver, const struct challenge_row *row);

#endif
