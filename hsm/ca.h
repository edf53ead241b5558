/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_CA_H
#define HSM_CA_H

#include "base/bytes.h"
#include "base/spiffe.h"
#include "base/status.h"

/*
 * The identity CA: an EC P-256 key labelled "ca" on the identity token, behind
 * a single-threaded worker process of its own that signs certificates with
 * libp11 (which stays out of every process that signs for edges).
 */
struct hsm_ca;

struct hsm_ca_config {
	const char *module;
	const char *token_label;
	const char *pin_file;
	const char *lock_file;
	/* { "/proc/self/exe", "ca-worker", NULL } in keyd. */
	const char *const *worker_argv;
	/* As in struct hsm_config; may be NULL. */
	const char *const *worker_env;
};

#define HSM_CERT_MAX 4096

struct hsm_cert {
	size_t len;
	uint8_t der[HSM_CERT_MAX];
	int64_t not_after_s;
	char serial[41]; /* hex */
};

/* Strings are copied.  A dead worker is started again by the next call. */
STATUS hsm_ca_open(const struct hsm_ca_config *config, struct hsm_ca **ret_ca);
void hsm_ca_close(struct hsm_ca *ca); /* NULL is allowed */

/*
 * Make the CA key if the token has none (a raw worker's work, done in a process
 * that ends before libp11 is used), and its self-signed certificate for the
 * trust domain: "CN=Holdfast identity CA, O=<domain>", URI SAN
 * spiffe://<domain>, CA:TRUE pathlen 0, keyCertSign.  Run by keyd init.
 * Blocks for seconds at most.  ret_ca_cert is the certificate.
 */
STATUS hsm_ca_create(const struct hsm_ca_config *config, const char *domain,
    unsigned lifetime_days, struct hsm_cert *ret_ca_cert);

/*
 * Certify an EC P-256 public key (DER SPKI) as an identity, issued by ca_cert
 * (DER, kept by the caller).  clientAuth; for ROLE_KEYD and ROLE_CERTD also
 * serverAuth and the DNS SAN "keyd.<domain>" or "certd.<domain>".  Not before
 * is 5 minutes ago; random 16-octet serial. Any thread; calls are served one
 * after the other; blocks to deadline_ns.
 */
STATUS hsm_ca_certify(struct hsm_ca *ca, struct bytes ca_cert,
    struct bytes spki, const struct spiffe *identity, int64_t lifetime_s,
    int64_t deadline_ns, struct hsm_cert *ret_cert);

int hsm_ca_worker_main(void);

#endif
