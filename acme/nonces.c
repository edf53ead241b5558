/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A ring of nonces that is used as a stack: old ones, which a CA is the
 * likelier not to know any more, sink to where they are forgotten.
 */

#include "acme/nonces.h"

#include <stdio.h>

void
acme_nonces_init(struct acme_nonces *nonces)
{
	pthread_mutex_init(&nonces->mutex, NULL);
	nonces->n = 0;
	nonces->newest = 0;
}

void
acme_nonces_done(struct acme_nonces *nonces)
{
	pthread_mutex_destroy(&nonces->mutex);
}

void
acme_nonces_give(struct acme_nonces *nonces, const char *nonce)
{
	if (nonce[0] == '\0')
		return;
	pthread_mutex_lock(&nonces->mutex);
	nonces->newest = (nonces->newest + 1) % ACME_NONCES_KEPT;
	snprintf(nonces->at[nonces->newest], ACME_NONCE_MAX, "%s", nonce);
	if (nonces->n < ACME_NONCES_KEPT)
		nonces->n++;
	pthread_mutex_unlock(&nonces->mutex);
}

bool
acme_nonces_take(struct acme_nonces *nonces, char ret_nonce[ACME_NONCE_MAX])
{
	bool is_there;

	pthread_mutex_lock(&nonces->mutex);
	is_there = nonces->n > 0;
	if (is_there) {
		snprintf(ret_nonce, ACME_NONCE_MAX, "%s",
		    nonces->at[nonces->newest]);
		nonces->newest =
		    (nonces->newest + ACME_NONCES_KEPT - 1) % ACME_NONCES_KEPT;
		nonces->n--;
	}
	pthread_mutex_unlock(&nonces->mutex);
	return is_there;
}
