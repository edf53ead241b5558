/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From configuration to tokens.  The worker processes are this very program
 * again; their environment is keyd's, cut down to what the configuration names,
 * so that nothing else steers a PKCS#11 module.
 */

#include "keyd/tokens.h"

#include <stdlib.h>
#include <string.h>

static const char *const WORKER_ARGV[] = { "/proc/self/exe", "worker", NULL };
static const char *const CA_WORKER_ARGV[] = { "/proc/self/exe", "ca-worker",
	NULL };

extern char **environ;

/* What the start itself, systemd, SoftHSM and the checks of a test build read.
 */
static const char *const KEPT[] = { "PATH", "LANG", "TZ", "NOTIFY_SOCKET",
	"CREDENTIALS_DIRECTORY", "SOFTHSM2_CONF", "ASAN_OPTIONS",
	"LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "GCOV_PREFIX",
	"LLVM_PROFILE_FILE", NULL };

static bool
is_named(const struct conf_strings *names, const char *variable, size_t len)
{
	for (size_t i = 0; i < names->len; i++)
		if (strlen(names->at[i]) == len &&
		    memcmp(names->at[i], variable, len) == 0)
			return true;
	return false;
}

static bool
is_kept(const struct config *config, const char *variable)
{
	size_t len = strcspn(variable, "=");

	for (size_t i = 0; KEPT[i] != NULL; i++)
		if (strlen(KEPT[i]) == len &&
		    memcmp(KEPT[i], variable, len) == 0)
			return true;
	for (size_t i = 0; i < config->pools.len; i++)
		if (is_named(&config_pool_at(config, i)->env, variable, len))
			return true;
	return is_named(&config->identity.env, variable, len);
}

void
tokens_keep_environment(const struct config *config)
{
	char **kept = environ;

	for (char **at = environ; *at != NULL; at++)
		if (is_kept(config, *at))
			*kept++ = *at;
	*kept = NULL;
}

STATUS
tokens_open_pool(const struct config *config, size_t pool, unsigned workers,
    struct metrics *metrics, struct lane_log *log, struct hsm **ret_hsm)
{
	const struct config_pool *from = config_pool_at(config, pool);
	const char *env[CONFIG_ENV_MAX + 1] = { NULL };
	char lock_path[PATH_MAX];
	struct status st = config_lock_path(config, from->token, lock_path);
	struct hsm_config to = {
		.pool = from->name,
		.module = from->module,
		.token_label = from->token,
		.pin_file = from->pin_file,
		.workers = workers != 0 ? workers : (unsigned)from->workers,
		.session_copies = from->session_copies,
		.lock_file = lock_path,
		.worker_argv = WORKER_ARGV,
		.worker_env = env,
		.metrics = metrics,
		.lane_changed = log != NULL ? lane_log_changed : NULL,
		.lane_changed_ctx = log,
	};

	if (log != NULL)
		log->pool = from->name;
	for (size_t i = 0; i < from->env.len; i++)
		env[i] = from->env.at[i];
	return failed(st) ? st : hsm_open(&to, ret_hsm);
}

STATUS
tokens_ca(const struct config *config, struct tokens_ca *ret_ca)
{
	const struct conf_strings *env = &config->identity.env;
	struct status st =
	    config_lock_path(config, config->identity.token, ret_ca->lock_path);

	if (failed(st))
		return st;
	for (size_t i = 0; i < env->len; i++)
		ret_ca->env[i] = env->at[i];
	ret_ca->env[env->len] = NULL;
	ret_ca->config = (struct hsm_ca_config){
		.module = config->identity.module,
		.token_label = config->identity.token,
		.pin_file = config->identity.pin_file,
		.lock_file = ret_ca->lock_path,
		.worker_argv = CA_WORKER_ARGV,
		.worker_env = ret_ca->env,
	};
	return st;
}
