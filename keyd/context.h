/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_CONTEXT_H
#define KEYD_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/signing.h"
#include "base/status.h"
#include "keyd/policy.h"
#include "ledger/entry.h"

/* What the configuration has to say; borrowed. */
struct context_rules {
	/* "host" or "host:port", exactly as in a URL; none: no ACME. */
	const char *const *acme_hosts;
	size_t n_acme_hosts;
};

/*
 * Names that content speaks for, each followed by a zero octet, for the record:
 * a CSR's subject and SANs, the URL of an ACME request.  Printable ASCII, other
 * octets as '?'; "..." is the last of a list that was cut.
 */
struct context_names {
	size_t len;
	bool is_cut;
	uint8_t at[ENTRY_NAMES_MAX];
};

/*
 * Know what you sign: is this content what its context claims, and may a key of
 * this algorithm sign it with this scheme?  Content that passes for one context
 * passes for no other.  Every why is static and says what to send instead.
 * Names are set as far as they were read, also on failure.  Pure; any thread.
 */
STATUS context_check(const struct context_rules *rules,
    enum sign_context context, unsigned scheme, const struct policy_key *key,
    struct bytes content, struct context_names *ret_names);

#endif
