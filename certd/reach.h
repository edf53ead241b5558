/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_REACH_H
#define CERTD_REACH_H

#include <stdbool.h>

/*
 * Is an address ("192.0.2.1", "2001:db8::1") one that anybody on the internet
 * may connect to?  False for private, loopback, link-local, shared, reserved,
 * multicast and documentation addresses (RFC 6890 and IANA's registries), for
 * those that carry an IPv4 address inside (6to4, NAT64, mapped), and for what
 * is no address.  What foreign DNS says is connected to only after this.
 */
bool reach_is_public(const char *address);

#endif
