/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CONSOLE_LIVE_H
#define CERTD_CONSOLE_LIVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/caller.h"
#include "certd/store.h"

/*
 * What has changed, told to pages that are open: topics, not contents, and only
 * of what its viewer may see: nobody learns from it when another account does
 * something.  One thread looks after each commit, at most twice a second, for
 * all viewers; what it costs does not grow with what is stored.
 */
struct live;
struct live_viewer;

#define LIVE_VIEWERS_MAX 256
#define LIVE_OF_CALLER_MAX 16 /* of one caller at once */

STATUS live_new(struct store *store, struct live **ret_live);
/* Viewers' wake is not called any more when it returns. */
void live_stop(struct live *live);
void live_free(struct live *live); /* NULL is allowed */
SCOPED_RELEASE(live_free, struct live *);

/* wake(ctx) is called from live's thread whenever there is something to be
 * read; it must not block.  RESOURCE_EXHAUSTED: too many look on. */
STATUS live_join(struct live *live, const struct caller *caller,
    void (*wake)(void *ctx), void *ctx, struct live_viewer **ret_viewer);
void live_leave(struct live_viewer *viewer);

/* What is to be sent now, as text/event-stream has it, at most max octets;
 * 0: nothing.  A heartbeat every 20 s keeps proxies from closing it. */
size_t live_read(struct live_viewer *viewer, char *to, size_t max);

#endif
