/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RPC_ENROLL_H
#define RPC_ENROLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/spiffe.h"
#include "base/status.h"
#include "rpc/client.h"

/*
 * A member's own identity: how edged, certd and the command line come to a
 * certificate and keep it fresh.  A join file (docs/PROTOCOL.md) is traded once
 * for a certificate; the key is made here and never leaves the state folder.
 *
 * State folder, 0700: identity.pem (0600: private key, certificate; replaced
 * whole by rename) and member.yaml (identity, domain, endpoints, CA).
 */

struct enroll_join { /* what a join file says */
	char identity[SPIFFE_ID_MAX];
	char domain[SPIFFE_DOMAIN_MAX];
	const char *ca_pem;
	const char *const *endpoints;
	size_t n_endpoints;
	const char *const *enroll_endpoints;
	size_t n_enroll_endpoints;
	struct bytes secret; /* 32 octets */
	int64_t expires_s;
};

/* Write a join file, 0600, refusing to overwrite one. */
STATUS enroll_write_join(const char *path, const struct enroll_join *join);

/*
 * Trade the join file for a certificate, trying its endpoints in turn, and fill
 * the state folder (made if missing).  FAILED_PRECONDITION when the folder has
 * an identity already.  ret_why (RPC_WHY_MAX octets) says what went wrong.
 */
STATUS enroll_join(const char *join_path, const char *state_dir, char *ret_why);

struct enroll_identity {
	char *cert_pem, *key_pem, *ca_pem; /* the key is wiped on free */
	char identity[SPIFFE_ID_MAX];
	char domain[SPIFFE_DOMAIN_MAX];
	char server_name[SPIFFE_DOMAIN_MAX + 8]; /* "keyd.<domain>" */
	char certd_name[SPIFFE_DOMAIN_MAX + 8];  /* "certd.<domain>" */
	char **endpoints;
	size_t n_endpoints;
	int64_t not_before_s, not_after_s;
};

/* NOT_FOUND when nothing has joined there yet: says which command does. */
STATUS enroll_load(const char *state_dir, struct enroll_identity **ret_identity,
    char *ret_why);
void enroll_identity_free(struct enroll_identity *identity); /* NULL is ok */
SCOPED_RELEASE(enroll_identity_free, struct enroll_identity *);

/* Has half of its life passed? */
bool enroll_renew_due(const struct enroll_identity *identity, int64_t now_s);

/*
 * A new key and certificate from any endpoint, stored; load again to use it.
 * The old one stays valid until it expires, so nothing is lost on failure.
 */
STATUS enroll_renew(const char *state_dir,
    const struct enroll_identity *identity, unsigned timeout_ms, char *ret_why);

/* A client configuration for keyd at endpoint i of this identity; borrows from
 * it. */
struct rpc_client_config enroll_client_config(
    const struct enroll_identity *identity, size_t endpoint);
/* The same for certd, which member files know no endpoints of; borrows target
 * too. */
struct rpc_client_config enroll_certd_config(
    const struct enroll_identity *identity, const char *target);

#endif
