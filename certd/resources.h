/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_RESOURCES_H
#define CERTD_RESOURCES_H

#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/custody.h"
#include "certd/networks.h"
#include "certd/store.h"

/*
 * The service Resources, and Certificates.Replace, which is about bindings.  It
 * owns the reconciler of grants (certd/grants.h) and the thread that binds
 * shared certificates (certd/shared.h).
 */
struct resources;
struct certificates; /* certd/certificates.h */
struct enrollments;  /* certd/enrollments.h */

struct resources_config {
	struct store *store; /* all borrowed */
	struct custody *custody;
	const struct networks *networks;
	const char *zone; /* the operator's own; empty: none */
	/* For certificates that come with a new resource. */
	struct certificates *certificates;
	/* What obtains certificates for resources; NULL: nothing does. */
	struct enrollments *enrollments;
	/* How long a change waits for keyd to be told, so that its answer says
	 * whether edges may sign; 0: 5,000. */
	unsigned wait_ms;
};

STATUS resources_new(
    const struct resources_config *config, struct resources **ret_resources);
STATUS resources_register(struct resources *resources, struct api *api);
/* After the ports are closed.  NULL is allowed. */
void resources_free(struct resources *resources);
SCOPED_RELEASE(resources_free, struct resources *);

#endif
