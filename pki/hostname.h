/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PKI_HOSTNAME_H
#define PKI_HOSTNAME_H

#include <stdbool.h>

#include "base/status.h"

/*
 * Host names in one spelling, so that equal names are equal strings: lower
 * case, A-labels (RFC 5890, UTS 46 non-transitional), no dot at the end, and
 * perhaps one "*." in front (RFC 9525 6.3).  Pure functions; any thread.
 */
#define HOSTNAME_MAX 254 /* 253 octets (RFC 1035 2.3.4) and a zero */
#define HOSTNAME_WHY_MAX 256

/*
 * text: a zero-terminated UTF-8 name as a person writes it.  INVALID_ARGUMENT:
 * it is empty, has an empty or too long label, a character that no host name
 * has (underscores too), is an address, or has a wildcard that is not the whole
 * first label or has fewer than two labels behind it.  ret_why
 * (HOSTNAME_WHY_MAX) says so in full, the name included and made printable.
 */
STATUS hostname_normalize(
    const char *text, char ret_name[HOSTNAME_MAX], char *ret_why);

/* All below take normalized names. */

/* Does it begin with "*."? */
bool hostname_is_wildcard(const char *name);

/*
 * May a certificate for pattern be used for name?  "*.a.b" covers "x.a.b" and
 * "*.a.b" itself, but neither "a.b" nor "y.x.a.b"; else names must be equal.
 */
bool hostname_covers(const char *pattern, const char *name);

#endif
