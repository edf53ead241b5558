/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_MECH_H
#define HSM_MECH_H

#include <p11-kit/pkcs11.h>

#include "base/signing.h"
#include "hsm/reason.h"

#define MECH_INPUT_MAX SIGN_CONTENT_MAX

/* A prepared C_SignInit and C_Sign; lives on the stack, must not be moved. */
struct mech_call {
	CK_MECHANISM mechanism;
	CK_RSA_PKCS_PSS_PARAMS pss;
	struct bytes input; /* borrows the op's input, or the buffer below */
	uint8_t digest_info[96];
};

/* May this scheme be given an input of this length?  KEY_MISFIT for a scheme
 * that is none. */
enum reason mech_input_check(unsigned scheme, size_t input_len);

/*
 * Choose mechanism and parameters by the key's own algorithm: a token signs a
 * digest of the wrong length, and takes an RSA mechanism for an EC key, without
 * complaint.
 */
enum reason mech_prepare(unsigned scheme, enum key_alg alg, struct bytes input,
    struct mech_call *ret_call);

/*
 * Bring what the token returned into the form TLS sends: r || s becomes DER for
 * ECDSA; lengths are checked for all.  False when the token's answer cannot be
 * a signature by such a key.
 */
bool mech_finish(
    enum key_alg alg, struct bytes raw, struct signature *ret_signature);

/* DER SEQUENCE { INTEGER r, INTEGER s } of two halves, at most 48 octets each;
 * false when r or s is zero. */
bool mech_ecdsa_der(struct bytes raw, struct signature *ret_signature);

#endif
