/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTD_KEYD_HEALTH_H
#define CERTD_KEYD_HEALTH_H

#include "certd/custody.h"
#include "certd/notices/notices.h"

/* What is wrong with keyd now, for who is to be told of it: asks keyd, and may
 * block as custody's calls do.  Any thread. */
void keyd_health_look(
    struct custody *custody, struct notices_health *ret_health);

#endif
