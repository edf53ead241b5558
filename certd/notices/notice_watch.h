/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_WATCH_H
#define CERTD_NOTICES_NOTICE_WATCH_H

#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/notices/notice_tell.h"
#include "certd/notices/notices.h"
#include "certd/store.h"

/*
 * Trouble with the whole: edges that are away, held back or do not serve what
 * they should, keyd, its tokens, and its ledger.  Each is told once it lasts,
 * and its end once that lasts; what is known of it is kept, so that a restart
 * tells nothing again.  One thread.
 */
struct notice_watch;

struct notice_watch_config {
	struct store *store; /* all borrowed */
	struct notice_teller *teller;
	int64_t edge_grace_s;
	notices_health_fn health; /* NULL: nothing is known of keyd */
	void *health_ctx;
};

struct notice_watch *notice_watch_new(
    const struct notice_watch_config *config);      /* NULL when memory ends */
void notice_watch_free(struct notice_watch *watch); /* NULL is allowed */
SCOPED_RELEASE(notice_watch_free, struct notice_watch *);

/* Look at all of it. */
STATUS notice_watch_look(struct notice_watch *watch, int64_t now_s);

#endif
