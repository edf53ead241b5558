/* SPDX-License-Identifier: Apache-2.0 */

/* Policies for tests, from lists as they are written there. */

#include "tests/fake/policy_of.h"

#include <assert.h>

#define GRANTS_MAX 64

struct policy *
policy_of(const struct policy_key *keys, size_t n_keys,
    const struct test_grant *grants, size_t n_grants,
    const struct policy_rules *rules)
{
	struct policy_draft *draft = NULL;
	struct status st = policy_draft_new(NULL, &draft);

	for (size_t k = 0; k < n_keys && !failed(st); k++) {
		struct policy_grant of_key[GRANTS_MAX];
		size_t n = 0;

		for (size_t g = 0; g < n_grants; g++)
			if (key_id_equal(&grants[g].key, &keys[k].id)) {
				assert(n < GRANTS_MAX);
				of_key[n++] = grants[g].grant;
			}
		st = policy_draft_key(draft, &keys[k], of_key, n);
	}
	if (!failed(st) && rules != NULL)
		st = policy_draft_rules(draft, rules);
	assert(!failed(st));
	return policy_draft_done(draft);
}
