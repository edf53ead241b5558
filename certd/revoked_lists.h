/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REVOKED_LISTS_H
#define CERTD_REVOKED_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoped.h"
#include "base/status.h"
#include "pki/cert.h"
#include "pki/revocation.h"

/*
 * What is remembered of the URLs that say what is revoked: CRLs, one download
 * for all certificates of a CA, and which URLs are not to be asked for a while.
 * In memory alone.  Any thread; nothing blocks.
 */
struct revoked_lists;

/* Of one CRL, and of all that are kept; the one used longest ago goes. */
#define REVOKED_LIST_MAX ((size_t)32 * 1024 * 1024)
#define REVOKED_LISTS_MAX (2 * REVOKED_LIST_MAX)
/* Kept that long, and no longer than until its nextUpdate, but never less than
 * a pause. */
#define REVOKED_LIST_KEEP_S 21600
/* How long a URL that failed is left alone. */
#define REVOKED_PAUSE_S 600

STATUS revoked_lists_new(struct revoked_lists **ret_lists);
void revoked_lists_free(struct revoked_lists *lists); /* NULL is allowed */
SCOPED_RELEASE(revoked_lists_free, struct revoked_lists *);

enum revoked_lists_turn {
	REVOKED_LISTS_SAID,   /* by a CRL that is kept */
	REVOKED_LISTS_ASK,    /* the caller's turn; then _keep or _failed */
	REVOKED_LISTS_BUSY,   /* another one's turn */
	REVOKED_LISTS_PAUSED, /* it failed of late */
};
/* A CRL; *ret_answer is set when it SAID. */
enum revoked_lists_turn revoked_lists_look(struct revoked_lists *lists,
    const char *url, const struct pki_cert *cert, const struct pki_cert *issuer,
    int64_t now_s, struct revocation_answer *ret_answer);

/* What came: checked, and looked at for cert.  Takes der, which is malloc'd, in
 * any case.  It failed when that does; ret_why has REVOCATION_WHY_MAX octets.
 */
struct revoked_list {
	const char *url;
	uint8_t *der;
	size_t len;
};
STATUS revoked_lists_keep(struct revoked_lists *lists,
    const struct revoked_list *list, const struct pki_cert *cert,
    const struct pki_cert *issuer, int64_t now_s,
    struct revocation_answer *ret_answer, char *ret_why);

/* Of whatever URL. */
void revoked_lists_failed(
    struct revoked_lists *lists, const char *url, int64_t now_s);
/* Did it fail of late? */
bool revoked_lists_are_paused(
    struct revoked_lists *lists, const char *url, int64_t now_s);

#endif
