/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_CK_ERROR_H
#define HSM_CK_ERROR_H

#include <p11-kit/pkcs11.h>

#include "hsm/reason.h"

/* What a worker does about a CK_RV. */
enum ck_class {
	CK_CLASS_OK,
	CK_CLASS_REQUEST, /* answer the request; the token is well */
	CK_CLASS_KEY,     /* the handle may be stale: find the key again */
	CK_CLASS_AWAY,    /* session or token went away: probe, re-initialise */
	CK_CLASS_PIN,     /* the PIN was refused: never try it again */
};

/* Codes that are not in the table, vendors' among them, are AWAY: the probe
 * finds out whether the token is well. */
enum ck_class ck_error_class(CK_RV rv);
enum reason ck_error_reason(CK_RV rv);

#endif
