/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_SIGNER_H
#define KEYD_SIGNER_H

#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "hsm/hsm.h"
#include "keyd/audit.h"
#include "keyd/context.h"
#include "keyd/policy.h"
#include "keyd/signing_tally.h"
#include "rpc/server.h"

/*
 * The Signer service: batches from the wire into the fair queue, lane threads
 * that run sign_serve (keyd/sign.h) on what they take, replies back.
 */
struct signer;

struct signer_config {
	struct hsm *const *pools; /* borrowed; policy_key.pool indexes it */
	size_t n_pools;
	struct policy_slot *policy; /* borrowed, like the rest */
	struct audit *audit;
	struct context_rules contexts;
	const char *domain; /* trust domain peers must belong to */
	size_t queue_max;   /* requests waiting; beyond: RESOURCE_EXHAUSTED */
	int64_t default_timeout_ns; /* for requests that name none */
	struct metrics *metrics;
};

STATUS signer_new(
    const struct signer_config *config, struct signer **ret_signer);
/* Adds Signer.Sign and Signer.SignStream.  Before rpc_server_start. */
void signer_register(struct signer *signer, struct rpc_server *server);
/* Answers what waits (UNAVAILABLE) and ends the lane threads.  After drain. */
void signer_free(struct signer *signer);
SCOPED_RELEASE(signer_free, struct signer *);

struct signer_counts {
	uint64_t signatures, refusals;
	unsigned queued, streams;
};
void signer_counts(struct signer *signer, struct signer_counts *ret);
/* What was signed for whom, over time; the signer's own. */
struct signing_tally *signer_tally(struct signer *signer);
/* Open SignStreams of one identity. */
unsigned signer_streams_of(struct signer *signer, const char *spiffe_id);

#endif
