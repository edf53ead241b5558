/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKI_BUNDLE_H
#define PKI_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/signing.h"
#include "base/status.h"
#include "pki/cert.h"
#include "pki/key_file.h"

/*
 * A certificate, its chain and perhaps its private key, out of whatever people
 * have: PEM in any order and in one part or four, DER, PKCS#7 (RFC 2315), PFX
 * (RFC 7292).  bundle_read finds out what is there and puts it in order,
 * saying what it changed; bundle_check says whether it may be served.  No state
 * is shared: any thread may call, one thread for one bundle.  Reading may take
 * seconds when a PFX stretches its password for that long.
 */
#define BUNDLE_PARTS_MAX 8
#define BUNDLE_OCTETS_MAX (256 * 1024) /* of all parts */
#define BUNDLE_CERTS_MAX 20            /* given, the same one twice counts */
#define BUNDLE_CHAIN_MAX (BUNDLE_CERTS_MAX - 1)
#define BUNDLE_NAMES_MAX 100 /* dNSNames of the leaf, see bundle_check */
#define BUNDLE_WHY_MAX 640
#define BUNDLE_NOTES_MAX 32
#define BUNDLE_NOTE_MAX 320

/* Parts that are empty or blank are passed over. */
struct bundle_input {
	struct bytes parts[BUNDLE_PARTS_MAX];
	size_t n_parts;
	/* Asked at most once for all parts; ask may be NULL. */
	struct key_file_passphrase passphrase;
};

struct bundle {
	struct pki_cert *leaf;
	/* The leaf's issuer first; never a self-signed root. */
	struct pki_cert *chain[BUNDLE_CHAIN_MAX];
	size_t n_chain;
	struct key_file key; /* when has_key */
	bool has_key;
	/* What was changed or is worth knowing, a clause each, the first
	 * letter small and no dot: "put 2 certificates in order". */
	char notes[BUNDLE_NOTES_MAX][BUNDLE_NOTE_MAX];
	size_t n_notes;
};

/*
 * The parts may be wiped once this returns.  INVALID_ARGUMENT: no certificate,
 * no one leaf, a certificate that does not belong, a chain with a gap, several
 * private keys, damage, too much of anything.  PERMISSION_DENIED: the
 * passphrase is wrong.  FAILED_PRECONDITION: one is needed and there is none.
 * RESOURCE_EXHAUSTED: no memory.  ret_why says it in full.
 *
 * Whether the private key fits is bundle_check's to say: where none of the
 * certificates is the key's, the leaf is found without it.
 */
STATUS bundle_read(const struct bundle_input *input, struct bundle **ret_bundle,
    char ret_why[BUNDLE_WHY_MAX]);
void bundle_free(struct bundle *bundle); /* NULL is allowed; wipes the key */
SCOPED_RELEASE(bundle_free, struct bundle *);

struct bundle_policy {
	int64_t now_s; /* Unix time */
	/*
	 * The SubjectPublicKeyInfo that the leaf must be for, where the
	 * private key is elsewhere: in the token, or wrapped.  Empty: any.
	 */
	struct bytes key_spki;
	bool allow_expired;     /* leaf or chain */
	bool allow_self_signed; /* the leaf, be it marked as a CA or not */
};

/*
 * FAILED_PRECONDITION, and in ret_why the first reason why this must not be
 * served: the key is another's, expired, not yet valid, self-signed, a CA
 * certificate, a key that no token holds, SHA-1, names missing or malformed or
 * too many, not for TLS servers.  Adds notes on what is no reason to refuse.
 */
STATUS bundle_check(struct bundle *bundle, const struct bundle_policy *policy,
    char ret_why[BUNDLE_WHY_MAX]);

/*
 * Leaf and chain as servers want them: PEM, leaf first, each block's last line
 * ended.  The caller frees.  RESOURCE_EXHAUSTED: no memory.
 */
STATUS bundle_fullchain(const struct bundle *bundle, char **ret_pem);
/* The same without the leaf; "" when there is no chain. */
STATUS bundle_chain(const struct bundle *bundle, char **ret_pem);

#endif
