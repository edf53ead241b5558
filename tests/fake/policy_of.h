/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_POLICY_OF_H
#define TESTS_FAKE_POLICY_OF_H

#include "keyd/policy.h"

/* A grant, and the key that it is on. */
struct test_grant {
	struct key_id key;
	struct policy_grant grant;
};

/* A policy of these, and nothing else; rules may be NULL. */
struct policy *policy_of(const struct policy_key *keys, size_t n_keys,
    const struct test_grant *grants, size_t n_grants,
    const struct policy_rules *rules);

#endif
