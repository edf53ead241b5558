/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_UPDATE_INT_H
#define DNS_UPDATE_INT_H

#include "dns/update.h"

/* dns_update_send, at that time of the wall clock: for tests of clocks that
 * differ. */
STATUS dns_update_send_at(
    const struct dns_update *update, int64_t now_s, char *ret_why);

#endif
