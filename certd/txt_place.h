/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_TXT_PLACE_H
#define CERTD_TXT_PLACE_H

#include <stddef.h>

#include "base/conf.h"
#include "base/status.h"
#include "dns/resolver.h"

/*
 * Where the TXT record of a challenge is to be: at the name itself
 * ("_acme-challenge.www.example.com"), or where its CNAMEs lead, which CAs
 * follow.  *ret_chain is that of dns_chain; its last hop is the place.  A CNAME
 * that comes of a wildcard does not delegate: then there is one hop, the name.
 * Blocks as dns_chain does.
 */
STATUS txt_place_find(struct dns_resolver *resolver, const char *name,
    struct dns_chain *ret_chain);

/* Octets of the longest of the zones that holds the name, which are the name's
 * last; 0: none does.  Case and a zone's last dot do not count. */
size_t txt_place_zone(const struct conf_strings *zones, const char *name);

#endif
