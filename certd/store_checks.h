/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_STORE_CHECKS_H
#define CERTD_STORE_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/config.h"
#include "certd/store_enrollments.h"
#include "certd/store_fleet.h"
#include "pki/cert.h"

/* What the checks look up that is of other tables than their own: one row a
 * question.  Within the caller's transaction. */

/* What obtains a certificate, and its newest change. */
struct checks_enrollment {
	int64_t id;
	int validation; /* VALIDATION_... */
	char account_name[ACCOUNT_NAME_MAX];
	bool by_operator; /* as enrollment_row has it */
	char dns_provider[41];
	char authority[AUTHORITY_NAME_MAX];
	char problem[PROBLEM_MAX];
	int64_t change; /* 0: there never was one */
	bool change_has_ended;
	char change_doing[256];
	char change_problem[PROBLEM_MAX];
};

/* NOT_FOUND: the resource has none, or there is no such change. */
STATUS store_checks_of_resource(
    struct db_tx *tx, int64_t resource, struct checks_enrollment *ret);
STATUS store_checks_of_change(
    struct db_tx *tx, int64_t change, struct checks_enrollment *ret);

/* An edge, and what it last reported of one site. */
struct checks_edge {
	char name[FLEET_NAME_MAX];
	int64_t last_seen_s, held_version;
	bool quarantined;
	int64_t applied_version, served_version; /* 0: nothing reported */
	bool has_seen; /* a certificate that is not bound */
	uint8_t seen[PKI_FINGERPRINT_LEN];
	char problem[FLEET_PROBLEM_MAX];
	bool http_probed;
	char http_problem[FLEET_PROBLEM_MAX];
};

/* All of the group, by name; each returns false to stop. */
STATUS store_checks_edges(struct db_tx *tx, const char *edge_group,
    int64_t resource, bool (*each)(void *ctx, const struct checks_edge *edge),
    void *ctx);

#endif
