/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICES_INT_H
#define CERTD_NOTICES_NOTICES_INT_H

#include <pthread.h>

#include "certd/limiter_window.h"
#include "certd/notices/notice_post.h"
#include "certd/notices/notice_sender.h"
#include "certd/notices/notice_source.h"
#include "certd/notices/notice_tell.h"
#include "certd/notices/notices.h"
#include "certd/notices/store_mutes.h"

/* What the services of notices share; nobody else includes it. */

struct notices {
	struct notices_config config;
	struct notice_post *post;
	struct notice_teller teller;
	struct notice_sender *sender;
	struct notice_source *source;
	pthread_mutex_t mutex; /* guards tests */
	struct windows tests;  /* by account, of the last hour */
};

/* Who reads: who manages an account, auditors, and engineers, who are told. */
#define NOTICES_READ (ALLOW_MANAGE_READ | ALLOW_ENGINEER)
#define NOTICES_TESTS 10 /* an hour, of an account */

STATUS notices_rules_add(struct notices *notices, struct api *api);
STATUS notices_webhooks_add(struct notices *notices, struct api *api);
STATUS notices_list_add(struct notices *notices, struct api *api);
STATUS notices_mail_add(struct notices *notices, struct api *api);
STATUS notices_subscription_add(struct notices *notices, struct api *api);
STATUS notices_mutes_add(struct notices *notices, struct api *api);
/* History: who stopped mails of an event to a recipient, or had them sent
 * again. */
STATUS notices_mutes_event(struct db_tx *tx, const char *actor, const char *act,
    const struct mute_row *of);

/* The account that a rule or webhook is for: "" is the whole (0), which is for
 * operators and auditors; tokens' is their own. */
STATUS notices_account(struct db_tx *tx, const struct caller *caller,
    const char *name, int64_t *ret_account);
/* Put an act on an object ("webhook 5") into the account's history. */
STATUS notices_event(struct db_tx *tx, const struct api_call *call,
    int64_t account, const char *act, const char *kind, int64_t id,
    const char *detail);
/* RESOURCE_EXHAUSTED: as many tests as there may be in an hour. */
STATUS notices_allow_test(struct notices *notices, int64_t account);

#endif
