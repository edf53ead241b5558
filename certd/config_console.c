/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The parts of certd.yaml's schema that the console and notices have, and what
 * no schema can say of them.  The mail server's password stands in a file of
 * its own, which certd reads once.
 */

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "certd/config_int.h"
#include "mail/address.h"

static const char *const SMTP_TLS[] = { "starttls", "implicit", "off", NULL };
static const char *const SECOND_FACTOR[] = { "optional", "required", NULL };

#define CONSOLE_AT(member)                                                     \
	(offsetof(struct config, console.member) -                             \
	    offsetof(struct config, console))
#define NOTICES_AT(member)                                                     \
	(offsetof(struct config, notices.member) -                             \
	    offsetof(struct config, notices))
#define SMTP_AT(member)                                                        \
	(offsetof(struct config, notices.smtp.member) -                        \
	    offsetof(struct config, notices.smtp))

const struct conf_field config_console_schema[] = {
	{ .key = "enabled",
	    .type = CONF_BOOL,
	    .offset = CONSOLE_AT(enabled),
	    .default_text = "true",
	    .help = "Serve the console at /console/ of the REST port." },
	{ .key = "url",
	    .type = CONF_STRING,
	    .offset = CONSOLE_AT(url),
	    .default_text = "\"\"",
	    .max = 255,
	    .help = "Where people reach it, \"https://certs.example.net\": for "
		    "links in mails; empty: mails have none." },
	{ .key = "client_certificates",
	    .type = CONF_BOOL,
	    .offset = CONSOLE_AT(client_certificates),
	    .default_text = "false",
	    .help = "Ask browsers for a client certificate of keyd's CA, with "
		    "which operators and auditors may log in." },
	{ .key = "second_factor",
	    .type = CONF_CHOICE,
	    .offset = CONSOLE_AT(second_factor),
	    .default_text = "optional",
	    .choices = SECOND_FACTOR,
	    .help = "required: who logs in by password must set up time-based "
		    "codes first." },
	{ .key = "session_idle",
	    .type = CONF_DURATION,
	    .offset = CONSOLE_AT(session_idle_ns),
	    .default_text = "1h",
	    .min = 60 * NS_PER_S,
	    .help = "A session ends when nothing was asked for so long." },
	{ .key = "session_max",
	    .type = CONF_DURATION,
	    .offset = CONSOLE_AT(session_max_ns),
	    .default_text = "12h",
	    .min = 300 * NS_PER_S,
	    .help = "A session ends then whatever happens." },
	{ .key = "folder",
	    .type = CONF_STRING,
	    .offset = CONSOLE_AT(folder),
	    .default_text = "\"\"",
	    .max = 1023,
	    .help = "Serve the pages from this folder, as they are at each "
		    "request, in place of those built in: for who changes "
		    "them." },
	{ .key = NULL },
};

static const struct conf_field SMTP[] = {
	{ .key = "server",
	    .type = CONF_STRING,
	    .offset = SMTP_AT(server),
	    .default_text = "\"\"",
	    .max = 255,
	    .help = "Mail server as host:port; empty: no mail is sent." },
	{ .key = "tls",
	    .type = CONF_CHOICE,
	    .offset = SMTP_AT(tls),
	    .default_text = "starttls",
	    .choices = SMTP_TLS,
	    .help = "starttls: required before anything is said; implicit: "
		    "from the first octet (smtps); off: on loopback only." },
	{ .key = "ca_file",
	    .type = CONF_STRING,
	    .offset = SMTP_AT(ca_file),
	    .default_text = "\"\"",
	    .max = 1023,
	    .help =
		"PEM that the server is verified by; empty: the system's." },
	{ .key = "username",
	    .type = CONF_STRING,
	    .offset = SMTP_AT(username),
	    .default_text = "\"\"",
	    .max = 255,
	    .help = "To authenticate as; empty: not at all." },
	{ .key = "password_file",
	    .type = CONF_STRING,
	    .offset = SMTP_AT(password_file),
	    .default_text = "\"\"",
	    .max = 1023,
	    .help = "File of mode 0600 with its password alone." },
	{ .key = "from",
	    .type = CONF_STRING,
	    .offset = SMTP_AT(from),
	    .default_text = "\"\"",
	    .max = 254,
	    .help = "Address that mails are from; required with a server." },
	{ .key = "hello",
	    .type = CONF_STRING,
	    .offset = SMTP_AT(hello),
	    .default_text = "\"\"",
	    .max = 253,
	    .help = "Name said in EHLO; empty: the domain of from." },
	{ .key = NULL },
};

const struct conf_field config_notices_schema[] = {
	{ .key = "smtp",
	    .type = CONF_MAP,
	    .offset = NOTICES_AT(smtp),
	    .fields = SMTP,
	    .help = "The mail server." },
	{ .key = "operators",
	    .type = CONF_STRINGS,
	    .offset = NOTICES_AT(operators),
	    .max = 16,
	    .help = "Addresses that are told of trouble with edges, ledger and "
		    "HSM, beside those that rules name." },
	{ .key = "webhook_ca_file",
	    .type = CONF_STRING,
	    .offset = NOTICES_AT(webhook_ca_file),
	    .default_text = "\"\"",
	    .max = 1023,
	    .help = "PEM that webhooks' servers are verified by; empty: the "
		    "system's." },
	{ .key = "allow_private_webhooks",
	    .type = CONF_BOOL,
	    .offset = NOTICES_AT(allow_private_webhooks),
	    .default_text = "false",
	    .help = "Send webhooks to private and loopback addresses too; "
		    "whoever may add one can then probe your network from "
		    "here." },
	{ .key = "gather",
	    .type = CONF_DURATION,
	    .offset = NOTICES_AT(gather_ns),
	    .default_text = "1m",
	    .max = 3600 * NS_PER_S,
	    .help = "Mails of certificates that end wait so long for others, "
		    "to go out as one." },
	{ .key = "edge_grace",
	    .type = CONF_DURATION,
	    .offset = NOTICES_AT(edge_grace_ns),
	    .default_text = "10m",
	    .min = 60 * NS_PER_S,
	    .help = "An edge that does not serve what it should for so long is "
		    "told of." },
	{ .key = NULL },
};

/* "https://host", "https://host:port" or, on loopback, http. */
static bool
is_console_url(const char *url)
{
	const char *host = NULL;

	if (strncmp(url, "https://", 8) == 0)
		host = url + 8;
	else if (strncmp(url, "http://127.0.0.1", 16) == 0 ||
		 strncmp(url, "http://localhost", 16) == 0)
		host = url + 7;
	return host != NULL && host[0] != 0 &&
	       strpbrk(host, "/?#@ \t\"<>\\") == NULL;
}

static const char *
wrong_addresses(const struct config *config)
{
	const struct conf_strings *operators = &config->notices.operators;
	const char *from = config->notices.smtp.from;

	if (from[0] != 0 && failed(mail_address_check(from)))
		return "notices.smtp.from: write one e-mail address, such as "
		       "holdfast@example.net";
	for (size_t i = 0; i < operators->len; i++)
		if (failed(mail_address_check(operators->at[i])))
			return "notices.operators: write e-mail addresses, "
			       "such as ops@example.net";
	return NULL;
}

static const char *
wrong_smtp(const struct config *config)
{
	if (config->notices.smtp.server[0] == 0)
		return NULL;
	if (!config_is_address(config->notices.smtp.server))
		return "notices.smtp.server: write host:port, such as "
		       "mail.example.net:587";
	if (config->notices.smtp.from[0] == 0)
		return "notices.smtp.from: write the address that mails are "
		       "from";
	if (config->notices.smtp.tls == CONFIG_SMTP_OFF &&
	    !config_is_loopback(config->notices.smtp.server))
		return "notices.smtp.tls: off is for a server on loopback "
		       "only; use starttls or implicit";
	if ((config->notices.smtp.username[0] == 0) !=
	    (config->notices.smtp.password_file[0] == 0))
		return "notices.smtp: username and password_file go together";
	return NULL;
}

/* What is opened must not hang on where certd was started. */
static bool
is_absolute_or_none(const char *path)
{
	return path[0] == 0 || path[0] == '/';
}

const char *
config_check_console(const struct config *config)
{
	if (config->console.url[0] != 0 && !is_console_url(config->console.url))
		return "console.url: write https://host or https://host:port, "
		       "without a path";
	if (config->console.client_certificates &&
	    config->rest.tls == CONFIG_TLS_OFF)
		return "console.client_certificates: needs rest.tls, for "
		       "browsers show certificates to whom they speak TLS with";
	if (config->console.session_idle_ns > config->console.session_max_ns)
		return "console.session_idle is longer than session_max";
	if (!is_absolute_or_none(config->console.folder))
		return "console.folder: write an absolute path";
	if (!is_absolute_or_none(config->notices.smtp.ca_file))
		return "notices.smtp.ca_file: write an absolute path";
	if (!is_absolute_or_none(config->notices.smtp.password_file))
		return "notices.smtp.password_file: write an absolute path";
	if (!is_absolute_or_none(config->notices.webhook_ca_file))
		return "notices.webhook_ca_file: write an absolute path";
	return wrong_addresses(config) != NULL ? wrong_addresses(config)
					       : wrong_smtp(config);
}
