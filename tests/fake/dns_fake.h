/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_DNS_FAKE_H
#define TESTS_FAKE_DNS_FAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "dns/resolver.h"

/*
 * dns/resolver.h with answers from a script, in place of dns/resolver.c,
 * chain.c, zone.c and caa.c; a name that the script has not is NXDOMAIN.  One
 * script for all resolvers, written before threads ask.
 */
void dns_fake_reset(void);

/* text as in struct dns_record. */
void dns_fake_add(
    const char *name, enum dns_type type, uint32_t ttl_s, const char *text);
/* All questions about the name get this code. */
void dns_fake_fail(const char *name, enum dns_code code);
/* The zone of all names in it, and one server more; "192.0.2.53:53". */
void dns_fake_zone(const char *zone, const char *server_name,
    const char *server_address, enum dns_code code, bool is_authoritative);
/* The zone of what is there and below is not found. */
void dns_fake_lame(const char *zone);
/* dns_find_caa fails for the name. */
void dns_fake_caa_fails(const char *name);
/* The resolver of that server answers with this CNAME in place of others. */
void dns_fake_differs(const char *server, const char *name, const char *cname);

/* dns_chain waits until dns_fake_let_go. */
void dns_fake_hold(void);
void dns_fake_let_go(void);

#endif
