/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CALLER_H
#define CERTD_CALLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"

/*
 * Who calls, and what that one may see.  Operators and auditors come by client
 * certificate and see all accounts; tokens come by REST and see their own.  An
 * object of another account is NOT_FOUND to them, in the same words as one that
 * never was.
 */

/* Who may call a method; api.h's table. */
enum {
	ALLOW_OPERATOR = 1 << 0,
	ALLOW_AUDITOR = 1 << 1, /* identity of keyd's role auditor: reads all */
	ALLOW_ADMINISTRATOR = 1 << 2, /* from here on: of a token's account */
	ALLOW_ENGINEER = 1 << 3,
	ALLOW_VIEWER = 1 << 4,
	ALLOW_ACCOUNT_AUDITOR = 1 << 5,
	ALLOW_EDGE = 1 << 6,
};

/* Sets that the tables use. */
#define ALLOW_READ                                                             \
	(ALLOW_OPERATOR | ALLOW_AUDITOR | ALLOW_ADMINISTRATOR |                \
	    ALLOW_ENGINEER | ALLOW_VIEWER | ALLOW_ACCOUNT_AUDITOR)
#define ALLOW_CHANGE (ALLOW_OPERATOR | ALLOW_ADMINISTRATOR | ALLOW_ENGINEER)
#define ALLOW_MANAGE (ALLOW_OPERATOR | ALLOW_ADMINISTRATOR)
#define ALLOW_MANAGE_READ                                                      \
	(ALLOW_OPERATOR | ALLOW_AUDITOR | ALLOW_ADMINISTRATOR |                \
	    ALLOW_ACCOUNT_AUDITOR)

/* A token's scopes; 0 in a token: all that its role allows. */
enum {
	SCOPE_CERTIFICATES_READ = 1 << 0,
	SCOPE_CERTIFICATES_WRITE = 1 << 1,
	SCOPE_RESOURCES_READ = 1 << 2,
	SCOPE_RESOURCES_WRITE = 1 << 3,
	SCOPE_ACCOUNT_READ = 1 << 4,
	SCOPE_ACCOUNT_WRITE = 1 << 5,
};

#define ACCOUNT_NAME_MAX 41
#define ACTOR_MAX 128

struct caller {
	unsigned is;     /* exactly one of ALLOW_... */
	int64_t account; /* 0: all accounts */
	unsigned scopes; /* of a token; 0: all */
	int64_t user;    /* who logged in, or whose token it is; 0: nobody */
	int64_t token;   /* 0: it came by none */
	/* When the certificate ends that it came by; 0: it came by none. */
	int64_t not_after_s;
	/* For history and idempotency: "operator/admin", "token ci (acme)". */
	char actor[ACTOR_MAX];
};

static inline bool
caller_sees_all(const struct caller *caller)
{
	return caller->account == 0;
}

/* Is an object of this account there for this caller? */
static inline bool
caller_sees(const struct caller *caller, int64_t account)
{
	return caller->account == 0 || caller->account == account;
}

/*
 * The account that a request names.  Empty: the caller's own; for who sees all,
 * INVALID_ARGUMENT with the sentence that asks for it.  Another's is NOT_FOUND.
 */
STATUS caller_account(const struct caller *caller, struct db_tx *tx,
    const char *name, int64_t *ret_account);
/* The same for a list: empty and seeing all gives 0, "every account". */
STATUS caller_account_or_all(const struct caller *caller, struct db_tx *tx,
    const char *name, int64_t *ret_account);

#endif
