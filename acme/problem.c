/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Problems, by one table: the CA's types, their names, and which are worth
 * trying again as they are.  All that a CA says is foreign: it is escaped and
 * cut to fit, so that no detail may pose as a line of our own.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "acme/problem_int.h"
#include "acme/url.h"
#include "base/printable.h"

#define SUBPROBLEMS_MAX 16
#define INSTANCE_MAX 512 /* with the words around it */

static const struct {
	const char *name;
	bool is_temporary;
	bool is_ours; /* no type of the CA's */
} types[] = {
	[ACME_PROBLEM_NONE] = { "none", false, true },
	[ACME_PROBLEM_UNREACHABLE] = { "unreachable", true, true },
	[ACME_PROBLEM_NOT_ACME] = { "notAcme", false, true },
	[ACME_PROBLEM_SIGNER] = { "signer", false, true },
	[ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST] = { "accountDoesNotExist", false,
	    false },
	[ACME_PROBLEM_ALREADY_REPLACED] = { "alreadyReplaced", false, false },
	[ACME_PROBLEM_ALREADY_REVOKED] = { "alreadyRevoked", false, false },
	[ACME_PROBLEM_BAD_CSR] = { "badCSR", false, false },
	[ACME_PROBLEM_BAD_NONCE] = { "badNonce", true, false },
	[ACME_PROBLEM_BAD_PUBLIC_KEY] = { "badPublicKey", false, false },
	[ACME_PROBLEM_BAD_REVOCATION_REASON] = { "badRevocationReason", false,
	    false },
	[ACME_PROBLEM_BAD_SIGNATURE_ALGORITHM] = { "badSignatureAlgorithm",
	    false, false },
	[ACME_PROBLEM_CAA] = { "caa", false, false },
	[ACME_PROBLEM_COMPOUND] = { "compound", false, false },
	[ACME_PROBLEM_CONNECTION] = { "connection", false, false },
	[ACME_PROBLEM_DNS] = { "dns", false, false },
	[ACME_PROBLEM_EXTERNAL_ACCOUNT_REQUIRED] = { "externalAccountRequired",
	    false, false },
	[ACME_PROBLEM_INCORRECT_RESPONSE] = { "incorrectResponse", false,
	    false },
	[ACME_PROBLEM_INVALID_CONTACT] = { "invalidContact", false, false },
	[ACME_PROBLEM_INVALID_PROFILE] = { "invalidProfile", false, false },
	[ACME_PROBLEM_MALFORMED] = { "malformed", false, false },
	[ACME_PROBLEM_ORDER_NOT_READY] = { "orderNotReady", false, false },
	[ACME_PROBLEM_RATE_LIMITED] = { "rateLimited", true, false },
	[ACME_PROBLEM_REJECTED_IDENTIFIER] = { "rejectedIdentifier", false,
	    false },
	[ACME_PROBLEM_SERVER_INTERNAL] = { "serverInternal", true, false },
	[ACME_PROBLEM_TLS] = { "tls", false, false },
	[ACME_PROBLEM_UNAUTHORIZED] = { "unauthorized", false, false },
	[ACME_PROBLEM_UNSUPPORTED_CONTACT] = { "unsupportedContact", false,
	    false },
	[ACME_PROBLEM_UNSUPPORTED_IDENTIFIER] = { "unsupportedIdentifier",
	    false, false },
	[ACME_PROBLEM_USER_ACTION_REQUIRED] = { "userActionRequired", false,
	    false },
	[ACME_PROBLEM_OTHER] = { "other", false, true },
};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

const char *
acme_problem_name(enum acme_problem_type type)
{
	return (size_t)type < N_TYPES ? types[type].name : "other";
}

static bool
is_temporary(enum acme_problem_type type, int http_status)
{
	return types[type].is_temporary || http_status >= 500 ||
	       http_status == 429;
}

void
acme_problem_set(struct acme_problem *ret_problem, enum acme_problem_type type,
    int http_status, const char *format, ...)
{
	va_list arguments;

	ret_problem->type = type;
	ret_problem->is_temporary = is_temporary(type, http_status);
	ret_problem->http_status = http_status;
	ret_problem->retry_after_ms = -1;
	va_start(arguments, format);
	vsnprintf(
	    ret_problem->why, sizeof(ret_problem->why), format, arguments);
	va_end(arguments);
}

/* ---- the CA's documents ---- */

static enum acme_problem_type
type_of(const char *urn)
{
	static const char prefix[] = "urn:ietf:params:acme:error:";

	if (strncmp(urn, prefix, sizeof(prefix) - 1) != 0)
		return ACME_PROBLEM_OTHER;
	for (size_t i = 0; i < N_TYPES; i++) {
		if (!types[i].is_ours &&
		    strcmp(urn + sizeof(prefix) - 1, types[i].name) == 0)
			return (enum acme_problem_type)i;
	}
	return ACME_PROBLEM_OTHER;
}

/* "" where there is no such string. */
static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text == NULL ? "" : text;
}

static size_t
append(struct acme_problem *problem, size_t len, struct bytes text)
{
	return len + printable_print(
			 text, problem->why + len, sizeof(problem->why) - len);
}

/* "; a.example: the detail" for each. */
static void
add_subproblems(
    struct acme_problem *problem, size_t len, const json_t *subproblems)
{
	const json_t *each;
	size_t i;

	if (!json_is_array(subproblems))
		return;
	json_array_foreach((json_t *)(uintptr_t)subproblems, i, each)
	{
		const json_t *identifier = json_object_get(each, "identifier");
		const char *name = text_of(identifier, "value");
		const char *detail = text_of(each, "detail");

		if (i >= SUBPROBLEMS_MAX)
			return;
		if (detail[0] == '\0')
			detail = text_of(each, "type");
		if (len > 0)
			len = append(problem, len, bytes_of("; "));
		if (name[0] != '\0') {
			len = append(problem, len, bytes_of(name));
			len = append(problem, len, bytes_of(": "));
		}
		len = append(problem, len, bytes_of(detail));
	}
}

/* Where a person is to go (RFC 8555 7.3.3), where that is a plain URL: all of
 * it, whatever else is said. */
static void
add_instance(struct acme_problem *problem, const char *instance)
{
	const size_t room = strlen(instance) + sizeof(" (go to )");
	char said[sizeof(problem->why)];
	size_t len;

	if (problem->type != ACME_PROBLEM_USER_ACTION_REQUIRED ||
	    room > INSTANCE_MAX || !acme_url_is_fit(instance))
		return;
	memcpy(said, problem->why, sizeof(said));
	printable_cut(said, problem->why, sizeof(problem->why) - room + 1);
	len = strlen(problem->why);
	snprintf(problem->why + len, sizeof(problem->why) - len, "%s(go to %s)",
	    len == 0 ? "" : " ", instance);
}

bool
acme_problem_read(
    const json_t *document, int http_status, struct acme_problem *ret_problem)
{
	const char *urn = text_of(document, "type");
	const char *detail = text_of(document, "detail");
	const enum acme_problem_type type = type_of(urn);
	size_t len = 0;

	/* Something of a problem must be there. */
	if (!json_is_object(document) || (urn[0] == '\0' && detail[0] == '\0'))
		return false;
	if (http_status == 0) {
		const json_t *status = json_object_get(document, "status");
		const json_int_t number = json_integer_value(status);

		http_status = number >= 100 && number <= 599 ? (int)number : 0;
	}
	acme_problem_set(ret_problem, type, http_status, "%s", "");
	if (type == ACME_PROBLEM_OTHER && urn[0] != '\0') {
		len = append(ret_problem, len, bytes_of(urn));
		if (detail[0] != '\0')
			len = append(ret_problem, len, bytes_of(": "));
	}
	len = append(ret_problem, len, bytes_of(detail));
	add_subproblems(
	    ret_problem, len, json_object_get(document, "subproblems"));
	add_instance(ret_problem, text_of(document, "instance"));
	if (ret_problem->why[0] == '\0')
		snprintf(ret_problem->why, sizeof(ret_problem->why),
		    "the CA gave no reason");
	return true;
}

STATUS
acme_problem_status(const struct acme_problem *problem)
{
	const uint32_t detail = (uint32_t)problem->http_status;

	if (problem->is_temporary)
		return status_fail_detail(
		    STATUS_UNAVAILABLE, "the CA cannot do this now", detail);
	if (problem->type == ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST)
		return status_fail_detail(STATUS_NOT_FOUND,
		    "the CA does not know the account", detail);
	if (problem->type == ACME_PROBLEM_NOT_ACME)
		return status_fail_detail(STATUS_FAILED_PRECONDITION,
		    "what the CA answered is no ACME", detail);
	return status_fail_detail(
	    STATUS_FAILED_PRECONDITION, "the CA refused", detail);
}
