/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_SOURCE_H
#define CERTD_NOTICES_NOTICE_SOURCE_H

#include <stdint.h>

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/notices/notice_event.h"
#include "certd/notices/notice_sender.h"
#include "certd/notices/notice_tell.h"
#include "certd/notices/notices.h"

/*
 * The thread that looks for occasions: in the history, among certificates that
 * near their end, at the whole; that cancels what was dealt with before it was
 * sent; and that deletes what is old.
 */
struct notice_source;

struct notice_source_config {
	struct store *store; /* all borrowed */
	struct notice_teller *teller;
	struct notice_sender *sender; /* woken; NULL: none */
	int64_t edge_grace_s;
	notices_health_fn health; /* NULL: keyd is not looked at */
	void *health_ctx;
	/* Or NULL. */
	struct metric_gauge *queued[NOTICE_EVENTS], *oldest_s;
};

STATUS notice_source_new(const struct notice_source_config *config,
    struct notice_source **ret_source);
STATUS notice_source_start(struct notice_source *source);
void notice_source_stop(struct notice_source *source);
void notice_source_free(struct notice_source *source); /* NULL is allowed */
SCOPED_RELEASE(notice_source_free, struct notice_source *);

/* One look at all of it, whatever was looked at when; for tests, and never
 * beside the thread. */
STATUS notice_source_look(struct notice_source *source);

#endif
