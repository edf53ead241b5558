/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identities as text.  There is one way to write each: no port, query, user,
 * percent-encoding, empty or dotted segment, and exactly two path segments.
 * What is refused here never reaches a policy.
 */
#include "base/spiffe.h"

#include <stdio.h>
#include <string.h>

#define SCHEME "spiffe://"

static const char *const names[ROLE_END_] = {
	[ROLE_OPERATOR] = "operator",
	[ROLE_AUDITOR] = "auditor",
	[ROLE_CERTD] = "certd",
	[ROLE_KEYD] = "keyd",
	[ROLE_EDGE] = "edge",
};

static bool
is_domain_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
	       c == '-' || c == '_';
}

static bool
is_name_char(char c)
{
	return is_domain_char(c) || (c >= 'A' && c <= 'Z');
}

/* Is text all of the class, 1..max-1 characters? */
static bool
is_all(const char *text, size_t len, size_t max, bool (*class)(char))
{
	if (len == 0 || len >= max)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!class(text[i]))
			return false;
	}
	return true;
}

static bool
is_name(const char *text, size_t len)
{
	return is_all(text, len, SPIFFE_NAME_MAX, is_name_char) &&
	       !(len == 1 && text[0] == '.') &&
	       !(len == 2 && text[0] == '.' && text[1] == '.');
}

static enum role
role_of(const char *text, size_t len)
{
	for (int role = ROLE_NONE + 1; role < ROLE_END_; role++) {
		if (strlen(names[role]) == len &&
		    memcmp(names[role], text, len) == 0)
			return (enum role)role;
	}
	return ROLE_NONE;
}

const char *
role_name(enum role role)
{
	return (size_t)role < ROLE_END_ ? names[role] : NULL;
}

enum role
role_parse(const char *text)
{
	return role_of(text, strlen(text));
}

STATUS
spiffe_parse(const char *text, struct spiffe *ret_id)
{
	static const char why[] = "an identity reads spiffe://domain/role/name";
	const size_t scheme_len = sizeof(SCHEME) - 1;
	struct spiffe id = { 0 };
	const char *domain, *role, *name;
	size_t domain_len, role_len, name_len;

	if (strncmp(text, SCHEME, scheme_len) != 0)
		return status_fail(STATUS_INVALID_ARGUMENT, why);
	domain = text + scheme_len;
	domain_len = strcspn(domain, "/");
	if (domain[domain_len] == '\0')
		return status_fail(STATUS_INVALID_ARGUMENT, why);
	role = domain + domain_len + 1;
	role_len = strcspn(role, "/");
	if (role[role_len] == '\0')
		return status_fail(STATUS_INVALID_ARGUMENT, why);
	name = role + role_len + 1;
	name_len = strlen(name);

	if (!is_all(domain, domain_len, SPIFFE_DOMAIN_MAX, is_domain_char))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "an identity's domain is 1 to 127 of a-z 0-9 . - _");
	id.role = role_of(role, role_len);
	if (id.role == ROLE_NONE)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "an identity's role is operator, auditor, certd, keyd or"
		    " edge");
	if (!is_name(name, name_len))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "an identity's name is 1 to 63 of A-Z a-z 0-9 . - _");
	memcpy(id.domain, domain, domain_len);
	memcpy(id.name, name, name_len);
	*ret_id = id;
	return status_ok();
}

STATUS
spiffe_print(const struct spiffe *id, char *ret_text)
{
	const char *role = role_name(id->role);
	char text[SPIFFE_ID_MAX];
	struct spiffe checked;
	struct status st;

	snprintf(text, sizeof(text), SCHEME "%.*s/%s/%.*s",
	    SPIFFE_DOMAIN_MAX - 1, id->domain, role != NULL ? role : "",
	    SPIFFE_NAME_MAX - 1, id->name);
	st = spiffe_parse(text, &checked);
	if (!failed(st))
		memcpy(ret_text, text, strlen(text) + 1);
	return st;
}

bool
spiffe_matches(const struct spiffe *id, const char *pattern)
{
	size_t role_len, len;

	if (!spiffe_pattern_ok(pattern) ||
	    spiffe_pattern_group(pattern) != NULL)
		return false;
	role_len = strcspn(pattern, "/");
	if (role_of(pattern, role_len) != id->role)
		return false;
	pattern += role_len + 1;
	len = strlen(pattern);
	if (pattern[len - 1] == '*')
		return strncmp(pattern, id->name, len - 1) == 0;
	return strcmp(pattern, id->name) == 0;
}

bool
spiffe_pattern_ok(const char *pattern)
{
	size_t role_len = strcspn(pattern, "/");
	const char *name = pattern + role_len + 1;
	size_t len;

	if (pattern[role_len] == '\0' ||
	    role_of(pattern, role_len) == ROLE_NONE)
		return false;
	if (name[0] == '@')
		return spiffe_pattern_group(pattern) != NULL;
	len = strlen(name);
	if (len > 0 && name[len - 1] == '*')
		return len == 1 ||
		       is_all(name, len - 1, SPIFFE_NAME_MAX, is_name_char);
	return is_name(name, len);
}

const char *
spiffe_pattern_group(const char *pattern)
{
	static const char head[] = "edge/@";
	const char *group = pattern + sizeof(head) - 1;

	if (strncmp(pattern, head, sizeof(head) - 1) != 0 ||
	    !is_all(group, strlen(group), SPIFFE_NAME_MAX, is_name_char))
		return NULL;
	return group;
}
