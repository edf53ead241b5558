/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_ATTRS_H
#define HSM_ATTRS_H

#include <stdbool.h>
#include <stddef.h>

#include <p11-kit/pkcs11.h>

#include "base/signing.h"

/* A PKCS#11 template under construction.  Values that are not flags are
 * borrowed and must outlive it. */
#define ATTRS_MAX 24

struct attrs {
	CK_ATTRIBUTE at[ATTRS_MAX];
	CK_ULONG n;
};

/* The label of an object that is not finished: a worker that starts removes
 * what carries it. */
#define ATTRS_UNFINISHED "holdfast-unfinished"

void attrs_add(
    struct attrs *attrs, CK_ATTRIBUTE_TYPE type, const void *value, size_t len);
void attrs_flag(struct attrs *attrs, CK_ATTRIBUTE_TYPE type, bool value);
void attrs_text(struct attrs *attrs, CK_ATTRIBUTE_TYPE type, const char *text);

enum attrs_place {
	ATTRS_SESSION, /* gone with the session */
	ATTRS_TOKEN,   /* labelled unfinished */
};

enum attrs_leave {
	ATTRS_STAYS,   /* not extractable */
	ATTRS_WRAPPED, /* extractable: it is about to be wrapped, and then gone
			*/
	ATTRS_WRAPPED_TRUSTED, /* the same, by a trusted key alone */
};

/*
 * What a private key is that can sign and do nothing else: sensitive, and not
 * extractable unless it is about to be wrapped.  CKA_ALLOWED_MECHANISMS comes
 * last: not every token knows it, so a caller may try again with n - 1.
 */
void attrs_signing(struct attrs *attrs, enum key_alg alg,
    enum attrs_place place, enum attrs_leave leave);
/* The public half that goes with it, without its numbers. */
void attrs_verifying(struct attrs *attrs, enum attrs_place place);

/* Did the token refuse an attribute that it need not know? */
bool attrs_refused(CK_RV rv);

#endif
