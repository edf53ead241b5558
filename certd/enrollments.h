/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ENROLLMENTS_H
#define CERTD_ENROLLMENTS_H

#include "base/db.h"
#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/authorities.h"
#include "certd/config.h"
#include "certd/store.h"
#include "certd/store_changes.h"
#include "certd/store_resources.h"

/*
 * The services Enrollments and Changes.  They write rows; certd/issuer.h, which
 * store_commit wakes, brings about what they say.
 */
struct enrollments;

struct enrollments_config {
	struct store *store; /* all borrowed */
	const struct config *config;
	struct authorities *authorities;
	/* Revokes at the CA; waits for it. */
	struct custody *custody;
};

STATUS enrollments_new(const struct enrollments_config *config,
    struct enrollments **ret_enrollments);
STATUS enrollments_register(struct enrollments *enrollments, struct api *api);
void enrollments_free(struct enrollments *enrollments); /* NULL is allowed */
SCOPED_RELEASE(enrollments_free, struct enrollments *);

/* ---- for the service Resources, in its transactions ---- */

/*
 * The resource is as the row and its host names say: make, change or end its
 * enrollment, and queue a change where its certificate is missing or does not
 * cover.  Mode ACME; automatic where no shared certificate is bound; HTTPS
 * asked for.  Others: the enrollment goes.
 */
STATUS enrollments_follow(
    struct db_tx *tx, struct api_call *call, const struct resource_row *row);

/* FAILED_PRECONDITION, with the sentence, while a change obtains the resource's
 * certificate; with cancel it is cancelled instead. */
STATUS enrollments_allow(
    struct db_tx *tx, struct api_call *call, int64_t resource, bool cancel);

/* The resource is going to be deleted. */
STATUS enrollments_leave(
    struct db_tx *tx, struct api_call *call, const struct resource_row *row);

#endif
