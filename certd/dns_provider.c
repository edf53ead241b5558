/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The providers of certd.yaml: loading them, finding the one for a name, and
 * handing on to what its kind does.  A provider gets no name that is outside
 * its zones, whoever asks.
 */

#include "certd/dns_provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certd/dns_provider_int.h"
#include "certd/provider_access.h"
#include "certd/txt_place.h"

/* Written before there are threads. */
static struct {
	bool is_loaded;
	struct dns_provider *at;
	size_t n;
} self;

/* ---- loading ---- */

static void
release(struct dns_provider *provider)
{
	secret_free(provider->tsig_key);
	dns_provider_credentials_done(&provider->credentials);
	acme_http_free(provider->http);
}

void
dns_provider_unload(void)
{
	for (size_t i = 0; i < self.n; i++)
		release(&self.at[i]);
	free(self.at);
	self.at = NULL;
	self.n = 0;
	self.is_loaded = false;
}

bool
dns_provider_is_loaded(void)
{
	return self.is_loaded;
}

static struct status
load(struct dns_provider *provider, char *ret_why)
{
	char why[PROBLEM_MAX] = "";
	struct status st = status_ok();

	if (provider->config->type == CONFIG_DNS_RFC2136)
		st = dns_provider_rfc2136_load(provider, why);
	else if (provider->config->type == CONFIG_DNS_ACME_DNS)
		st = dns_provider_acme_dns_load(provider, why);
	if (failed(st))
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "dns.providers, %s: %.700s", provider->config->name,
		    why[0] != 0 ? why : st.why);
	return st;
}

STATUS
dns_provider_preload(const struct config *config, char ret_why[PROBLEM_MAX])
{
	const struct config_dns_provider *at = config->dns.providers.at;
	size_t n = config->dns.providers.len;
	struct status st = status_ok();

	dns_provider_unload();
	self.at = calloc(n + 1, sizeof(*self.at));
	if (self.at == NULL) {
		(void)!snprintf(ret_why, PROBLEM_MAX, "out of memory");
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	}
	for (; self.n < n && !failed(st); self.n++) {
		self.at[self.n].config = &at[self.n];
		st = load(&self.at[self.n], ret_why);
	}
	self.is_loaded = !failed(st);
	if (failed(st))
		dns_provider_unload();
	return st;
}

/* ---- finding ---- */

const struct dns_provider *
dns_provider_find(const char *name)
{
	for (size_t i = 0; i < self.n; i++)
		if (strcmp(self.at[i].config->name, name) == 0)
			return &self.at[i];
	return NULL;
}

size_t
dns_provider_match(const struct dns_provider *provider, const char *name)
{
	return txt_place_zone(&provider->config->zones, name);
}

bool
dns_provider_may(const struct dns_provider *provider,
    const struct enrollment_row *of, const char *target)
{
	return provider_access_may(
	    provider->config, of->account_name, of->by_operator, target);
}

const char *
dns_provider_delegation_zone(const struct dns_provider *provider)
{
	return provider->config->delegation_zone;
}

const struct dns_provider *
dns_provider_of(
    const char *name, const struct enrollment_row *of, const char *target)
{
	const struct dns_provider *found = NULL;
	size_t best = 0;

	for (size_t i = 0; i < self.n; i++) {
		size_t len = dns_provider_match(&self.at[i], name);

		if (len > best &&
		    (of == NULL || dns_provider_may(&self.at[i], of, target))) {
			best = len;
			found = &self.at[i];
		}
	}
	return found;
}

const char *
dns_provider_name(const struct dns_provider *provider)
{
	return provider->config->name;
}

int64_t
dns_provider_patience_ns(const struct dns_provider *provider)
{
	return provider->config->propagation_timeout_ns;
}

bool
dns_provider_is_delegate(const struct dns_provider *provider)
{
	return provider->config->type == CONFIG_DNS_ACME_DNS;
}

/* ---- what its kind does ---- */

STATUS
dns_provider_check(const struct dns_provider *provider,
    const struct dns_provider_record *record, char ret_why[PROBLEM_MAX])
{
	if (provider->config->type == CONFIG_DNS_ACME_DNS)
		return dns_provider_acme_dns_check(provider, record, ret_why);
	if (dns_provider_match(provider, record->name) == 0) {
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "%s is in no zone of the DNS provider %s; add its zone in "
		    "dns.providers of certd.yaml, or choose another provider",
		    record->name, provider->config->name);
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the DNS provider has no zone for the name");
	}
	if (provider->config->type == CONFIG_DNS_EXEC)
		return dns_provider_exec_check(provider, record, ret_why);
	return status_ok();
}

STATUS
dns_provider_put(const struct dns_provider *provider,
    struct dns_resolver *resolver, const struct dns_provider_record *record,
    bool is_removal, char ret_why[PROBLEM_MAX])
{
	char why[PROBLEM_MAX] = "";
	struct status st = dns_provider_check(provider, record, ret_why);

	if (failed(st))
		return st;
	if (provider->config->type == CONFIG_DNS_RFC2136)
		st = dns_provider_rfc2136_put(
		    provider, resolver, record, is_removal, why);
	else if (provider->config->type == CONFIG_DNS_ACME_DNS)
		st = dns_provider_acme_dns_put(
		    provider, record, is_removal, why);
	else
		st = dns_provider_exec_put(provider, record, is_removal, why);
	if (failed(st))
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "DNS provider %s, %.256s: %.400s", provider->config->name,
		    record->name, why[0] != 0 ? why : st.why);
	return st;
}
