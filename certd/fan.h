/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_FAN_H
#define CERTD_FAN_H

#include <stddef.h>

/*
 * Calls that block, at once: fn(ctx, 0) ... fn(ctx, n - 1), each once, on at
 * most FAN_MAX threads besides the caller's; returns when all have.  One alone
 * needs no thread.  Where no thread can be had the caller does it all.
 */
#define FAN_MAX 15
void fan_out(size_t n, void (*fn)(void *ctx, size_t i), void *ctx);

#endif
