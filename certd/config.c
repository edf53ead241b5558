/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The schema of certd.yaml, and reading it.  A configuration is read whole or
 * not at all.  What a schema cannot say is in config_check.c.
 */

#include "certd/config.h"
#include "certd/config_int.h"
#include "certd/forwarded.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const LEVELS[] = { "debug", "info", "warn", "error", NULL };
static const char *const FORMATS[] = { "logfmt", "json", NULL };
static const char *const SANDBOXES[] = { "enforce", "off", NULL };
static const char *const TLS[] = { "identity", "files", "off", NULL };
/* As enum forwarded_header. */
static const char *const PROXY_HEADERS[] = { "x-forwarded-for", "forwarded",
	NULL };

#define AT(member) offsetof(struct config, member)
#define NETWORK_AT(member) offsetof(struct config_network, member)

static const struct conf_field REST[] = {
	{ .key = "listen",
	    .type = CONF_STRING,
	    .offset = AT(rest.listen) - AT(rest),
	    .default_text = "127.0.0.1:7446",
	    .max = 255,
	    .help = "Address and port of the REST API; empty for none." },
	{ .key = "tls",
	    .type = CONF_CHOICE,
	    .offset = AT(rest.tls) - AT(rest),
	    .default_text = "identity",
	    .choices = TLS,
	    .help = "identity: with certd's own certificate, which clients "
		    "verify by ca.pem; files: with the two named below; off: "
		    "without, on loopback only." },
	{ .key = "certificate",
	    .type = CONF_STRING,
	    .offset = AT(rest.certificate) - AT(rest),
	    .default_text = "\"\"",
	    .max = 1023,
	    .help = "PEM file of the certificate and its chain, for files." },
	{ .key = "key",
	    .type = CONF_STRING,
	    .offset = AT(rest.key) - AT(rest),
	    .default_text = "\"\"",
	    .max = 1023,
	    .help = "PEM file of its private key, of mode 0600." },
	{ .key = "trusted_proxies",
	    .type = CONF_STRINGS,
	    .offset = AT(rest.trusted_proxies) - AT(rest),
	    .max = FORWARDED_TRUST_MAX,
	    .help = "Addresses and networks of reverse proxies that are "
		    "believed whom they bring; none: nobody is." },
	{ .key = "proxy_header",
	    .type = CONF_CHOICE,
	    .offset = AT(rest.proxy_header) - AT(rest),
	    .default_text = "x-forwarded-for",
	    .choices = PROXY_HEADERS,
	    .help = "What they say it in; the other one is never read." },
	{ .key = NULL },
};

static const struct conf_field NETWORK[] = {
	{ .key = "name",
	    .type = CONF_STRING,
	    .offset = NETWORK_AT(name),
	    .required = true,
	    .min = 1,
	    .max = NETWORK_NAME_MAX - 1,
	    .help = "What requests call it; one must be \"standard\"." },
	{ .key = "pool",
	    .type = CONF_STRING,
	    .offset = NETWORK_AT(pool),
	    .required = true,
	    .min = 1,
	    .max = 63,
	    .help = "keyd's pool that holds its keys." },
	{ .key = "edge_groups",
	    .type = CONF_STRINGS,
	    .offset = NETWORK_AT(edge_groups),
	    .required = true,
	    .min = 1,
	    .max = 64,
	    .help = "Groups of edges that serve it; the first is where a "
		    "resource goes that names none." },
	{ .key = NULL },
};

/* ---- the parts of a schema that ACME has: certd/config_acme.c ---- */

static const struct conf_field ACME[] = {
	{ .key = "authorities",
	    .type = CONF_MAPS,
	    .offset = AT(acme.authorities) - AT(acme),
	    .max = 16,
	    .fields = config_authority_schema,
	    .elem_size = sizeof(struct config_authority),
	    .help = "CAs that certificates are obtained from; the first that "
		    "answers is asked." },
	{ .key = "standby",
	    .type = CONF_STRING,
	    .offset = AT(acme.standby) - AT(acme),
	    .default_text = "\"\"",
	    .max = AUTHORITY_NAME_MAX - 1,
	    .help = "The authority of standby certificates; empty for none." },
	{ .key = "http_listen",
	    .type = CONF_STRING,
	    .offset = AT(acme.http_listen) - AT(acme),
	    .default_text = "\"\"",
	    .max = 255,
	    .help = "Address and port where certd itself answers http-01 "
		    "challenges; empty: only edges do." },
	{ .key = "workers",
	    .type = CONF_UINT,
	    .offset = AT(acme.workers) - AT(acme),
	    .default_text = "32",
	    .min = 1,
	    .max = 256,
	    .help = "Changes that are worked on at once." },
	{ .key = "preflight",
	    .type = CONF_BOOL,
	    .offset = AT(acme.preflight) - AT(acme),
	    .default_text = "true",
	    .help = "Look at DNS and web servers before the CA is asked, and "
		    "do not ask it where that must fail." },
	{ .key = "account_changes",
	    .type = CONF_UINT,
	    .offset = AT(acme.account_changes) - AT(acme),
	    .default_text = "1000",
	    .max = 1000000,
	    .help = "Certificates that an account's API tokens may ask for in "
		    "24 hours, renewals not counted; 0 for no limit." },
	{ .key = NULL },
};

static const struct conf_field DNS[] = {
	{ .key = "resolvers",
	    .type = CONF_STRINGS,
	    .offset = AT(dns.resolvers) - AT(dns),
	    .max = 8,
	    .help = "DNS servers to ask, as address:port; none for those of "
		    "resolv.conf." },
	{ .key = "authoritative_port",
	    .type = CONF_UINT,
	    .offset = AT(dns.authoritative_port) - AT(dns),
	    .default_text = "53",
	    .min = 1,
	    .max = 65535,
	    .help = "Port of authoritative servers." },
	{ .key = "providers",
	    .type = CONF_MAPS,
	    .offset = AT(dns.providers) - AT(dns),
	    .max = 64,
	    .fields = config_dns_provider_schema,
	    .elem_size = sizeof(struct config_dns_provider),
	    .help = "Ways to put TXT records in place for dns-01." },
	{ .key = NULL },
};

static const struct conf_field CHECKS[] = {
	{ .key = "http_port",
	    .type = CONF_UINT,
	    .offset = AT(checks.http_port) - AT(checks),
	    .default_text = "80",
	    .min = 1,
	    .max = 65535,
	    .help = "Where checks look for a host name's web server." },
	{ .key = "https_port",
	    .type = CONF_UINT,
	    .offset = AT(checks.https_port) - AT(checks),
	    .default_text = "443",
	    .min = 1,
	    .max = 65535,
	    .help = "The same over TLS." },
	{ .key = "allow_private",
	    .type = CONF_BOOL,
	    .offset = AT(checks.allow_private) - AT(checks),
	    .default_text = "false",
	    .help = "Connect to private and loopback addresses too, for a CA "
		    "of your own; whoever may add host names can then probe "
		    "your network from here." },
	{ .key = NULL },
};

static const struct conf_field LOG[] = {
	{ .key = "level",
	    .type = CONF_CHOICE,
	    .offset = AT(log.level) - AT(log),
	    .default_text = "info",
	    .choices = LEVELS,
	    .help = "Least level that is logged; SIGHUP reads it again." },
	{ .key = "format",
	    .type = CONF_CHOICE,
	    .offset = AT(log.format) - AT(log),
	    .default_text = "logfmt",
	    .choices = FORMATS,
	    .help = "logfmt for people, json for collectors; to stderr." },
	{ .key = NULL },
};

const struct conf_field config_schema[] = {
	{ .key = "listen",
	    .type = CONF_STRING,
	    .offset = AT(listen),
	    .default_text = "127.0.0.1:7445",
	    .min = 1,
	    .max = 255,
	    .help = "Address and port of the gRPC services (mutual TLS), for "
		    "operators and edges." },
	{ .key = "state_dir",
	    .type = CONF_STRING,
	    .offset = AT(state_dir),
	    .default_text = "/var/lib/holdfast/certd",
	    .min = 1,
	    .max = 1023,
	    .help = "Folder of mode 0700 for certd's identity and certd.db." },
	{ .key = "keyd",
	    .type = CONF_STRINGS,
	    .offset = AT(keyd),
	    .max = 16,
	    .help = "Addresses of keyd as host:port, in place of those the "
		    "join file named." },
	{ .key = "rest",
	    .type = CONF_MAP,
	    .offset = AT(rest),
	    .fields = REST,
	    .help = "The REST API, for scripts and people with API tokens." },
	{ .key = "zone",
	    .type = CONF_STRING,
	    .offset = AT(zone),
	    .default_text = "\"\"",
	    .max = 200,
	    .help = "DNS zone of the operator's own, in which every resource "
		    "gets a name that its host names' CNAMEs point at." },
	{ .key = "networks",
	    .type = CONF_MAPS,
	    .offset = AT(networks),
	    .max = 16,
	    .fields = NETWORK,
	    .elem_size = sizeof(struct config_network),
	    .help = "Where keys are kept and which edges serve." },
	{ .key = "allow_exposed_upload",
	    .type = CONF_BOOL,
	    .offset = AT(allow_exposed_upload),
	    .default_text = "false",
	    .help = "Take private keys that come in the clear; each stays "
		    "marked as exposed for ever." },
	{ .key = "metrics_listen",
	    .type = CONF_STRING,
	    .offset = AT(metrics_listen),
	    .default_text = "\"\"",
	    .max = 255,
	    .help = "Loopback address and port of /metrics for Prometheus; "
		    "empty for none." },
	{ .key = "acme",
	    .type = CONF_MAP,
	    .offset = AT(acme),
	    .fields = ACME,
	    .help = "Certificates by ACME." },
	{ .key = "dns",
	    .type = CONF_MAP,
	    .offset = AT(dns),
	    .fields = DNS,
	    .help = "How the DNS is asked, and changed." },
	{ .key = "checks",
	    .type = CONF_MAP,
	    .offset = AT(checks),
	    .fields = CHECKS,
	    .help = "Preflight and diagnose." },
	{ .key = "console",
	    .type = CONF_MAP,
	    .offset = AT(console),
	    .fields = config_console_schema,
	    .help = "The console, for people with a browser." },
	{ .key = "notices",
	    .type = CONF_MAP,
	    .offset = AT(notices),
	    .fields = config_notices_schema,
	    .help = "Mail and webhooks." },
	{ .key = "log",
	    .type = CONF_MAP,
	    .offset = AT(log),
	    .fields = LOG,
	    .help = "What is logged and how." },
	{ .key = "sandbox",
	    .type = CONF_CHOICE,
	    .offset = AT(sandbox),
	    .default_text = "enforce",
	    .choices = SANDBOXES,
	    .help = "enforce: certd is limited to the system calls and files "
		    "it needs; off: for finding faults." },
	{ .key = NULL },
};

/* Without any in the file there is one, named like keyd's pool and like the
 * group that edges are in unless told otherwise. */
static bool
make_networks(struct config *config)
{
	static const char *const STANDARD[] = { "standard" };
	const struct config_network *from = config->networks.at;
	size_t n = config->networks.len;

	config->network_at = calloc(n + 1, sizeof(*config->network_at));
	if (config->network_at == NULL)
		return false;
	if (n == 0)
		config->network_at[0] = (struct network){ .name = "standard",
			.pool = "standard",
			.edge_groups = STANDARD,
			.n_edge_groups = 1 };
	for (size_t i = 0; i < n; i++)
		config->network_at[i] = (struct network){ .name = from[i].name,
			.pool = from[i].pool,
			.edge_groups =
			    (const char *const *)from[i].edge_groups.at,
			.n_edge_groups = from[i].edge_groups.len };
	config->all_networks =
	    (struct networks){ config->network_at, n == 0 ? 1 : n };
	return true;
}

/* fd -1: the path is opened here; path NULL: the defaults. */
static struct status
read_file(int fd, const char *path, struct config *config, char *ret_error)
{
	if (fd >= 0)
		return conf_load_fd(fd, path, config_schema, config, ret_error);
	if (path != NULL)
		return conf_load(path, config_schema, config, ret_error);
	return conf_parse(
	    "defaults", "{}", 2, config_schema, config, ret_error);
}

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
		snprintf(ret_error, CONF_ERROR_MAX, "no memory");
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "no memory");
	}
	st = read_file(fd, path, config, ret_error);
	if (failed(st)) {
		free(config);
		return st;
	}
	wrong = make_networks(config) ? config_check(config) : "no memory";
	if (wrong != NULL) {
		snprintf(ret_error, CONF_ERROR_MAX, "%s: %s",
		    path == NULL ? "defaults" : path, wrong);
		config_free(config);
		return status_fail(STATUS_INVALID_ARGUMENT, wrong);
	}
	*ret_config = config;
	return status_ok();
}

void
config_free(struct config *config)
{
	if (config == NULL)
		return;
	free(config->network_at);
	conf_free(config_schema, config);
	free(config);
}
