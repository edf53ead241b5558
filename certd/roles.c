/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Roles and scopes.  An administrator may all that the others may; an engineer
 * and an auditor both read what a viewer reads, and neither may all that the
 * other may.
 */

#include "certd/roles.h"

#include <string.h>

#include "certd/caller.h"
#include "proto/holdfast/certd/v1/accounts.pb-c.h"

#define ADMINISTRATOR HOLDFAST__CERTD__V1__USER_ROLE__USER_ROLE_ADMINISTRATOR
#define ENGINEER HOLDFAST__CERTD__V1__USER_ROLE__USER_ROLE_ENGINEER
#define VIEWER HOLDFAST__CERTD__V1__USER_ROLE__USER_ROLE_VIEWER
#define AUDITOR HOLDFAST__CERTD__V1__USER_ROLE__USER_ROLE_AUDITOR

static const struct {
	const char *name;
	unsigned allow;
	unsigned covers; /* bits of roles */
} ROLES[] = {
	[ADMINISTRATOR] = { "administrator", ALLOW_ADMINISTRATOR,
	    1u << ADMINISTRATOR | 1u << ENGINEER | 1u << VIEWER |
		1u << AUDITOR },
	[ENGINEER] = { "engineer", ALLOW_ENGINEER,
	    1u << ENGINEER | 1u << VIEWER },
	[VIEWER] = { "viewer", ALLOW_VIEWER, 1u << VIEWER },
	[AUDITOR] = { "auditor", ALLOW_ACCOUNT_AUDITOR,
	    1u << AUDITOR | 1u << VIEWER },
};

static const struct {
	const char *name;
	unsigned scope, brings;
} SCOPES[] = {
	{ "certificates:read", SCOPE_CERTIFICATES_READ, 0 },
	{ "certificates:write", SCOPE_CERTIFICATES_WRITE,
	    SCOPE_CERTIFICATES_READ },
	{ "resources:read", SCOPE_RESOURCES_READ, 0 },
	{ "resources:write", SCOPE_RESOURCES_WRITE, SCOPE_RESOURCES_READ },
	{ "account:read", SCOPE_ACCOUNT_READ, 0 },
	{ "account:write", SCOPE_ACCOUNT_WRITE, SCOPE_ACCOUNT_READ },
};

bool
roles_is_role(int role)
{
	return role > 0 && (size_t)role < sizeof(ROLES) / sizeof(ROLES[0]);
}

const char *
roles_name(int role)
{
	return roles_is_role(role) ? ROLES[role].name : NULL;
}

unsigned
roles_allow(int role)
{
	return roles_is_role(role) ? ROLES[role].allow : 0;
}

bool
roles_covers(int role, int other)
{
	return roles_is_role(role) && roles_is_role(other) &&
	       (ROLES[role].covers & 1u << other) != 0;
}

int
roles_meet(int role, int other)
{
	if (roles_covers(role, other))
		return other;
	return roles_covers(other, role) ? role : VIEWER;
}

unsigned
roles_scope(const char *name)
{
	for (size_t i = 0; i < sizeof(SCOPES) / sizeof(SCOPES[0]); i++)
		if (strcmp(SCOPES[i].name, name) == 0)
			return SCOPES[i].scope;
	return 0;
}

const char *
roles_scope_at(size_t i, unsigned *ret_scope)
{
	if (i >= sizeof(SCOPES) / sizeof(SCOPES[0]))
		return NULL;
	*ret_scope = SCOPES[i].scope;
	return SCOPES[i].name;
}

unsigned
roles_scopes_whole(unsigned scopes)
{
	unsigned whole = scopes;

	for (size_t i = 0; i < sizeof(SCOPES) / sizeof(SCOPES[0]); i++)
		if ((scopes & SCOPES[i].scope) != 0)
			whole |= SCOPES[i].brings;
	return whole;
}
