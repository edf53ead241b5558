/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HANDOVER_H
#define BASE_HANDOVER_H

#include <stddef.h>

/* What a process of a daemon hands to another.  Both block, and return 0 or an
 * errno. */

/* One message, with a descriptor beside it unless that is -1. */
int handover_put(int socket, const void *at, size_t len, int fd);

/* A message of just this length; EPIPE at the end.  ret_fd: the descriptor,
 * CLOEXEC, or -1 when none came along. */
int handover_take(int socket, void *at, size_t len, int *ret_fd);

#endif
