/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_CA_WIRE_H
#define HSM_CA_WIRE_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/spiffe.h"
#include "hsm/ca.h"

/*
 * What passes between keyd's front (ca.c) and the CA's worker process: one
 * message a datagram on a SOCK_SEQPACKET pair, host byte order, both ends the
 * same binary.  The first message says what the worker is for: CREATE makes the
 * key by raw PKCS#11 and ends the process, OPEN loads libp11; never both.
 */
#define CA_WIRE_FD 3
#define CA_WIRE_MAGIC UINT32_C(0x31414348) /* "HCA1" */
#define CA_WIRE_PATH_MAX 1024
#define CA_WIRE_TOKEN_MAX 33 /* PKCS#11 labels have 32 octets */
#define CA_WIRE_SPKI_MAX 128 /* P-256 has 91 */

enum ca_op {
	CA_OP_CREATE = 1, /* config */
	CA_OP_OPEN = 2,   /* config */
	CA_OP_ROOT = 3,   /* identity.domain, lifetime_s */
	CA_OP_CERTIFY = 4 /* identity, lifetime_s, spki, issuer */
};

/* Why it did not work.  The front has the words for each (ca.c). */
enum ca_why {
	CA_OK = 0,
	CA_WHY_PROTOCOL,
	CA_WHY_PIN_FILE,
	CA_WHY_PIN_REFUSED,
	CA_WHY_LOCK,
	CA_WHY_MODULE,
	CA_WHY_TOKEN_ABSENT,
	CA_WHY_TOKEN,
	CA_WHY_KEY_ABSENT,
	CA_WHY_KEY_KIND,
	CA_WHY_KEY_WEAK,
	CA_WHY_ISSUER,
	CA_WHY_ISSUER_EXPIRED,
	CA_WHY_SUBJECT_KEY,
	CA_WHY_NAME,
	CA_WHY_SIGN,
	CA_WHY_INTERNAL,
	CA_WHY_END_
};

struct ca_wire_config {
	char module[CA_WIRE_PATH_MAX];
	char token_label[CA_WIRE_TOKEN_MAX];
	char pin_file[CA_WIRE_PATH_MAX];
	char lock_file[CA_WIRE_PATH_MAX];
};

struct ca_request {
	uint32_t magic;
	uint32_t op;
	struct ca_wire_config config;
	struct spiffe identity;
	int64_t lifetime_s;
	uint32_t spki_len;
	uint32_t issuer_len;
	uint8_t spki[CA_WIRE_SPKI_MAX];
	uint8_t issuer[HSM_CERT_MAX];
};

struct ca_reply {
	uint32_t magic;
	uint32_t why;    /* enum ca_why */
	uint32_t detail; /* CK_RV or errno */
	uint32_t ends;   /* the worker exits after this reply */
	struct hsm_cert cert;
};

/*
 * The worker's halves.  Each returns CA_OK or why not; *ret_detail is set on
 * failure when there is a number worth logging.
 */

/* ca_create.c: raw PKCS#11, one key pair labelled "ca" if there is none. */
enum ca_why ca_create_key(
    const struct ca_wire_config *config, uint32_t *ret_detail);

/* ca_create.c: open and take the lock file; the fd, or -1. */
int ca_lock(const char *path);

/* ca_cert.c: build and sign; key is the CA's, in the token. */
enum ca_why ca_cert_root(EVP_PKEY *key, const char *domain, int64_t lifetime_s,
    struct hsm_cert *ret_cert);
enum ca_why ca_cert_issue(EVP_PKEY *key, struct bytes issuer, struct bytes spki,
    const struct spiffe *identity, int64_t lifetime_s,
    struct hsm_cert *ret_cert);

#endif
