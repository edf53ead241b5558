/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_LIMITER_WINDOW_H
#define CERTD_LIMITER_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the limiter counts with: moments within a sliding window, for one thing
 * or for each of many by name.  Not thread-safe; times are monotonic
 * nanoseconds, and are added in their order.  When memory ends something is not
 * counted.
 */
struct window {
	int64_t *at; /* ascending from first */
	size_t first, n, max;
};

void window_done(struct window *window);
/* Forget what happened at or before then. */
void window_forget(struct window *window, int64_t then_ns);
void window_add(struct window *window, int64_t at_ns);
/* Take the newest one back. */
void window_take_back(struct window *window);
/* How long until fewer than limit (not 0) are in the last span_ns; 0: now. */
int64_t window_wait(
    struct window *window, uint64_t limit, int64_t span_ns, int64_t now_ns);

/* By name. */
struct windows {
	struct windows_entry **slots;
	size_t n_slots, n;
};
struct windows_entry {
	struct windows_entry *next;
	struct window window;
	int64_t paused_until_ns; /* 0: not */
	char name[];
};

void windows_done(struct windows *windows);
/* NULL when there is none. */
struct windows_entry *windows_find(
    const struct windows *windows, const char *name);
/* Made if need be; NULL when memory ends.  Others may be forgotten, that have
 * nothing after then_ns. */
struct windows_entry *windows_get(
    struct windows *windows, const char *name, int64_t then_ns);
/* The most that one of them has after then_ns. */
size_t windows_fullest(struct windows *windows, int64_t then_ns);

#endif
