/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The part of hsm.h that imports and wrapped pools need, for tests that have a
 * token of their own and try neither.
 */

#include "hsm/hsm.h"

static struct status
none(void)
{
	return status_fail(STATUS_UNIMPLEMENTED, "not in this test");
}

STATUS
hsm_generate_wrapped(struct hsm *hsm, enum key_alg alg, bool keeps,
    int64_t deadline_ns, struct hsm_key *ret_key, struct hsm_blob *ret_blob)
{
	(void)keeps;
	(void)hsm, (void)alg, (void)deadline_ns, (void)ret_key, (void)ret_blob;
	return none();
}

STATUS
hsm_unwrap(struct hsm *hsm, const struct hsm_import *import,
    int64_t deadline_ns, struct hsm_key *ret_key)
{
	(void)hsm, (void)import, (void)deadline_ns, (void)ret_key;
	return none();
}

STATUS
hsm_unwrap_wrapped(struct hsm *hsm, const struct hsm_import *import,
    int64_t deadline_ns, struct hsm_key *ret_key, struct hsm_blob *ret_blob)
{
	(void)hsm, (void)import, (void)deadline_ns, (void)ret_key,
	    (void)ret_blob;
	return none();
}

STATUS
hsm_unwraps(struct hsm *hsm, int64_t deadline_ns, unsigned *ret_algorithms)
{
	(void)hsm, (void)deadline_ns, (void)ret_algorithms;
	return none();
}

STATUS
hsm_wrapping_key(struct hsm *hsm, const char *label, int64_t deadline_ns,
    struct hsm_wrapping *ret_wrapping)
{
	(void)hsm, (void)label, (void)deadline_ns, (void)ret_wrapping;
	return none();
}
