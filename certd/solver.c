/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Challenges, by their type.  Where a TXT record is to be is asked of the DNS
 * each time it is prepared (certd/txt_place.h).  What was prepared stands in
 * the row, and later steps go by the row alone.
 */

#include "certd/solver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acme/client.h"
#include "base/clock.h"
#include "base/log.h"
#include "certd/dns_provider.h"
#include "certd/solver_int.h"
#include "certd/solver_persist.h"
#include "certd/txt_place.h"

#define HTTP_PATIENCE_NS (30 * NS_PER_S)

/* ---- what is to be where ---- */

static bool
is_type(const struct challenge_row *row, const char *type)
{
	return strcmp(row->type, type) == 0;
}

static const char *
base_of(const struct challenge_row *row)
{
	return strncmp(row->hostname, "*.", 2) == 0 ? row->hostname + 2
						    : row->hostname;
}

static const char *
place_of(const struct challenge_row *row)
{
	return row->dns_target[0] != 0 ? row->dns_target : row->dns_name;
}

static bool
is_by_hand(const struct enrollment_row *of)
{
	return of->validation == VALIDATION_DNS_01_BY_HAND;
}

static bool
print_name(const char *label, const char *base, char *ret_name, size_t max)
{
	int n = snprintf(ret_name, max, "%s.%s", label, base);

	/* RFC 1035 2.3.4 */
	return n > 0 && (size_t)n < max && n <= 253;
}

static struct status
judge_chain(const struct dns_chain *chain, char *ret_why)
{
	const char *last =
	    chain->n_hops > 0 ? chain->hops[chain->n_hops - 1] : "";

	switch (chain->end) {
	case DNS_CHAIN_LOOP:
	case DNS_CHAIN_TOO_LONG:
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "the CNAMEs of %.253s %s; correct them in the DNS",
		    chain->hops[0],
		    chain->end == DNS_CHAIN_LOOP ? "lead in a circle"
						 : "are too many");
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the CNAMEs of _acme-challenge lead nowhere");
	case DNS_CHAIN_FAILED:
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "the DNS does not say where %.253s leads: %s at %.253s",
		    chain->hops[0], dns_code_name(chain->code), last);
		return status_fail(
		    STATUS_UNAVAILABLE, "the DNS did not answer");
	default:
		return status_ok();
	}
}

/* Where CNAMEs of row->dns_name end. */
static struct status
find_target(struct solver *solver, struct challenge_row *row, char *ret_why)
{
	scoped(free) struct dns_chain *chain = calloc(1, sizeof(*chain));
	struct status st;

	if (chain == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	st = txt_place_find(solver->config.resolver, row->dns_name, chain);
	if (!failed(st))
		st = judge_chain(chain, ret_why);
	if (failed(st))
		return st;
	row->dns_target[0] = 0;
	if (chain->n_hops >= 2)
		(void)!snprintf(row->dns_target, sizeof(row->dns_target), "%s",
		    chain->hops[chain->n_hops - 1]);
	return st;
}

/* ---- by whom ---- */

static struct status
not_for_account(const struct enrollment_row *of,
    const struct challenge_row *row, const struct dns_provider *provider,
    char *ret_why)
{
	const char *zone = dns_provider_delegation_zone(provider);
	int n = snprintf(ret_why, PROBLEM_MAX,
	    "the DNS provider %s puts nothing at %.253s for account %s; ",
	    dns_provider_name(provider), place_of(row), of->account_name);

	if (zone[0] != 0)
		n += snprintf(ret_why + n, PROBLEM_MAX - (size_t)n,
		    "put into the DNS: _acme-challenge.%.180s. CNAME "
		    "LABEL.%s.%.100s. (LABEL is of your choice), or ",
		    base_of(row), of->account_name, zone);
	(void)!snprintf(ret_why + n, PROBLEM_MAX - (size_t)n,
	    "validate by hand, or ask the operator, who can name the host "
	    "names or list the account (dns.providers, accounts)");
	return status_fail(STATUS_PERMISSION_DENIED,
	    "the DNS provider does not serve the account");
}

static struct status
find_named(const struct enrollment_row *of, const struct challenge_row *row,
    const struct dns_provider **ret_provider, char *ret_why)
{
	const struct dns_provider *found = dns_provider_find(of->dns_provider);

	if (found == NULL) {
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "there is no DNS provider named %s in dns.providers of "
		    "certd.yaml",
		    of->dns_provider);
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "there is no such DNS provider");
	}
	if (!dns_provider_may(found, of, row->dns_target))
		return not_for_account(of, row, found, ret_why);
	*ret_provider = found;
	return status_ok();
}

static struct status
find_provider(const struct enrollment_row *of, const struct challenge_row *row,
    const struct dns_provider **ret_provider, char *ret_why)
{
	const struct dns_provider *found;

	if (of->dns_provider[0] != 0)
		return find_named(of, row, ret_provider, ret_why);
	found = dns_provider_of(place_of(row), of, row->dns_target);
	if (found == NULL) {
		/* acme-dns may have it, where the CNAME is still to come. */
		found = dns_provider_of(row->dns_name, of, "");
		if (found != NULL && !dns_provider_is_delegate(found))
			found = NULL;
	}
	if (found != NULL) {
		*ret_provider = found;
		return status_ok();
	}
	found = dns_provider_of(place_of(row), NULL, "");
	if (found != NULL)
		return not_for_account(of, row, found, ret_why);
	(void)!snprintf(ret_why, PROBLEM_MAX,
	    "no DNS provider has a zone that holds %.253s; add one to "
	    "dns.providers of certd.yaml, make %.253s a CNAME into a zone that "
	    "one has, or validate by hand",
	    place_of(row), row->dns_name);
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "no DNS provider has a zone that holds the name");
}

static struct dns_provider_record
record_of(const struct challenge_row *row)
{
	return (struct dns_provider_record){ .hostname = base_of(row),
		.name = place_of(row),
		.value = row->dns_value };
}

/* ---- preparing ---- */

static struct status
too_long(const struct challenge_row *row, char *ret_why)
{
	(void)!snprintf(ret_why, PROBLEM_MAX,
	    "%.253s is too long for a TXT record before it", row->hostname);
	return status_fail(
	    STATUS_FAILED_PRECONDITION, "the host name is too long");
}

static struct status
prepare_dns(struct solver *solver, const struct enrollment_row *of,
    struct challenge_row *row, char *ret_why)
{
	const struct dns_provider *provider = NULL;
	struct dns_provider_record record;
	struct status st;

	if (!print_name("_acme-challenge", base_of(row), row->dns_name,
		sizeof(row->dns_name)))
		return too_long(row, ret_why);
	acme_dns_value(row->key_authorization, row->dns_value);
	st = find_target(solver, row, ret_why);
	if (failed(st) || is_by_hand(of))
		return st;
	st = find_provider(of, row, &provider, ret_why);
	if (failed(st))
		return st;
	record = record_of(row);
	return dns_provider_check(provider, &record, ret_why);
}

static struct status
prepare_persist(struct solver *solver, const struct enrollment_row *of,
    const char *issuer_domain, const char *account_url,
    struct challenge_row *row, char *ret_why)
{
	if (!print_name("_validation-persist", base_of(row), row->dns_name,
		sizeof(row->dns_name)))
		return too_long(row, ret_why);
	/* The record names certd at the CA, and not whose wish it was. */
	if (!of->by_operator) {
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "dns-persist-01 is for host names that an operator has "
		    "given the enrollment; ask the operator, or choose another "
		    "validation");
		return status_fail(STATUS_PERMISSION_DENIED,
		    "dns-persist-01 is for the operator's enrollments");
	}
	if (issuer_domain == NULL || issuer_domain[0] == 0 ||
	    account_url == NULL || account_url[0] == 0) {
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "the CA names no domain of its own for dns-persist-01, or "
		    "has no account of ours");
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "dns-persist-01 lacks the CA's domain or the account");
	}
	if (!solver_persist_print(issuer_domain, account_url,
		row->hostname[0] == '*', row->dns_value,
		sizeof(row->dns_value))) {
		(void)!snprintf(ret_why, PROBLEM_MAX,
		    "the account's URL is too long for a TXT record");
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "the account's URL is too long");
	}
	return find_target(solver, row, ret_why);
}

static struct status
unknown_type(const struct challenge_row *row, char *ret_why)
{
	(void)!snprintf(ret_why, PROBLEM_MAX,
	    "challenges of type %s cannot be put in place", row->type);
	return status_fail(
	    STATUS_UNIMPLEMENTED, "a challenge of this type is not known");
}

STATUS
solver_prepare(struct solver *solver, const struct enrollment_row *of,
    const char *issuer_domain, const char *account_url,
    struct challenge_row *row, char ret_why[PROBLEM_MAX])
{
	struct status st;

	ret_why[0] = 0;
	if (is_type(row, "http-01"))
		return status_ok();
	if (is_type(row, "dns-01"))
		st = prepare_dns(solver, of, row, ret_why);
	else if (is_type(row, "dns-persist-01"))
		st = prepare_persist(
		    solver, of, issuer_domain, account_url, row, ret_why);
	else
		st = unknown_type(row, ret_why);
	if (failed(st) && ret_why[0] == 0)
		(void)!snprintf(ret_why, PROBLEM_MAX, "%s", st.why);
	return st;
}

/* ---- putting there and taking away ---- */

static struct status
put_dns(struct solver *solver, const struct enrollment_row *of,
    const struct challenge_row *row, bool is_removal, char *ret_why)
{
	const struct dns_provider_record record = record_of(row);
	const struct dns_provider *provider = NULL;
	struct status st;

	if (is_by_hand(of))
		return status_ok();
	st = find_provider(of, row, &provider, ret_why);
	/* What was put there while it might is taken away though it may not. */
	if (is_removal && st.code == STATUS_PERMISSION_DENIED) {
		struct enrollment_row any = *of;

		any.by_operator = true;
		st = find_provider(&any, row, &provider, ret_why);
	}
	if (failed(st))
		return st;
	return dns_provider_put(
	    provider, solver->config.resolver, &record, is_removal, ret_why);
}

STATUS
solver_present(struct solver *solver, const struct enrollment_row *of,
    const struct challenge_row *row, char ret_why[PROBLEM_MAX])
{
	struct status st;

	ret_why[0] = 0;
	if (is_type(row, "http-01"))
		st = http_challenges_add(
		    solver->config.http, row->token, row->key_authorization);
	else if (is_type(row, "dns-01"))
		st = put_dns(solver, of, row, false, ret_why);
	else if (is_type(row, "dns-persist-01"))
		st = status_ok();
	else
		st = unknown_type(row, ret_why);
	if (failed(st) && ret_why[0] == 0)
		(void)!snprintf(ret_why, PROBLEM_MAX, "%s", st.why);
	return st;
}

void
solver_clean(struct solver *solver, const struct enrollment_row *of,
    const struct challenge_row *row)
{
	char why[PROBLEM_MAX] = "";
	struct status st = status_ok();

	if (is_type(row, "http-01"))
		http_challenges_remove(solver->config.http, row->token);
	else if (is_type(row, "dns-01"))
		st = put_dns(solver, of, row, true, why);
	solver_wait_end(solver, row);
	if (failed(st))
		log_warn("a TXT record of a challenge could not be taken away; "
			 "it does no harm",
		    LOG_STR("name", place_of(row)),
		    LOG_STR("why", why[0] != 0 ? why : st.why));
}

int64_t
solver_patience_ns(struct solver *solver, const struct enrollment_row *of,
    const struct challenge_row *row)
{
	const struct dns_provider *provider = NULL;
	char why[PROBLEM_MAX];

	if (is_type(row, "http-01"))
		return solver->http_patience_ns;
	if (!is_type(row, "dns-01") || is_by_hand(of) ||
	    failed(find_provider(of, row, &provider, why)))
		return 0;
	return dns_provider_patience_ns(provider);
}

/* ---- the whole ---- */

STATUS
solver_preload(const struct config *config, char ret_why[PROBLEM_MAX])
{
	return dns_provider_preload(config, ret_why);
}

STATUS
solver_new(const struct solver_config *config, struct solver **ret_solver)
{
	char why[PROBLEM_MAX] = "";
	struct status st = status_ok();
	struct solver *solver;

	if (!dns_provider_is_loaded())
		st = solver_preload(config->config, why);
	if (failed(st)) {
		log_error("the DNS providers cannot be used",
		    LOG_STR("why", why[0] != 0 ? why : st.why));
		return st;
	}
	solver = calloc(1, sizeof(*solver));
	if (solver == NULL)
		return status_fail(STATUS_RESOURCE_EXHAUSTED, "out of memory");
	solver->config = *config;
	solver->http_patience_ns = HTTP_PATIENCE_NS;
	pthread_mutex_init(&solver->mutex, NULL);
	*ret_solver = solver;
	return st;
}

void
solver_free(struct solver *solver)
{
	if (solver == NULL)
		return;
	dns_provider_unload();
	solver_wait_end_all(solver);
	pthread_mutex_destroy(&solver->mutex);
	free(solver);
}
