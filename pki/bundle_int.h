/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKI_BUNDLE_INT_H
#define PKI_BUNDLE_INT_H

#include "pki/bundle.h"

/* Between the bundle_*.c. */

struct bundle_reading {
	const struct bundle_input *input;
	struct secret *passphrase; /* once asked for */
	/* Each certificate once, in the order given; owned until moved. */
	struct pki_cert *certs[BUNDLE_CERTS_MAX];
	size_t n_certs;
	size_t n_given;        /* the same one twice counts */
	size_t n_keys;         /* likewise */
	unsigned tolerated;    /* pem.h's bits, of all parts */
	struct bundle *bundle; /* what comes of it */
	char *why;             /* BUNDLE_WHY_MAX */
};

/* Say why, and return the status for it. */
STATUS bundle_fail(char *ret_why, enum status_code code, const char *format,
    ...) __attribute__((format(printf, 3, 4)));
/* Once each; the last place says that there are more. */
void bundle_note(struct bundle *bundle, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What people call a certificate, short enough for a sentence with others. */
#define BUNDLE_TITLE_MAX 128
struct bundle_title {
	char text[BUNDLE_TITLE_MAX];
};
struct bundle_title bundle_title(const struct pki_cert *cert);
struct bundle_title bundle_title_of(const char *text); /* cut to fit */

/* Takes what one part holds: certificates and the private key. */
STATUS bundle_read_part(struct bundle_reading *reading, struct bytes part);

/*
 * Finds the leaf and its chain among the certificates and moves them into the
 * bundle; refuses what does not belong.
 */
STATUS bundle_find_chain(struct bundle_reading *reading);

#endif
