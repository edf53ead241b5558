/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_PEBBLE_DESK_H
#define TESTS_UNIT_PEBBLE_DESK_H

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "acme/client.h"

/*
 * A real CA for unit tests: pebble with pebble-challtestsrv, and if wanted
 * tests/fake/acme_front.py before it, on free ports of loopback, in a folder of
 * their own.  Every failure ends the test.  They end with the test's process,
 * however that ends.
 */
#define PEBBLE_DESK_EAB_KID "kid-1"
/* Its octets are pebble_desk_eab_key's. */
#define PEBBLE_DESK_EAB_MAX 64

struct pebble_desk_options {
	bool eab;
	bool with_front;
	unsigned nonce_reject; /* per cent */
	unsigned alternate_roots;
	unsigned authz_reuse; /* per cent */
};

struct pebble_desk {
	char folder[64];
	char ca_file[96];
	unsigned port, management_port, control_port, http_port, tls_port,
	    dns_port, front_port, front_control_port;
	pid_t pebble, challtestsrv, front;
	char directory[64]; /* the front's, where there is one */
	struct pebble_desk_options options;
};

void pebble_desk_start(
    struct pebble_desk *ret_desk, const struct pebble_desk_options *options);
void pebble_desk_stop(struct pebble_desk *desk);
/* pebble alone, which forgets everything. */
void pebble_desk_stop_ca(struct pebble_desk *desk);
void pebble_desk_start_ca(struct pebble_desk *desk);

/* To challtestsrv: "/add-http01", JSON. */
void pebble_desk_tell(struct pebble_desk *desk, const char *path,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* To the front: "/faults", JSON. */
void pebble_desk_front(struct pebble_desk *desk, const char *path,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* How many requests of that kind the front has seen ("newOrder": "new_order").
 */
size_t pebble_desk_count(struct pebble_desk *desk, const char *kind);

/* A client of it. */
struct acme *pebble_desk_client(const struct pebble_desk *desk);

size_t pebble_desk_eab_key(uint8_t ret_key[PEBBLE_DESK_EAB_MAX]);

/* ---- an account's key, held here ---- */

struct desk_key {
	EVP_PKEY *key;
	uint8_t spki[1024];
	size_t spki_len;
	atomic_uint n_signed;
	const char *refusal; /* NULL: signs */
};

/* "P-256", "P-384", "RSA:2048". */
void desk_key_init(struct desk_key *ret_key, const char *kind);
void desk_key_done(struct desk_key *key);
struct acme_signer desk_key_signer(struct desk_key *key);

/* A request for a key of its own: DER, malloc'd. */
struct bytes desk_csr(const char *const *names, size_t n_names);

#endif
