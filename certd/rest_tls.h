/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REST_TLS_H
#define CERTD_REST_TLS_H

#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "certd/custody.h"

/*
 * The certificate that REST serves with: the newest at each new connection,
 * from keyd or from files.  One that cannot be had leaves the one before in
 * place.  Any thread.
 */
struct rest_tls;
struct rest_tls_identity; /* one certificate and key, counted */

#define REST_TLS_WHY_MAX 256

struct rest_tls_config { /* borrowed for its life */
	/* Either custody, or both files. */
	struct custody *custody;
	const char *certificate, *key;
	/* Whose client certificates are asked for (PEM), and of which trust
	 * domain they are; NULL: none are. */
	const char *client_ca, *client_domain;
};

/* ret_why (REST_TLS_WHY_MAX). */
STATUS rest_tls_new(const struct rest_tls_config *config,
    struct rest_tls **ret_tls, char *ret_why);
void rest_tls_free(struct rest_tls *tls); /* NULL is allowed */
SCOPED_RELEASE(rest_tls_free, struct rest_tls *);

/* What libmicrohttpd wants to have at its start: PEM, borrowed until
 * rest_tls_started, which wipes them. */
const char *rest_tls_certificate(const struct rest_tls *tls);
const char *rest_tls_key(const struct rest_tls *tls);
void rest_tls_started(struct rest_tls *tls);
/* TLS 1.2 and 1.3, forward secret, AEAD: for GnuTLS. */
const char *rest_tls_priorities(void);

/* Have a session (gnutls_session_t), before its handshake, serve with the
 * newest.  Gives what is to be released when the session has ended; NULL when
 * memory ends. */
struct rest_tls_identity *rest_tls_use(struct rest_tls *tls, void *session);
/*
 * Who a session's client certificate says it is: "operator/admin" or
 * "auditor/x", and when it ends.  "" without one, and with one that is not
 * client_ca's, not for clients, not in force now, or of another role or domain.
 * Nobody must be using the session meanwhile.
 */
void rest_tls_peer(const struct rest_tls *tls, void *session,
    char *ret_identity, size_t max, int64_t *ret_not_after_s);
/* NULL is allowed */
void rest_tls_release(struct rest_tls_identity *identity);

#endif
