/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACME_CLIENT_INT_H
#define ACME_CLIENT_INT_H

#include <pthread.h>
#include <stdint.h>

#include "acme/client.h"
#include "acme/http.h"
#include "acme/nonces.h"
#include "acme/objects.h"

/* Within acme/: what a client is made of. */
struct acme {
	struct acme_http *http;
	char directory_url[ACME_URL_MAX];
	unsigned timeout_ms;
	struct acme_nonces nonces;
	pthread_mutex_t mutex; /* guards the rest */
	bool has_directory;
	int64_t fetched_ns;
	struct acme_objects_directory directory;
};

/* One of the directory's URLs, which is fetched first where need be.
 * UNIMPLEMENTED: it has none. */
STATUS acme_client_url(struct acme *acme, enum acme_resource resource,
    char ret_url[ACME_URL_MAX], struct acme_problem *ret_problem);

#endif
