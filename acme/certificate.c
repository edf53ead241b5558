/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates: fetched with their chain, an alternate one where the default
 * leads to another root than is preferred (RFC 8555 7.4.2), and revoked (7.6).
 * Refuses what is no chain.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "acme/call.h"
#include "acme/chain.h"
#include "acme/client_int.h"
#include "acme/jws.h"

static const char WHAT[] = "the certificate";

struct found {
	char *pem;
	char issuer[ACME_CHAIN_ISSUER_MAX];
	size_t n_alternates;
	char alternates[ACME_ALTERNATES_MAX][ACME_URL_MAX];
};

static void
keep_alternates(const struct acme_http_reply *reply, struct found *found)
{
	for (size_t i = 0; i < reply->n_links; i++) {
		if (strcasecmp(reply->links[i].rel, "alternate") != 0 ||
		    found->n_alternates == ACME_ALTERNATES_MAX ||
		    strlen(reply->links[i].url) >= ACME_URL_MAX)
			continue;
		snprintf(found->alternates[found->n_alternates++], ACME_URL_MAX,
		    "%s", reply->links[i].url);
	}
}

static struct status
fetch(struct acme *acme, const struct acme_account *account, const char *url,
    struct found *ret_found, struct acme_problem *ret_problem)
{
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };
	char why[ACME_CHAIN_WHY_MAX];
	struct status st = acme_call_account(acme, account,
	    &(struct acme_call){ .what = WHAT,
		.url = url,
		.payload = "",
		.accept = ACME_CALL_PEM,
		.max_len = ACME_CHAIN_MAX },
	    &reply, ret_problem);

	if (failed(st))
		return st;
	st = acme_chain_read(
	    acme_call_body(&reply), &ret_found->pem, ret_found->issuer, why);
	if (failed(st))
		return acme_call_not_acme(ret_problem, WHAT, reply.status, why);
	ret_found->n_alternates = 0;
	keep_alternates(&reply, ret_found);
	return st;
}

/* What is with the others too: none of them is asked for. */
static bool
is_of_all(const struct acme_problem *problem)
{
	return problem->type == ACME_PROBLEM_UNREACHABLE ||
	       problem->type == ACME_PROBLEM_RATE_LIMITED ||
	       problem->http_status == 429;
}

/* NULL in *ret_pem: none of them leads there; *ret_problem is set when one that
 * may does not come. */
static struct status
look_for(struct acme *acme, const struct acme_account *account,
    const struct found *first, const char *preferred, char **ret_pem,
    struct acme_problem *ret_problem)
{
	scoped(free) struct found *other = calloc(1, sizeof(*other));
	struct acme_problem problem, missing = { .type = ACME_PROBLEM_NONE };

	*ret_pem = NULL;
	if (other == NULL)
		return acme_call_no_memory(ret_problem);
	for (size_t i = 0; i < first->n_alternates && !is_of_all(&missing);
	     i++) {
		struct status st =
		    fetch(acme, account, first->alternates[i], other, &problem);

		/* One that is none, or elsewhere, is passed over. */
		if (failed(st) && problem.is_temporary)
			missing = problem;
		if (failed(st))
			continue;
		if (strcmp(other->issuer, preferred) == 0) {
			*ret_pem = other->pem;
			return st;
		}
		free(other->pem);
	}
	if (missing.type != ACME_PROBLEM_NONE)
		*ret_problem = missing;
	return status_ok();
}

STATUS
acme_certificate_get(struct acme *acme, const struct acme_account *account,
    const char *url, const char *preferred, char **ret_chain_pem,
    bool *ret_is_preferred, struct acme_problem *ret_problem)
{
	scoped(free) struct found *found = calloc(1, sizeof(*found));
	char *other = NULL;
	struct status st;

	if (found == NULL)
		return acme_call_no_memory(ret_problem);
	st = fetch(acme, account, url, found, ret_problem);
	if (failed(st))
		return st;
	if (preferred == NULL || preferred[0] == '\0' ||
	    strcmp(found->issuer, preferred) == 0) {
		*ret_chain_pem = found->pem;
		*ret_is_preferred = true;
		return st;
	}
	st = look_for(acme, account, found, preferred, &other, ret_problem);
	if (failed(st)) {
		free(found->pem);
		return st;
	}
	if (other != NULL)
		free(found->pem);
	*ret_is_preferred = other != NULL;
	*ret_chain_pem = other != NULL ? other : found->pem;
	return st;
}

STATUS
acme_certificate_revoke(struct acme *acme, const struct acme_account *account,
    struct bytes cert_der, int reason, struct acme_problem *ret_problem)
{
	static const char head[] = "{\"certificate\":\"";
	const size_t max = sizeof(head) + ACME_BASE64URL_MAX(cert_der.len) + 64;
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };
	scoped(free) char *payload = malloc(max);
	struct acme_problem problem;
	char url[ACME_URL_MAX];
	struct status st;
	size_t len;

	if (payload == NULL)
		return acme_call_no_memory(ret_problem);
	st = acme_client_url(acme, ACME_REVOKE_CERT, url, ret_problem);
	if (failed(st))
		return st;
	memcpy(payload, head, sizeof(head) - 1);
	len = sizeof(head) - 1 +
	      acme_jws_base64url(cert_der, payload + sizeof(head) - 1);
	snprintf(payload + len, max - len, "\",\"reason\":%d}", reason);
	st = acme_call_account(acme, account,
	    &(struct acme_call){
		.what = "revokeCert", .url = url, .payload = payload },
	    &reply, &problem);
	if (failed(st) && problem.type == ACME_PROBLEM_ALREADY_REVOKED)
		return status_ok();
	if (failed(st))
		*ret_problem = problem;
	return st;
}
