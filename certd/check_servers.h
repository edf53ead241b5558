/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_CHECK_SERVERS_H
#define CERTD_CHECK_SERVERS_H

#include "certd/check.h"
#include "certd/word_list.h"

/* Take those servers out of a zone that may not be connected to
 * (check_may_connect); their names are added to unasked. */
void check_servers_choose(const struct check_run *run, struct dns_zone *zone,
    struct word_list *unasked);

#endif
