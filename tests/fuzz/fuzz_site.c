/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as an update of certd's: whatever site is taken has host names
 * that stay in their folder, and chains of certificates and nothing else.
 */
#include <stdlib.h>
#include <string.h>

#include "edge/site.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_be_certificates(const char *chain)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
	static const char end[] = "-----END CERTIFICATE-----\n";

	do {
		const char *stop = strstr(chain, end);

		if (strncmp(chain, begin, strlen(begin)) != 0 || stop == NULL)
			abort();
		chain += strlen(begin);
		if (memchr(chain, '-', (size_t)(stop - chain)) != NULL)
			abort();
		chain = stop + strlen(end);
	} while (*chain != '\0');
}

static void
must_be_safe(const struct site *site, const struct site_pem *pem)
{
	char folder[SITE_HOST_MAX];

	for (size_t i = 0; i < site->n_hosts; i++) {
		site_folder(site->hosts[i], folder);
		if (strpbrk(folder, "/ \n") != NULL || folder[0] == '.' ||
		    folder[0] == '\0')
			abort();
	}
	for (size_t i = 0; i < site->n_certificates; i++)
		must_be_certificates(pem->chain[i]);
	if (site->has_standby)
		must_be_certificates(pem->chain[SITE_STANDBY]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Holdfast__Certd__V1__WatchUpdate *update =
	    holdfast__certd__v1__watch_update__unpack(NULL, size, data);

	for (size_t i = 0; update != NULL && i < update->n_sites; i++) {
		char why[SITE_WHY_MAX];
		struct site_pem pem;
		struct site *site;

		if (failed(site_read(update->sites[i], &site, &pem, why))) {
			if (why[0] == '\0')
				abort();
			continue;
		}
		must_be_safe(site, &pem);
		site_unref(site);
		site_pem_done(&pem);
	}
	if (update != NULL)
		holdfast__certd__v1__watch_update__free_unpacked(update, NULL);
	return 0;
}
