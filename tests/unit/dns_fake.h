/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_DNS_FAKE_H
#define TESTS_UNIT_DNS_FAKE_H

#include <stddef.h>
#include <stdint.h>

/*
 * A DNS server that does what no real one would: it answers on loopback, by
 * UDP and TCP, with the octets that the test's function makes of a question.
 */
struct dns_fake;

/* Writes an answer of at most max octets; 0: says nothing.  Called in a thread
 * of the fake's; is_tcp: the question came by TCP. */
typedef size_t (*dns_fake_answer)(const uint8_t *question, size_t len,
    int is_tcp, uint8_t *ret_answer, size_t max);

struct dns_fake *dns_fake_new(dns_fake_answer answer);
/* The same on another loopback address, at a port that is free there. */
struct dns_fake *dns_fake_new_at(
    const char *host, unsigned port, dns_fake_answer answer);
/* What a real server at that address answers, asked by UDP; 0: nothing. */
size_t dns_fake_pass_on(const char *address, const uint8_t *question,
    size_t len, uint8_t *ret_answer, size_t max);
void dns_fake_free(struct dns_fake *fake); /* NULL is allowed */
const char *dns_fake_address(const struct dns_fake *fake);
/* Questions so far. */
unsigned dns_fake_count(const struct dns_fake *fake);

#endif
