/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CONFIG_H
#define CERTD_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/networks.h"

/*
 * certd's configuration, certd.yaml(5).  A struct config is read once and not
 * changed; all strings belong to it.
 */
#define CONFIG_PATH_DEFAULT "/etc/holdfast/certd.yaml"

#define AUTHORITY_NAME_MAX 41

enum config_tls {
	CONFIG_TLS_IDENTITY, /* certd's own certificate, of keyd's CA */
	CONFIG_TLS_FILES,
	CONFIG_TLS_OFF /* on loopback only */
};

enum config_sandbox {
	CONFIG_SANDBOX_ENFORCE,
	CONFIG_SANDBOX_OFF
};

enum config_second_factor {
	CONFIG_SECOND_FACTOR_OPTIONAL,
	CONFIG_SECOND_FACTOR_REQUIRED
};

enum config_smtp_tls {
	CONFIG_SMTP_STARTTLS,
	CONFIG_SMTP_IMPLICIT,
	CONFIG_SMTP_OFF /* on loopback only */
};

struct config_network {
	char *name;
	char *pool;
	struct conf_strings edge_groups;
};

/* ---- ACME ---- */

enum config_dns_type {
	CONFIG_DNS_RFC2136,
	CONFIG_DNS_ACME_DNS,
	CONFIG_DNS_EXEC
};
enum config_hook_style {
	CONFIG_HOOK_LEGO,
	CONFIG_HOOK_CERTBOT
};

/* A CA.  Limits are Let's Encrypt's unless told otherwise; 0: none. */
struct config_authority {
	char *name;
	char *directory;
	char *ca_file;   /* "": the system's */
	char *ca_domain; /* by which CAA names it; "": not checked */
	struct conf_strings contacts;
	bool terms_agreed;
	bool standby_only;
	char *eab_kid;      /* "": none */
	char *eab_key_file; /* base64url in a file of mode 0600 */
	char *profile;
	char *preferred_chain;
	struct {
		uint64_t orders; /* in orders_window_ns */
		int64_t orders_window_ns;
		uint64_t per_domain; /* certificates of a registered domain */
		int64_t per_domain_window_ns;
		uint64_t failures; /* failed validations of a name */
		int64_t failures_window_ns;
		uint64_t requests_per_s;
	} limits;
	uint64_t connections;
};

struct config_dns_provider {
	char *name;
	int type;                  /* enum config_dns_type */
	struct conf_strings zones; /* names in or under these */
	/* Whose own enrollments it serves; see certd/provider_access.h. */
	struct conf_strings accounts;
	char *delegation_zone; /* "": none; in one of zones */
	/* rfc2136 */
	char *server; /* host:port */
	char *zone;   /* "": the one of zones that the name is in */
	char *tsig_name;
	int tsig_algorithm; /* enum dns_tsig_algorithm */
	char *tsig_key_file;
	uint64_t ttl_s;
	/* acme_dns */
	char *url;
	char *ca_file;
	char *credentials_file; /* JSON, of mode 0600 */
	/* exec */
	struct conf_strings command;
	int style; /* enum config_hook_style */
	int64_t timeout_ns;
	int64_t propagation_timeout_ns;
};

struct config {
	char *listen;
	char *state_dir;
	struct conf_strings keyd; /* empty: the endpoints of the identity */
	struct {
		char *listen; /* "": no REST */
		int tls;      /* enum config_tls */
		char *certificate, *key;
		struct conf_strings trusted_proxies;
		int proxy_header; /* enum forwarded_header */
	} rest;
	char *zone;                /* "": none */
	struct conf_maps networks; /* of struct config_network */
	bool allow_exposed_upload;
	char *metrics_listen; /* "": none */
	struct {
		struct conf_maps authorities; /* of struct config_authority */
		char *standby;     /* name of the CA of standby certificates */
		char *http_listen; /* certd's own http-01 port; "": none */
		uint64_t workers;
		/* Look before the CA is asked, and do not ask it where that
		 * must fail. */
		bool preflight;
		/* Of an account's tokens, in a day; 0: no limit. */
		uint64_t account_changes;
	} acme;
	struct {
		struct conf_strings
		    resolvers; /* host:port; none: the system's */
		uint64_t authoritative_port;
		struct conf_maps providers; /* of struct config_dns_provider */
	} dns;
	/* Where checks look for web servers; other ports are for tests. */
	struct {
		uint64_t http_port, https_port;
		/* Connect to addresses that no CA on the internet reaches. */
		bool allow_private;
	} checks;
	struct {
		bool enabled;
		char *url; /* "https://certs.example.net"; "": none */
		bool client_certificates;
		int second_factor; /* enum config_second_factor */
		int64_t session_idle_ns, session_max_ns;
		char *folder; /* "": what is built in */
	} console;
	struct {
		struct {
			char *server;        /* "": no mail */
			int tls;             /* enum config_smtp_tls */
			char *ca_file;       /* "": the system's */
			char *username;      /* "": none */
			char *password_file; /* of mode 0600 */
			char *from, *hello;
		} smtp;
		struct conf_strings operators; /* addresses */
		char *webhook_ca_file;         /* "": the system's */
		bool allow_private_webhooks;
		int64_t gather_ns, edge_grace_ns;
	} notices;
	struct {
		int level;  /* enum log_level */
		int format; /* enum log_format */
	} log;
	int sandbox; /* enum config_sandbox */
	/* networks, or the default ones, as others want them. */
	struct networks all_networks;
	struct network *network_at;
};

extern const struct conf_field config_schema[];

/*
 * Read and check a file, or with NULL take the defaults.  On failure ret_error
 * holds a message for people.
 */
STATUS config_load(const char *path, struct config **ret_config,
    char ret_error[CONF_ERROR_MAX]);
/* The same from a descriptor, which stays the caller's; path is for messages.
 */
STATUS config_load_fd(int fd, const char *path, struct config **ret_config,
    char ret_error[CONF_ERROR_MAX]);
void config_free(struct config *config); /* NULL is allowed */
SCOPED_RELEASE(config_free, struct config *);

/* NULL, or what is wrong with it that no schema can say. */
const char *config_check(const struct config *config);

#endif
