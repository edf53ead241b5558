/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ISSUER_INT_H
#define CERTD_ISSUER_INT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "certd/issue.h"
#include "certd/renewals.h"

/* Between issuer.c, whose threads work, and issuer_clock.c, whose thread finds
 * what is to be worked on. */

/* Changes in memory at once; the others wait as rows. */
#define ISSUER_RUNS_MAX 512
#define ISSUER_ERRANDS_MAX 256

/* A change in memory. */
struct run {
	int64_t id;
	int64_t due_ns; /* of clock_mono_ns */
	bool is_working;
	bool must_look;     /* an input was given meanwhile */
	struct issue issue; /* its worker's */
};

/* One question to a CA that belongs to no change. */
struct errand {
	bool is_revocation;
	int64_t certificate;     /* of a revocation */
	struct renewals_ask ask; /* else */
};

struct issuer {
	struct issuer_config config;
	struct writer *writer;
	struct issue_metrics metrics;
	struct metric_gauge *m_runs, *m_due; /* or NULL */

	pthread_mutex_t mutex; /* guards all below, but what is a worker's */
	pthread_cond_t changed;
	bool stops;
	int64_t kept_ns; /* the moment that an idle worker waits for */
	struct run *runs[ISSUER_RUNS_MAX];
	size_t n_runs;
	struct errand errands[ISSUER_ERRANDS_MAX]; /* a ring */
	size_t first_errand, n_errands;

	pthread_t clock;
	bool has_clock;
	pthread_t *workers;
	size_t n_workers;
};

/* The clock's thread. */
void *issuer_clock(void *issuer);

/* Before there are threads. */
STATUS issuer_restore(const struct issuer_config *config);

/* ---- with the mutex held ---- */

/* Take a change into memory, due now; false: there is no room. */
bool issuer_add_run(struct issuer *issuer, int64_t id);
struct run *issuer_find_run(struct issuer *issuer, int64_t id);

#endif
