/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_DIAGNOSES_H
#define CERTD_DIAGNOSES_H

#include "base/scoped.h"
#include "base/status.h"
#include "certd/api.h"
#include "certd/checks.h"
#include "certd/store.h"

/*
 * The service Diagnoses: looks now, and shows what was seen before.  At most
 * DIAGNOSES_AT_ONCE look at once, for each takes seconds and asks the internet;
 * more are refused; of one account's DIAGNOSES_OF_ACCOUNT.  Any thread.
 */
struct diagnoses;

#define DIAGNOSES_AT_ONCE 4
#define DIAGNOSES_OF_ACCOUNT 2

struct diagnoses_config {
	struct store *store; /* both borrowed */
	struct checks *checks;
};

STATUS diagnoses_new(
    const struct diagnoses_config *config, struct diagnoses **ret_diagnoses);
STATUS diagnoses_register(struct diagnoses *diagnoses, struct api *api);
void diagnoses_free(struct diagnoses *diagnoses); /* NULL is allowed */
SCOPED_RELEASE(diagnoses_free, struct diagnoses *);

#endif
