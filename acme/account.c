/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Accounts (RFC 8555 7.3): made or found by their key, told other contacts,
 * given another key.  Refuses an account that the CA has closed, and one whose
 * URL leads elsewhere.
 */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acme/call.h"
#include "acme/client_int.h"
#include "acme/json.h"
#include "acme/jws.h"
#include "acme/problem_int.h"
#include "acme/url.h"

static bool
add_contacts(json_t *object, const char *const *contacts, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(list, json_string(contacts[i])) !=
		    0) {
			json_decref(list);
			return false;
		}
	}
	return json_object_set_new(object, "contact", list) == 0;
}

/* RFC 8555 7.3.4 */
static struct status
add_binding(json_t *object, const struct acme_registration *registration,
    const char *url, struct bytes spki, struct acme_problem *ret_problem)
{
	char why[ACME_SIGN_WHY_MAX] = "";
	scoped(free) char *text = NULL;
	struct status st;

	st = acme_jws_bind(registration->eab_kid, registration->eab_key, url,
	    spki, &text, why);
	if (failed(st)) {
		acme_problem_set(
		    ret_problem, ACME_PROBLEM_SIGNER, 0, "%s", why);
		return st;
	}
	if (json_object_set_new(object, "externalAccountBinding",
		json_loads(text, 0, NULL)) != 0)
		return acme_call_no_memory(ret_problem);
	return st;
}

static struct status
registration_text(const struct acme_registration *registration, const char *url,
    struct bytes spki, char **ret_text, struct acme_problem *ret_problem)
{
	scoped(json) json_t *object = json_object();
	bool is_ok = object != NULL;
	struct status st = status_ok();

	if (registration->n_contacts > 0)
		is_ok = is_ok && add_contacts(object, registration->contacts,
				     registration->n_contacts);
	if (registration->terms_agreed)
		is_ok = is_ok && json_object_set_new(object,
				     "termsOfServiceAgreed", json_true()) == 0;
	if (registration->only_existing)
		is_ok = is_ok && json_object_set_new(object,
				     "onlyReturnExisting", json_true()) == 0;
	if (!is_ok)
		return acme_call_no_memory(ret_problem);
	if (registration->eab_kid != NULL)
		st = add_binding(object, registration, url, spki, ret_problem);
	if (failed(st))
		return st;
	*ret_text = json_dumps(object, JSON_COMPACT);
	return *ret_text == NULL ? acme_call_no_memory(ret_problem) : st;
}

static struct status
read_account(struct acme *acme, const struct acme_http_reply *reply,
    char ret_url[ACME_URL_MAX], struct acme_problem *ret_problem)
{
	static const char what[] = "newAccount";
	struct acme_objects_account account;
	char why[ACME_JSON_WHY_MAX];
	struct status st = acme_objects_account(
	    acme_call_body(reply), acme->directory_url, &account, why);

	if (failed(st))
		return acme_call_not_acme(
		    ret_problem, what, reply->status, why);
	if (strlen(reply->location) >= ACME_URL_MAX ||
	    !acme_url_same_origin(reply->location, acme->directory_url))
		return acme_call_not_acme(ret_problem, what, reply->status,
		    "its Location, the account's URL, is not on the CA's own "
		    "origin");
	if (account.status != ACME_VALID) {
		acme_problem_set(ret_problem, ACME_PROBLEM_UNAUTHORIZED,
		    reply->status,
		    "the account of this key is closed at the CA; another "
		    "key makes another account");
		return acme_problem_status(ret_problem);
	}
	snprintf(ret_url, ACME_URL_MAX, "%s", reply->location);
	return st;
}

STATUS
acme_account_new(struct acme *acme, const struct acme_signer *signer,
    const struct acme_registration *registration, char ret_url[ACME_URL_MAX],
    struct acme_problem *ret_problem)
{
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };
	scoped(free) char *payload = NULL;
	char url[ACME_URL_MAX];
	struct status st =
	    acme_client_url(acme, ACME_NEW_ACCOUNT, url, ret_problem);

	if (!failed(st))
		st = registration_text(
		    registration, url, signer->spki, &payload, ret_problem);
	if (!failed(st))
		st = acme_call_post(acme,
		    &(struct acme_call){ .what = "newAccount",
			.url = url,
			.signer = signer,
			.payload = payload,
			.accept = ACME_CALL_JSON },
		    &reply, ret_problem);
	if (failed(st))
		return st;
	return read_account(acme, &reply, ret_url, ret_problem);
}

STATUS
acme_account_set_contacts(struct acme *acme, const struct acme_account *account,
    const char *const *contacts, size_t n_contacts,
    struct acme_problem *ret_problem)
{
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };
	scoped(json) json_t *object = json_object();
	scoped(free) char *payload = NULL;

	if (object != NULL && add_contacts(object, contacts, n_contacts))
		payload = json_dumps(object, JSON_COMPACT);
	if (payload == NULL)
		return acme_call_no_memory(ret_problem);
	return acme_call_account(acme, account,
	    &(struct acme_call){ .what = "the account",
		.url = account->url,
		.payload = payload,
		.accept = ACME_CALL_JSON },
	    &reply, ret_problem);
}

/* ---- another key (7.3.5) ---- */

/* The inner JWS, which the next key signs. */
static struct status
make_change(const struct acme_account *account, const struct acme_signer *next,
    const char *url, char **ret_body, struct acme_problem *ret_problem)
{
	char jwk[ACME_JWK_MAX], payload[ACME_JWK_MAX + ACME_URL_MAX + 64];
	const struct acme_jws jws = {
		.signer = next, .url = url, .payload = payload
	};
	char why[ACME_SIGN_WHY_MAX] = "";
	struct status st = acme_jws_jwk(account->signer.spki, jwk);

	if (failed(st)) {
		snprintf(why, sizeof(why), "%s", st.why);
	} else {
		/* The URL has no character that JSON would escape: see
		 * acme_url_is_fit. */
		snprintf(payload, sizeof(payload),
		    "{\"account\":\"%s\",\"oldKey\":%s}", account->url, jwk);
		st = acme_jws_make(&jws, ret_body, why);
	}
	return failed(st) ? acme_call_not_signed(
				ret_problem, "next account key", st, why)
			  : st;
}

STATUS
acme_account_change_key(struct acme *acme, const struct acme_account *account,
    const struct acme_signer *next, struct acme_problem *ret_problem)
{
	scoped(acme_reply) struct acme_http_reply reply = { .body = NULL };
	scoped(free) char *payload = NULL;
	char url[ACME_URL_MAX];
	struct status st =
	    acme_client_url(acme, ACME_KEY_CHANGE, url, ret_problem);

	if (!failed(st) && !acme_url_is_fit(account->url)) {
		acme_problem_set(ret_problem, ACME_PROBLEM_NOT_ACME, 0,
		    "the account's URL is none");
		st = acme_problem_status(ret_problem);
	}
	if (!failed(st))
		st = make_change(account, next, url, &payload, ret_problem);
	if (failed(st))
		return st;
	return acme_call_account(acme, account,
	    &(struct acme_call){
		.what = "keyChange", .url = url, .payload = payload },
	    &reply, ret_problem);
}
