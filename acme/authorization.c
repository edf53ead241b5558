/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Authorizations and challenges (RFC 8555 7.5).  A challenge that is answered
 * for a second time, after a crash, is looked at when the CA refuses: where it
 * is at it already, that is what was wanted.
 */

#include "acme/call.h"
#include "acme/client_int.h"
#include "acme/problem_int.h"

static struct status
post(struct acme *acme, const struct acme_account *account, const char *what,
    const char *url, const char *payload, struct acme_http_reply *ret_reply,
    struct acme_problem *ret_problem)
{
	return acme_call_account(acme, account,
	    &(struct acme_call){ .what = what,
		.url = url,
		.payload = payload,
		.accept = ACME_CALL_JSON },
	    ret_reply, ret_problem);
}

STATUS
acme_authorization_get(struct acme *acme, const struct acme_account *account,
    const char *url, struct acme_authorization *ret_authorization,
    struct acme_problem *ret_problem)
{
	static const char what[] = "the authorization";
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };
	char why[ACME_JSON_WHY_MAX];
	struct status st =
	    post(acme, account, what, url, "", &reply, ret_problem);

	if (failed(st))
		return st;
	st = acme_objects_authorization(acme_call_body(&reply),
	    acme->directory_url, ret_authorization, why);
	if (failed(st))
		return acme_call_not_acme(ret_problem, what, reply.status, why);
	ret_authorization->retry_after_ms = reply.retry_after_ms;
	return st;
}

STATUS
acme_authorization_deactivate(struct acme *acme,
    const struct acme_account *account, const char *url,
    struct acme_problem *ret_problem)
{
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };

	return post(acme, account, "the authorization", url,
	    "{\"status\":\"deactivated\"}", &reply, ret_problem);
}

/* Does the CA say that it is under way, or has ended? */
static bool
is_answered(
    struct acme *acme, const struct acme_account *account, const char *url)
{
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };
	enum acme_status status = ACME_PENDING;
	struct acme_problem ignored;
	char why[ACME_JSON_WHY_MAX];

	return !failed(post(acme, account, "the challenge", url, "", &reply,
		   &ignored)) &&
	       !failed(acme_objects_challenge(acme_call_body(&reply),
		   acme->directory_url, &status, why)) &&
	       status != ACME_PENDING;
}

STATUS
acme_challenge_answer(struct acme *acme, const struct acme_account *account,
    const char *url, struct acme_problem *ret_problem)
{
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };
	struct acme_problem problem;
	struct status st =
	    post(acme, account, "the challenge", url, "{}", &reply, &problem);

	if (failed(st) && !problem.is_temporary && problem.http_status >= 400 &&
	    is_answered(acme, account, url))
		return status_ok();
	if (failed(st))
		*ret_problem = problem;
	return st;
}
