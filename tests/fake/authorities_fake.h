/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_AUTHORITIES_FAKE_H
#define TESTS_FAKE_AUTHORITIES_FAKE_H

#include <stddef.h>

/*
 * CAs for tests of what asks them to revoke: that part of certd/authorities.h
 * and acme/client.h, with nothing behind it.  One thread.
 */

/* Every request fails like this from now on; NULL: it is well again. */
void authorities_fake_fail(const char *why);
/* None may be asked for so long; 0: they may. */
void authorities_fake_pause(int wait_ms);
/* How often a revocation was asked for, the reason and the CA of the last one,
 * and its certificate's first octets. */
unsigned authorities_fake_revoked(void);
int authorities_fake_reason(void);
const char *authorities_fake_name(void);
size_t authorities_fake_leaf(unsigned char *ret_octets, size_t max);
void authorities_fake_reset(void);

#endif
