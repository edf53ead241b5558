/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACME_PROBLEM_INT_H
#define ACME_PROBLEM_INT_H

#include <jansson.h>

#include "acme/problem.h"
#include "base/status.h"

/* Within acme/: problems are made here. */

/* Not the CA's word.  http_status 0: no answer. */
void acme_problem_set(struct acme_problem *ret_problem,
    enum acme_problem_type type, int http_status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A problem document (RFC 7807, RFC 8555 6.7); http_status 0: what its own
 * "status" says.  False: it is none. */
bool acme_problem_read(
    const json_t *document, int http_status, struct acme_problem *ret_problem);

/* What a call that met this problem returns. */
STATUS acme_problem_status(const struct acme_problem *problem);

#endif
