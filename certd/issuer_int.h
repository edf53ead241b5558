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
/* As long as there are more, no others are looked for. */
#define ISSUER_RUNS_MANY 384
#define ISSUER_ERRANDS_MAX 256

/* Who works on changes of one CA. */
#define ISSUER_CROWDS_MAX 16
struct crowd {
	char authority[AUTHORITY_NAME_MAX]; /* stays as it is */
	size_t working;
};

/* A change in memory. */
struct run {
	int64_t id;
	int64_t due_ns;      /* of clock_mono_ns */
	int state;           /* of the change, after its last turn */
	struct crowd *crowd; /* of the CA that it is at; NULL: none yet */
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
	struct delays *delays;
	struct issue_metrics metrics;
	struct metric_gauge *m_runs, *m_due; /* or NULL */

	pthread_mutex_t mutex;  /* guards all below, but what is a worker's */
	pthread_cond_t changed; /* for workers */
	pthread_cond_t stopped; /* for the clock */
	bool stops;
	int64_t kept_ns; /* the moment that an idle worker waits for */
	struct run *runs[ISSUER_RUNS_MAX];
	size_t n_runs;
	struct crowd crowds[ISSUER_CROWDS_MAX];
	size_t n_crowds;
	unsigned turns;
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
