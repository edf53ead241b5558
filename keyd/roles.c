/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Roles: the table below is all there is.  A method that is not in it is
 * refused to everyone, so a new service starts closed.
 */

#include "keyd/roles.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"

#define OPERATOR (1u << ROLE_OPERATOR)
#define AUDITOR (1u << ROLE_AUDITOR)
#define CERTD (1u << ROLE_CERTD)
#define KEYD (1u << ROLE_KEYD)
#define EDGE (1u << ROLE_EDGE)
#define EVERYONE (OPERATOR | AUDITOR | CERTD | KEYD | EDGE)
#define NEWCOMER (1u << ROLE_NONE) /* on the enrollment port only */

static const struct {
	const char *method;
	unsigned roles;
} TABLE[] = {
	/* Signing needs a grant on the key as well (keyd/policy.h). */
	{ "/holdfast.keyd.v1.Signer/Sign", OPERATOR | CERTD | EDGE },
	{ "/holdfast.keyd.v1.Signer/SignStream", OPERATOR | CERTD | EDGE },
	{ "/holdfast.keyd.v1.Keys/Generate", OPERATOR | CERTD },
	{ "/holdfast.keyd.v1.Keys/List", OPERATOR | CERTD | AUDITOR },
	{ "/holdfast.keyd.v1.Keys/Get", OPERATOR | CERTD | AUDITOR },
	{ "/holdfast.keyd.v1.Keys/ListGrants", OPERATOR | CERTD | AUDITOR },
	{ "/holdfast.keyd.v1.Keys/Grant", OPERATOR | CERTD },
	{ "/holdfast.keyd.v1.Keys/Revoke", OPERATOR | CERTD },
	{ "/holdfast.keyd.v1.Keys/Update", OPERATOR | CERTD },
	{ "/holdfast.keyd.v1.Keys/Suspend", OPERATOR | CERTD },
	{ "/holdfast.keyd.v1.Keys/Resume", OPERATOR },
	{ "/holdfast.keyd.v1.Keys/ScheduleDestruction", OPERATOR | CERTD },
	{ "/holdfast.keyd.v1.Keys/CancelDestruction", OPERATOR },
	{ "/holdfast.keyd.v1.Keys/ImportParameters", OPERATOR | CERTD },
	{ "/holdfast.keyd.v1.Keys/Import", OPERATOR | CERTD },
	{ "/holdfast.keyd.v1.Keys/Dossier", OPERATOR | CERTD | AUDITOR },
	{ "/holdfast.keyd.v1.Approvals/List", OPERATOR | AUDITOR },
	{ "/holdfast.keyd.v1.Approvals/Get", OPERATOR | AUDITOR },
	{ "/holdfast.keyd.v1.Approvals/Vote", OPERATOR },
	{ "/holdfast.keyd.v1.Audit/Describe", OPERATOR | CERTD | AUDITOR },
	{ "/holdfast.keyd.v1.Audit/Entries", OPERATOR | CERTD | AUDITOR },
	{ "/holdfast.keyd.v1.Audit/Prove", OPERATOR | CERTD | AUDITOR },
	{ "/holdfast.keyd.v1.Audit/Cosign", OPERATOR | AUDITOR },
	{ "/holdfast.keyd.v1.Audit/RotateKey", OPERATOR },
	{ "/holdfast.keyd.v1.Identity/Renew", EVERYONE },
	{ "/holdfast.keyd.v1.Identity/Invite", OPERATOR },
	/* certd gives keys to edges: it has to know their groups. */
	{ "/holdfast.keyd.v1.Identity/List", OPERATOR | CERTD | AUDITOR },
	/* People stop edges in certd's console, which fails safe.  certd lets
	 * nobody in again: Release is not for it. */
	{ "/holdfast.keyd.v1.Identity/Quarantine", OPERATOR | CERTD },
	{ "/holdfast.keyd.v1.Identity/Release", OPERATOR },
	{ "/holdfast.keyd.v1.Identity/SetGroup", OPERATOR },
	{ "/holdfast.keyd.v1.Status/Get", OPERATOR | CERTD | AUDITOR },
	{ "/holdfast.keyd.v1.Status/Signing", OPERATOR | CERTD | AUDITOR },
	{ "/holdfast.keyd.v1.Enrollment/Enroll", NEWCOMER },
	/* So that load balancers and grpcurl work unmodified. */
	{ "/grpc.health.v1.Health/Check", EVERYONE | NEWCOMER },
	{ "/grpc.health.v1.Health/Watch", EVERYONE | NEWCOMER },
	{ "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
	    EVERYONE },
	{ "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
	    EVERYONE },
};

bool
role_may_call(enum role role, const char *method)
{
	if ((unsigned)role >= ROLE_END_)
		return false;
	for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++)
		if (strcmp(TABLE[i].method, method) == 0)
			return (TABLE[i].roles & (1u << role)) != 0;
	return false;
}

/* Health is no secret, and load balancers that stop hearing it tell nobody. */
static bool
is_health(const char *method)
{
	static const char HEALTH[] = "/grpc.health.v1.Health/";

	return strncmp(method, HEALTH, sizeof(HEALTH) - 1) == 0;
}

static struct status
check_standing(
    const struct roles *roles, const struct spiffe *id, const char *method)
{
	scoped(policy_unref) struct policy *policy = NULL;

	if (roles->policy == NULL || is_health(method))
		return status_ok();
	policy = policy_slot_get(roles->policy);
	return policy_check_standing(policy, id);
}

STATUS
roles_authorize(void *ctx, const struct rpc_peer *peer, const char *method)
{
	const struct roles *roles = ctx;
	struct spiffe id;

	if (failed(spiffe_parse(peer->spiffe_id, &id)))
		return status_fail(STATUS_UNAUTHENTICATED,
		    "the certificate holds no SPIFFE ID that keyd can read");
	if (strcmp(id.domain, roles->domain) != 0)
		return status_fail(STATUS_UNAUTHENTICATED,
		    "the certificate is of another trust domain");
	/* TLS looked when the connection was made; that may be long ago. */
	if (peer->not_after_s <= clock_wall_s())
		return status_fail(STATUS_UNAUTHENTICATED,
		    "the caller's certificate has expired: renew it and "
		    "connect again");
	if (!role_may_call(id.role, method))
		return status_fail(STATUS_PERMISSION_DENIED,
		    "this identity's role may not call this method; ask an "
		    "operator");
	return check_standing(roles, &id, method);
}

STATUS
roles_authorize_newcomer(
    void *ctx, const struct rpc_peer *peer, const char *method)
{
	(void)ctx;
	(void)peer;
	if (!role_may_call(ROLE_NONE, method))
		return status_fail(STATUS_PERMISSION_DENIED,
		    "this port only enrolls newcomers; call keyd's main port "
		    "with a certificate");
	return status_ok();
}
