/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACME_NONCES_H
#define ACME_NONCES_H

#include <pthread.h>
#include <stdbool.h>

/* Replay-Nonces that a CA has given and nobody has used (RFC 8555 6.5).  The
 * newest is taken first; when there are too many the oldest go.  Any thread. */
#define ACME_NONCE_MAX 256
#define ACME_NONCES_KEPT 64

struct acme_nonces {
	pthread_mutex_t mutex; /* guards the rest */
	size_t n, newest;
	char at[ACME_NONCES_KEPT][ACME_NONCE_MAX];
};

void acme_nonces_init(struct acme_nonces *nonces);
void acme_nonces_done(struct acme_nonces *nonces);
/* One that is empty is none. */
void acme_nonces_give(struct acme_nonces *nonces, const char *nonce);
/* false: there is none. */
bool acme_nonces_take(
    struct acme_nonces *nonces, char ret_nonce[ACME_NONCE_MAX]);

#endif
