/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From configuration to tokens.  The worker processes are this very program
 * again; their environment is keyd's, cut down to what the configuration names,
 * so that nothing else steers a PKCS#11 module.
 */

#include "keyd/tokens.h"

#include <stdlib.h>
#include <string.h>

const char *const tokens_ca_argv[] = { "/proc/self/exe", "ca-worker", NULL };

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

/* With the pool's name, for whoever looks at a list of processes. */
void
tokens_worker_argv(
    const struct config_pool *pool, const char *ret_argv[TOKENS_ARGV_MAX])
{
	ret_argv[0] = "/proc/self/exe";
	ret_argv[1] = "worker";
	ret_argv[2] = pool->name;
	ret_argv[3] = NULL;
}

static struct status
blob(void *ctx, const struct key_id *id, struct hsm_blob *ret_blob)
{
	return registry_blob(ctx, id, ret_blob);
}

STATUS
tokens_open_pool(const struct config *config, size_t pool,
    const struct tokens_use *use, struct hsm **ret_hsm)
{
	const struct config_pool *from = config_pool_at(config, pool);
	const char *env[CONFIG_ENV_MAX + 1] = { NULL };
	const char *argv[TOKENS_ARGV_MAX];
	char lock_path[PATH_MAX];
	struct status st = config_lock_path(config, from->module, lock_path);
	struct hsm_config to = {
		.pool = from->name,
		.module = from->module,
		.token_label = from->token,
		.pin_file = from->pin_file,
		.workers =
		    use->workers != 0 ? use->workers : (unsigned)from->workers,
		.session_copies = from->session_copies,
		.lock_file = lock_path,
		.worker_argv = argv,
		.worker_env = env,
		.metrics = use->metrics,
		.lane_changed = use->log != NULL ? lane_log_changed : NULL,
		.lane_changed_ctx = use->log,
	};

	tokens_worker_argv(from, argv);
	if (use->log != NULL)
		use->log->pool = from->name;
	if (from->keys == CONFIG_STORE_WRAPPED && use->registry != NULL) {
		to.blob = blob;
		to.blob_ctx = use->registry;
		to.cache = (unsigned)from->cache;
	}
	for (size_t i = 0; i < from->env.len; i++)
		env[i] = from->env.at[i];
	return failed(st) ? st : hsm_open(&to, ret_hsm);
}

STATUS
tokens_ca(const struct config *config, struct tokens_ca *ret_ca)
{
	const struct conf_strings *env = &config->identity.env;
	struct status st = config_lock_path(
	    config, config->identity.module, ret_ca->lock_path);

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
		.worker_argv = tokens_ca_argv,
		.worker_env = ret_ca->env,
	};
	return st;
}
