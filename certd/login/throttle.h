/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_LOGIN_THROTTLE_H
#define CERTD_LOGIN_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scoped.h"

/*
 * Guessing made slow without locking anybody out.  A network (an IPv4 address,
 * or an IPv6 /64, which is what one customer has) that is wrong about a user
 * waits, longer each time; the user logs in from another one meanwhile.  What
 * is tried of one user from everywhere, and of all users from one network, is
 * bounded, but not for networks from which the user logged in before.  Nothing
 * here knows whether there is such a user.
 *
 * In memory of a fixed size: who fills it has those make way that were wrong
 * least.  Any thread; times are clock_mono_ns's.
 */
struct throttle;

/* Wrong ones of a network about a user before it waits: 2 s then, twice as long
 * each time, up to THROTTLE_WAIT_MAX_S.  Forgotten after an hour without. */
#define THROTTLE_FREE 5
#define THROTTLE_WAIT_S 2
#define THROTTLE_WAIT_MAX_S 900
#define THROTTLE_FORGIVE_S 3600
/* Of one user from networks that are not known: so many, then one in so many
 * seconds.  Of its second factor likewise. */
#define THROTTLE_USER_BURST 20
#define THROTTLE_USER_S 5
#define THROTTLE_CODE_BURST 10
#define THROTTLE_CODE_S 300
/* Of one network, wrong ones about whomever. */
#define THROTTLE_NETWORK_BURST 30
#define THROTTLE_NETWORK_S 6

/* One that is under way; plain values. */
struct throttle_try {
	uint64_t pair, user, network;
	bool is_known, is_of_code;
};

enum throttle_outcome {
	THROTTLE_RIGHT,
	THROTTLE_WRONG,
	THROTTLE_HALF, /* right, as far as it went */
	THROTTLE_NONE, /* it was not looked at */
};

struct throttle *throttle_new(void);           /* NULL: no memory */
void throttle_free(struct throttle *throttle); /* NULL is allowed */
SCOPED_RELEASE(throttle_free, struct throttle *);

/*
 * May somebody at address ("192.0.2.7") try to be who?  0: yes, and the caller
 * tells the end of it; else the seconds to wait.
 */
unsigned throttle_begin(struct throttle *throttle, const char *who,
    const char *address, int64_t now_ns, struct throttle_try *ret_try);
/* The same for a code, after the password was right. */
unsigned throttle_code(
    struct throttle *throttle, struct throttle_try *try, int64_t now_ns);
void throttle_end(struct throttle *throttle, const struct throttle_try *try,
    enum throttle_outcome outcome, int64_t now_ns);

/* The network of an address, as octets; all zero when it is none. */
void throttle_network(const char *address, uint8_t ret_network[16]);

#endif
