/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A DNS server that takes updates (RFC 2136), signed by a TSIG key of the
 * operator's.  The zone is the configured one, else the one that the DNS says
 * holds the name, else the provider's: a server within may know what the
 * resolver outside does not.
 */

#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/base64.h"
#include "certd/dns_provider_int.h"
#include "dns/update.h"

#define KEY_MAX 512

STATUS
dns_provider_rfc2136_load(
    struct dns_provider *provider, char ret_why[PROBLEM_MAX])
{
	const char *path = provider->config->tsig_key_file;
	scoped(secret_free) struct secret *text = NULL;
	struct secret *key;
	struct status st;
	size_t len = 0;

	if (path[0] == 0)
		return status_ok();
	st = secret_from_file(path, &text);
	if (failed(st)) {
		(void)!snprintf(ret_why, PROBLEM_MAX, "%s: %s", path, st.why);
		return st;
	}
	if (!base64_decode(secret_bytes(text), NULL, 0, &len) || len == 0 ||
	    len > KEY_MAX) {
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "%s is not a TSIG key in base64 on one line, as "
		    "tsig-keygen(8) prints it after \"secret\"",
		    path);
		return status_fail(
		    STATUS_INVALID_ARGUMENT, "a TSIG key is no base64");
	}
	key = secret_new(len);
	if (key == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED,
		    "no locked memory is left for a secret; raise "
		    "LimitMEMLOCK");
	(void)!base64_decode_exactly(secret_bytes(text), secret_at(key), len);
	provider->tsig_key = key;
	return status_ok();
}

/* ---- where to ---- */

/* "host:port" to "address:port". */
static struct status
find_server(const char *configured, struct dns_resolver *resolver,
    char *ret_server, size_t max, char *ret_why)
{
	const char *colon = strrchr(configured, ':');
	scoped(free) struct dns_chain *chain = calloc(1, sizeof(*chain));
	union address address;
	char name[DNS_NAME_MAX];
	const char *names[] = { name };
	struct status st;

	if (address_parse(configured, &address)) {
		(void)!snprintf(ret_server, max, "%s", configured);
		return status_ok();
	}
	if (chain == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	(void)!snprintf(name, sizeof(name), "%.*s",
	    colon == NULL ? 0 : (int)(colon - configured), configured);
	st = dns_chain(resolver, names, 1, chain);
	if (failed(st))
		return st;
	if (chain->n_addresses == 0) {
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "its server %s has no address in the DNS (%s)", name,
		    dns_code_name(chain->code));
		return status_fail(STATUS_UNAVAILABLE,
		    "the DNS provider's server has no address");
	}
	(void)!snprintf(ret_server, max,
	    strchr(chain->addresses[0], ':') != NULL ? "[%s]%s" : "%s%s",
	    chain->addresses[0], colon == NULL ? "" : colon);
	return status_ok();
}

static void
find_zone(const struct dns_provider *provider, struct dns_resolver *resolver,
    const char *name, char ret_zone[DNS_NAME_MAX])
{
	scoped(free) struct dns_zone *zone = calloc(1, sizeof(*zone));
	char why[DNS_WHY_MAX];

	if (provider->config->zone[0] != 0) {
		(void)!snprintf(
		    ret_zone, DNS_NAME_MAX, "%s", provider->config->zone);
		return;
	}
	if (zone != NULL && !failed(dns_find_zone(resolver, name, zone, why))) {
		memcpy(ret_zone, zone->name, DNS_NAME_MAX);
		return;
	}
	(void)!snprintf(ret_zone, DNS_NAME_MAX, "%s",
	    name + strlen(name) - dns_provider_match(provider, name));
}

STATUS
dns_provider_rfc2136_put(const struct dns_provider *provider,
    struct dns_resolver *resolver, const struct dns_provider_record *record,
    bool is_removal, char ret_why[PROBLEM_MAX])
{
	const struct config_dns_provider *config = provider->config;
	struct dns_tsig tsig = {
		.algorithm = (enum dns_tsig_algorithm)config->tsig_algorithm,
		.key = provider->tsig_key
	};
	char server[DNS_NAME_MAX], zone[DNS_NAME_MAX];
	struct dns_update update = { .server = server,
		.zone = zone,
		.name = record->name,
		.value = record->value,
		.ttl_s = (uint32_t)config->ttl_s,
		.is_removal = is_removal,
		.tsig = provider->tsig_key != NULL ? &tsig : NULL };
	struct status st = find_server(
	    config->server, resolver, server, sizeof(server), ret_why);

	if (failed(st))
		return st;
	find_zone(provider, resolver, record->name, zone);
	(void)!snprintf(tsig.name, sizeof(tsig.name), "%s", config->tsig_name);
	return dns_update_send(&update, ret_why);
}
