/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_RESOLVER_INT_H
#define DNS_RESOLVER_INT_H

#include <stdatomic.h>

#include <string.h>

#include "base/clock.h"
#include "dns/resolver.h"

/* For the files of dns/ alone. */

struct dns_resolver {
	size_t n_servers; /* 0: the system's */
	char servers[DNS_CONFIGURED_MAX][64];
	unsigned timeout_ms;
	uint16_t authoritative_port;
	/* Whom to ask first: not one that did not answer last time. */
	atomic_size_t first;
};

/* The first record of that type at name, which is as answers have names. */
static inline const struct dns_record *
resolver_find(
    const struct dns_answer *answer, const char *name, enum dns_type type)
{
	for (size_t i = 0; i < answer->n_records; i++)
		if (answer->records[i].type == type &&
		    strcmp(answer->records[i].name, name) == 0)
			return &answer->records[i];
	return NULL;
}

/* The server says something about the name: that it has, or has not. */
static inline bool
resolver_is_told(const struct dns_answer *answer)
{
	return answer->code == DNS_OK || answer->code == DNS_NXDOMAIN;
}

#define RESOLVER_LABELS_MAX 128

/* Rounds of questions that each lead to the next one end by then: so many times
 * as long as one question may take. */
#define RESOLVER_ROUNDS 3
static inline int64_t
resolver_until_ns(const struct dns_resolver *resolver)
{
	return clock_mono_ns() +
	       RESOLVER_ROUNDS * (int64_t)resolver->timeout_ms * NS_PER_MS;
}

#endif
