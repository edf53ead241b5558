/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The parts of certd.yaml's schema that ACME has, and what no schema can say of
 * them.  Secrets stand in files of their own, which certd reads once.
 */

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/address.h"
#include "base/clock.h"
#include "certd/config_int.h"

static const char *const DNS_TYPES[] = { "rfc2136", "acme_dns", "exec", NULL };
static const char *const TSIG_ALGORITHMS[] = { "hmac-sha256", "hmac-sha384",
	"hmac-sha512", NULL };
static const char *const HOOK_STYLES[] = { "lego", "certbot", NULL };

#define AUTHORITY_AT(member) offsetof(struct config_authority, member)
#define PROVIDER_AT(member) offsetof(struct config_dns_provider, member)

static const struct conf_field LIMITS[] = {
	{ .key = "orders",
	    .type = CONF_UINT,
	    .offset = AUTHORITY_AT(limits.orders) - AUTHORITY_AT(limits),
	    .default_text = "300",
	    .help = "New orders in orders_window; 0 for no limit." },
	{ .key = "orders_window",
	    .type = CONF_DURATION,
	    .offset =
		AUTHORITY_AT(limits.orders_window_ns) - AUTHORITY_AT(limits),
	    .default_text = "3h",
	    .min = NS_PER_S,
	    .help = "The time that orders are counted in." },
	{ .key = "per_domain",
	    .type = CONF_UINT,
	    .offset = AUTHORITY_AT(limits.per_domain) - AUTHORITY_AT(limits),
	    .default_text = "50",
	    .help =
		"Certificates of one registered domain in per_domain_window, "
		"renewals not counted; 0 for no limit." },
	{ .key = "per_domain_window",
	    .type = CONF_DURATION,
	    .offset = AUTHORITY_AT(limits.per_domain_window_ns) -
		      AUTHORITY_AT(limits),
	    .default_text = "7d",
	    .min = NS_PER_S,
	    .help = "The time that these are counted in." },
	{ .key = "failures",
	    .type = CONF_UINT,
	    .offset = AUTHORITY_AT(limits.failures) - AUTHORITY_AT(limits),
	    .default_text = "5",
	    .help = "Failed validations of one name in failures_window; 0 for "
		    "no limit." },
	{ .key = "failures_window",
	    .type = CONF_DURATION,
	    .offset =
		AUTHORITY_AT(limits.failures_window_ns) - AUTHORITY_AT(limits),
	    .default_text = "1h",
	    .min = NS_PER_S,
	    .help = "The time that these are counted in." },
	{ .key = "requests_per_s",
	    .type = CONF_UINT,
	    .offset =
		AUTHORITY_AT(limits.requests_per_s) - AUTHORITY_AT(limits),
	    .default_text = "18",
	    .help = "Requests a second; 0 for no limit." },
	{ .key = NULL },
};

const struct conf_field config_authority_schema[] = {
	{ .key = "name",
	    .type = CONF_STRING,
	    .offset = AUTHORITY_AT(name),
	    .required = true,
	    .min = 1,
	    .max = AUTHORITY_NAME_MAX - 1,
	    .help = "What enrollments call it." },
	{ .key = "directory",
	    .type = CONF_STRING,
	    .offset = AUTHORITY_AT(directory),
	    .required = true,
	    .min = 1,
	    .max = 511,
	    .help = "URL of its ACME directory, such as "
		    "https://acme-v02.api.letsencrypt.org/directory." },
	{ .key = "ca_file",
	    .type = CONF_STRING,
	    .offset = AUTHORITY_AT(ca_file),
	    .default_text = "\"\"",
	    .max = 1023,
	    .help = "PEM file that its web server is verified by; empty for "
		    "the system's." },
	{ .key = "ca_domain",
	    .type = CONF_STRING,
	    .offset = AUTHORITY_AT(ca_domain),
	    .default_text = "\"\"",
	    .max = 253,
	    .help = "The domain that names it in CAA records, such as "
		    "letsencrypt.org; empty: CAA is not looked at." },
	{ .key = "contacts",
	    .type = CONF_STRINGS,
	    .offset = AUTHORITY_AT(contacts),
	    .max = 8,
	    .help = "Where the CA may write to, such as "
		    "mailto:certs@example.com." },
	{ .key = "terms_agreed",
	    .type = CONF_BOOL,
	    .offset = AUTHORITY_AT(terms_agreed),
	    .default_text = "false",
	    .help = "Whether you agree to its terms of service; without it no "
		    "account can be made." },
	{ .key = "standby_only",
	    .type = CONF_BOOL,
	    .offset = AUTHORITY_AT(standby_only),
	    .default_text = "false",
	    .help = "Never fall back on it for certificates in use." },
	{ .key = "eab_kid",
	    .type = CONF_STRING,
	    .offset = AUTHORITY_AT(eab_kid),
	    .default_text = "\"\"",
	    .max = 255,
	    .help = "Key id of the external account that the CA gave you; "
		    "empty for none." },
	{ .key = "eab_key_file",
	    .type = CONF_STRING,
	    .offset = AUTHORITY_AT(eab_key_file),
	    .default_text = "\"\"",
	    .max = 1023,
	    .help = "File of mode 0600 with its MAC key in base64url." },
	{ .key = "profile",
	    .type = CONF_STRING,
	    .offset = AUTHORITY_AT(profile),
	    .default_text = "\"\"",
	    .max = 63,
	    .help =
		"Certificate profile to ask for; empty for the CA's default." },
	{ .key = "preferred_chain",
	    .type = CONF_STRING,
	    .offset = AUTHORITY_AT(preferred_chain),
	    .default_text = "\"\"",
	    .max = 64,
	    .help = "Common name of the topmost issuer of the wanted chain; "
		    "empty for the CA's choice." },
	{ .key = "limits",
	    .type = CONF_MAP,
	    .offset = AUTHORITY_AT(limits),
	    .fields = LIMITS,
	    .help = "What the CA lets itself be asked; by default as Let's "
		    "Encrypt does." },
	{ .key = "connections",
	    .type = CONF_UINT,
	    .offset = AUTHORITY_AT(connections),
	    .default_text = "16",
	    .min = 1,
	    .max = 256,
	    .help = "Connections to it at once." },
	{ .key = NULL },
};

const struct conf_field config_dns_provider_schema[] = {
	{ .key = "name",
	    .type = CONF_STRING,
	    .offset = PROVIDER_AT(name),
	    .required = true,
	    .min = 1,
	    .max = 40,
	    .help = "What enrollments call it." },
	{ .key = "type",
	    .type = CONF_CHOICE,
	    .offset = PROVIDER_AT(type),
	    .default_text = "rfc2136",
	    .choices = DNS_TYPES,
	    .help = "rfc2136: DNS updates; acme_dns: an acme-dns server; exec: "
		    "a program." },
	{ .key = "zones",
	    .type = CONF_STRINGS,
	    .offset = PROVIDER_AT(zones),
	    .required = true,
	    .min = 1,
	    .max = 256,
	    .help = "Names that it has, with all that is below them." },
	{ .key = "accounts",
	    .type = CONF_STRINGS,
	    .offset = PROVIDER_AT(accounts),
	    .max = 4096,
	    .help = "Accounts whose own enrollments may have any name in its "
		    "zones validated by it; others' are served only when an "
		    "operator gave them their host names." },
	{ .key = "delegation_zone",
	    .type = CONF_STRING,
	    .offset = PROVIDER_AT(delegation_zone),
	    .default_text = "\"\"",
	    .max = 253,
	    .help = "A zone of it for challenges that are delegated to "
		    "accounts: _acme-challenge.NAME CNAME "
		    "LABEL.ACCOUNT.delegation_zone; empty for none." },
	{ .key = "server",
	    .type = CONF_STRING,
	    .offset = PROVIDER_AT(server),
	    .default_text = "\"\"",
	    .max = 255,
	    .help = "rfc2136: the primary server, as address:port." },
	{ .key = "zone",
	    .type = CONF_STRING,
	    .offset = PROVIDER_AT(zone),
	    .default_text = "\"\"",
	    .max = 253,
	    .help =
		"rfc2136: the DNS zone to update; empty: found by asking." },
	{ .key = "tsig_name",
	    .type = CONF_STRING,
	    .offset = PROVIDER_AT(tsig_name),
	    .default_text = "\"\"",
	    .max = 253,
	    .help = "rfc2136: name of the TSIG key; empty: updates are not "
		    "signed." },
	{ .key = "tsig_algorithm",
	    .type = CONF_CHOICE,
	    .offset = PROVIDER_AT(tsig_algorithm),
	    .default_text = "hmac-sha256",
	    .choices = TSIG_ALGORITHMS,
	    .help = "rfc2136: of that key." },
	{ .key = "tsig_key_file",
	    .type = CONF_STRING,
	    .offset = PROVIDER_AT(tsig_key_file),
	    .default_text = "\"\"",
	    .max = 1023,
	    .help = "rfc2136: file of mode 0600 with that key in base64." },
	{ .key = "ttl",
	    .type = CONF_UINT,
	    .offset = PROVIDER_AT(ttl_s),
	    .default_text = "60",
	    .min = 1,
	    .max = 86400,
	    .help = "rfc2136: seconds that the TXT records may be kept by "
		    "resolvers." },
	{ .key = "url",
	    .type = CONF_STRING,
	    .offset = PROVIDER_AT(url),
	    .default_text = "\"\"",
	    .max = 511,
	    .help = "acme_dns: where its API is." },
	{ .key = "ca_file",
	    .type = CONF_STRING,
	    .offset = PROVIDER_AT(ca_file),
	    .default_text = "\"\"",
	    .max = 1023,
	    .help = "acme_dns: PEM file that it is verified by; empty for the "
		    "system's." },
	{ .key = "credentials_file",
	    .type = CONF_STRING,
	    .offset = PROVIDER_AT(credentials_file),
	    .default_text = "\"\"",
	    .max = 1023,
	    .help = "acme_dns: JSON file of mode 0600, as its /register "
		    "answers, for each name." },
	{ .key = "command",
	    .type = CONF_STRINGS,
	    .offset = PROVIDER_AT(command),
	    .max = 16,
	    .help = "exec: the program, by its absolute path, and its first "
		    "arguments." },
	{ .key = "style",
	    .type = CONF_CHOICE,
	    .offset = PROVIDER_AT(style),
	    .default_text = "lego",
	    .choices = HOOK_STYLES,
	    .help = "exec: whose arguments and environment the program gets." },
	{ .key = "timeout",
	    .type = CONF_DURATION,
	    .offset = PROVIDER_AT(timeout_ns),
	    .default_text = "30s",
	    .min = NS_PER_S,
	    .max = 600 * NS_PER_S,
	    .help = "How long one act may take." },
	{ .key = "propagation_timeout",
	    .type = CONF_DURATION,
	    .offset = PROVIDER_AT(propagation_timeout_ns),
	    .default_text = "10m",
	    .min = NS_PER_S,
	    .max = 86400 * NS_PER_S,
	    .help =
		"How long every authoritative server may take to have it." },
	{ .key = NULL },
};

/* ---- what a schema cannot say ---- */

/* A name would have to be looked up by what it is to look up with. */
static bool
is_numeric(const char *text)
{
	union address address;

	return address_parse(text, &address) && address_port(&address) != 0;
}

static bool
is_loopback_url(const char *url)
{
	return strncmp(url, "http://127.0.0.1:", 17) == 0 ||
	       strncmp(url, "http://localhost:", 17) == 0 ||
	       strncmp(url, "http://[::1]:", 13) == 0;
}

static bool
is_url(const char *url)
{
	return (strncmp(url, "https://", 8) == 0 && url[8] != 0 &&
		   url[8] != '/') ||
	       is_loopback_url(url);
}

static bool
is_file_or_empty(const char *path)
{
	return path[0] == 0 || path[0] == '/';
}

static bool
is_plain_name(const char *name)
{
	return name[0] != 0 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") ==
		   strlen(name);
}

static const char *
wrong_authority(const struct config_authority *at, size_t i)
{
	const struct config_authority *one = &at[i];

	if (!is_plain_name(one->name))
		return "acme.authorities: a name consists of a-z 0-9 - _";
	for (size_t j = 0; j < i; j++)
		if (strcmp(at[j].name, one->name) == 0)
			return "acme.authorities: two have the same name";
	if (!is_url(one->directory))
		return "acme.authorities: directory is an https URL (http on "
		       "loopback alone)";
	if (!is_file_or_empty(one->ca_file) ||
	    !is_file_or_empty(one->eab_key_file))
		return "acme.authorities: ca_file and eab_key_file take "
		       "absolute paths";
	if ((one->eab_kid[0] == 0) != (one->eab_key_file[0] == 0))
		return "acme.authorities: eab_kid and eab_key_file go together";
	for (size_t c = 0; c < one->contacts.len; c++)
		if (strncmp(one->contacts.at[c], "mailto:", 7) != 0 ||
		    strpbrk(one->contacts.at[c], " ,?") != NULL)
			return "acme.authorities: a contact is mailto: and one "
			       "address";
	return NULL;
}

static const char *
wrong_standby(const struct config *config)
{
	const struct config_authority *at = config->acme.authorities.at;

	if (config->acme.standby[0] == 0)
		return NULL;
	for (size_t i = 0; i < config->acme.authorities.len; i++)
		if (strcmp(at[i].name, config->acme.standby) == 0)
			return NULL;
	return "acme.standby: name one of acme.authorities";
}

static const char *
wrong_rfc2136(const struct config_dns_provider *one)
{
	if (!is_numeric(one->server))
		return "dns.providers: rfc2136 takes the server as "
		       "address:port, "
		       "such as 192.0.2.53:53";
	if ((one->tsig_name[0] == 0) != (one->tsig_key_file[0] == 0) ||
	    !is_file_or_empty(one->tsig_key_file))
		return "dns.providers: tsig_name and tsig_key_file, an "
		       "absolute "
		       "path, go together";
	return NULL;
}

/* Is a name in a zone, or the zone? */
static bool
is_in(const char *name, const char *zone)
{
	size_t len = strlen(name), n = strlen(zone);

	if (n > 0 && zone[n - 1] == '.')
		n--;
	return n > 0 && len >= n && strncasecmp(name + len - n, zone, n) == 0 &&
	       (len == n || name[len - n - 1] == '.');
}

/* In one of them a label would be an account, in the other a part of a name. */
static bool
is_nested(const char *a, const char *b)
{
	return a[0] != 0 && b[0] != 0 && strcasecmp(a, b) != 0 &&
	       (is_in(a, b) || is_in(b, a));
}

static const char *
wrong_delegation(const struct config_dns_provider *at, size_t i)
{
	const struct config_dns_provider *one = &at[i];
	const char *zone = one->delegation_zone;
	bool has = zone[0] == 0;

	for (size_t z = 0; z < one->zones.len; z++)
		has = has || is_in(zone, one->zones.at[z]);
	if (!has || zone[0] == '.' ||
	    (zone[0] != 0 && zone[strlen(zone) - 1] == '.'))
		return "dns.providers: delegation_zone is a name in one of "
		       "zones, without a dot at its end";
	if (zone[0] != 0 && one->type == CONFIG_DNS_ACME_DNS)
		return "dns.providers: acme_dns has no delegation_zone, for "
		       "its names are its own choice";
	for (size_t j = 0; j < i; j++)
		if (is_nested(at[j].delegation_zone, zone))
			return "dns.providers: one delegation_zone is in "
			       "another; take two that are apart";
	return NULL;
}

static const char *
wrong_provider(const struct config_dns_provider *at, size_t i)
{
	const struct config_dns_provider *one = &at[i];

	if (!is_plain_name(one->name))
		return "dns.providers: a name consists of a-z 0-9 - _";
	for (size_t j = 0; j < i; j++)
		if (strcmp(at[j].name, one->name) == 0)
			return "dns.providers: two have the same name";
	if (wrong_delegation(at, i) != NULL)
		return wrong_delegation(at, i);
	if (one->type == CONFIG_DNS_RFC2136)
		return wrong_rfc2136(one);
	if (one->type == CONFIG_DNS_ACME_DNS &&
	    (!is_url(one->url) || one->credentials_file[0] != '/' ||
		!is_file_or_empty(one->ca_file)))
		return "dns.providers: acme_dns takes an https url (http on "
		       "loopback alone) and absolute paths";
	if (one->type == CONFIG_DNS_EXEC &&
	    (one->command.len == 0 || one->command.at[0][0] != '/'))
		return "dns.providers: exec takes a command, by its absolute "
		       "path";
	return NULL;
}

const char *
config_check_acme(const struct config *config)
{
	const char *wrong = NULL;

	for (size_t i = 0; i < config->acme.authorities.len && wrong == NULL;
	     i++)
		wrong = wrong_authority(config->acme.authorities.at, i);
	if (wrong == NULL)
		wrong = wrong_standby(config);
	if (wrong == NULL && config->acme.http_listen[0] != 0 &&
	    !config_is_address(config->acme.http_listen))
		wrong = "acme.http_listen: write address:port, such as "
			"127.0.0.1:8402, or \"\" for none";
	for (size_t i = 0; i < config->dns.resolvers.len && wrong == NULL; i++)
		if (!is_numeric(config->dns.resolvers.at[i]))
			wrong = "dns.resolvers: write address:port, such as "
				"192.0.2.53:53";
	for (size_t i = 0; i < config->dns.providers.len && wrong == NULL; i++)
		wrong = wrong_provider(config->dns.providers.at, i);
	return wrong;
}
