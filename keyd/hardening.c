/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The front process confines itself, and says what its workers may touch.  In
 * order: capabilities go, the spawner is forked, libraries read what they read
 * once, then files, memory and system calls are limited.  From there on this
 * process can write its state and its records, serve its ports, and ask the
 * spawner for a worker; it can read no PIN and start no program.
 */

#include "keyd/hardening.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "base/process.h"
#include "base/scoped.h"
#include "hsm/confine.h"
#include "hsm/spawner.h"
#include "keyd/tokens.h"

#define SOFTHSM_CONF_DEFAULT "/etc/softhsm/softhsm2.conf"
#define POOLS_MAX 16

_Static_assert(POOLS_MAX < SPAWNER_WORKERS_MAX, "and the identity CA's");

static char in_force[64] = "off";

/* What the C library, OpenSSL and gRPC read; no secret among it. */
static const char *const system_paths[] = { "/proc/self", "/proc/stat",
	"/proc/cpuinfo", "/proc/meminfo", "/proc/sys/net", "/proc/sys/kernel",
	"/sys/devices/system/cpu", "/dev/random", "/dev/urandom",
	"/etc/ssl/openssl.cnf", "/etc/ssl/certs", "/etc/resolv.conf",
	"/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
	"/etc/services", "/etc/protocols", "/etc/localtime",
	"/usr/share/zoneinfo", "/usr/lib/locale", NULL };

/* ---- the workers ---- */

/* What one worker is told, and what that borrows. */
struct limits {
	const char *argv[TOKENS_ARGV_MAX];
	const char *env[CONFIG_ENV_MAX + 1];
	char lock_path[PATH_MAX];
	char *text;
};

static bool
names_softhsm(const char *module, const struct conf_strings *env)
{
	const char *slash = strrchr(module, '/');

	if (slash != NULL && strncmp(slash + 1, "libsofthsm", 10) == 0)
		return true;
	for (size_t i = 0; i < env->len; i++)
		if (strcmp(env->at[i], "SOFTHSM2_CONF") == 0)
			return true;
	return false;
}

static STATUS
print(struct confine_spec *spec, const struct conf_strings *env,
    const struct conf_strings *paths, const char *pool, struct limits *limits)
{
	const char *conf = getenv("SOFTHSM2_CONF");
	bool has_files = false;
	struct status st;

	for (size_t i = 0; i < env->len; i++)
		limits->env[i] = env->at[i];
	spec->lock_file = limits->lock_path;
	spec->paths = (const char *const *)paths->at;
	spec->n_paths = paths->len;
	if (names_softhsm(spec->module, env))
		spec->softhsm_conf = conf != NULL ? conf : SOFTHSM_CONF_DEFAULT;
	st = confine_print(spec, &limits->text, &has_files);
	if (!failed(st) && !has_files)
		log_warn("what this module may open is not limited: list its "
			 "token's folder, its configuration and its devices "
			 "under paths",
		    LOG_STR("pool", pool), LOG_STR("module", spec->module));
	return st;
}

static STATUS
limit_pool(const struct config *config, const struct config_pool *pool,
    struct limits *limits)
{
	struct confine_spec spec = { .kind = SANDBOX_WORKER,
		.module = pool->module,
		.token = pool->token,
		.pin_file = pool->pin_file,
		.network = pool->network };
	struct status st =
	    config_lock_path(config, pool->module, limits->lock_path);

	tokens_worker_argv(pool, limits->argv);
	return failed(st)
		   ? st
		   : print(&spec, &pool->env, &pool->paths, pool->name, limits);
}

static STATUS
limit_identity(const struct config *config, struct limits *limits)
{
	const struct config_identity *identity = &config->identity;
	struct confine_spec spec = { .kind = SANDBOX_IDENTITY,
		.module = identity->module,
		.token = identity->token,
		.pin_file = identity->pin_file,
		.network = identity->network };
	struct status st =
	    config_lock_path(config, identity->module, limits->lock_path);

	for (size_t i = 0; tokens_ca_argv[i] != NULL; i++)
		limits->argv[i] = tokens_ca_argv[i];
	return failed(st) ? st
			  : print(&spec, &identity->env, &identity->paths,
				"identity", limits);
}

static unsigned
flags_of(const struct config *config)
{
	bool network = config->identity.network;

	for (size_t i = 0; i < config->pools.len; i++)
		network = network || config_pool_at(config, i)->network;
	return network ? SANDBOX_NETWORK : 0;
}

static STATUS
start_spawner(const struct config *config, const char *config_path,
    struct limits *limits, bool is_confined)
{
	struct spawner_worker workers[POOLS_MAX + 1] = { { .argv = NULL } };
	const struct spawner_config to = { .workers = workers,
		.n_workers = config->pools.len + 1,
		.file = config_path,
		.is_confined = is_confined,
		.flags = flags_of(config) };
	struct status st = limit_identity(config, &limits[0]);

	for (size_t i = 0; i < config->pools.len && !failed(st); i++)
		st = limit_pool(
		    config, config_pool_at(config, i), &limits[i + 1]);
	for (size_t i = 0; i < to.n_workers; i++)
		workers[i] = (struct spawner_worker){ limits[i].argv,
			limits[i].env, is_confined ? limits[i].text : NULL };
	return failed(st) ? st : spawner_start(&to);
}

static STATUS
open_spawner(
    const struct config *config, const char *config_path, bool is_confined)
{
	scoped(free) struct limits *limits =
	    calloc(POOLS_MAX + 1, sizeof(*limits));
	struct status st;

	if (limits == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	st = start_spawner(config, config_path, limits, is_confined);
	for (size_t i = 0; i <= POOLS_MAX; i++)
		free(limits[i].text);
	return st;
}

/* ---- the front ---- */

/* A PIN that lies in a folder of the front's own is its to read. */
static void
warn_of_pin(const char *folder, const char *pin_file)
{
	size_t len = strlen(folder);

	if (strncmp(pin_file, folder, len) == 0 && pin_file[len] == '/')
		log_warn("a PIN file lies in a folder that the process on the "
			 "network may read: move it",
		    LOG_STR("pin_file", pin_file));
}

STATUS
hardening_front_paths(const struct config *config, char *ret_audit,
    struct sandbox_path ret_paths[HARDENING_PATHS_MAX], size_t *ret_n)
{
	struct status st = config_audit_path(config, "", ret_audit);
	size_t n = 0;

	if (failed(st))
		return st;
	ret_paths[n++] =
	    (struct sandbox_path){ config->state_dir, SANDBOX_WRITE };
	ret_paths[n++] = (struct sandbox_path){ ret_audit, SANDBOX_WRITE };
	ret_paths[n++] = (struct sandbox_path){ "/dev/null", SANDBOX_WRITE };
	for (size_t i = 0; system_paths[i] != NULL; i++)
		ret_paths[n++] =
		    (struct sandbox_path){ system_paths[i], SANDBOX_READ };
	*ret_n = n;
	return st;
}

static STATUS
limit_files(const struct config *config, int *ret_abi)
{
	struct sandbox_path paths[HARDENING_PATHS_MAX];
	char audit[PATH_MAX];
	size_t n;
	struct status st = hardening_front_paths(config, audit, paths, &n);

	if (failed(st))
		return st;
	/* A rule is for what is there. */
	(void)mkdir(audit, 0700);
	warn_of_pin(config->state_dir, config->identity.pin_file);
	for (size_t i = 0; i < config->pools.len; i++)
		warn_of_pin(
		    config->state_dir, config_pool_at(config, i)->pin_file);
	return sandbox_files(paths, n,
	    SANDBOX_FILES_NO_CONNECT | SANDBOX_FILES_NO_SIGNAL, ret_abi);
}

/* An old kernel is no reason not to serve. */
static STATUS
or_warn(struct status st)
{
	if (st.code != STATUS_UNIMPLEMENTED)
		return st;
	log_warn("keyd is less confined than it could be", LOG_STATUS(st));
	return status_ok();
}

static STATUS
confine_front(const struct config *config)
{
	struct status calls;
	struct status st;
	int abi = 0;
	bool has_mdwe;

	/* SQLite's other choices are folders that will be out of reach. */
	if (setenv("SQLITE_TMPDIR", config->state_dir, 1) != 0 ||
	    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	st = or_warn(limit_files(config, &abi));
	if (failed(st))
		return st;
	has_mdwe = sandbox_mdwe();
	calls = sandbox_calls(SANDBOX_FRONT, 0);
	st = or_warn(calls);
	if (!failed(st) && !failed(calls))
		st = sandbox_seal();
	if (failed(st))
		return st;
	snprintf(in_force, sizeof(in_force), "%s, Landlock %d%s",
	    failed(calls) ? "no seccomp" : "seccomp", abi,
	    has_mdwe ? ", MDWE" : "");
	log_info("keyd is confined", LOG_STR("by", in_force));
	return st;
}

STATUS
hardening_begin(const struct config *config, const char *config_path)
{
	bool is_confined = !process_is_instrumented();
	struct status st;

	if (config->sandbox == CONFIG_SANDBOX_OFF) {
		log_warn("the sandbox is off, by the configuration: who takes "
			 "over keyd has all that its user has");
		return status_ok();
	}
	st = process_drop_capabilities();
	if (!failed(st))
		st = open_spawner(config, config_path, is_confined);
	if (failed(st) || is_confined)
		return failed(st) ? st : confine_front(config);
	snprintf(in_force, sizeof(in_force), "off: a build for tests");
	log_warn(
	    "the sandbox is off: this build's checks need what it forbids");
	return st;
}

const char *
hardening_text(void)
{
	return in_force;
}
