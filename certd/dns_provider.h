/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_DNS_PROVIDER_H
#define CERTD_DNS_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "certd/config.h"
#include "certd/store_enrollments.h"
#include "dns/resolver.h"

/*
 * Who puts TXT records of dns-01 into the DNS: dns.providers of certd.yaml,
 * with their secrets.  Loaded once, before certd confines itself, then
 * immutable: any thread.
 */
struct dns_provider;

/* Before the sandbox and before threads: read keys and credentials.  config
 * lives as long as they do.  ret_why names the provider, the file and what is
 * wrong with it. */
STATUS dns_provider_preload(
    const struct config *config, char ret_why[PROBLEM_MAX]);
bool dns_provider_is_loaded(void);
void dns_provider_unload(void);

/* By name; NULL: none. */
const struct dns_provider *dns_provider_find(const char *name);
/* Of those that may serve the enrollment (NULL: all) at a target of CNAMEs
 * (empty: none), that with the longest of all zones that hold the name; NULL:
 * none has it. */
const struct dns_provider *dns_provider_of(
    const char *name, const struct enrollment_row *of, const char *target);
/* certd/provider_access.h */
bool dns_provider_may(const struct dns_provider *provider,
    const struct enrollment_row *of, const char *target);
/* Where accounts' challenges may be delegated to; "": nowhere. */
const char *dns_provider_delegation_zone(const struct dns_provider *provider);
const char *dns_provider_name(const struct dns_provider *provider);
/* Until every authoritative server is to have a record. */
int64_t dns_provider_patience_ns(const struct dns_provider *provider);
/* acme-dns has zones that are others' names: what counts is the name before its
 * CNAME. */
bool dns_provider_is_delegate(const struct dns_provider *provider);

struct dns_provider_record {
	const char *hostname; /* without "*." */
	const char *name;     /* where it is to be, after CNAMEs */
	const char *value;
};

/* Can it do that, as far as can be told without asking it?
 * FAILED_PRECONDITION, and ret_why says what to put where. */
STATUS dns_provider_check(const struct dns_provider *provider,
    const struct dns_provider_record *record, char ret_why[PROBLEM_MAX]);

/*
 * Add the record, or take it away: this one alone, others of the name stay.
 * Both may be done again.  Blocks for the network; a program as long as its
 * turn and its timeout take.
 */
STATUS dns_provider_put(const struct dns_provider *provider,
    struct dns_resolver *resolver, const struct dns_provider_record *record,
    bool is_removal, char ret_why[PROBLEM_MAX]);

#endif
