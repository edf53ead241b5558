/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_DIAL_H
#define EDGE_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/status.h"

/*
 * Connections that do not block, for probes: each wait ends by a moment, or
 * when stop_fd becomes readable.  Any thread.
 */

/* Wait for POLLIN or POLLOUT on fd (-1: for nothing but the end); false: it is
 * the end. */
bool dial_await(int fd, short event, int64_t until_ns, int stop_fd);

/* UNAVAILABLE: ret_why (SITE_WHY_MAX octets) says why.  The caller closes
 * *ret_fd. */
STATUS dial_open(const union address *to, int64_t until_ns, int stop_fd,
    int *ret_fd, char *ret_why);

#endif
