/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CERTIFICATE_CANDIDATES_H
#define CERTD_CERTIFICATE_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/db.h"
#include "base/status.h"
#include "certd/search.h"
#include "certd/store_certificate_list.h"

/*
 * Certificates that may belong to a list, where an index says that they are
 * few.  query may be NULL.  *ret_are_few = false: walk the list instead; else
 * *ret_ids, each once, which the caller frees.
 */
STATUS certificate_candidates_find(struct db_tx *tx,
    const struct certificate_filter *filter, const struct search_query *query,
    bool *ret_are_few, int64_t **ret_ids, size_t *ret_n);

#endif
