/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keyd.yaml: the schema that base/conf.h walks, and what follows from the
 * values.  What no schema can say is checked in config_check.c.
 */

#include "keyd/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/spiffe.h"

static const char *const DURABILITIES[] = { "write", "fdatasync", NULL };
static const char *const LEVELS[] = { "debug", "info", "warn", "error", NULL };
static const char *const FORMATS[] = { "logfmt", "json", NULL };

#define SECOND UINT64_C(1000000000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

static const struct conf_field POOL[] = {
	{ .key = "name",
	    .type = CONF_STRING,
	    .required = true,
	    .min = 1,
	    .max = 63,
	    .offset = offsetof(struct config_pool, name),
	    .help = "What the pool is called when a key is made; one must be "
		    "called standard to make keys without naming a pool." },
	{ .key = "module",
	    .type = CONF_STRING,
	    .required = true,
	    .min = 1,
	    .max = 1023,
	    .offset = offsetof(struct config_pool, module),
	    .help = "Path of the PKCS#11 module; only worker processes load "
		    "it." },
	{ .key = "token",
	    .type = CONF_STRING,
	    .required = true,
	    .min = 1,
	    .max = 32,
	    .offset = offsetof(struct config_pool, token),
	    .help = "Label of the token; slots are never chosen by number, "
		    "which changes." },
	{ .key = "pin_file",
	    .type = CONF_STRING,
	    .required = true,
	    .min = 1,
	    .max = 1023,
	    .offset = offsetof(struct config_pool, pin_file),
	    .help = "File of mode 0600 with the token's user PIN; "
		    "$CREDENTIALS_DIRECTORY/name reads a systemd "
		    "credential." },
	{ .key = "workers",
	    .type = CONF_UINT,
	    .default_text = "2",
	    .min = 1,
	    .max = CONFIG_ENV_MAX,
	    .offset = offsetof(struct config_pool, workers),
	    .help = "Worker processes; as many as the token can serve at "
		    "once, for SoftHSM as many as there are cores." },
	{ .key = "session_copies",
	    .type = CONF_BOOL,
	    .default_text = "true",
	    .offset = offsetof(struct config_pool, session_copies),
	    .help = "Sign with session-object copies of keys where the token "
		    "allows it, which is faster and survives a stalled "
		    "disk." },
	{ .key = "env",
	    .type = CONF_STRINGS,
	    .max = CONFIG_ENV_MAX,
	    .offset = offsetof(struct config_pool, env),
	    .help = "Names of environment variables that the workers keep, "
		    "such as SOFTHSM2_CONF; all others are dropped." },
	{ .key = NULL },
};

static const struct conf_field IDENTITY[] = {
	{ .key = "module",
	    .type = CONF_STRING,
	    .required = true,
	    .min = 1,
	    .max = 1023,
	    .offset = offsetof(struct config_identity, module),
	    .help = "Path of the PKCS#11 module of the identity token." },
	{ .key = "token",
	    .type = CONF_STRING,
	    .required = true,
	    .min = 1,
	    .max = 32,
	    .offset = offsetof(struct config_identity, token),
	    .help = "Label of the token that holds the identity CA's key; a "
		    "token of its own, never that of a pool." },
	{ .key = "pin_file",
	    .type = CONF_STRING,
	    .required = true,
	    .min = 1,
	    .max = 1023,
	    .offset = offsetof(struct config_identity, pin_file),
	    .help = "File of mode 0600 with that token's user PIN." },
	{ .key = "env",
	    .type = CONF_STRINGS,
	    .max = CONFIG_ENV_MAX,
	    .offset = offsetof(struct config_identity, env),
	    .help = "Names of environment variables that the identity worker "
		    "keeps." },
	{ .key = "certificate_lifetime",
	    .type = CONF_DURATION,
	    .default_text = "24h",
	    .min = 60 * SECOND,
	    .max = 90 * DAY,
	    .offset = offsetof(struct config_identity, certificate_lifetime_ns),
	    .help = "How long a member's certificate lives; it is renewed at "
		    "half of that." },
	{ .key = "ca_lifetime",
	    .type = CONF_DURATION,
	    .default_text = "3650d",
	    .min = DAY,
	    .max = 7300 * DAY,
	    .offset = offsetof(struct config_identity, ca_lifetime_ns),
	    .help = "How long the identity CA's certificate lives, used once "
		    "by keyd init." },
	{ .key = NULL },
};

static const struct conf_field AUDIT[] = {
	{ .key = "durability",
	    .type = CONF_CHOICE,
	    .default_text = "fdatasync",
	    .choices = DURABILITIES,
	    .offset = offsetof(struct config_audit, durability),
	    .help = "When a record counts as written: fdatasync survives a "
		    "power loss, write only a crash of keyd." },
	{ .key = "directory",
	    .type = CONF_STRING,
	    .default_text = "\"\"",
	    .max = 1023,
	    .offset = offsetof(struct config_audit, directory),
	    .help = "Folder of the audit journal and ledger; empty for audit/ "
		    "in state_dir." },
	{ .key = "checkpoint_interval",
	    .type = CONF_DURATION,
	    .default_text = "1s",
	    .min = SECOND / 100,
	    .max = HOUR,
	    .offset = offsetof(struct config_audit, checkpoint_interval_ns),
	    .help = "How often the ledger gets a signed checkpoint while there "
		    "is something new." },
	{ .key = "witnesses",
	    .type = CONF_STRINGS,
	    .max = 32,
	    .offset = offsetof(struct config_audit, witnesses),
	    .help = "Verifier keys of witnesses whose cosignatures are added "
		    "to checkpoints." },
	{ .key = "listen",
	    .type = CONF_STRING,
	    .default_text = "\"\"",
	    .max = 255,
	    .offset = offsetof(struct config_audit, listen),
	    .help = "Address and port where the ledger is served over HTTP, to "
		    "anyone who can reach it; empty for none." },
	{ .key = "url",
	    .type = CONF_STRING,
	    .default_text = "\"\"",
	    .max = 255,
	    .offset = offsetof(struct config_audit, url),
	    .help = "Where clients find the served ledger; told by holdfast "
		    "audit." },
	{ .key = NULL },
};

static const struct conf_field SIGNING[] = {
	{ .key = "queue_max",
	    .type = CONF_UINT,
	    .default_text = "4096",
	    .min = 16,
	    .max = 1000000,
	    .offset = offsetof(struct config_signing, queue_max),
	    .help = "Requests that may wait for the token; more are answered "
		    "RESOURCE_EXHAUSTED at once." },
	{ .key = "default_timeout",
	    .type = CONF_DURATION,
	    .default_text = "5s",
	    .min = SECOND / 100,
	    .max = 60 * SECOND,
	    .offset = offsetof(struct config_signing, default_timeout_ns),
	    .help = "How long a request that names no time may wait." },
	{ .key = NULL },
};

static const struct conf_field LOG[] = {
	{ .key = "level",
	    .type = CONF_CHOICE,
	    .default_text = "info",
	    .choices = LEVELS,
	    .offset = offsetof(struct config_log, level),
	    .help = "Least level that is logged; SIGHUP reads it again." },
	{ .key = "format",
	    .type = CONF_CHOICE,
	    .default_text = "logfmt",
	    .choices = FORMATS,
	    .offset = offsetof(struct config_log, format),
	    .help = "logfmt for people, json for collectors; to stderr." },
	{ .key = NULL },
};

const struct conf_field config_schema[] = {
	{ .key = "domain",
	    .type = CONF_STRING,
	    .required = true,
	    .min = 1,
	    .max = SPIFFE_DOMAIN_MAX - 1,
	    .offset = offsetof(struct config, domain),
	    .help = "Trust domain of all identities, such as "
		    "holdfast.example; it cannot change later." },
	{ .key = "name",
	    .type = CONF_STRING,
	    .default_text = "keyd",
	    .min = 1,
	    .max = SPIFFE_NAME_MAX - 1,
	    .offset = offsetof(struct config, name),
	    .help = "This keyd's own name, where several share a domain; its "
		    "identity is spiffe://DOMAIN/keyd/NAME." },
	{ .key = "listen",
	    .type = CONF_STRING,
	    .default_text = "127.0.0.1:7443",
	    .min = 1,
	    .max = 255,
	    .offset = offsetof(struct config, listen),
	    .help = "Address and port of the main gRPC service (mutual "
		    "TLS)." },
	{ .key = "enroll_listen",
	    .type = CONF_STRING,
	    .default_text = "127.0.0.1:7444",
	    .min = 1,
	    .max = 255,
	    .offset = offsetof(struct config, enroll_listen),
	    .help = "Address and port where newcomers trade a join file for "
		    "a certificate." },
	{ .key = "advertise",
	    .type = CONF_STRINGS,
	    .max = 16,
	    .offset = offsetof(struct config, advertise),
	    .help = "host:port of the main service as clients reach it, "
		    "written into join files; default: listen." },
	{ .key = "enroll_advertise",
	    .type = CONF_STRINGS,
	    .max = 16,
	    .offset = offsetof(struct config, enroll_advertise),
	    .help = "host:port of the enrollment service as clients reach "
		    "it; default: enroll_listen." },
	{ .key = "state_dir",
	    .type = CONF_STRING,
	    .default_text = "/var/lib/holdfast/keyd",
	    .min = 1,
	    .max = 1023,
	    .offset = offsetof(struct config, state_dir),
	    .help = "Folder of mode 0700 for registry.db, ca.pem, the audit "
		    "journal and locks." },
	{ .key = "pools",
	    .type = CONF_MAPS,
	    .required = true,
	    .min = 1,
	    .max = 16,
	    .fields = POOL,
	    .elem_size = sizeof(struct config_pool),
	    .offset = offsetof(struct config, pools),
	    .help = "Tokens that hold keys; the first one also holds keyd's "
		    "ledger key." },
	{ .key = "identity",
	    .type = CONF_MAP,
	    .required = true,
	    .fields = IDENTITY,
	    .offset = offsetof(struct config, identity),
	    .help = "The identity CA, which certifies keyd and everyone who "
		    "talks to it." },
	{ .key = "audit",
	    .type = CONF_MAP,
	    .fields = AUDIT,
	    .offset = offsetof(struct config, audit),
	    .help = "The record of every signature and every refusal." },
	{ .key = "signing",
	    .type = CONF_MAP,
	    .fields = SIGNING,
	    .offset = offsetof(struct config, signing),
	    .help = "Limits of the signing path." },
	{ .key = "metrics_listen",
	    .type = CONF_STRING,
	    .default_text = "\"\"",
	    .max = 255,
	    .offset = offsetof(struct config, metrics_listen),
	    .help = "Loopback address and port of /metrics for Prometheus; "
		    "empty for none." },
	{ .key = "log",
	    .type = CONF_MAP,
	    .fields = LOG,
	    .offset = offsetof(struct config, log),
	    .help = "What is logged and how." },
	{ .key = NULL },
};

STATUS
config_load(const char *path, struct config **ret_config,
    char ret_error[CONF_ERROR_MAX])
{
	struct config *config = calloc(1, sizeof(*config));
	const char *wrong;
	struct status st;

	if (config == NULL) {
		snprintf(ret_error, CONF_ERROR_MAX, "%s: no memory", path);
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	}
	st = conf_load(path, config_schema, config, ret_error);
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
    const struct config *config, const char *token, char ret_path[PATH_MAX])
{
	/* In hex, since a label may hold any octet. */
	char name[sizeof("locks/") + 64] = "locks/";

	bytes_to_hex(bytes_of(token), name + strlen("locks/"));
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
