/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CHECK_FACTS_H
#define CERTD_CHECK_FACTS_H

#include "base/status.h"
#include "certd/check.h"

/*
 * What a run knows before any check: from the store (the resource, who has the
 * names, what obtains the certificate, which CA), then from DNS, all names at
 * once.  What DNS does not answer is no failure, but found out.
 */
STATUS check_facts_of_store(struct check_run *run);
STATUS check_facts_of_dns(struct check_run *run);

/* Which resource has the name, or the wildcard that serves it where nobody has
 * the name itself; NOT_FOUND: none. */
STATUS check_facts_holder(struct db_tx *tx, const char *name, int64_t *ret_id);

#endif
