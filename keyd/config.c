/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keyd.yaml as base/conf.h walks it: every key, its bounds and what it is for.
 * What no schema can say is checked in config_check.c; reading, and what
 * follows from the values, is in config_load.c.
 */

#include "keyd/config.h"

#include <stddef.h>

#include "base/spiffe.h"
#include "keyd/approvals.h"

static const char *const DURABILITIES[] = { "write", "fdatasync", NULL };
static const char *const STORES[] = { "token", "wrapped", NULL };
static const char *const LEVELS[] = { "debug", "info", "warn", "error", NULL };
static const char *const SANDBOXES[] = { "enforce", "off", NULL };
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
	{ .key = "keys",
	    .type = CONF_CHOICE,
	    .default_text = "token",
	    .choices = STORES,
	    .offset = offsetof(struct config_pool, keys),
	    .help = "Where its keys are kept: token, as objects of the "
		    "token; wrapped, as blobs in the registry under the "
		    "token's key encryption key, for more keys than a token "
		    "holds." },
	{ .key = "cache",
	    .type = CONF_UINT,
	    .default_text = "10000",
	    .min = 16,
	    .max = 1000000,
	    .offset = offsetof(struct config_pool, cache),
	    .help = "With keys: wrapped, how many keys each worker keeps "
		    "unwrapped in the token." },
	{ .key = "env",
	    .type = CONF_STRINGS,
	    .max = CONFIG_ENV_MAX,
	    .offset = offsetof(struct config_pool, env),
	    .help = "Names of environment variables that the workers keep, "
		    "such as SOFTHSM2_CONF; all others are dropped." },
	{ .key = "edge_groups",
	    .type = CONF_STRINGS,
	    .max = CONFIG_ENV_MAX,
	    .offset = offsetof(struct config_pool, edge_groups),
	    .help = "Edge groups whose edges may sign with this pool's keys, "
		    "such as standard; empty for all." },
	{ .key = "paths",
	    .type = CONF_STRINGS,
	    .max = CONFIG_PATHS_MAX,
	    .offset = offsetof(struct config_pool, paths),
	    .help = "Files and folders that the module reads and writes "
		    "besides what every program reads." },
	{ .key = "network",
	    .type = CONF_BOOL,
	    .default_text = "false",
	    .offset = offsetof(struct config_pool, network),
	    .help = "Whether the module may make sockets, to an HSM on the "
		    "network or a daemon of its vendor." },
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
	{ .key = "paths",
	    .type = CONF_STRINGS,
	    .max = CONFIG_PATHS_MAX,
	    .offset = offsetof(struct config_identity, paths),
	    .help = "Files and folders that the module reads and writes "
		    "besides what every program reads." },
	{ .key = "network",
	    .type = CONF_BOOL,
	    .default_text = "false",
	    .offset = offsetof(struct config_identity, network),
	    .help = "Whether the module may make sockets, to an HSM on the "
		    "network or a daemon of its vendor." },
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
	{ .key = "acme_hosts",
	    .type = CONF_STRINGS,
	    .max = CONFIG_ENV_MAX,
	    .offset = offsetof(struct config_signing, acme_hosts),
	    .help = "Hosts that ACME requests may be signed for, host or "
		    "host:port exactly as in the CA's URLs; empty for none." },
	{ .key = NULL },
};

static const struct conf_field IMPORT[] = {
	{ .key = "rotate",
	    .type = CONF_DURATION,
	    .default_text = "24h",
	    .min = SECOND,
	    .max = 365 * DAY,
	    .offset = offsetof(struct config_import, rotate_ns),
	    .help = "Age at which a token's wrapping key is replaced." },
	{ .key = "grace",
	    .type = CONF_DURATION,
	    .default_text = "1h",
	    .min = SECOND,
	    .max = 7 * DAY,
	    .offset = offsetof(struct config_import, grace_ns),
	    .help = "How long keys wrapped for the one before are still "
		    "taken; then it is destroyed." },
	{ .key = NULL },
};

static const struct conf_field KEYS[] = {
	{ .key = "destroy_delay",
	    .type = CONF_DURATION,
	    .default_text = "7d",
	    .min = SECOND,
	    .max = 3650 * DAY,
	    .offset = offsetof(struct config_keys, destroy_delay_ns),
	    .help = "How long a key that is to be destroyed is only suspended, "
		    "and can be kept; for requests that name no time." },
	{ .key = "destroy_delay_min",
	    .type = CONF_DURATION,
	    .default_text = "1h",
	    .min = SECOND,
	    .max = 3650 * DAY,
	    .offset = offsetof(struct config_keys, destroy_delay_min_ns),
	    .help = "The least such time that a request may name." },
	{ .key = NULL },
};

static const struct conf_field APPROVALS[] = {
	{ .key = "quorum",
	    .type = CONF_UINT,
	    .default_text = "2",
	    .min = 1,
	    .max = APPROVALS_QUORUM_MAX,
	    .offset = offsetof(struct config_approvals, quorum),
	    .help =
		"Operators who must want a key destroyed, or a grant beyond "
		"its pool's edge groups; who asks is the first. 1: nothing "
		"waits." },
	{ .key = "lifetime",
	    .type = CONF_DURATION,
	    .default_text = "72h",
	    .min = SECOND,
	    .max = 90 * DAY,
	    .offset = offsetof(struct config_approvals, lifetime_ns),
	    .help = "How long a request waits for the other operators." },
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
	{ .key = "import",
	    .type = CONF_MAP,
	    .fields = IMPORT,
	    .offset = offsetof(struct config, import),
	    .help = "Keys that come from elsewhere, wrapped for the token." },
	{ .key = "keys",
	    .type = CONF_MAP,
	    .fields = KEYS,
	    .offset = offsetof(struct config, keys),
	    .help = "The life of keys." },
	{ .key = "approvals",
	    .type = CONF_MAP,
	    .fields = APPROVALS,
	    .offset = offsetof(struct config, approvals),
	    .help = "Acts that one operator alone may not do." },
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
	{ .key = "sandbox",
	    .type = CONF_CHOICE,
	    .default_text = "enforce",
	    .choices = SANDBOXES,
	    .offset = offsetof(struct config, sandbox),
	    .help = "enforce: each process is limited to the system calls "
		    "and files it needs; off: for finding faults." },
	{ .key = NULL },
};
