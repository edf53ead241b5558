/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_DOSSIER_H
#define KEYD_DOSSIER_H

#include <stddef.h>

#include "base/scoped.h"
#include "base/status.h"
#include "hsm/hsm.h"
#include "keyd/audit.h"
#include "keyd/publisher.h"
#include "keyd/registry.h"
#include "rpc/server.h"

/*
 * Keys.Dossier: all that keyd and the token know of one key, as JSON signed
 * with the ledger key, with proofs that its custody acts stand in the ledger.
 * Reads the whole ledger, so one is made at a time; whoever asks meanwhile gets
 * RESOURCE_EXHAUSTED, and the other callers their threads.
 */
struct dossier;

struct dossier_config { /* borrowed, as is all that it points to */
	struct registry *registry;
	struct audit *audit;
	struct publisher *publisher;
	struct hsm *const *pools;
	const char *const *pool_names;
	size_t n_pools;
};

STATUS dossier_new(
    const struct dossier_config *config, struct dossier **ret_dossier);
void dossier_free(struct dossier *dossier); /* after drain; NULL is allowed */
SCOPED_RELEASE(dossier_free, struct dossier *);

/* Adds Keys.Dossier.  Before rpc_server_start. */
void dossier_register(struct dossier *dossier, struct rpc_server *server);

#endif
