/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_HAPROXY_H
#define EDGE_HAPROXY_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

#define HAPROXY_WHY_MAX 256

/*
 * Give a running HAProxy a new certificate by its runtime API ("set ssl cert"
 * and "commit ssl cert" of its management guide, 9.3), without a reload.
 * socket_path is that of "stats socket" at level admin; file the name that the
 * certificate has in HAProxy's configuration; pem chain and key stub, without
 * empty lines.  UNAVAILABLE when HAProxy cannot be asked, FAILED_PRECONDITION
 * when it does not take it (it has no such file, or its buffer is too small):
 * what was begun is then taken back.  ret_why (HAPROXY_WHY_MAX octets) has what
 * it said.  Blocks for at most twice timeout_ns.  Any thread.
 */
STATUS haproxy_update(const char *socket_path, const char *file,
    struct bytes pem, int64_t timeout_ns, char *ret_why);

#endif
