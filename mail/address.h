/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/status.h"

/*
 * E-mail addresses that mail can be sent to (RFC 5321 4.1.2): a dot-atom or a
 * quoted string, "@", and a domain of A-labels (RFC 5890) or an address in
 * square brackets.  ASCII only, since nothing here speaks SMTPUTF8 (RFC 6531).
 * The one place that says what an address is.  Pure functions; any thread.
 */
#define MAIL_ADDRESS_MAX 255 /* 254 octets (RFC 5321 4.5.3.1.3) and a zero */

/* INVALID_ARGUMENT: it is none; why says how it should be, as the end of a
 * sentence that begins with the field's name ("must be ..."). */
STATUS mail_address_check(const char *text);

/* A domain or an address in square brackets, as behind the "@". */
STATUS mail_address_check_domain(const char *text);

/* What stands behind the "@" of an address that was checked. */
const char *mail_address_domain(const char *address);

#endif
