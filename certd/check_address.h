/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CHECK_ADDRESS_H
#define CERTD_CHECK_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "certd/check.h"
#include "certd/word_list.h"

/* Addresses of a host name beside those of its resource's target. */

enum check_family {
	CHECK_V4,
	CHECK_V6,
	CHECK_BOTH
};

struct check_addresses {
	size_t n;      /* of the host name, of that family */
	size_t n_ours; /* that are the target's too */
	struct word_list all, foreign;
};

bool check_address_is_v6(const char *address);
void check_address_compare(const struct check_run *run,
    const struct check_host *host, enum check_family family,
    struct check_addresses *ret);

/* The line that would make it right: "www.example.com.  CNAME  target.", and
 * what to do where no CNAME may stand (RFC 1034 3.6.2), for which DNS is asked
 * once. */
void check_address_line(const struct check_run *run,
    const struct check_host *host, struct check_finding *finding);

#endif
