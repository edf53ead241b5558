/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ROLES_H
#define CERTD_ROLES_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The roles of users and tokens (holdfast.certd.v1.UserRole), how they stand to
 * each other, and the names of scopes.
 */

bool roles_is_role(int role);
/* "administrator"; NULL when it is none. */
const char *roles_name(int role);
/* The one of ALLOW_... that stands for it; 0 when it is none. */
unsigned roles_allow(int role);
/* May role do all that other may? */
bool roles_covers(int role, int other);
/* The most that both may. */
int roles_meet(int role, int other);

/* "certificates:read" and so on; 0 when there is no such scope. */
unsigned roles_scope(const char *name);
/* The i-th scope's name, NULL after the last, and its bit. */
const char *roles_scope_at(size_t i, unsigned *ret_scope);
/* Who may write may read: with the read scopes that these bring. */
unsigned roles_scopes_whole(unsigned scopes);

#endif
