/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CONSOLE_LIVE_H
#define CERTD_CONSOLE_LIVE_H

#include <stdbool.h>
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
 *
 * Nobody keeps others out: one more of a caller than LIVE_OF_CALLER_MAX ends
 * the oldest of that caller, one more than LIVE_VIEWERS_MAX the oldest of the
 * account that has most.
 */
struct live;
struct live_viewer;

#define LIVE_VIEWERS_MAX 256
#define LIVE_OF_CALLER_MAX 16 /* of one caller at once */
#define LIVE_TEXT_MAX 256     /* of what is to be sent at once */

/* Who may look on, as certd/api.h has it. */
#define LIVE_ALLOW ALLOW_READ
#define LIVE_SCOPES                                                            \
	(SCOPE_CERTIFICATES_READ | SCOPE_RESOURCES_READ | SCOPE_ACCOUNT_READ)

struct live_config {
	struct store *store; /* borrowed */
	/* 0: what stands behind it. */
	unsigned look_ms;  /* between looks: 500 */
	unsigned beat_ms;  /* of silence before a comment is sent: 10000 */
	unsigned check_ms; /* between looks whether it may stay: 15000 */
};

/* A viewer's owner, as it is called from live's thread, and from those of
 * live_join and live_stop; ctx is its own. */
struct live_ops {
	/* There is something to be read, or it is over.  Must not block. */
	void (*wake)(void *ctx);
	/* May it look on still, as the same caller?  May block for the disk. */
	bool (*may_stay)(void *ctx);
	/* After live_leave: nothing is called any more. */
	void (*done)(void *ctx);
};

STATUS live_new(const struct live_config *config, struct live **ret_live);
/* All viewers are over, and woken; nobody joins any more, and only done is
 * called any more when it returns.  Again: nothing.  NULL is allowed. */
void live_stop(struct live *live);
/* Everybody has left.  NULL is allowed. */
void live_free(struct live *live);
SCOPED_RELEASE(live_free, struct live *);

/* Where all is now that the caller may be told of: for live_join, when it has
 * read meanwhile.  NOT_FOUND: its account is gone. */
#define LIVE_POSITION_MAX 192 /* octets, with the closing zero */
STATUS live_position(struct db_tx *tx, const struct caller *caller,
    char ret_position[LIVE_POSITION_MAX]);

/*
 * It is told of what changes from the position on; NULL: from now on.  May
 * block for the disk; the caller holds no transaction.  ops is borrowed until
 * done.  When it fails nothing is called.  INVALID_ARGUMENT: the position is
 * none.
 */
STATUS live_join(struct live *live, const struct caller *caller,
    const char *position, const struct live_ops *ops, void *ctx,
    struct live_viewer **ret_viewer);
/* Quick; viewer is gone.  NULL is allowed. */
void live_leave(struct live_viewer *viewer);

/*
 * What is to be sent now, as text/event-stream has it, at most max octets,
 * which are LIVE_TEXT_MAX or more; 0: nothing.  The first time and when nothing
 * was said for long it is a comment, which keeps proxies from closing.  Quick.
 */
size_t live_read(struct live_viewer *viewer, char *to, size_t max);
/* It ends: certd stops, it may not look on, or others took its place. */
bool live_is_over(struct live_viewer *viewer);

#endif
