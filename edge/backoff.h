/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_BACKOFF_H
#define EDGE_BACKOFF_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define BACKOFF_FIRST_NS (100 * NS_PER_MS)
#define BACKOFF_MAX_NS (5 * NS_PER_S)

/*
 * How long to wait before the next attempt after that many failures in a row:
 * not at all until each endpoint was tried once, then doubling to the maximum,
 * from half of it to all of it by chance, so that edges that lost the same keyd
 * do not come back in step.
 */
int64_t backoff_ns(unsigned fails, size_t n_endpoints);

#endif
