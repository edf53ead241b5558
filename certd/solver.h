/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_SOLVER_H
#define CERTD_SOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/config.h"
#include "certd/http_challenges.h"
#include "certd/store.h"
#include "certd/store_changes.h"
#include "dns/resolver.h"

/*
 * Puts challenges in place and takes them away again, whichever way they go:
 * http-01 at the edges and on certd's own port, dns-01 by a provider of
 * certd.yaml (RFC 2136, acme-dns, a program), by hand, dns-persist-01.
 * Which way is the row's type, and the enrollment's validation (by hand) and
 * dns_provider (empty: whose zones hold the name).
 *
 * Idempotent: each may be called again after a crash.  Any thread; blocks for
 * the network, up to 30 s, and for a provider's program as long as its turn and
 * its timeout take.
 */
struct solver;

struct solver_config {
	const struct config *config; /* all borrowed */
	struct dns_resolver *resolver;
	struct http_challenges *http;
	/* For the edge group of a resource; NULL: all edges count. */
	struct store *store;
};

/* Before the sandbox and before threads: read the secrets of DNS providers.
 * config lives as long as the solver.  hook_runner_start comes before. */
STATUS solver_preload(const struct config *config, char ret_why[PROBLEM_MAX]);

/* Without solver_preload it does that itself. */
STATUS solver_new(
    const struct solver_config *config, struct solver **ret_solver);
void solver_free(struct solver *solver); /* NULL is allowed */
SCOPED_RELEASE(solver_free, struct solver *);

/*
 * What the challenge type needs is filled in (dns_name, dns_target after
 * CNAMEs, empty: the same; dns_value), from hostname, type, key_authorization
 * and, for dns-persist-01, issuer_domain and the account's URL.
 * FAILED_PRECONDITION: no provider has a zone that holds the name, ...; ret_why
 * says what to configure or to put into the DNS.  PERMISSION_DENIED: one has,
 * and does not serve the enrollment's account (certd/provider_access.h).
 * UNAVAILABLE: the DNS did not answer.
 */
STATUS solver_prepare(struct solver *solver, const struct enrollment_row *of,
    const char *issuer_domain, const char *account_url,
    struct challenge_row *row, char ret_why[PROBLEM_MAX]);

/* Put it in place.  By hand and persistent: nothing is done, and that is OK. */
STATUS solver_present(struct solver *solver, const struct enrollment_row *of,
    const struct challenge_row *row, char ret_why[PROBLEM_MAX]);

/*
 * Is it seen in place by those whom the CA will ask (every edge of the group
 * that has a stream, every authoritative server)?  *ret_in_place; else ret_why
 * says who has it not, and *ret_retry_ms when to look again.
 *
 * It keeps the time, from the first look on, in memory.  http-01: after 30 s it
 * goes on without edges that do not confirm, for one that hangs must not stop
 * issuance; FAILED_PRECONDITION when none has (or there is none) and there is
 * no acme.http_listen.  dns-01: FAILED_PRECONDITION after the provider's
 * propagation_timeout.  By hand and persistent: never.
 */
STATUS solver_check(struct solver *solver, const struct enrollment_row *of,
    const struct challenge_row *row, bool *ret_in_place, int64_t *ret_retry_ms,
    char ret_why[PROBLEM_MAX]);

/* Take it away, this challenge's own record alone.  Done as well as it can be;
 * failures are logged. */
void solver_clean(struct solver *solver, const struct enrollment_row *of,
    const struct challenge_row *row);

#endif
