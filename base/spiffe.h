/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SPIFFE_H
#define BASE_SPIFFE_H

#include <stdbool.h>

#include "base/status.h"

/* spiffe://<domain>/<role>/<name>, the identities of DESIGN's section 2. */

enum role {
	ROLE_NONE = 0,
	ROLE_OPERATOR = 1,
	ROLE_AUDITOR = 2,
	ROLE_CERTD = 3,
	ROLE_KEYD = 4,
	ROLE_EDGE = 5,
	ROLE_END_ = 6,
};

#define SPIFFE_DOMAIN_MAX 128
#define SPIFFE_NAME_MAX 64
#define SPIFFE_ID_MAX 256

struct spiffe {
	char domain[SPIFFE_DOMAIN_MAX]; /* lower case a-z 0-9 . - _ */
	enum role role;
	char name[SPIFFE_NAME_MAX]; /* A-Z a-z 0-9 . - _ */
};

const char *role_name(enum role role);  /* "edge"; NULL when not a role */
enum role role_parse(const char *text); /* ROLE_NONE when unknown */

/* Strict (SPIFFE-ID 2): exactly two path segments, no query, no port. */
STATUS spiffe_parse(const char *text, struct spiffe *ret_id);

/* Builds and checks in one; ret_text holds SPIFFE_ID_MAX. */
STATUS spiffe_print(const struct spiffe *id, char *ret_text);

/*
 * Does "role/name" or "role/prefix*" (a grant's identity pattern, domain left
 * out) match the identity?  A pattern of a role, a slash and a star alone
 * matches every name of that role.  A pattern of an edge group matches nobody
 * here: an identity does not tell its group (keyd/policy.h does).
 */
bool spiffe_matches(const struct spiffe *id, const char *pattern);

/*
 * Is the pattern well formed: known role, '/', name chars, '*' only last; or
 * "edge/@group", the group's name 1 to 63 name chars?
 */
bool spiffe_pattern_ok(const char *pattern);

/* "group" of a well-formed "edge/@group", within the pattern; else NULL. */
const char *spiffe_pattern_group(const char *pattern);

#endif
