/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYD_AUTHORITY_SELF_H
#define KEYD_AUTHORITY_SELF_H

#include "base/bytes.h"
#include "base/spiffe.h"
#include "base/status.h"
#include "hsm/ca.h"

/*
 * keyd's own TLS identity: a key that lives in memory alone, certified by the
 * identity CA, and a thread that replaces both at half life.  For authority.c.
 */
struct authority_self;

struct authority_self_config { /* borrowed */
	struct hsm_ca *ca;
	struct bytes ca_cert; /* DER */
	struct spiffe id;
	int64_t lifetime_s;
};

STATUS authority_self_new(const struct authority_self_config *config,
    struct authority_self **ret_self);
void authority_self_free(struct authority_self *self); /* NULL is allowed */

/* As authority_identity. */
STATUS authority_self_get(struct authority_self *self, uint64_t *seen,
    bool *ret_changed, char **ret_cert_pem, char **ret_key_pem);

/* PEM of a DER certificate, malloc'd; NULL when it is none. */
char *authority_cert_pem(struct bytes der);

#endif
