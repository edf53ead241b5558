/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RPC_ENROLL_INT_H
#define RPC_ENROLL_INT_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stddef.h>

#include "base/spiffe.h"
#include "base/status.h"
#include "rpc/enroll.h"
#include "rpc/member_file.h"

/* What enroll.c (the trade) and enroll_state.c (the folder) share. */

/* The words for ret_why; gives the status back, so that it can be returned. */
struct status enroll_explain(char *ret_why, struct status st,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
struct status enroll_out_of_memory(char *ret_why);

/* The command that an operator makes an invitation for this identity with. */
#define ENROLL_INVITE_MAX 160
void enroll_print_invite(
    const struct spiffe *id, char ret_text[ENROLL_INVITE_MAX]);

/* Key and certificate as identity.pem, replaced whole. */
STATUS enroll_store_identity(
    const char *state_dir, EVP_PKEY *key, X509 *cert, char *ret_why);
/* What the join file says that outlives it, as member.yaml. */
STATUS enroll_store_member(
    const char *state_dir, const struct member_file *join, char *ret_why);

#endif
