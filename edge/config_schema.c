/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The keys of edged.yaml, their defaults and bounds.  What cannot be said here
 * is checked in config.c; docs/man/edged.yaml.5 names every key of this file.
 */

#include "base/clock.h"
#include "base/log.h"
#include "edge/config.h"
#include "edge/socket.h"

static const char *const levels[] = { "debug", "info", "warn", "error", NULL };
static const char *const formats[] = { "logfmt", "json", NULL };

#define SOCKET_AT(member) offsetof(struct edge_socket_config, member)
#define AT(member) offsetof(struct edge_config, member)

static const struct conf_field socket_schema[] = {
	{ .key = "path",
	    .type = CONF_STRING,
	    .offset = SOCKET_AT(path),
	    .default_text = SOCK_PATH_DEFAULT,
	    .min = 2,
	    .max = 107,
	    .help = "Where web servers connect: an absolute path, or \"@name\" "
		    "for Linux' abstract namespace." },
	{ .key = "mode",
	    .type = CONF_STRING,
	    .offset = SOCKET_AT(mode),
	    .default_text = "\"0660\"",
	    .min = 3,
	    .max = 4,
	    .help = "Permissions of the socket file, octal, in quotes." },
	{ .key = "group",
	    .type = CONF_STRING,
	    .offset = SOCKET_AT(group),
	    .min = 1,
	    .max = 64,
	    .help = "Group of the socket file, by name or number." },
	{ .key = "allow",
	    .type = CONF_STRINGS,
	    .offset = SOCKET_AT(allow),
	    .max = 256,
	    .help = "Users, by name or number, who may ask for signatures "
		    "here, besides root and edged's own user." },
	{ .key = NULL },
};

static const struct conf_field log_schema[] = {
	{ .key = "level",
	    .type = CONF_CHOICE,
	    .offset = AT(log.level) - AT(log),
	    .default_text = "info",
	    .choices = levels,
	    .help = "Least level that is logged." },
	{ .key = "format",
	    .type = CONF_CHOICE,
	    .offset = AT(log.format) - AT(log),
	    .default_text = "logfmt",
	    .choices = formats,
	    .help = "Form of a log line." },
	{ .key = NULL },
};

#define FILES_AT(member) (AT(files.member) - AT(files))
#define PROBE_AT(member) (AT(probe.member) - AT(probe))

static const struct conf_field files_schema[] = {
	{ .key = "dir",
	    .type = CONF_STRING,
	    .offset = FILES_AT(dir),
	    .default_text = "/var/lib/holdfast",
	    .min = 1,
	    .max = 512,
	    .help = "Folder of live/, versions/ and haproxy/, where web "
		    "servers read certificates and key stubs." },
	{ .key = "owner",
	    .type = CONF_STRING,
	    .offset = FILES_AT(owner),
	    .min = 1,
	    .max = 64,
	    .help = "Owner of these files, by name or number." },
	{ .key = "group",
	    .type = CONF_STRING,
	    .offset = FILES_AT(group),
	    .min = 1,
	    .max = 64,
	    .help = "Group of these files, by name or number." },
	{ .key = "mode",
	    .type = CONF_STRING,
	    .offset = FILES_AT(mode),
	    .default_text = "\"0644\"",
	    .min = 3,
	    .max = 4,
	    .help = "Permissions of these files, octal, in quotes." },
	{ .key = "keep_removed",
	    .type = CONF_DURATION,
	    .offset = FILES_AT(keep_removed_ns),
	    .default_text = "24h",
	    .max = 90 * 86400 * (uint64_t)NS_PER_S,
	    .help = "How long files of a host name stay that certd has no "
		    "certificate for any more." },
	{ .key = NULL },
};

static const struct conf_field haproxy_schema[] = {
	{ .key = "socket",
	    .type = CONF_STRING,
	    .offset = AT(haproxy.socket) - AT(haproxy),
	    .min = 2,
	    .max = 107,
	    .help = "HAProxy's stats socket at level admin, to give it new "
		    "certificates without a reload." },
	{ .key = NULL },
};

static const struct conf_field probe_schema[] = {
	{ .key = "connect",
	    .type = CONF_STRING,
	    .offset = PROBE_AT(connect),
	    .min = 3,
	    .max = 64,
	    .help = "Where this host's web server listens, as address:port; "
		    "none: what is served is not looked at." },
	{ .key = "http_connect",
	    .type = CONF_STRING,
	    .offset = PROBE_AT(http_connect),
	    .min = 3,
	    .max = 64,
	    .help = "Where it listens for plain HTTP, as address:port; none: "
		    "the way of http-01 challenges is not looked at." },
	{ .key = "timeout",
	    .type = CONF_DURATION,
	    .offset = PROBE_AT(timeout_ns),
	    .default_text = "5s",
	    .min = 10000000,
	    .max = 60000000000,
	    .help = "Longest that one handshake, or request, may take." },
	{ .key = "interval",
	    .type = CONF_DURATION,
	    .offset = PROBE_AT(interval_ns),
	    .default_text = "10m",
	    .min = 1000000000,
	    .max = 86400 * (uint64_t)NS_PER_S,
	    .help = "Each site is looked at again after this." },
	{ .key = NULL },
};

static const struct conf_field acme_schema[] = {
	{ .key = "listen",
	    .type = CONF_STRING,
	    .offset = AT(acme.listen) - AT(acme),
	    .default_text = "127.0.0.1:8402",
	    .max = 64,
	    .help = "Address and port where http-01 challenges are answered, "
		    "for the web server to hand requests on to; empty: not." },
	{ .key = NULL },
};

const struct conf_field edge_config_schema[] = {
	{ .key = "state_dir",
	    .type = CONF_STRING,
	    .offset = AT(state_dir),
	    .default_text = "/var/lib/holdfast/edged",
	    .min = 1,
	    .max = 1024,
	    .help = "Folder of edged's identity; edged join fills it." },
	{ .key = "sockets",
	    .type = CONF_MAPS,
	    .offset = AT(sockets),
	    .max = EDGE_SOCKETS_MAX,
	    .fields = socket_schema,
	    .elem_size = sizeof(struct edge_socket_config),
	    .help = "Sockets that web servers connect to." },
	{ .key = "keyd",
	    .type = CONF_STRINGS,
	    .offset = AT(keyd),
	    .max = 64,
	    .help = "Addresses of keyd as host:port, in place of those the "
		    "join file named." },
	{ .key = "certd",
	    .type = CONF_STRINGS,
	    .offset = AT(certd),
	    .max = 64,
	    .help = "Addresses of certd as host:port; none: edged only has "
		    "things signed." },
	{ .key = "files",
	    .type = CONF_MAP,
	    .offset = AT(files),
	    .fields = files_schema,
	    .help = "How certificates of certd are written." },
	{ .key = "hook",
	    .type = CONF_STRINGS,
	    .offset = AT(hook),
	    .max = 64,
	    .help = "Program and arguments that have the web server read its "
		    "files again; no shell." },
	{ .key = "haproxy",
	    .type = CONF_MAP,
	    .offset = AT(haproxy),
	    .fields = haproxy_schema,
	    .help = "How HAProxy is told of new certificates." },
	{ .key = "probe",
	    .type = CONF_MAP,
	    .offset = AT(probe),
	    .fields = probe_schema,
	    .help = "How edged looks at what is served." },
	{ .key = "acme",
	    .type = CONF_MAP,
	    .offset = AT(acme),
	    .fields = acme_schema,
	    .help = "How challenges of CAs are answered." },
	{ .key = "request_timeout",
	    .type = CONF_DURATION,
	    .offset = AT(request_timeout_ns),
	    .default_text = "5s",
	    .min = 1000000,
	    .max = 60000000000,
	    .help = "Longest that a request may take, whatever the web server "
		    "asks for." },
	{ .key = "queue_max",
	    .type = CONF_UINT,
	    .offset = AT(queue_max),
	    .default_text = "4096",
	    .min = 1,
	    .max = 65536,
	    .help = "Requests that may wait for keyd at the same time." },
	{ .key = "connections_max",
	    .type = CONF_UINT,
	    .offset = AT(connections_max),
	    .default_text = "4096",
	    .min = 1,
	    .max = 1000000,
	    .help = "Connections of web servers that may be open at the same "
		    "time." },
	{ .key = "metrics_listen",
	    .type = CONF_STRING,
	    .offset = AT(metrics_listen),
	    .min = 3,
	    .max = 64,
	    .help = "Loopback address:port to serve /metrics on; none: not "
		    "served." },
	{ .key = "log",
	    .type = CONF_MAP,
	    .offset = AT(log),
	    .fields = log_schema,
	    .help = "What is logged, and how." },
	{ .key = NULL },
};
