/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_CONFIG_H
#define KEYD_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/scoped.h"
#include "base/status.h"
#include "keyd/policy.h"

/*
 * keyd's configuration, keyd.yaml(5).  A struct config is read once and not
 * changed; all strings belong to it.
 */
#define CONFIG_PATH_DEFAULT "/etc/holdfast/keyd.yaml"

/* Most names in an env list. */
#define CONFIG_ENV_MAX 64
/* Most paths that a module may be given. */
#define CONFIG_PATHS_MAX 32

/* Where the keys of a pool are kept. */
enum config_store {
	CONFIG_STORE_TOKEN,
	CONFIG_STORE_WRAPPED
};

struct config_pool {
	char *name; /* "standard" */
	char *module;
	char *token;
	char *pin_file;
	uint64_t workers;
	bool session_copies;
	int keys; /* enum config_store */
	uint64_t cache;
	struct conf_strings env;         /* names passed on to the workers */
	struct conf_strings paths;       /* what the module reads and writes */
	bool network;                    /* the module may make sockets */
	struct conf_strings edge_groups; /* empty: all */
};

struct config_identity {
	char *module;
	char *token;
	char *pin_file;
	struct conf_strings env;
	struct conf_strings paths;
	bool network;
	int64_t certificate_lifetime_ns;
	int64_t ca_lifetime_ns;
};

struct config_audit {
	int durability; /* enum audit_durability */
	char *directory;
	int64_t checkpoint_interval_ns;
	struct conf_strings witnesses; /* verifier keys */
	char *listen;                  /* "": the ledger is not served */
	char *url;
};

struct config_signing {
	uint64_t queue_max;
	int64_t default_timeout_ns;
	struct conf_strings acme_hosts; /* empty: no ACME */
};

struct config_import {
	int64_t rotate_ns;
	int64_t grace_ns;
};

struct config_keys {
	int64_t destroy_delay_ns;
	int64_t destroy_delay_min_ns;
};

struct config_approvals {
	uint64_t quorum;
	int64_t lifetime_ns;
};

struct config_log {
	int level;  /* enum log_level */
	int format; /* enum log_format */
};

struct config {
	char *domain;
	char *name; /* of this keyd: spiffe://domain/keyd/name */
	char *listen;
	char *enroll_listen;
	struct conf_strings advertise; /* empty: listen */
	struct conf_strings enroll_advertise;
	char *state_dir;
	struct conf_maps pools; /* of struct config_pool */
	struct config_identity identity;
	struct config_audit audit;
	struct config_signing signing;
	struct config_import import;
	struct config_keys keys;
	struct config_approvals approvals;
	char *metrics_listen; /* "" : off */
	struct config_log log;
	int sandbox; /* enum config_sandbox */
};

enum config_sandbox {
	CONFIG_SANDBOX_ENFORCE,
	CONFIG_SANDBOX_OFF
};

/* What base/conf.h walks; also read by the lint that compares keyd.yaml(5). */
extern const struct conf_field config_schema[];

/*
 * Read and check path.  On failure ret_error (CONF_ERROR_MAX octets) says where
 * and what to do, and nothing is left to free.
 */
STATUS config_load(const char *path, struct config **ret_config,
    char ret_error[CONF_ERROR_MAX]);
/* The same of the file open as fd, which is path's; of path when fd is -1. */
STATUS config_load_fd(int fd, const char *path, struct config **ret_config,
    char ret_error[CONF_ERROR_MAX]);
void config_free(struct config *config); /* NULL is allowed */
SCOPED_RELEASE(config_free, struct config *);

/* What the schema cannot say: NULL, or what is wrong with a loaded config. */
const char *config_check(const struct config *config);

const struct config_pool *config_pool_at(
    const struct config *config, size_t pool);
/* Which edges the pool serves; borrows from config. */
struct policy_pool config_policy_pool(const struct config *config, size_t pool);

/* What join files tell members: advertise, or listen; and for enrollment. */
const char *const *config_endpoints(const struct config *config, size_t *ret_n);
const char *const *config_enroll_endpoints(
    const struct config *config, size_t *ret_n);

/* A file of the state folder, such as "registry.db". */
STATUS config_state_path(
    const struct config *config, const char *name, char ret_path[PATH_MAX]);
/* Where processes that initialise this module take turns, whatever token of it
 * they are for: SoftHSM looks at all of them. */
STATUS config_lock_path(
    const struct config *config, const char *module, char ret_path[PATH_MAX]);
/* A folder of audit.directory, or of audit/ in the state: "journal", "ledger",
 * "" for itself. */
STATUS config_audit_path(
    const struct config *config, const char *name, char ret_path[PATH_MAX]);

#endif
