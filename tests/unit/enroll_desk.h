/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_ENROLL_DESK_H
#define TESTS_UNIT_ENROLL_DESK_H

#include "certd/enrollments.h"
#include "certd/store_changes.h"
#include "certd/store_enrollments.h"
#include "proto/holdfast/certd/v1/enrollments.pb-c.h"
#include "tests/unit/resources_desk.h"

/*
 * The desk of tests/unit/resources_desk.h with the services Enrollments and
 * Changes, a certd.yaml with the authorities "ca", "ca2" and (for standby)
 * "spare", and CAs that do as they are told (tests/fake/authorities_fake.h).
 * DNS providers: "dns" for account acme, "far" with a zone for delegations,
 * "house" for no account.  The machine is the test itself.
 */
#define ENROLL_DESK_ACCOUNT_CHANGES 40
int enroll_desk_set_up(void **state);
/* The same without any authority or provider. */
int enroll_desk_set_up_none(void **state);
int enroll_desk_tear_down(void **state);

struct enrollments *enroll_desk_enrollments(void);
const struct config *enroll_desk_config(void);

DESK_MESSAGE(cancel_change_request, CancelChangeRequest)
DESK_MESSAGE(create_enrollment_request, CreateEnrollmentRequest)
DESK_MESSAGE(delete_enrollment_request, DeleteEnrollmentRequest)
DESK_MESSAGE(get_change_request, GetChangeRequest)
DESK_MESSAGE(get_enrollment_request, GetEnrollmentRequest)
DESK_MESSAGE(issue_change_request, IssueChangeRequest)
DESK_MESSAGE(issue_request, IssueRequest)
DESK_MESSAGE(list_changes_request, ListChangesRequest)
DESK_MESSAGE(list_enrollments_request, ListEnrollmentsRequest)
DESK_MESSAGE(retry_change_request, RetryChangeRequest)
DESK_MESSAGE(revoke_request, RevokeRequest)
DESK_MESSAGE(update_enrollment_request, UpdateEnrollmentRequest)
DESK_MESSAGE(verify_change_request, VerifyChangeRequest)
DESK_MESSAGE(wait_change_request, WaitChangeRequest)

/* A literal where protobuf-c wants memory that it might change. */
char *enroll_desk_text(const char *literal);

/* The status and the sentence, else the test fails. */
void enroll_desk_refused(struct desk *desk, struct status st,
    enum status_code code, const char *says);

/* By Enrollments.Create, of alice, for names separated by blanks. */
Holdfast__Certd__V1__EnrollmentChange *enroll_desk_create(
    struct desk *desk, const char *hostnames);

/* ---- in place of the machine ---- */

struct change_row enroll_desk_change(struct desk *desk, int64_t id);
/* Put the change there: state, problem, and when it is due again (from now; 0:
 * when an input comes).  Takes what input there is. */
void enroll_desk_put(struct desk *desk, int64_t id, int state,
    const char *problem, int due_in_s);
/* It is DONE: a certificate of the enrollment's names is kept, bound where it
 * is for a resource, and renewed in 60 days.  Gives its id. */
int64_t enroll_desk_done(struct desk *desk, int64_t change);

#endif
