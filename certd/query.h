/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_QUERY_H
#define CERTD_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Percent-encoded text of addresses (RFC 3986 2.1), strictly. */

#define QUERY_PARAMETERS_MAX 64
#define QUERY_NAME_MAX 64
#define QUERY_VALUE_MAX 1024
#define QUERY_WHY_MAX 256

/*
 * Decode into max octets with the zero.  False for broken escapes, zeros, what
 * is no UTF-8 then, and what does not fit.  plus_is_blank: as queries have it.
 */
bool query_decode(const char *text, size_t len, bool plus_is_blank,
    char *ret_text, size_t max);

/*
 * Each parameter of a query ("a=1&b=x%20y", without '?'), decoded, in order.
 * Ends with the first failure, of the query or of each.  ret_why
 * (QUERY_WHY_MAX) says what is wrong with the query.
 */
typedef struct status (*query_fn)(
    void *ctx, const char *name, const char *value);
STATUS query_each(const char *query, query_fn each, void *ctx, char *ret_why);

/* Encode what is not unreserved; at most max octets with the zero, false when
 * it does not fit. */
bool query_encode(const char *text, char *ret_text, size_t max);

#endif
