/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_APPROVALS_INT_H
#define KEYD_APPROVALS_INT_H

#include <pthread.h>

#include "keyd/approvals.h"

/* Between approvals.c and approvals_service.c. */

#define APPROVAL_ACTS_MAX 8

struct approval_act {
	const char *method;
	const ProtobufCMessageDescriptor *request;
	approvals_do fn;
	void *ctx;
};

struct approvals {
	struct approvals_config config;
	struct approval_act acts[APPROVAL_ACTS_MAX];
	size_t n_acts;
	/*
	 * Votes and what follows from them take turns, so that of two last
	 * votes one does the act.  The turn is a flag, for no lock is held
	 * while an act is done.
	 */
	pthread_mutex_t mutex; /* guards is_taken */
	pthread_cond_t turn;
	bool is_taken;
	int64_t retry_ns; /* of approvals_tick's thread alone */
};

void approvals_take_turn(struct approvals *approvals);
void approvals_end_turn(struct approvals *approvals);

/* A line of the ledger: "approval 7: destroy key www: approve". */
STATUS approvals_record(const struct approvals *approvals, const char *who,
    const struct registry_approval *row, const char *what,
    enum entry_stage stage, struct status outcome);

/* May this operator's vote on it count?  The reason if not. */
STATUS approvals_counts(const struct approvals *approvals,
    const struct registry_approval *row, const char *voter);

/* Has a pending one the votes it takes? */
bool approvals_has_quorum(
    const struct approvals *approvals, const struct registry_approval *row);

/*
 * What follows from the votes of a pending one: its end, the act, or nothing
 * yet.  In one's turn.  Failures are such as leave it pending.
 */
STATUS approvals_settle(struct approvals *approvals,
    const struct rpc_call *call, const struct registry_approval *row);

#endif
