/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Authorizations and their challenges out of JSON.  Challenges of types that
 * nobody here can solve are passed over; those of known types must be whole,
 * their tokens of base64url's characters alone, for a token becomes part of a
 * path, and issuer names fit to stand in a DNS record.  A dns-persist-01 that
 * is not is passed over.
 */

#include <stdio.h>
#include <string.h>

#include "acme/objects.h"
#include "acme/objects_int.h"

static const char *const challenge_names[] = {
	[ACME_HTTP_01] = "http-01",
	[ACME_DNS_01] = "dns-01",
	[ACME_DNS_PERSIST_01] = "dns-persist-01",
};

const char *
acme_challenge_name(enum acme_challenge_type type)
{
	return challenge_names[type];
}

static void
read_token(struct acme_json *json, enum acme_challenge_type type,
    struct acme_challenge *challenge)
{
	acme_json_text(json, "token",
	    type == ACME_DNS_PERSIST_01 ? ACME_JSON_OPTIONAL
					: ACME_JSON_REQUIRED,
	    challenge->token, sizeof(challenge->token));
	/* RFC 8555 8.1: base64url; it becomes part of a path. */
	for (const char *c = challenge->token; *c != '\0'; c++) {
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			(*c >= '0' && *c <= '9') || *c == '-' || *c == '_'))
			acme_json_bad(json, "its \"token\" is no base64url");
	}
	if (!json->is_bad && type != ACME_DNS_PERSIST_01 &&
	    challenge->token[0] == '\0')
		acme_json_bad(json, "its \"token\" is empty");
}

static void
read_issuer_domain(struct acme_json *json, struct acme_challenge *challenge)
{
	const json_t *names = acme_json_array(
	    json, "issuer-domain-names", ACME_JSON_REQUIRED, 10);
	const char *name = json_string_value(json_array_get(names, 0));

	if (json->is_bad)
		return;
	if (name == NULL || name[0] == '\0' ||
	    strlen(name) >= sizeof(challenge->issuer_domain)) {
		acme_json_bad(json, "its \"issuer-domain-names\" are no names");
		return;
	}
	for (const char *c = name; *c != '\0'; c++) {
		if (*c <= ' ' || *c >= 0x7f || strchr(";\"\\", *c) != NULL) {
			acme_json_bad(
			    json, "its \"issuer-domain-names\" are no names");
			return;
		}
	}
	snprintf(challenge->issuer_domain, sizeof(challenge->issuer_domain),
	    "%s", name);
}

static void
read_challenge(struct acme_json *json, const json_t *value,
    struct acme_authorization *authorization)
{
	struct acme_challenge found = { .is_offered = true };
	enum acme_challenge_type type = 0;
	struct acme_json challenge;
	char name[64] = "";

	if (!json_is_object(value)) {
		acme_json_bad(json, "a challenge of it is no object");
		return;
	}
	acme_json_init(&challenge, value, json->origin);
	acme_json_text(
	    &challenge, "type", ACME_JSON_REQUIRED, name, sizeof(name));
	while (type < ACME_CHALLENGE_TYPES &&
	       strcmp(name, challenge_names[type]) != 0)
		type++;
	if (type == ACME_CHALLENGE_TYPES && !challenge.is_bad)
		return;
	acme_json_url(&challenge, "url", ACME_JSON_REQUIRED, found.url);
	acme_objects_read_status(&challenge, &found.status);
	acme_objects_read_problem(&challenge, &found.problem);
	if (!challenge.is_bad)
		read_token(&challenge, type, &found);
	if (!challenge.is_bad && type == ACME_DNS_PERSIST_01)
		read_issuer_domain(&challenge, &found);
	/* A draft: what it is to be like may change, and the others stand. */
	if (challenge.is_bad && type == ACME_DNS_PERSIST_01)
		return;
	if (challenge.is_bad)
		acme_json_bad(json, "of its challenge: %s", challenge.why);
	else
		authorization->challenges[type] = found;
}

STATUS
acme_objects_authorization(struct bytes body, const char *origin,
    struct acme_authorization *ret_authorization,
    char ret_why[ACME_JSON_WHY_MAX])
{
	struct acme_authorization found = { .retry_after_ms = -1 };
	scoped(json) json_t *document = NULL;
	char name[256] = "";
	bool is_wildcard = false;
	const json_t *challenges;
	struct acme_json json;
	struct status st = acme_json_load(body, &document, ret_why);

	if (failed(st))
		return st;
	acme_json_init(&json, document, origin);
	acme_objects_read_status(&json, &found.status);
	acme_json_time(&json, "expires", ACME_JSON_OPTIONAL, &found.expires_s);
	acme_objects_read_identifier(&json,
	    acme_json_object(&json, "identifier", ACME_JSON_REQUIRED), name);
	acme_json_flag(&json, "wildcard", &is_wildcard);
	if (strlen(name) + 2 >= sizeof(found.name))
		acme_json_bad(&json, "its identifier is too long");
	else
		snprintf(found.name, sizeof(found.name), "%s%s",
		    is_wildcard ? "*." : "", name);
	challenges =
	    acme_json_array(&json, "challenges", ACME_JSON_REQUIRED, 64);
	for (size_t i = 0; i < json_array_size(challenges); i++)
		read_challenge(&json, json_array_get(challenges, i), &found);
	st = acme_objects_verdict(&json, ret_why);
	if (!failed(st))
		*ret_authorization = found;
	return st;
}

STATUS
acme_objects_challenge(struct bytes body, const char *origin,
    enum acme_status *ret_status, char ret_why[ACME_JSON_WHY_MAX])
{
	enum acme_status found = ACME_PENDING;
	scoped(json) json_t *document = NULL;
	struct acme_json json;
	struct status st = acme_json_load(body, &document, ret_why);

	if (failed(st))
		return st;
	acme_json_init(&json, document, origin);
	acme_objects_read_status(&json, &found);
	st = acme_objects_verdict(&json, ret_why);
	if (!failed(st))
		*ret_status = found;
	return st;
}
