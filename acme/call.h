/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACME_CALL_H
#define ACME_CALL_H

#include <stddef.h>

#include "acme/client.h"
#include "acme/http.h"

/*
 * Requests to a CA, whose answers are of 2xx and of the media type that was
 * asked for, or else a problem.  Replies are released by acme_http_reply_done.
 */

#define ACME_CALL_JSON "application/json"
#define ACME_CALL_PEM "application/pem-certificate-chain"
#define ACME_CALL_JSON_MAX (256 * 1024)

struct acme_call {
	const char *what; /* the resource's name, for sentences: "newOrder" */
	const char *url;
	const struct acme_signer *signer;
	const char *kid;     /* NULL: the key itself */
	const char *payload; /* "" for POST-as-GET */
	const char *accept;  /* NULL: what is answered does not matter */
	size_t max_len;      /* of the answer; 0: ACME_CALL_JSON_MAX */
};

/* Signed; when the nonce was not good, again with the one that came. */
STATUS acme_call_post(struct acme *acme, const struct acme_call *call,
    struct acme_http_reply *ret_reply, struct acme_problem *ret_problem);
/* The same, by an account. */
STATUS acme_call_account(struct acme *acme, const struct acme_account *account,
    const struct acme_call *call, struct acme_http_reply *ret_reply,
    struct acme_problem *ret_problem);
/* GET of JSON, unsigned: the directory, renewalInfo. */
STATUS acme_call_get(struct acme *acme, const char *what, const char *url,
    struct acme_http_reply *ret_reply, struct acme_problem *ret_problem);

/* The answer was not what it had to be: "it has no ...". */
STATUS acme_call_not_acme(struct acme_problem *ret_problem, const char *what,
    int http_status, const char *why);
STATUS acme_call_no_memory(struct acme_problem *ret_problem);
/* st, the signer's own: the "account key" could not sign. */
STATUS acme_call_not_signed(struct acme_problem *ret_problem, const char *whose,
    struct status st, const char *why);

static inline struct bytes
acme_call_body(const struct acme_http_reply *reply)
{
	return (struct bytes){ (const uint8_t *)reply->body, reply->len };
}

static inline void
scoped_acme_reply(struct acme_http_reply *at)
{
	acme_http_reply_done(at);
}

#endif
