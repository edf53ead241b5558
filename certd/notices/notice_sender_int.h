/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICE_SENDER_INT_H
#define CERTD_NOTICES_NOTICE_SENDER_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "certd/notices/notice_sender.h"
#include "certd/notices/store_notices.h"
#include "certd/notices/store_webhooks.h"

/* What the notice_sender*.c share; nobody else includes it. */

#define SENDER_MAILS 2 /* threads */
#define SENDER_HOOKS 8
#define SENDER_HOOKS_OF_ACCOUNT 2
/* A claim outlives the longest delivery. */
#define SENDER_CLAIM_S 600
#define SENDER_HOST_MAX 256

/* A webhook that is being sent to. */
struct sender_busy {
	int64_t webhook, account; /* webhook 0: the place is free */
	char host[SENDER_HOST_MAX];
};

struct notice_sender {
	struct notice_sender_config config;
	pthread_t threads[SENDER_MAILS + SENDER_HOOKS];
	size_t n_threads;
	atomic_bool stopping;
	pthread_mutex_t mutex; /* guards all below */
	pthread_cond_t wake;
	uint64_t n_wakes;
	/* No mail before then; 0: at once.  Monotonic. */
	int64_t mail_rests_until_ns;
	unsigned mail_failures;    /* in a row */
	unsigned mail_putting_off; /* likewise, of single mails */
	int64_t last_account;      /* whose turn for mail it was last */
	char trouble[NOTICE_POST_WHY_MAX];
	struct sender_busy busy[SENDER_HOOKS];
	int64_t last_hook; /* whose turn it was last */
};

/* Sends one that is due, if there is one; *ret_did: there was.  Failures are of
 * the store. */
STATUS notice_sender_mail(struct notice_sender *sender, bool *ret_did);
STATUS notice_sender_hook(struct notice_sender *sender, bool *ret_did);

/* Is mail, or anything for a webhook, due now? */
STATUS notice_sender_is_due(
    struct notice_sender *sender, bool mail, bool *ret_is);
/* Is it still to be sent?  Cancelled where not, in the transaction that claimed
 * it. */
STATUS notice_sender_check(
    struct db_tx *tx, const struct notice_row *row, bool *ret_stands);
/* What comes of it: into row, but not yet kept. */
void notice_sender_settle(struct notice_row *row,
    const struct notice_post_result *result, int64_t now_s);
void notice_sender_count(
    struct notice_sender *sender, const struct notice_row *row);
/* n were given up, of which row is the first; none with 0. */
void notice_sender_log_failed(const struct notice_row *row, size_t n);

#endif
