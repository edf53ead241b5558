/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_POST_H
#define CERTD_NOTICES_NOTICE_POST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/config.h"

/*
 * The one door through which notices leave: mail/ and webhook_send.h, set up
 * from certd.yaml.  Any thread, several at once.
 */
struct notice_post;

#define NOTICE_POST_WHY_MAX 301

/* Reads files that are out of reach later.  ret_why (512 octets). */
STATUS notice_post_preload(const struct config *config, char *ret_why);
STATUS notice_post_new(
    const struct config *config, struct notice_post **ret_post, char *ret_why);
void notice_post_free(struct notice_post *post); /* NULL is allowed */
SCOPED_RELEASE(notice_post_free, struct notice_post *);

/* Is a mail server configured? */
bool notice_post_has_mail(const struct notice_post *post);
/* May a webhook have this URL?  INVALID_ARGUMENT with a sentence. */
STATUS notice_post_check_url(const struct notice_post *post, const char *url);

enum notice_post_end {
	POST_SENT,
	POST_PERMANENT, /* not this one to this recipient */
	POST_TEMPORARY, /* try again later */
	POST_CONFIG     /* no mail at all before a person sees to it */
};

struct notice_post_result {
	enum notice_post_end end;
	char why[NOTICE_POST_WHY_MAX]; /* "" when it was sent */
	int64_t retry_after_s;         /* -1: not said */
	/* Of a mail, TEMPORARY: said of this one or its recipient, while others
	 * may go through. */
	bool is_of_message;
	bool is_gone; /* the webhook's receiver wants no more (410) */
};

struct notice_post_mail {
	const char *to, *subject, *text, *html;
	int64_t date_s;
	const char *id, *thread;     /* as mail/message.h has them */
	const char *unsubscribe_url; /* or NULL */
};
/* Blocks for a minute or two at most. */
void notice_post_mail(struct notice_post *post,
    const struct notice_post_mail *mail, struct notice_post_result *ret_result);

/* No more mails for now: ends idle connections.  Nothing is done when it was
 * called for the last mail already. */
void notice_post_rest(struct notice_post *post);

struct notice_post_hook {
	const char *url, *secret; /* the text that the receiver was shown */
	const char *event, *id, *body;
};
/* Blocks for twenty seconds at most. */
void notice_post_hook(struct notice_post *post,
    const struct notice_post_hook *hook, struct notice_post_result *ret_result);

#endif
