/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_KEY_SET_H
#define CERTD_KEY_SET_H

#include <stddef.h>

#include "base/signing.h"
#include "base/status.h"

/* A few keys, none twice.  Starts zeroed; scoped(key_set_done). */
struct key_set {
	struct key_id *at; /* malloc'd */
	size_t n;
};

void key_set_done(struct key_set *set);
static inline void
scoped_key_set_done(struct key_set *set)
{
	key_set_done(set);
}

/* RESOURCE_EXHAUSTED when memory ends. */
STATUS key_set_add(struct key_set *set, const struct key_id *key);

#endif
