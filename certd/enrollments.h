/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ENROLLMENTS_H
#define CERTD_ENROLLMENTS_H

#include <stdbool.h>
#include <stdint.h>

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
	/* Revokes at the CA; waits for it. */
	struct authorities *authorities;
	/* How long Changes.Verify waits for the machine's answer, before it
	 * gives the change as it is; 0: 10,000. */
	unsigned verify_wait_ms;
};

STATUS enrollments_new(const struct enrollments_config *config,
    struct enrollments **ret_enrollments);
STATUS enrollments_register(struct enrollments *enrollments, struct api *api);
/* Answer all who wait (Changes.Wait), and let nobody wait any more; before the
 * ports are closed. */
void enrollments_end_waits(struct enrollments *enrollments);
void enrollments_free(struct enrollments *enrollments); /* NULL is allowed */
SCOPED_RELEASE(enrollments_free, struct enrollments *);

/* ---- for the service Resources, in its transactions ----
 *
 * enrollments NULL: certd obtains nothing, as when no authority is configured;
 * what was begun before still ends.
 */

/* Is there an authority that certificates come from by themselves? */
bool enrollments_can_issue(const struct enrollments *enrollments);

/* Will enrollments_follow have a certificate obtained for host names that what
 * is bound does not cover?  Then what is bound serves until it is there. */
bool enrollments_will_follow(
    const struct enrollments *enrollments, const struct resource_row *row);

/*
 * The resource is as the row and its host names say: make, change or end its
 * enrollment, and queue a change where its certificate is missing or its host
 * names are others.  Mode ACME, or automatic where no shared certificate that
 * covers all names is bound; with HTTPS, unless the enrollment is there already
 * (a failure turns HTTPS off, and is tried again).  Others: the enrollment
 * goes, as enrollments_leave.
 */
STATUS enrollments_follow(struct enrollments *enrollments, struct db_tx *tx,
    struct api_call *call, const struct resource_row *row);

/* FAILED_PRECONDITION, with the sentence, while a change obtains the resource's
 * certificate; with cancel it is cancelled instead, if it has not come so far
 * that it puts the certificate in place. */
STATUS enrollments_allow(
    struct db_tx *tx, struct api_call *call, int64_t resource, bool cancel);

/* The same two around the upload of an ACME certificate, as
 * certd/certificates.h wants them; ctx is the enrollments. */
struct status enrollments_allow_upload(
    struct db_tx *tx, struct api_call *call, int64_t resource);
struct status enrollments_uploaded(
    void *ctx, struct db_tx *tx, struct api_call *call, int64_t resource);

/*
 * The resource wants no certificate any more, or is going to be deleted.  Its
 * changes are cancelled; the enrollment leaves (store_enrollments_leave), which
 * the machine sees before it puts anything in place.
 */
STATUS enrollments_leave(
    struct db_tx *tx, struct api_call *call, const struct resource_row *row);

#endif
