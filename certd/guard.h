/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_GUARD_H
#define CERTD_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/socket.h>

#include "base/scoped.h"

/*
 * What each address is let do: so many connections at once, so many wrong
 * secrets in a while.  An IPv6 address counts as its /64, which is what one
 * customer has.  Any thread.
 */
struct guard;

/* A wrong secret more than GUARD_WRONG_BURST is told to wait; one is forgiven
 * each GUARD_WRONG_S. */
#define GUARD_WRONG_BURST 10
#define GUARD_WRONG_S 6

/* connections_max: of one address; 0: not counted. */
struct guard *guard_new(unsigned connections_max); /* NULL: no memory */
void guard_free(struct guard *guard);              /* NULL is allowed */
SCOPED_RELEASE(guard_free, struct guard *);

/* May it open one more? */
bool guard_admits(struct guard *guard, const struct sockaddr *address);
void guard_opened(struct guard *guard, const struct sockaddr *address);
void guard_closed(struct guard *guard, const struct sockaddr *address);

/* Count a wrong secret; gives the seconds to wait, 0 while it is let try. */
unsigned guard_wrong(
    struct guard *guard, const struct sockaddr *address, int64_t now_ns);

#endif
