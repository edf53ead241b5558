/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fields of enrollments, each with the sentence that says how it should be.
 * Refused is what no CA would take (Ed25519 keys, more than 100 names), what
 * cannot be validated as asked (a wildcard by http-01), what certd.yaml does
 * not have, and names whose visitors are somebody else's.
 */

#include "certd/enrollment_fields.h"

#include <stdio.h>
#include <string.h>

#include "certd/known_names.h"
#include "certd/provider_access.h"
#include "certd/resource_fields.h"
#include "certd/store_contacts.h"
#include "certd/store_resources.h"
#include "certd/text.h"
#include "proto/message.h"

#define COMMON_NAME_MAX 64

static struct status
refuse(void)
{
	return status_fail(
	    STATUS_INVALID_ARGUMENT, "a field of the enrollment is not well");
}

/* ---- texts ---- */

/* A line of less than size octets. */
static struct status
take_line(struct api_call *call, const char *field, const char *text,
    size_t min, char *to, size_t size)
{
	struct status st = text_check_line(call, field, text, min, size - 1);

	if (!failed(st))
		snprintf(to, size, "%s", text);
	return st;
}

STATUS
enrollment_fields_name(
    struct api_call *call, const char *name, struct enrollment_row *row)
{
	return take_line(call, "name", name, 1, row->name, sizeof(row->name));
}

STATUS
enrollment_fields_profile(
    struct api_call *call, const char *profile, struct enrollment_row *row)
{
	return take_line(
	    call, "profile", profile, 0, row->profile, sizeof(row->profile));
}

STATUS
enrollment_fields_chain(
    struct api_call *call, const char *chain, struct enrollment_row *row)
{
	return take_line(call, "preferred_chain", chain, 0,
	    row->preferred_chain, sizeof(row->preferred_chain));
}

/* ---- host names ---- */

STATUS
enrollment_fields_names(struct api_call *call, size_t n, char *const *asked,
    struct names *ret_names)
{
	scoped(names_done) struct names names = { 0 };

	if (n == 0 || n > RESOURCE_HOSTNAMES_MAX)
		return api_explain(call, refuse(),
		    "name 1 to %d host names; there are %zu",
		    RESOURCE_HOSTNAMES_MAX, n);
	for (size_t i = 0; i < n; i++) {
		char name[HOSTNAME_MAX], why[HOSTNAME_WHY_MAX] = "";
		struct status st = hostname_normalize(asked[i], name, why);

		if (failed(st))
			return api_explain(call, st, "%s", why);
		if (names_has(&names, name))
			return api_explain(
			    call, refuse(), "%s is named twice", name);
		if (!names_add(&names, name))
			return message_no_memory();
	}
	*ret_names = names;
	names = (struct names){ 0 };
	return status_ok();
}

STATUS
enrollment_fields_common_name(
    struct api_call *call, const char *name, struct enrollment_row *row)
{
	char normal[HOSTNAME_MAX], why[HOSTNAME_WHY_MAX] = "";
	struct status st;

	if (name[0] == 0) {
		row->common_name[0] = 0;
		return status_ok();
	}
	st = hostname_normalize(name, normal, why);
	if (failed(st))
		return api_explain(call, st, "%s", why);
	if (strlen(normal) > COMMON_NAME_MAX)
		return api_explain(call, refuse(),
		    "a common name has at most %d octets; leave it empty, for "
		    "nothing reads it where there are host names",
		    COMMON_NAME_MAX);
	snprintf(row->common_name, sizeof(row->common_name), "%s", normal);
	return status_ok();
}

/* ---- what certd.yaml has ---- */

STATUS
enrollment_fields_algorithm(
    struct api_call *call, int algorithm, struct enrollment_row *row)
{
	/* The numbers are those of the .proto. */
	enum key_alg alg =
	    algorithm == 0 ? KEY_ALG_EC_P256 : (enum key_alg)algorithm;

	if (alg == KEY_ALG_ED25519)
		return api_explain(call, refuse(),
		    "no public CA takes Ed25519 keys; choose EC P-256 or "
		    "P-384, or RSA of 2048, 3072 or 4096 bits");
	if (key_alg_name(alg) == NULL)
		return api_explain(call, refuse(),
		    "there is no such algorithm of keys; choose EC P-256 or "
		    "P-384, or RSA of 2048, 3072 or 4096 bits");
	row->alg = alg;
	return status_ok();
}

static enum provider_access
access_of(const struct config_dns_provider *provider,
    const struct enrollment_row *row)
{
	return provider_access_of(
	    provider, row->account_name, row->by_operator);
}

/* The providers that serve the row's account may be told of to it. */
STATUS
enrollment_fields_provider(struct api_call *call, const struct config *config,
    const char *name, struct enrollment_row *row)
{
	const struct config_dns_provider *at = config->dns.providers.at;
	struct known_names known = { 0 };
	bool is_there = name[0] == 0;

	for (size_t i = 0; i < config->dns.providers.len; i++) {
		is_there = is_there || strcmp(at[i].name, name) == 0;
		if (access_of(&at[i], row) != PROVIDER_ACCESS_NONE)
			known_names_add(&known, at[i].name);
	}
	if (!is_there)
		return known_names_refuse(call, &known, "dns_provider:", name);
	snprintf(row->dns_provider, sizeof(row->dns_provider), "%s", name);
	return status_ok();
}

STATUS
enrollment_fields_authority(struct api_call *call, const struct config *config,
    const char *name, struct enrollment_row *row)
{
	const struct config_authority *at = config->acme.authorities.at;
	struct known_names known = { 0 };
	bool is_there = name[0] == 0;

	for (size_t i = 0; i < config->acme.authorities.len; i++) {
		if (at[i].standby_only)
			continue;
		is_there = is_there || strcmp(at[i].name, name) == 0;
		known_names_add(&known, at[i].name);
	}
	if (!is_there)
		return known_names_refuse(call, &known, "authority:", name);
	snprintf(row->authority, sizeof(row->authority), "%s", name);
	return status_ok();
}

STATUS
enrollment_fields_network(struct api_call *call, const struct config *config,
    const char *name, struct enrollment_row *row)
{
	const struct network *found =
	    networks_find(&config->all_networks, name);

	if (found == NULL)
		return known_names_refuse_network(
		    call, &config->all_networks, name);
	snprintf(row->network, sizeof(row->network), "%s", found->name);
	return status_ok();
}

STATUS
enrollment_fields_contacts(struct db_tx *tx, struct api_call *call, size_t n,
    const int64_t *contacts, struct enrollment_row *row)
{
	struct store_contact contact;

	if (n > ENROLLMENT_CONTACTS_MAX)
		return api_explain(call, refuse(),
		    "an enrollment has at most %d contacts",
		    ENROLLMENT_CONTACTS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct status st =
		    store_contacts_get(tx, contacts[i], &contact);

		if (failed(st) && st.code != STATUS_NOT_FOUND)
			return st;
		if (failed(st) || contact.account != row->account)
			return api_explain(call, refuse(),
			    "account %s has no contact %lld", row->account_name,
			    (long long)contacts[i]);
	}
	row->n_contacts = n;
	if (n > 0)
		memcpy(row->contacts, contacts, n * sizeof(contacts[0]));
	return status_ok();
}

/* ---- what goes together ---- */

static const char *
find_wildcard(const struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (hostname_is_wildcard(names->at[i]))
			return names->at[i];
	return NULL;
}

static bool
has_access(const struct config *config, const struct enrollment_row *row)
{
	const struct config_dns_provider *at = config->dns.providers.at;

	for (size_t i = 0; i < config->dns.providers.len; i++)
		if (access_of(&at[i], row) != PROVIDER_ACCESS_NONE)
			return true;
	return false;
}

int
enrollment_fields_validation(const struct config *config,
    const struct enrollment_row *row, const struct names *names)
{
	if (find_wildcard(names) == NULL)
		return VALIDATION_HTTP_01;
	return has_access(config, row) ? VALIDATION_DNS_01
				       : VALIDATION_DNS_01_BY_HAND;
}

/* Where a CNAME leads is seen when the challenge is prepared. */
static struct status
check_access(struct api_call *call, const struct config *config,
    const struct enrollment_row *row)
{
	const struct config_dns_provider *at = config->dns.providers.at;
	const char *which = row->dns_provider;
	bool may = which[0] == 0 && has_access(config, row);

	for (size_t i = 0; i < config->dns.providers.len && which[0] != 0; i++)
		may =
		    may || (strcmp(at[i].name, which) == 0 &&
			       access_of(&at[i], row) != PROVIDER_ACCESS_NONE);
	if (may)
		return status_ok();
	return api_explain(call,
	    status_fail(STATUS_PERMISSION_DENIED,
		"the DNS provider does not serve the account"),
	    "%s%s does not serve account %s: validate by http-01 or by hand, "
	    "or ask the operator, who can name the host names or list the "
	    "account in certd.yaml (dns.providers, accounts)",
	    which[0] != 0 ? "DNS provider "
			  : "what certd.yaml has as "
			    "DNS providers",
	    which, row->account_name);
}

static struct status
check_validation(struct api_call *call, const struct config *config,
    const struct enrollment_row *row, const struct names *names)
{
	const char *wildcard = find_wildcard(names);

	if (row->validation < VALIDATION_HTTP_01 ||
	    row->validation > VALIDATION_DNS_PERSIST_01)
		return api_explain(
		    call, refuse(), "there is no such kind of validation");
	if (row->validation == VALIDATION_HTTP_01 && wildcard != NULL)
		return api_explain(call, refuse(),
		    "%s is a wildcard, which CAs validate by DNS only: choose "
		    "dns-01 (by a provider or by hand) or dns-persist-01",
		    wildcard);
	if (row->validation == VALIDATION_DNS_01 &&
	    config->dns.providers.len == 0)
		return api_explain(call, refuse(),
		    "dns-01 takes a DNS provider, and certd.yaml has none "
		    "(dns.providers); choose dns-01 by hand or dns-persist-01");
	if (row->validation != VALIDATION_DNS_01 && row->dns_provider[0] != 0)
		return api_explain(call, refuse(),
		    "a DNS provider goes with validation by dns-01; leave it "
		    "out");
	/* Its record names certd, which is all accounts, at the CA. */
	if (row->validation == VALIDATION_DNS_PERSIST_01 && !row->by_operator)
		return api_explain(call,
		    status_fail(STATUS_PERMISSION_DENIED,
			"dns-persist-01 is for operators"),
		    "a record of dns-persist-01 is for all accounts of certd, "
		    "so operators alone choose it; ask one, or validate by "
		    "http-01 or dns-01");
	return row->validation == VALIDATION_DNS_01
		   ? check_access(call, config, row)
		   : status_ok();
}

STATUS
enrollment_fields_check(struct api_call *call, const struct config *config,
    const struct enrollment_row *row, const struct names *names)
{
	struct status st = check_validation(call, config, row, names);

	if (failed(st))
		return st;
	if (row->common_name[0] != 0 && !names_has(names, row->common_name))
		return api_explain(call, refuse(),
		    "the common name %s is none of the host names; name one of "
		    "them, or none",
		    row->common_name);
	if (row->standby && config->acme.standby[0] == 0)
		return api_explain(call, refuse(),
		    "a standby certificate comes from a CA of its own, and "
		    "certd.yaml names none (acme.standby)");
	return st;
}

/* ---- whose names they are ---- */

/* *ret_is: a resource of another account has it as it stands here. */
static struct status
is_foreign(struct db_tx *tx, int64_t account, const char *name, bool *ret_is,
    bool *ret_is_own)
{
	struct resource_row row;
	int64_t holder = 0;
	struct status st = store_resources_holder(tx, name, &holder);

	*ret_is = *ret_is_own = false;
	if (!failed(st))
		st = store_resources_load(tx, holder, &row);
	if (failed(st))
		return st.code == STATUS_NOT_FOUND ? status_ok() : st;
	*ret_is = row.account != account;
	*ret_is_own = !*ret_is;
	return st;
}

static struct status
check_one(struct db_tx *tx, struct api_call *call, const char *zone,
    const struct enrollment_row *row, const char *name)
{
	char wildcard[HOSTNAME_MAX + 1];
	bool is = false, is_own = false;
	struct status st = is_foreign(tx, row->account, name, &is, &is_own);

	if (failed(st) || is_own)
		return st;
	if (!is && resource_fields_in_zone(zone, name) && !row->by_operator)
		return api_explain(call,
		    status_fail(STATUS_PERMISSION_DENIED,
			"the operator's zone is not the caller's"),
		    "%s is in the operator's zone %s; only the resource that "
		    "has it gets a certificate for it",
		    name, zone);
	if (!is && !hostname_is_wildcard(name)) {
		snprintf(wildcard, sizeof(wildcard), "*%s", strchr(name, '.'));
		st = is_foreign(tx, row->account, wildcard, &is, &is_own);
	}
	if (failed(st) || !is)
		return st;
	return api_explain(call,
	    status_fail(STATUS_ALREADY_EXISTS,
		"another account's resource serves the host name"),
	    "%s is served by another resource already; a host name has one "
	    "resource, and that one gets its certificates. If it is yours, ask "
	    "the operator",
	    name);
}

STATUS
enrollment_fields_check_owner(struct db_tx *tx, struct api_call *call,
    const char *zone, const struct enrollment_row *row,
    const struct names *names)
{
	struct status st = status_ok();

	for (size_t i = 0; i < names->n && !failed(st); i++)
		if (strchr(names->at[i], '.') != NULL)
			st = check_one(tx, call, zone, row, names->at[i]);
	return st;
}
