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

#define AUTHORITIES_WHY_MAX 512

/*
 * Read what CAs need of files (MAC keys of external accounts, roots for their
 * web servers, public suffixes) before certd confines itself, once;
 * authorities_new takes it over.  Without it authorities_new reads them.  A
 * file that cannot be used is FAILED_PRECONDITION, and ret_why names it.
 */
STATUS authorities_preload(
    const struct config *config, char ret_why[AUTHORITIES_WHY_MAX]);

struct authorities_config {
	struct store *store; /* all borrowed */
	struct custody *custody;
	const struct config *config;
	struct metrics *metrics; /* or NULL */
};

STATUS authorities_new(const struct authorities_config *config,
    struct authorities **ret_authorities, char ret_why[AUTHORITIES_WHY_MAX]);
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
 * with, pass its name.  standby: with no name, acme.standby's.
 *
 * A CA is unwell after the second failure in a row to reach it or of its own
 * (5xx), and while an operator has to act (terms, external account); it is
 * tried again after 1 s, then twice that, to 10 min.
 *
 * UNAVAILABLE: none is well, or the one that was named is not; *ret_retry_ms
 * says when to look again.  FAILED_PRECONDITION: there is no such CA.  ret_why
 * (AUTHORITIES_WHY_MAX octets) says which ones are unwell and why; with OK it
 * is empty, or says which were passed over.
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
 * End it with authorities_leave.  A problem that takes an operator is temporary
 * nevertheless where another CA may be chosen in its place.
 */
STATUS authorities_enter(struct authorities *authorities, const char *name,
    struct authority_session *ret_session, struct acme_problem *ret_problem);
void authorities_leave(struct authority_session *session);

/* What a request to a CA costs by its limits. */
enum authority_cost {
	AUTHORITY_ORDER,    /* a new order, for names that are new */
	AUTHORITY_REQUEST,  /* anything else */
	AUTHORITY_RENEWAL,  /* a new order for the very names of a certificate
			       there is: not counted by registered domain */
	AUTHORITY_REPLACING /* a new order with replaces (RFC 9773 5): free of
			       both at most CAs */
};
/*
 * May it be done now?  True: its place is taken, so that two who ask at once do
 * not both get the last one.  False: not before *ret_wait_ms from now.  names
 * (NULL with AUTHORITY_REQUEST) count for limits by registered domain and of
 * failed validations.
 */
bool authorities_may(struct authorities *authorities, const char *name,
    enum authority_cost cost, const struct names *names, int64_t *ret_wait_ms);
/*
 * How it went (problem NULL: well); once for each authorities_may that was
 * true.  Any answer makes the CA well again; UNREACHABLE and 5xx count against
 * it.  A Retry-After stops the CA till then; of an order, the registered
 * domains it was for.  An order that the CA refused gives its place back.
 * AUTHORITY_REQUEST with names and the problem of a challenge is a failed
 * validation of them, and no answer.  ACCOUNT_DOES_NOT_EXIST has the account
 * made again by the next authorities_enter.
 */
void authorities_tell(struct authorities *authorities, const char *name,
    enum authority_cost cost, const struct names *names,
    const struct acme_problem *problem);

/* What is known of the i-th CA for who chooses among them; nobody is asked. */
struct authority_offer {
	bool is_available; /* well, and not paused for long */
	/* Of its directory, as it was last seen; false: it was not yet. */
	bool has_directory;
	size_t n_profiles;
	char profiles[ACME_PROFILES_MAX][64];
};
void authorities_offer(struct authorities *authorities, size_t i,
    struct authority_offer *ret_offer);

/* How fast one CA lets itself be asked for many, as far as is known now. */
struct authority_pace {
	uint64_t orders; /* in window_s; 0: no limit */
	int64_t window_s;
	uint64_t used;       /* of orders, in the window up to now */
	uint64_t per_domain; /* certificates of a registered domain, in: */
	int64_t per_domain_window_s;
	uint64_t requests_per_s; /* 0: no limit */
	/* It has renewal information (RFC 9773): orders that replace its own
	 * certificates are not counted. */
	bool has_replaces;
	int64_t wait_ms; /* 0: it may be asked; else it is unwell, or paused */
};
/* False: there is no such CA. */
bool authorities_pace(struct authorities *authorities, const char *name,
    struct authority_pace *ret_pace);

#endif
