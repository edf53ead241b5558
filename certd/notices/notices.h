/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_NOTICES_NOTICES_H
#define CERTD_NOTICES_NOTICES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/config.h"
#include "certd/secrets.h"
#include "certd/store.h"

/*
 * Who is told of what: rules, webhooks and notices, their services, what finds
 * occasions (certificates near their end, what the history has, trouble at keyd
 * and the edges) and what sends.  A notice is a row before it is sent, once for
 * each occasion and recipient, whatever is restarted.
 *
 * What accounts begin and end with is in certd/notices/store_notice_account.h.
 */
struct notices;

#define NOTICES_WHY_MAX 512

/* What is wrong with keyd, as sentences; "": nothing.  While keyd is away, the
 * other two are not looked at. */
struct notices_health {
	char keyd[NOTICES_WHY_MAX];   /* does not answer */
	char hsm[NOTICES_WHY_MAX];    /* lanes that are not ready */
	char ledger[NOTICES_WHY_MAX]; /* audit journal and ledger */
};
/* Asked every ten seconds; may block for some. */
typedef void (*notices_health_fn)(void *ctx, struct notices_health *ret_health);

struct notices_config {
	struct store *store; /* all borrowed */
	const struct secrets *secrets;
	const struct config *config;
	struct metrics *metrics;  /* NULL: nothing is counted */
	notices_health_fn health; /* NULL: keyd is not looked at */
	void *health_ctx;
};

/* Before certd confines itself: the password, and whom mail and webhooks trust.
 * ret_why: NOTICES_WHY_MAX. */
STATUS notices_preload(const struct config *config, char *ret_why);

STATUS notices_new(const struct notices_config *config,
    struct notices **ret_notices, char *ret_why);
STATUS notices_register(struct notices *notices, struct api *api);
/* From here on occasions are looked for, and notices sent. */
STATUS notices_start(struct notices *notices);
/* Waits for what is being sent, for as long as that takes at most. */
void notices_stop(struct notices *notices);
void notices_free(struct notices *notices); /* NULL is allowed */
SCOPED_RELEASE(notices_free, struct notices *);

/* Empty, or why no mail is sent. */
void notices_mail_trouble(
    struct notices *notices, char ret_why[NOTICES_WHY_MAX]);

/* One mail now, not kept: to a user who gets a link.  May block for a minute;
 * FAILED_PRECONDITION: no mail is configured.  ret_why (NOTICES_WHY_MAX). */
STATUS notices_mail(struct notices *notices, const char *email,
    const char *subject, const char *text, char *ret_why);

#endif
