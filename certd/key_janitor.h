/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_KEY_JANITOR_H
#define CERTD_KEY_JANITOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/custody.h"
#include "certd/store.h"

/*
 * Keys that nothing uses are destroyed at keyd, whose delay and approvals hold:
 * those that are doomed, and those of an intent that was left over.  A thread
 * of its own, which looks when something was committed, and asks again, later
 * and later, while keyd is away.
 */
struct key_janitor;

struct key_janitor_config { /* store and custody are borrowed */
	struct store *store;
	struct custody *custody;
	/* How long an intent may be under way; 0: 600 s. */
	int64_t intent_s;
	/* Once true, a sweep ends after the key that it is at; or NULL. */
	const atomic_bool *stops;
};

STATUS key_janitor_start(
    const struct key_janitor_config *config, struct key_janitor **ret_janitor);
/* Waits for what keyd is being asked just now.  NULL is allowed. */
void key_janitor_stop(struct key_janitor *janitor);
SCOPED_RELEASE(key_janitor_stop, struct key_janitor *);

/*
 * Once through all there is, as the thread does it: intents from before
 * before_s, then the doomed.  UNAVAILABLE and the like: keyd is away, and the
 * rest was left for later.  *ret_left counts the keys that keyd refused.
 */
STATUS key_janitor_sweep(const struct key_janitor_config *config,
    int64_t before_s, size_t *ret_left);

#endif
