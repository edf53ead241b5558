/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_ENROLLMENT_FIELDS_H
#define CERTD_ENROLLMENT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/config.h"
#include "certd/names.h"
#include "certd/store_enrollments.h"

/*
 * What callers say of an enrollment, checked and put into a row.
 * INVALID_ARGUMENT with a sentence in call->why, unless said otherwise; the row
 * is then as it was.
 */
STATUS enrollment_fields_name(
    struct api_call *call, const char *name, struct enrollment_row *row);
/* Host names in one spelling, 1 to 100; none twice. */
STATUS enrollment_fields_names(struct api_call *call, size_t n,
    char *const *asked, struct names *ret_names);
STATUS enrollment_fields_common_name(
    struct api_call *call, const char *name, struct enrollment_row *row);
STATUS enrollment_fields_algorithm(
    struct api_call *call, int algorithm, struct enrollment_row *row);
STATUS enrollment_fields_provider(struct api_call *call,
    const struct config *config, const char *name, struct enrollment_row *row);
STATUS enrollment_fields_authority(struct api_call *call,
    const struct config *config, const char *name, struct enrollment_row *row);
STATUS enrollment_fields_profile(
    struct api_call *call, const char *profile, struct enrollment_row *row);
STATUS enrollment_fields_chain(
    struct api_call *call, const char *chain, struct enrollment_row *row);
STATUS enrollment_fields_network(struct api_call *call,
    const struct config *config, const char *name, struct enrollment_row *row);
/* The row's account's own. */
STATUS enrollment_fields_contacts(struct db_tx *tx, struct api_call *call,
    size_t n, const int64_t *contacts, struct enrollment_row *row);

/* http-01; with a wildcard dns-01, by hand where no provider is there for the
 * row's account. */
int enrollment_fields_validation(const struct config *config,
    const struct enrollment_row *row, const struct names *names);

/* Does all of the row and its names go together?  PERMISSION_DENIED: no DNS
 * provider serves the account there (certd/provider_access.h), or it is for
 * operators alone. */
STATUS enrollment_fields_check(struct api_call *call,
    const struct config *config, const struct enrollment_row *row,
    const struct names *names);

/*
 * May the row's account have a certificate for these?  ALREADY_EXISTS: another
 * account's resource serves one of them, by itself or by a wildcard.
 * PERMISSION_DENIED: one is in the operator's zone, no resource of its own has
 * it, and no operator has given it.
 */
STATUS enrollment_fields_check_owner(struct db_tx *tx, struct api_call *call,
    const char *zone, const struct enrollment_row *row,
    const struct names *names);

#endif
