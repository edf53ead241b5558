/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_PLANS_INT_H
#define CERTD_PLANS_INT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/signing.h"
#include "certd/plans.h"
#include "certd/store_plans.h"

/* What the plans*.c share; nobody else includes it. */

typedef Holdfast__Certd__V1__Plan plan_msg;
typedef Holdfast__Certd__V1__CreatePlanRequest plan_asked_msg;

/* Changes of a plan at once, at most: the issuer's other half is for what is
 * to be renewed meanwhile. */
#define PLANS_AT_ONCE 128
/* Plans that run at once. */
#define PLANS_RUNNING_MAX 16

/* How long the token takes for a key, as it was measured. */
struct plans_measured {
	enum key_alg alg;
	char pool[CUSTODY_POOL_MAX];
	int64_t at_ns;
	double key_s;
};
#define PLANS_MEASURED_MAX 16

/* When the next change of a plan is to begin, in memory alone: after a restart
 * one begins at once. */
struct plans_pacing {
	int64_t plan;
	int64_t next_ns;
	/* Up to this enrollment it is put down what is to be revoked;
	 * INT64_MAX: of all. */
	int64_t wished;
};

struct plans {
	struct plans_config config;
	pthread_mutex_t measuring; /* held over calls to keyd; guards: */
	struct plans_measured measured[PLANS_MEASURED_MAX];
	size_t n_measured;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed;
	bool stops, is_told; /* is_told: a plan has begun, or ends */
	pthread_t thread;
	bool has_thread;

	/* Of who steps. */
	struct plans_pacing pacing[PLANS_RUNNING_MAX];
	size_t n_pacing;
};

/* As it is now, with what fails: a Plan. */
STATUS plans_answer(
    struct plans *plans, int64_t id, ProtobufCMessage **ret_reply);
/* For auditors. */
STATUS plans_event(struct db_tx *tx, const char *actor, int64_t id,
    const char *act, const char *detail);
/* The method Create, as api_fn. */
struct status plans_create(void *ctx, struct api_call *call,
    const ProtobufCMessage *request, ProtobufCMessage **ret_reply);

/* A plan was started: look at it now. */
void plans_wake(struct plans *plans);

/* ---- estimates (plans_estimate.c) ---- */

struct plans_facts {
	struct plan_group groups[PLAN_GROUPS_MAX];
	size_t n_groups;
	uint32_t total;
	double keys_s;   /* all keys, one after the other */
	double change_s; /* one change from begin to end */
	/* Certificates of the registered domain that has the most. */
	uint64_t domain_most;
};
/* Fills all of the estimate but state, times and id; within the facts. */
STATUS plans_estimate(struct plans *plans, const struct plans_facts *facts,
    const plan_asked_msg *asked, plan_msg *to);
/* Whose certificate comes from where: of an item, with a plan's to_authority
 * (may be empty); empty: certd.yaml names none. */
const char *plans_target(const struct plans *plans, int purpose,
    const char *of_enrollment, const char *to_authority);
/* Of a CA's orders what a plan may use: a tenth is left to renewals. */
uint64_t plans_share(uint64_t orders);

/* ---- facts (plans_measure.c) ---- */

/* Counts, and has keyd make some keys. */
STATUS plans_measure(struct plans *plans, struct api_call *call, int64_t plan,
    struct plans_facts *ret_facts);

#endif
