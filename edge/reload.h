/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_RELOAD_H
#define EDGE_RELOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "edge/hook.h"

/*
 * Tells the web server of changed files: HAProxy by its runtime API where that
 * is configured, else, or when HAProxy does not take one, by the hook.  A
 * thread of its own: changes that come within 200 ms, or while the hook runs,
 * are one more run.  What failed is tried again, after 1 s up to 5 minutes.
 */
struct reload;

struct reload_config {
	char *const *hook;          /* NULL: none; ends with NULL */
	const char *haproxy_socket; /* NULL: none */
	const char *dir;            /* of files.h */
	int64_t hook_timeout_ns;    /* 0: 60 s */
	/*
	 * After each attempt: all that was due before serial is told, or why
	 * not ("" on success).  On the thread; must not block for long.
	 */
	void (*done)(
	    void *ctx, uint64_t serial, struct status st, const char *why);
	void *ctx;
	struct metrics *metrics;
};

STATUS reload_new(
    const struct reload_config *config, struct reload **ret_reload);
/* A hook that runs is killed.  NULL is allowed. */
void reload_free(struct reload *reload);
SCOPED_RELEASE(reload_free, struct reload *);

/*
 * Files of these host names have changed (copied); serial grows from call to
 * call.  whole: others have gone, which HAProxy cannot be told by name.  Any
 * thread, never blocks.
 */
void reload_due(struct reload *reload, uint64_t serial,
    const char *const *hosts, size_t n_hosts, bool whole);

#endif
