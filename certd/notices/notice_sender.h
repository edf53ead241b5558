/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_SENDER_H
#define CERTD_NOTICES_NOTICE_SENDER_H

#include <stdint.h>

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/notices/notice_event.h"
#include "certd/notices/notice_post.h"
#include "certd/secrets.h"
#include "certd/store.h"

/*
 * Sends what is queued, on threads of its own.  Any number of these may work on
 * one database: a row is claimed before it is sent.  Between a server's yes and
 * the commit that keeps it lies a moment in which an end by force makes a
 * notice go out twice; a mail has the same Message-ID then, a webhook the same
 * delivery.
 */
struct notice_sender;

struct notice_sender_config {
	struct store *store; /* all borrowed */
	struct notice_post *post;
	const struct secrets *secrets;
	const char *console_url; /* "": mails have no link that stops them */
	int64_t gather_s;        /* the notice_teller's */
	/* NULL: not counted. */
	struct metric_counter *sent[NOTICE_EVENTS], *failed[NOTICE_EVENTS];
};

STATUS notice_sender_new(const struct notice_sender_config *config,
    struct notice_sender **ret_sender);
STATUS notice_sender_start(struct notice_sender *sender);
/* Waits for what is on its way. */
void notice_sender_stop(struct notice_sender *sender);
void notice_sender_free(struct notice_sender *sender); /* NULL is allowed */
SCOPED_RELEASE(notice_sender_free, struct notice_sender *);

/* Something was queued.  Any thread. */
void notice_sender_wake(struct notice_sender *sender);
/* Empty, or why no mail is sent.  Any thread. */
void notice_sender_trouble(
    struct notice_sender *sender, char ret_why[NOTICE_POST_WHY_MAX]);

/* How long a notice rests that failed so often (at least once); pure. */
int64_t notice_sender_pause_s(unsigned attempts);

#endif
