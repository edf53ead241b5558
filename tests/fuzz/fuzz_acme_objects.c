/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as an object of a CA's, of the kind that the first one says: no
 * crash; a refusal has a sentence, and what is taken has its URLs on the CA's
 * origin, its tokens of base64url.
 */
#include <stdlib.h>
#include <string.h>

#include "acme/objects.h"
#include "acme/problem_int.h"
#include "acme/url.h"

#define ORIGIN "https://ca.example/dir"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_url(const char *url, bool may_be_empty)
{
	if (url[0] == '\0' ? !may_be_empty : !acme_url_same_origin(url, ORIGIN))
		abort();
}

static struct status
order(struct bytes body, char *why)
{
	struct acme_order found;
	struct status st = acme_objects_order(body, ORIGIN, &found, why);

	if (failed(st))
		return st;
	check_url(found.finalize, false);
	check_url(found.certificate, found.status != ACME_VALID);
	for (size_t i = 0; i < found.n_authorizations; i++)
		check_url(found.authorizations[i], false);
	acme_order_done(&found);
	return st;
}

static struct status
authorization(struct bytes body, char *why)
{
	struct acme_authorization found;
	struct status st =
	    acme_objects_authorization(body, ORIGIN, &found, why);

	for (int i = 0; i < ACME_CHALLENGE_TYPES && !failed(st); i++) {
		const struct acme_challenge *each = &found.challenges[i];

		if (each->is_offered)
			check_url(each->url, false);
		if (strpbrk(each->token, "/.%\\ ") != NULL)
			abort();
	}
	return st;
}

static struct status
directory(struct bytes body, char *why)
{
	static struct acme_objects_directory found;
	struct status st = acme_objects_directory(body, ORIGIN, &found, why);

	for (int i = 0; i < ACME_RESOURCES && !failed(st); i++)
		check_url(found.urls[i], i >= ACME_REVOKE_CERT);
	return st;
}

static void
on_order(void *ctx, const char *url)
{
	(void)ctx;
	check_url(url, false);
}

static struct status
problem(struct bytes body, char *why)
{
	struct acme_problem found;
	json_t *json;
	struct status st = acme_json_load(body, &json, why);

	if (failed(st))
		return st;
	if (acme_problem_read(json, 400, &found) &&
	    (found.why[0] == '\0' || strlen(found.why) >= sizeof(found.why)))
		abort();
	json_decref(json);
	return st;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes body = { data + 1, size - 1 };
	struct acme_objects_account account;
	struct acme_renewal_info info;
	char why[ACME_JSON_WHY_MAX] = "";
	enum acme_status status;
	struct status st;

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'd':
		st = directory(body, why);
		break;
	case 'o':
		st = order(body, why);
		break;
	case 'a':
		st = authorization(body, why);
		break;
	case 'c':
		st = acme_objects_challenge(body, ORIGIN, &status, why);
		break;
	case 'l':
		st = acme_objects_orders(body, ORIGIN, on_order, NULL, why);
		break;
	case 'u':
		st = acme_objects_account(body, ORIGIN, &account, why);
		break;
	case 'r':
		st = acme_objects_renewal_info(body, &info, why);
		break;
	default:
		st = problem(body, why);
		break;
	}
	if (failed(st) && why[0] == '\0')
		abort();
	return 0;
}
