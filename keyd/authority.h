/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_AUTHORITY_H
#define KEYD_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/secret.h"
#include "base/spiffe.h"
#include "base/status.h"
#include "hsm/ca.h"
#include "keyd/audit.h"
#include "keyd/registry.h"
#include "rpc/server.h"

/*
 * Who is who (docs/PROTOCOL.md, "Identity"): invites members, trades their join
 * secrets for certificates, renews those, and keeps keyd's own TLS key and
 * certificate fresh.  Certificates are made by the identity CA (hsm/ca.h);
 * every one of them is recorded before it is given out.
 */
struct authority;

#define AUTHORITY_TTL_DEFAULT_S 86400
#define AUTHORITY_TTL_MAX_S 604800
/* Enroll failures in a minute before they are answered RESOURCE_EXHAUSTED. */
#define AUTHORITY_FAILURES_MAX 20

struct authority_config { /* borrowed, as is all that it points to */
	struct hsm_ca *ca;
	struct bytes ca_cert; /* DER, as hsm_ca_create made it; copied */
	const char *domain;   /* copied */
	/* This keyd's own name: spiffe://domain/keyd/name; copied. */
	const char *name;
	struct registry *registry;
	struct audit *audit;
	int64_t lifetime_s; /* of certificates; 0: 24 h */
	/* What join files tell members, "host:port". */
	const char *const *endpoints;
	size_t n_endpoints;
	const char *const *enroll_endpoints;
	size_t n_enroll_endpoints;
	/* Open SignStreams of an identity; NULL: none are reported. */
	unsigned (*streams_of)(void *ctx, const char *spiffe_id);
	void *streams_ctx;
	/* Puts edge groups and quarantines in force; NULL: nobody does. */
	struct status (*publish)(void *ctx);
	void *publish_ctx;
};

/*
 * Makes keyd's TLS key, has it certified (so blocks for seconds at most, and
 * fails with what the identity token says), and starts the thread that renews
 * that at half life.
 */
STATUS authority_new(
    const struct authority_config *config, struct authority **ret_authority);
void authority_free(struct authority *authority); /* NULL is allowed */
SCOPED_RELEASE(authority_free, struct authority *);

/* PEM of the CA: rpc_server_config.ca_pem.  Lives as long as authority. */
const char *authority_ca_pem(const struct authority *authority);

/*
 * For rpc_server_config.identity: *seen is the caller's memory of what it has,
 * 0 at first, one for each server.  Any thread, never blocks on the token.
 */
STATUS authority_identity(struct authority *authority, uint64_t *seen,
    bool *ret_changed, char **ret_cert_pem, char **ret_key_pem);

/* The methods of Identity on the main port. */
void authority_register(struct authority *authority, struct rpc_server *server);
/* Enroll on the enrollment port. */
void authority_register_enrollment(
    struct authority *authority, struct rpc_server *server);

/*
 * Make a join secret (32 octets) for a new identity: what Invite does, and what
 * keyd init does for the first operator.  INVALID_ARGUMENT: a role that cannot
 * be invited (keyd certifies itself), a bad name, or a ttl beyond the maximum.
 * group is that of an edge; "" for "standard".
 */
STATUS authority_invite(struct registry *registry, const struct spiffe *id,
    const char *group, int64_t now_s, int64_t ttl_s,
    struct secret **ret_secret);

#endif
