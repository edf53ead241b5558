/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HSM_SPAWNER_WIRE_H
#define HSM_SPAWNER_WIRE_H

#include <stddef.h>

/* Both block, and return 0 or an errno. */

/* One message, with a descriptor beside it unless that is -1. */
int spawner_wire_put(int socket, const void *at, size_t len, int fd);

/* A message of just this length; EPIPE at the end.  ret_fd: the descriptor,
 * CLOEXEC, or -1 when none came along. */
int spawner_wire_take(int socket, void *at, size_t len, int *ret_fd);

#endif
