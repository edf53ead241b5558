/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One request to a CA.  A signed one takes a nonce from the pool, or asks for
 * one, and is sent again when the CA did not like it (RFC 8555 6.5), a bounded
 * number of times: under a storm of badNonce it is a problem that passes.
 * Refuses URLs on another origin before anything is signed, redirects, and
 * answers of another kind than was asked for.
 */

#include "acme/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acme/client_int.h"
#include "acme/json.h"
#include "acme/jws.h"
#include "acme/problem_int.h"
#include "acme/url.h"
#include "base/clock.h"
#include "base/printable.h"

#define TRIES_MAX 20 /* of one request, with other nonces */
#define JOSE "application/jose+json"

STATUS
acme_call_not_acme(struct acme_problem *ret_problem, const char *what,
    int http_status, const char *why)
{
	acme_problem_set(ret_problem, ACME_PROBLEM_NOT_ACME, http_status,
	    "the answer to %s is no ACME: %s", what, why);
	return acme_problem_status(ret_problem);
}

STATUS
acme_call_no_memory(struct acme_problem *ret_problem)
{
	acme_problem_set(
	    ret_problem, ACME_PROBLEM_OTHER, 0, "there is not enough memory");
	ret_problem->is_temporary = true;
	return status_fail(
	    STATUS_RESOURCE_EXHAUSTED, "there is not enough memory");
}

STATUS
acme_call_not_signed(struct acme_problem *ret_problem, const char *whose,
    struct status st, const char *why)
{
	acme_problem_set(ret_problem, ACME_PROBLEM_SIGNER, 0,
	    "the %s could not sign: %s", whose, why);
	ret_problem->is_temporary = st.code == STATUS_UNAVAILABLE ||
				    st.code == STATUS_DEADLINE_EXCEEDED ||
				    st.code == STATUS_RESOURCE_EXHAUSTED ||
				    st.code == STATUS_ABORTED ||
				    st.code == STATUS_CANCELLED;
	return st;
}

/* ---- answers ---- */

static struct status
refuse_redirect(const char *what, const struct acme_http_reply *reply,
    struct acme_problem *ret_problem)
{
	char shown[200], why[ACME_JSON_WHY_MAX];

	printable_print(bytes_of(reply->location), shown, sizeof(shown));
	snprintf(why, sizeof(why),
	    "it redirects (HTTP status %d) to \"%s\", and redirects are not "
	    "followed: if the CA has moved, its directory's URL must be "
	    "changed",
	    reply->status, shown);
	return acme_call_not_acme(ret_problem, what, reply->status, why);
}

static struct status
refuse_kind(const char *what, const char *wanted,
    const struct acme_http_reply *reply, struct acme_problem *ret_problem)
{
	char shown[ACME_JSON_SHOWN_MAX], type[160], why[ACME_JSON_WHY_MAX];
	struct status st;

	acme_json_show(acme_call_body(reply), shown);
	printable_print(bytes_of(reply->content_type), type, sizeof(type));
	snprintf(why, sizeof(why), "HTTP status %d with \"%s\", not \"%s\": %s",
	    reply->status, type, wanted, shown);
	st = acme_call_not_acme(ret_problem, what, reply->status, why);
	ret_problem->retry_after_ms = reply->retry_after_ms;
	return st;
}

static bool
is_json(const char *content_type)
{
	return strcmp(content_type, "application/problem+json") == 0 ||
	       strcmp(content_type, ACME_CALL_JSON) == 0;
}

/* As the answer to a HEAD is. */
static struct status
refuse_unsaid(const char *what, const struct acme_http_reply *reply,
    struct acme_problem *ret_problem)
{
	char shown[ACME_JSON_SHOWN_MAX], why[ACME_JSON_WHY_MAX];
	struct status st;

	acme_json_show(acme_call_body(reply), shown);
	snprintf(why, sizeof(why), "HTTP status %d, and no words on why%s%s",
	    reply->status, shown[0] == '\0' ? "" : ": ", shown);
	st = acme_call_not_acme(ret_problem, what, reply->status, why);
	ret_problem->retry_after_ms = reply->retry_after_ms;
	return st;
}

static struct status
refusal(const char *what, const struct acme_http_reply *reply,
    struct acme_problem *ret_problem)
{
	scoped(json) json_t *document = NULL;
	char why[ACME_JSON_WHY_MAX];

	if (!is_json(reply->content_type))
		return refuse_kind(
		    what, "application/problem+json", reply, ret_problem);
	if (failed(acme_json_load(acme_call_body(reply), &document, why)) ||
	    !acme_problem_read(document, reply->status, ret_problem))
		return refuse_unsaid(what, reply, ret_problem);
	ret_problem->retry_after_ms = reply->retry_after_ms;
	return acme_problem_status(ret_problem);
}

/* Is it what was asked for? */
static struct status
judge(const char *what, const char *accept, const struct acme_http_reply *reply,
    struct acme_problem *ret_problem)
{
	if (reply->status >= 400 && reply->status <= 599)
		return refusal(what, reply, ret_problem);
	if (reply->status >= 300 && reply->status <= 399)
		return refuse_redirect(what, reply, ret_problem);
	if (reply->status < 200 || reply->status > 299 ||
	    (accept != NULL && strcmp(reply->content_type, accept) != 0))
		return refuse_kind(what, accept == NULL ? "anything" : accept,
		    reply, ret_problem);
	return status_ok();
}

static struct status
ask(struct acme *acme, const char *what,
    const struct acme_http_request *request, struct acme_http_reply *ret_reply,
    struct acme_problem *ret_problem)
{
	char why[ACME_HTTP_WHY_MAX] = "";
	struct status st;

	if (!acme_url_same_origin(request->url, acme->directory_url)) {
		char shown[200];

		printable_print(bytes_of(request->url), shown, sizeof(shown));
		acme_problem_set(ret_problem, ACME_PROBLEM_NOT_ACME, 0,
		    "the URL of %s is not on the origin of the CA's "
		    "directory: %s",
		    what, shown);
		return acme_problem_status(ret_problem);
	}
	st = acme_http_ask(acme->http, request, ret_reply, why);
	if (!failed(st))
		return st;
	if (st.code == STATUS_RESOURCE_EXHAUSTED)
		return acme_call_not_acme(ret_problem, what, 0, why);
	acme_problem_set(ret_problem, ACME_PROBLEM_UNREACHABLE, 0,
	    "the CA was asked for %s: %s", what, why);
	return st;
}

STATUS
acme_call_get(struct acme *acme, const char *what, const char *url,
    struct acme_http_reply *ret_reply, struct acme_problem *ret_problem)
{
	const struct acme_http_request request = {
		.method = "GET",
		.url = url,
		.accept = ACME_CALL_JSON,
		.max_len = ACME_CALL_JSON_MAX,
	};
	struct acme_http_reply reply;
	struct status st = ask(acme, what, &request, &reply, ret_problem);

	if (failed(st))
		return st;
	st = judge(what, ACME_CALL_JSON, &reply, ret_problem);
	if (failed(st))
		acme_http_reply_done(&reply);
	else
		*ret_reply = reply;
	return st;
}

/* ---- nonces ---- */

static struct status
ask_for_nonce(struct acme *acme, const char *method, const char *url,
    char ret_nonce[ACME_NONCE_MAX], struct acme_problem *ret_problem)
{
	const struct acme_http_request request = {
		.method = method, .url = url, .max_len = ACME_CALL_JSON_MAX
	};
	struct acme_http_reply reply;
	struct status st = ask(acme, "newNonce", &request, &reply, ret_problem);

	if (failed(st))
		return st;
	st = judge("newNonce", NULL, &reply, ret_problem);
	if (!failed(st) && reply.nonce[0] == '\0')
		st = acme_call_not_acme(ret_problem, "newNonce", reply.status,
		    "it brings no Replay-Nonce");
	if (!failed(st))
		snprintf(ret_nonce, ACME_NONCE_MAX, "%s", reply.nonce);
	acme_http_reply_done(&reply);
	return st;
}

/* RFC 8555 7.2: by HEAD, or by GET where the CA does not know that. */
static struct status
take_nonce(struct acme *acme, char ret_nonce[ACME_NONCE_MAX],
    struct acme_problem *ret_problem)
{
	struct acme_problem problem;
	char url[ACME_URL_MAX];
	struct status st;

	if (acme_nonces_take(&acme->nonces, ret_nonce))
		return status_ok();
	st = acme_client_url(acme, ACME_NEW_NONCE, url, ret_problem);
	if (failed(st))
		return st;
	st = ask_for_nonce(acme, "HEAD", url, ret_nonce, &problem);
	if (failed(st) &&
	    (problem.http_status == 405 || problem.http_status == 501))
		st = ask_for_nonce(acme, "GET", url, ret_nonce, &problem);
	if (failed(st))
		*ret_problem = problem;
	return st;
}

/* ---- signed requests ---- */

static struct status
sign(const struct acme_call *call, const char *nonce, char **ret_body,
    struct acme_problem *ret_problem)
{
	const struct acme_jws jws = { call->signer, call->kid, nonce, call->url,
		call->payload };
	char why[ACME_SIGN_WHY_MAX] = "";
	struct status st = acme_jws_make(&jws, ret_body, why);

	return failed(st)
		   ? acme_call_not_signed(ret_problem, "account key", st, why)
		   : st;
}

/* The nonce is used up; one that comes with a refusal for it takes its place,
 * else *nonce becomes empty. */
static struct status
post_once(struct acme *acme, const struct acme_call *call,
    char nonce[ACME_NONCE_MAX], struct acme_http_reply *ret_reply,
    struct acme_problem *ret_problem)
{
	struct acme_http_request request = {
		.method = "POST",
		.url = call->url,
		.content_type = JOSE,
		.accept = call->accept,
		.max_len =
		    call->max_len == 0 ? ACME_CALL_JSON_MAX : call->max_len,
	};
	scoped(free) char *body = NULL;
	struct acme_http_reply reply;
	struct status st = sign(call, nonce, &body, ret_problem);

	nonce[0] = '\0';
	if (failed(st))
		return st;
	request.body = bytes_of(body);
	st = ask(acme, call->what, &request, &reply, ret_problem);
	if (failed(st))
		return st;
	st = judge(call->what, call->accept, &reply, ret_problem);
	if (failed(st) && ret_problem->type == ACME_PROBLEM_BAD_NONCE)
		snprintf(nonce, ACME_NONCE_MAX, "%s", reply.nonce);
	else
		acme_nonces_give(&acme->nonces, reply.nonce);
	if (failed(st))
		acme_http_reply_done(&reply);
	else
		*ret_reply = reply;
	return st;
}

STATUS
acme_call_post(struct acme *acme, const struct acme_call *call,
    struct acme_http_reply *ret_reply, struct acme_problem *ret_problem)
{
	const int64_t until_ns = clock_mono_ns() + acme->timeout_ms * NS_PER_MS;
	char nonce[ACME_NONCE_MAX] = "";
	struct acme_problem problem;
	struct status st;
	unsigned tries = 0;

	do {
		st = status_ok();
		if (nonce[0] == '\0')
			st = take_nonce(acme, nonce, &problem);
		if (!failed(st))
			st = post_once(acme, call, nonce, ret_reply, &problem);
		/* With a nonce that was liked, the others are forgotten. */
		if (!failed(st))
			return st;
		if (problem.type != ACME_PROBLEM_BAD_NONCE)
			break;
		tries++;
	} while (tries < TRIES_MAX && clock_mono_ns() < until_ns);
	if (problem.type == ACME_PROBLEM_BAD_NONCE) {
		acme_nonces_give(&acme->nonces, nonce);
		acme_problem_set(&problem, ACME_PROBLEM_BAD_NONCE,
		    problem.http_status,
		    "the CA refused %u nonces one after the other, all of its "
		    "own making",
		    tries);
	}
	*ret_problem = problem;
	return st;
}

STATUS
acme_call_account(struct acme *acme, const struct acme_account *account,
    const struct acme_call *call, struct acme_http_reply *ret_reply,
    struct acme_problem *ret_problem)
{
	struct acme_call by_account = *call;

	if (!acme_url_same_origin(account->url, acme->directory_url)) {
		acme_problem_set(ret_problem, ACME_PROBLEM_NOT_ACME, 0,
		    "the account's URL is not on the origin of the CA's "
		    "directory");
		return acme_problem_status(ret_problem);
	}
	by_account.signer = &account->signer;
	by_account.kid = account->url;
	return acme_call_post(acme, &by_account, ret_reply, ret_problem);
}
