/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_CONTEXT_INT_H
#define KEYD_CONTEXT_INT_H

#include "keyd/context.h"

/* Between the keyd/context*.c. */

struct context_ask {
	const struct context_rules *rules;
	const struct sign_scheme_info *scheme;
	const struct policy_key *key;
	struct bytes content;
	struct context_names *names;
};

static inline struct status
context_refuse(const char *why)
{
	return status_fail(STATUS_INVALID_ARGUMENT, why);
}

/* CertificationRequestInfo (RFC 2986 4.1) of this very key. */
struct status context_csr_check(const struct context_ask *ask);

/* JWS signing input of an ACME request (RFC 8555 6.2). */
struct status context_jws_check(const struct context_ask *ask);
/* Would anyone take this for a JWS, however leniently they read? */
bool context_jws_shaped(struct bytes content);

/* Adds one name, or cuts the list. */
void context_name_add(struct context_names *names, struct bytes name);

#endif
