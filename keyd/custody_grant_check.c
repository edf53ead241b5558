/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who may grant what.  Refuses identities that sign nothing, edges and edge
 * groups that the key's pool does not serve (unless enough operators want it),
 * and from certd whatever goes beyond its own keys (DESIGN 4).
 */

#include <stdio.h>
#include <string.h>

#include "keyd/custody_int.h"

static bool
has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* May a pattern of this role be granted anything at all? */
static bool
role_signs(const char *pattern)
{
	return has_prefix(pattern, "edge/") || has_prefix(pattern, "certd/") ||
	       has_prefix(pattern, "operator/");
}

#define BIT(context) (1u << (context))
#define TLS (BIT(CONTEXT_TLS13_SERVER) | BIT(CONTEXT_TLS12_SERVER_ECDHE))

/* DESIGN 4: certd may let edges serve TLS with keys that it had made, and make
 * certificate and ACME requests with them itself; nothing else. */
static struct status
check_certd(const struct spiffe *certd, const struct custody_change *change)
{
	struct spiffe maker;
	char itself[sizeof("certd/") + SPIFFE_NAME_MAX];

	snprintf(itself, sizeof(itself), "certd/%s", certd->name);
	if (change->is_group || change->beyond_group)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "certd grants on single keys, within their pools' edge "
		    "groups; an operator may do more");
	if (failed(spiffe_parse(change->key.created_by, &maker)) ||
	    maker.role != ROLE_CERTD)
		return status_fail(STATUS_PERMISSION_DENIED,
		    "certd may change grants only on keys that it had made; "
		    "an operator may on all");
	if (has_prefix(change->identity, "edge/") &&
	    (change->contexts & ~TLS) == 0)
		return status_ok();
	if (strcmp(change->identity, itself) == 0 &&
	    (change->contexts & ~(BIT(CONTEXT_CSR) | BIT(CONTEXT_ACME_JWS))) ==
		0)
		return status_ok();
	return status_fail(STATUS_PERMISSION_DENIED,
	    "certd may give edges TLS server contexts, and itself csr and "
	    "acme_jws; an operator may give more");
}

STATUS
custody_check_grant_caller(
    const char *spiffe_id, const struct custody_change *change)
{
	struct spiffe caller;
	struct status st = spiffe_parse(spiffe_id, &caller);

	if (failed(st))
		return st;
	return caller.role == ROLE_CERTD ? check_certd(&caller, change) : st;
}

static const struct policy_pool *
pool_of(const struct custody_config *config, const char *name)
{
	for (size_t i = 0; i < config->n_pools; i++)
		if (strcmp(config->policy_pools[i].name, name) == 0)
			return &config->policy_pools[i];
	return NULL;
}

static struct status
check_pool_serves(const struct policy_pool *pool, const char *group)
{
	if (policy_pool_serves(pool, group))
		return status_ok();
	return status_fail(STATUS_FAILED_PRECONDITION,
	    "the key's pool does not serve this edge's group: move the edge "
	    "('holdfast edge group NAME GROUP'), take a key of another pool, "
	    "or grant with --beyond-group, which other operators approve");
}

/*
 * One edge or one edge group, one key: will the pool serve it?  Other patterns
 * and key groups are not looked into here: they reach edges and keys that are
 * still to come, and policy_check looks at each.
 */
static struct status
check_pool(
    const struct custody_config *config, const struct custody_change *change)
{
	const char *name = change->identity + strlen("edge/");
	const char *group = spiffe_pattern_group(change->identity);
	const struct policy_pool *pool;
	struct registry_identity edge;
	struct status st;

	if (change->is_group || change->beyond_group ||
	    !has_prefix(change->identity, "edge/") || strchr(name, '*') != NULL)
		return status_ok();
	pool = pool_of(config, change->key.pool);
	if (pool == NULL || pool->n_edge_groups == 0)
		return status_ok();
	if (group != NULL)
		return check_pool_serves(pool, group);
	st = registry_identity_get(config->registry, ROLE_EDGE, name, &edge);
	if (failed(st) && st.code != STATUS_NOT_FOUND)
		return st;
	return check_pool_serves(
	    pool, failed(st) ? POLICY_EDGE_GROUP : edge.group);
}

STATUS
custody_check_grant(
    const struct custody_config *config, const struct custody_change *change)
{
	if (!role_signs(change->identity))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "only edge, operator and certd identities sign; write "
		    "edge/NAME, operator/NAME or certd/NAME");
	if (change->contexts == 0)
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "name the contexts to grant, such as tls13_server and "
		    "tls12_server_ecdhe");
	if (change->beyond_group && !has_prefix(change->identity, "edge/"))
		return status_fail(STATUS_INVALID_ARGUMENT,
		    "only edges are in edge groups: leave beyond_group out");
	if (!change->is_group && change->key.state == KEY_DESTROYED)
		return status_fail(STATUS_FAILED_PRECONDITION,
		    "this key has been destroyed; nothing can be granted on "
		    "it");
	return check_pool(config, change);
}

STATUS
custody_check_self(const struct custody_config *config, const char *spiffe_id,
    const char *pool, unsigned contexts, struct registry_grant *ret_grant)
{
	struct registry_grant grant = { .contexts = contexts };
	struct custody_change change = { .contexts = contexts,
		.identity = grant.pattern };
	struct spiffe self;
	struct status st = spiffe_parse(spiffe_id, &self);

	if (failed(st))
		return st;
	snprintf(grant.pattern, sizeof(grant.pattern), "%s/%s",
	    role_name(self.role), self.name);
	snprintf(change.key.created_by, sizeof(change.key.created_by), "%s",
	    spiffe_id);
	snprintf(change.key.pool, sizeof(change.key.pool), "%s", pool);
	change.key.state = KEY_ACTIVE;
	st = custody_check_grant_caller(spiffe_id, &change);
	if (!failed(st))
		st = custody_check_grant(config, &change);
	if (!failed(st))
		*ret_grant = grant;
	return st;
}
