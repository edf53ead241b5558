/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_DNS_PROVIDER_INT_H
#define CERTD_DNS_PROVIDER_INT_H

#include "acme/http.h"
#include "base/secret.h"
#include "certd/dns_provider.h"

/* The kinds of providers, each in a file of its own. */

/* What acme-dns' /register answered, for names. */
struct dns_provider_credentials {
	size_t n;
	struct dns_provider_credential {
		char name[256], fulldomain[256], subdomain[128];
		size_t username, password; /* where in secrets, with a zero */
	} * at;
	struct secret *secrets; /* NULL: n is 0 */
};
void dns_provider_credentials_done(struct dns_provider_credentials *c);

struct dns_provider {
	const struct config_dns_provider *config;
	struct secret *tsig_key; /* its octets; NULL: not signed */
	struct dns_provider_credentials credentials;
	struct acme_http *http;
};

/* Octets of its longest zone that holds the name, which are the name's last; 0:
 * none does. */
size_t dns_provider_match(
    const struct dns_provider *provider, const char *name);

STATUS dns_provider_rfc2136_load(
    struct dns_provider *provider, char ret_why[PROBLEM_MAX]);
STATUS dns_provider_rfc2136_put(const struct dns_provider *provider,
    struct dns_resolver *resolver, const struct dns_provider_record *record,
    bool is_removal, char ret_why[PROBLEM_MAX]);

STATUS dns_provider_acme_dns_load(
    struct dns_provider *provider, char ret_why[PROBLEM_MAX]);
/* The JSON of a credentials file: {"name": {"username": ..., "password": ...,
 * "fulldomain": ..., "subdomain": ...}}; ret_why says what is not so. */
STATUS dns_provider_acme_dns_parse(struct bytes json,
    struct dns_provider_credentials *ret_credentials,
    char ret_why[PROBLEM_MAX]);
STATUS dns_provider_acme_dns_check(const struct dns_provider *provider,
    const struct dns_provider_record *record, char ret_why[PROBLEM_MAX]);
STATUS dns_provider_acme_dns_put(const struct dns_provider *provider,
    const struct dns_provider_record *record, bool is_removal,
    char ret_why[PROBLEM_MAX]);

STATUS dns_provider_exec_check(const struct dns_provider *provider,
    const struct dns_provider_record *record, char ret_why[PROBLEM_MAX]);
STATUS dns_provider_exec_put(const struct dns_provider *provider,
    const struct dns_provider_record *record, bool is_removal,
    char ret_why[PROBLEM_MAX]);

#endif
