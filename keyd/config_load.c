/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading keyd.yaml, and what follows from its values: endpoints for join
 * files, paths in the state folder.  A configuration is read whole or not at
 * all.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "keyd/config.h"

/* Modules whose names begin with the same octets share a lock, no harm. */
#define LOCK_NAME_MAX 100

STATUS
config_load(const char *path, struct config **ret_config,
    char ret_error[CONF_ERROR_MAX])
{
	return config_load_fd(-1, path, ret_config, ret_error);
}

STATUS
config_load_fd(int fd, const char *path, struct config **ret_config,
    char ret_error[CONF_ERROR_MAX])
{
	struct config *config = calloc(1, sizeof(*config));
	const char *wrong;
	struct status st;

	if (config == NULL) {
		snprintf(ret_error, CONF_ERROR_MAX, "%s: no memory", path);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	}
	st = fd < 0 ? conf_load(path, config_schema, config, ret_error)
		    : conf_load_fd(fd, path, config_schema, config, ret_error);
	if (failed(st)) {
		free(config);
		return st;
	}
	wrong = config_check(config);
	if (wrong != NULL) {
		snprintf(ret_error, CONF_ERROR_MAX, "%s: %s", path, wrong);
		config_free(config);
		return status_fail(STATUS_INVALID_ARGUMENT, wrong);
	}
	*ret_config = config;
	return st;
}

void
config_free(struct config *config)
{
	if (config == NULL)
		return;
	conf_free(config_schema, config);
	free(config);
}

const struct config_pool *
config_pool_at(const struct config *config, size_t pool)
{
	return (const struct config_pool *)config->pools.at + pool;
}

struct policy_pool
config_policy_pool(const struct config *config, size_t pool)
{
	const struct config_pool *from = config_pool_at(config, pool);

	return (struct policy_pool){
		.name = from->name,
		.edge_groups = (const char *const *)from->edge_groups.at,
		.n_edge_groups = from->edge_groups.len,
	};
}

static const char *const *
endpoints(const struct conf_strings *list, char *const *fallback, size_t *ret_n)
{
	*ret_n = list->len > 0 ? list->len : 1;
	return (const char *const *)(list->len > 0 ? list->at : fallback);
}

const char *const *
config_endpoints(const struct config *config, size_t *ret_n)
{
	return endpoints(&config->advertise, &config->listen, ret_n);
}

const char *const *
config_enroll_endpoints(const struct config *config, size_t *ret_n)
{
	return endpoints(
	    &config->enroll_advertise, &config->enroll_listen, ret_n);
}

static struct status
print_path(char ret_path[PATH_MAX], const char *dir, const char *name)
{
	int len = snprintf(ret_path, PATH_MAX, "%s/%s", dir, name);

	if (len < 0 || len >= PATH_MAX)
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "state_dir: the path is too long");
	return status_ok();
}

STATUS
config_state_path(
    const struct config *config, const char *name, char ret_path[PATH_MAX])
{
	return print_path(ret_path, config->state_dir, name);
}

STATUS
config_lock_path(
    const struct config *config, const char *module, char ret_path[PATH_MAX])
{
	/* In hex, since a file's name may hold any octet. */
	char name[sizeof("locks/") + 2 * LOCK_NAME_MAX] = "locks/";
	const char *slash = strrchr(module, '/');
	struct bytes file = bytes_of(slash != NULL ? slash + 1 : module);

	if (file.len > LOCK_NAME_MAX)
		file.len = LOCK_NAME_MAX;
	bytes_to_hex(file, name + strlen("locks/"));
	return print_path(ret_path, config->state_dir, name);
}

STATUS
config_audit_path(
    const struct config *config, const char *name, char ret_path[PATH_MAX])
{
	const char *directory = config->audit.directory;
	char path[PATH_MAX];
	struct status st = status_ok();

	if (directory[0] == 0) {
		st = print_path(path, config->state_dir, "audit");
		directory = path;
	}
	return failed(st) ? st : print_path(ret_path, directory, name);
}
