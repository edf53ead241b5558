/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_SITE_H
#define EDGE_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "base/stub.h"
#include "proto/holdfast/certd/v1/edges.pb-c.h"

/*
 * A site: host names and the certificates to be served for them, as certd says
 * and edged has checked.  Immutable once made and counted by references, so any
 * thread may read one that it holds.
 */

/* Of a host name as a file's name, which takes suffixes of 11 octets. */
#define SITE_HOST_MAX 244
#define SITE_HOSTS_MAX 1000
#define SITE_FINGERPRINT_LEN 32
#define SITE_WHY_MAX 256
/* Of one chain as certd sends it, and certificates in it. */
#define SITE_CHAIN_MAX ((size_t)128 * 1024)
#define SITE_CHAIN_CERTIFICATES 16

/* Kinds of keys, in the order of preference: a site has at most one
 * certificate of each. */
enum site_kind {
	SITE_EC,
	SITE_RSA,
	SITE_ED25519,
	SITE_KINDS
};

struct site_certificate {
	enum site_kind kind;
	uint8_t fingerprint[SITE_FINGERPRINT_LEN]; /* SHA-256 of the leaf */
};

struct site {
	int64_t id;      /* above 0 */
	int64_t version; /* above 0; of its last change */
	char **hosts;    /* at least one, each once */
	size_t n_hosts;
	/* By kind; none: served by plain HTTP alone. */
	struct site_certificate certificates[SITE_KINDS];
	size_t n_certificates;
	/* Kept ready beside those, and not served. */
	bool has_standby;
	struct site_certificate standby;
};

/* What its files hold; chain[i] and stub[i] belong to certificates[i], those of
 * SITE_STANDBY to the standby certificate. */
#define SITE_STANDBY SITE_KINDS
struct site_pem {
	char *chain[SITE_KINDS + 1]; /* malloc'd, leaf first; NULL: none */
	char stub[SITE_KINDS + 1][STUB_PEM_MAX];
};

const char *site_kind_name(enum site_kind kind); /* "ec", "rsa", "ed25519" */
bool site_kind_parse(const char *text, enum site_kind *ret_kind);

/*
 * Is it a host name as certd writes them: lower-case A-labels, perhaps "*." in
 * front, and not too long for site_folder?  Nothing else may become part of a
 * path.
 */
bool site_host_ok(const char *host);

/* The host name as a file's name: "*." becomes "_wildcard.". */
void site_folder(const char *host, char ret_folder[SITE_HOST_MAX]);

/*
 * A site that holds one reference.  hosts and certificates are copied; hosts
 * are site_host_ok.  NULL when memory ends.
 */
struct site *site_new(int64_t id, int64_t version, const char *const *hosts,
    size_t n_hosts, const struct site_certificate *certificates,
    size_t n_certificates);
/* Before others see it. */
void site_set_standby(
    struct site *site, const struct site_certificate *standby);
/* NULL is allowed; gives the site back. */
struct site *site_ref(struct site *site);
void site_unref(struct site *site); /* NULL is allowed */
SCOPED_RELEASE(site_unref, struct site *);

/*
 * A site of certd's message.  Everything is checked: that each chain parses,
 * that its leaf is the one of the fingerprint and has the key of spki, that
 * names are host names.  The chains are written anew, so that files hold
 * certificates and nothing that came along with them.  INVALID_ARGUMENT:
 * ret_why (SITE_WHY_MAX octets) says what is wrong.  ret_pem is released with
 * site_pem_done.
 */
STATUS site_read(const Holdfast__Certd__V1__Site *message,
    struct site **ret_site, struct site_pem *ret_pem, char *ret_why);
void site_pem_done(struct site_pem *pem);

#endif
