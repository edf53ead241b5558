/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_IMPORT_ROTATION_H
#define KEYD_IMPORT_ROTATION_H

#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "hsm/hsm.h"
#include "keyd/audit.h"
#include "keyd/registry.h"

/*
 * The tokens' wrapping keys for imports, and their life: made when there is
 * none or the newest is rotate_s old, accepted for grace_s after that, then
 * destroyed in the token.  A key that was wrapped and never sent, or sent
 * twice, is worth nothing from then on.
 */
struct import_rotation_config { /* borrowed, as is all that it points to */
	struct registry *registry;
	struct audit *audit;
	struct hsm *const *pools;
	const char *const *pool_names;
	size_t n_pools;
	int64_t rotate_s, grace_s;
};

/*
 * The pool's newest wrapping key, which is made if need be and then is on
 * record as made for peer (a SPIFFE ID, or "keyd init").  ret_until_s: imports
 * with it are accepted at least until then.  Blocks on the token, for seconds
 * when it makes one.
 */
STATUS import_rotation_newest(const struct import_rotation_config *config,
    size_t pool, const char *peer, int64_t deadline_ns,
    struct hsm_wrapping *ret_wrapping, int64_t *ret_until_s);

/* FAILED_PRECONDITION: not a wrapping key of this pool, or no longer. */
STATUS import_rotation_accepts(const struct import_rotation_config *config,
    size_t pool, const struct key_id *id, int64_t now_s,
    struct registry_wrapping *ret_wrapping);

/*
 * Destroy those that are accepted no more, in the token first.  Returns the
 * first failure; the rest is done all the same, and it may be tried again.
 */
STATUS import_rotation_sweep(
    const struct import_rotation_config *config, int64_t now_s);

/* A thread that sweeps; config is copied, what it points to outlives it. */
struct import_rotation;
STATUS import_rotation_start(const struct import_rotation_config *config,
    struct import_rotation **ret_rotation);
/* Waits for a sweep that is under way.  NULL is allowed. */
void import_rotation_stop(struct import_rotation *rotation);
SCOPED_RELEASE(import_rotation_stop, struct import_rotation *);

#endif
