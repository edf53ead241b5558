/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_SOLVER_PERSIST_H
#define CERTD_SOLVER_PERSIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "certd/store_enrollments.h"
#include "dns/resolver.h"

/* The TXT record of dns-persist-01 (draft-ietf-acme-dns-persist). */

/* "ca.example; accounturi=https://...; policy=wildcard"; false: it does not
 * fit. */
bool solver_persist_print(const char *issuer_domain, const char *account_url,
    bool is_wildcard, char *ret_value, size_t max);

/*
 * Does a record that somebody wrote grant what value asks for?  The same issuer
 * (whatever its case) and account, policy=wildcard if value has it, and a
 * persistUntil, if there is one, that is not over.  Other parameters, their
 * order and blanks do not matter (RFC 8659 4.2: issue-value); a parameter that
 * is there twice makes it void.
 */
bool solver_persist_grants(
    const char *record, const char *value, int64_t now_s);

/* Has every authoritative server of the zone that holds name such a record?
 * ret_why: which have not. */
STATUS solver_persist_everywhere(struct dns_resolver *resolver,
    const char *name, const char *value, bool *ret_in_place,
    char ret_why[PROBLEM_MAX]);

#endif
