/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Certificates that were read lately; see cert_cache.h.  A ring: the oldest
 * goes.  The fingerprint is of all octets, so what is found is what would be
 * read; nothing is believed because of it, every check is made each time.
 */

#include "pki/cert_cache.h"

#include <pthread.h>
#include <string.h>

#define ENTRIES_MAX 64

static struct {
	pthread_mutex_t mutex; /* guards the rest */
	unsigned next;
	struct {
		uint8_t fingerprint[PKI_FINGERPRINT_LEN];
		X509 *x509; /* NULL: none yet */
	} at[ENTRIES_MAX];
} cache = { .mutex = PTHREAD_MUTEX_INITIALIZER };

X509 *
cert_cache_get(const uint8_t fingerprint[PKI_FINGERPRINT_LEN])
{
	X509 *found = NULL;

	pthread_mutex_lock(&cache.mutex);
	for (unsigned i = 0; i < ENTRIES_MAX && found == NULL; i++)
		if (cache.at[i].x509 != NULL &&
		    memcmp(cache.at[i].fingerprint, fingerprint,
			PKI_FINGERPRINT_LEN) == 0)
			found = cache.at[i].x509;
	if (found != NULL && X509_up_ref(found) != 1)
		found = NULL;
	pthread_mutex_unlock(&cache.mutex);
	return found;
}

void
cert_cache_put(const uint8_t fingerprint[PKI_FINGERPRINT_LEN], X509 *x509)
{
	X509 *gone = NULL;

	if (X509_up_ref(x509) != 1)
		return;
	pthread_mutex_lock(&cache.mutex);
	gone = cache.at[cache.next].x509;
	cache.at[cache.next].x509 = x509;
	memcpy(
	    cache.at[cache.next].fingerprint, fingerprint, PKI_FINGERPRINT_LEN);
	cache.next = (cache.next + 1) % ENTRIES_MAX;
	pthread_mutex_unlock(&cache.mutex);
	X509_free(gone);
}
