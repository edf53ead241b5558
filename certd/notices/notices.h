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
#include "certd/custody.h"
#include "certd/secrets.h"
#include "certd/store.h"

/*
 * Who is told of what: rules, webhooks and notices, their services, what finds
 * occasions (certificates near their end, what the history has, trouble at keyd
 * and the edges) and what sends.  A notice is a row before it is sent, once for
 * each occasion and recipient, whatever is restarted.
 */
struct notices;

#define NOTICES_WHY_MAX 512

struct notices_config {
	struct store *store; /* all borrowed */
	struct custody *custody;
	const struct secrets *secrets;
	const struct config *config;
	struct metrics *metrics;
	/* Edges that do not serve what they should, for so long: each is told
	 * (certd/edges.h). */
	void *edges;
};

/* Before certd confines itself: the password, and roots of servers. */
STATUS notices_preload(const struct config *config, char *ret_why);

STATUS notices_new(const struct notices_config *config,
    struct notices **ret_notices, char *ret_why);
STATUS notices_register(struct notices *notices, struct api *api);
/* From here on occasions are looked for, and notices sent. */
STATUS notices_start(struct notices *notices);
void notices_stop(struct notices *notices);
void notices_free(struct notices *notices); /* NULL is allowed */
SCOPED_RELEASE(notices_free, struct notices *);

/* The rules that a new account begins with; in the transaction that makes it.
 */
STATUS notices_begin_account(struct db_tx *tx, int64_t account);
/* And what of it goes along with an account that is deleted. */
STATUS notices_end_account(struct db_tx *tx, int64_t account);

/* One mail now, not kept: to a user who gets a link.  May block for a minute;
 * FAILED_PRECONDITION: no mail is configured.  ret_why (NOTICES_WHY_MAX). */
STATUS notices_mail(struct notices *notices, const char *email,
    const char *subject, const char *text, char *ret_why);

#endif
