/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_AUTHORITIES_H
#define CERTD_AUTHORITIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acme/client.h"
#include "base/metrics.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/config.h"
#include "certd/custody.h"
#include "certd/names.h"
#include "certd/store.h"

/*
 * The CAs of certd.yaml, certd's account at each (its key in the token, context
 * acme_jws), and how much each CA lets itself be asked: one limiter a CA, which
 * knows its limits and what it last said of Retry-After.  Service Authorities.
 * Any thread.
 */
struct authorities;

struct authorities_config {
	struct store *store; /* all borrowed */
	struct custody *custody;
	const struct config *config;
	struct metrics *metrics; /* or NULL */
};

STATUS authorities_new(const struct authorities_config *config,
    struct authorities **ret_authorities);
STATUS authorities_register(struct authorities *authorities, struct api *api);
void authorities_free(struct authorities *authorities); /* NULL is allowed */
SCOPED_RELEASE(authorities_free, struct authorities *);

size_t authorities_count(const struct authorities *authorities);
/* In certd.yaml's order. */
const struct config_authority *authorities_at(
    const struct authorities *authorities, size_t i);
const struct config_authority *authorities_find(
    const struct authorities *authorities, const char *name);

/*
 * Which CA to ask now.  name: an enrollment's, or empty: the first that is not
 * for standby only and is well, in order (failover); of one that was begun
 * with, pass its name.  UNAVAILABLE: none is well; *ret_retry_ms says when to
 * look again.
 */
STATUS authorities_choose(struct authorities *authorities, const char *name,
    bool standby, const struct config_authority **ret_authority,
    int64_t *ret_retry_ms, char *ret_why);

/* What has to be held while a CA is asked. */
struct authority_session {
	struct acme *acme;
	struct acme_account account; /* signs through keyd */
	const char *thumbprint;
	const struct config_authority *authority;
	void *hold;
};
/*
 * Registers the account first, when it is not there: its key is born in keyd,
 * with an intent on record, so that a crash leaves neither two accounts nor a
 * key that nobody knows.  An account that the CA has forgotten is made again.
 * End it with authorities_leave.
 */
STATUS authorities_enter(struct authorities *authorities, const char *name,
    struct authority_session *ret_session, struct acme_problem *ret_problem);
void authorities_leave(struct authority_session *session);

/* What a request to a CA costs by its limits. */
enum authority_cost {
	AUTHORITY_ORDER,  /* a new order; with replaces of RFC 9773 it is free
			     at most CAs, and not counted */
	AUTHORITY_REQUEST /* anything else */
};
/* May it be done now?  false: not before *ret_wait_ms from now. names count for
 * limits by registered domain. */
bool authorities_may(struct authorities *authorities, const char *name,
    enum authority_cost cost, const struct names *names, int64_t *ret_wait_ms);
/* How it went: a success makes the CA well again, an UNREACHABLE or temporary
 * problem counts against it, a Retry-After stops it till then. */
void authorities_tell(struct authorities *authorities, const char *name,
    enum authority_cost cost, const struct names *names,
    const struct acme_problem *problem);

#endif
