/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACME_HEADER_H
#define ACME_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Values of HTTP header fields.  Pure functions of foreign octets. */

/* RFC 9110 5.6.7, in its preferred form; Unix time. */
bool acme_header_date(struct bytes value, int64_t *ret_s);

#define ACME_HEADER_RETRY_MAX_MS INT64_C(86400000)
/* RFC 9110 10.2.3: seconds, or a date that is as far from now_s; at most a day.
 * -1: neither. */
int64_t acme_header_retry_after_ms(struct bytes value, int64_t now_s);

/* Lower case, without parameters; empty when it does not fit. */
void acme_header_media_type(struct bytes value, char *ret_type, size_t max);

struct acme_header_link {
	char rel[32];
	char url[512];
};
/*
 * The next link of a Link field (RFC 8288 3) off the front of *value; false at
 * its end.  Those without a rel, too long or malformed are passed over.
 */
bool acme_header_link(struct bytes *value, struct acme_header_link *ret_link);

/* A Replay-Nonce (RFC 8555 6.5.1): base64url, else to be ignored. */
bool acme_header_is_nonce(struct bytes value);

#endif
