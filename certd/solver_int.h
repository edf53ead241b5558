/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_SOLVER_INT_H
#define CERTD_SOLVER_INT_H

#include <pthread.h>
#include <stdint.h>

#include "certd/solver.h"

#define SOLVER_WAITS 1024

struct solver_wait;

struct solver {
	struct solver_config config;
	int64_t http_patience_ns;
	pthread_mutex_t mutex; /* guards waits */
	struct solver_wait *waits[SOLVER_WAITS];
};

/* How long it may take until a challenge is seen; 0: as long as a person
 * takes. */
int64_t solver_patience_ns(struct solver *solver,
    const struct enrollment_row *of, const struct challenge_row *row);

/* A look saw nothing: how long ago the first such look was, and when to look
 * again, twice as late as the last time. */
void solver_wait_look(struct solver *solver, const struct challenge_row *row,
    int64_t *ret_waited_ns, int64_t *ret_retry_ms);
/* It was seen, or is taken away. */
void solver_wait_end(struct solver *solver, const struct challenge_row *row);
void solver_wait_end_all(struct solver *solver);

#endif
