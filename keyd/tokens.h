/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_TOKENS_H
#define KEYD_TOKENS_H

#include <limits.h>

#include "base/metrics.h"
#include "base/status.h"
#include "hsm/ca.h"
#include "hsm/hsm.h"
#include "keyd/config.h"
#include "keyd/lane_log.h"
#include "keyd/registry.h"

/* From configuration to the doors of hsm/: which token, which lock, which
 * worker. */

/*
 * Drop every environment variable but the ones that keyd's own start needs and
 * those that the configuration names for workers, which inherit the rest.
 * Before threads.
 */
void tokens_keep_environment(const struct config *config);

/* How a pool's workers are started, NULL-terminated; and the CA's. */
#define TOKENS_ARGV_MAX 4
void tokens_worker_argv(
    const struct config_pool *pool, const char *ret_argv[TOKENS_ARGV_MAX]);
extern const char *const tokens_ca_argv[];

/* What outlives the pool; all of it may be NULL. */
struct tokens_use {
	unsigned workers; /* 0: as many as configured */
	struct metrics *metrics;
	struct lane_log *log;
	struct registry *registry; /* of a wrapped pool's blobs */
};
/* hsm_open for the pool.  Without a registry a wrapped pool can only manage the
 * objects of its token. */
STATUS tokens_open_pool(const struct config *config, size_t pool,
    const struct tokens_use *use, struct hsm **ret_hsm);

/* For hsm_ca_open and hsm_ca_create, with what their configuration borrows:
 * it stays where it is made. */
struct tokens_ca {
	struct hsm_ca_config config;
	char lock_path[PATH_MAX];
	const char *env[CONFIG_ENV_MAX + 1];
};
STATUS tokens_ca(const struct config *config, struct tokens_ca *ret_ca);

#endif
