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

/* From configuration to the doors of hsm/: which token, which lock, which
 * worker. */

/*
 * Drop every environment variable but the ones that keyd's own start needs and
 * those that the configuration names for workers, which inherit the rest.
 * Before threads.
 */
void tokens_keep_environment(const struct config *config);

/* hsm_open for the pool; workers 0 for as many as configured.  metrics and
 * log, which outlives the pool, may be NULL. */
STATUS tokens_open_pool(const struct config *config, size_t pool,
    unsigned workers, struct metrics *metrics, struct lane_log *log,
    struct hsm **ret_hsm);

/* For hsm_ca_open and hsm_ca_create, with what their configuration borrows:
 * it stays where it is made. */
struct tokens_ca {
	struct hsm_ca_config config;
	char lock_path[PATH_MAX];
	const char *env[CONFIG_ENV_MAX + 1];
};
STATUS tokens_ca(const struct config *config, struct tokens_ca *ret_ca);

#endif
